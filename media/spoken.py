"""What a waiting caller is told, as names of snippets: Mandarin numbers by their own rules.

The snippets are media/prompts/cmn/*.wav, made by scripts/make_snippets.py and named `cmn/NAME`.
"""

# Name of the snippet: what it says. The customer records these.
SNIPPETS = {
    "0": "零",
    "1": "一",
    "2": "二",
    "3": "三",
    "4": "四",
    "5": "五",
    "6": "六",
    "7": "七",
    "8": "八",
    "9": "九",
    "10": "十",
    "100": "百",
    "1000": "千",
    "10000": "万",
    "liang": "两",
    "ahead": "您前面还有",
    "people": "位",
    "wait": "预计等待",
    "minutes": "分钟",
    "soon": "预计等待不到一分钟",
    "long": "预计等待超过一小时",
    "next": "您是下一位，请稍候",
}
UNITS = (("1000", 1000), ("100", 100), ("10", 10))
LIMIT = 10**8
LONGEST_MINUTES = 60


def number(value: int) -> list[str]:
    """A number as it is read out: 12 十二, 102 一百零二, 20,005 两万零五.

    Raises ValueError beyond 0 to 99,999,999.
    """
    if not 0 <= value < LIMIT:
        raise ValueError(f"{value} cannot be spoken; 0 to {LIMIT - 1} can")
    if value == 0:
        return ["0"]
    thousands, rest = divmod(value, 10000)
    words: list[str] = []
    if thousands:
        words = [*(["liang"] if thousands == 2 else _section(thousands)), "10000"]
        if 0 < rest < 1000:
            words.append("0")  # 一万零五百
    words += _section(rest)
    if words[:2] == ["1", "10"]:
        del words[0]  # 十二 and not 一十二, but 一百一十二
    return words


def _section(value: int) -> list[str]:
    """Below ten thousand; one 零 for any run of noughts between digits."""
    words: list[str] = []
    gap = False
    for name, unit in UNITS:
        digit, value = divmod(value, unit)
        if digit:
            words += ["0"] if gap else []
            # 两 is said before 千 and, at the head, before 百; 二 before 十 and inside.
            two = "liang" if unit == 1000 or (unit == 100 and not words) else "2"
            words += [two if digit == 2 else str(digit), name]
            gap = False
        else:
            gap = bool(words)
    if value:
        words += ["0"] if gap else []
        words.append(str(value))
    return words


def count(value: int) -> list[str]:
    """A number before a measure word: 两位, but 十二位 and 一百零二位."""
    return ["liang"] if value == 2 else number(value)


def queue_announcement(ahead: int | None, wait_seconds: float | None) -> tuple[str, ...]:
    """您前面还有 N 位，预计等待 M 分钟: names in the prompts' bank; what is None is not told."""
    words: list[str] = []
    if ahead is not None and ahead > 0:
        words += ["ahead", *count(ahead), "people"]
    elif ahead is not None:
        words.append("next")
    if wait_seconds is not None:
        minutes = round(wait_seconds / 60)
        if minutes < 1:
            words.append("soon")
        elif minutes > LONGEST_MINUTES:
            words.append("long")
        else:
            words += ["wait", *count(minutes), "minutes"]
    return tuple(f"cmn/{word}" for word in words)
