"""Numbers as a Mandarin speaker reads them, and what a waiting caller is told."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.prompts import decode_wav
from media.spoken import LIMIT, SNIPPETS, count, number, queue_announcement

FOLDER = Path(__file__).parents[2] / "media" / "prompts" / "cmn"


def text(names: list[str]) -> str:
    return "".join(SNIPPETS[name.removeprefix("cmn/")] for name in names)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "零"),
        (2, "二"),
        (10, "十"),
        (12, "十二"),
        (20, "二十"),
        (100, "一百"),
        (102, "一百零二"),
        (110, "一百一十"),
        (112, "一百一十二"),
        (200, "两百"),
        (222, "两百二十二"),
        (1001, "一千零一"),
        (1010, "一千零一十"),
        (2200, "两千二百"),
        (10000, "一万"),
        (20005, "两万零五"),
        (10500, "一万零五百"),
        (12345, "一万二千三百四十五".replace("二千", "两千")),
        (100000, "十万"),
        (120000, "十二万"),
        (1000010, "一百万零一十"),
    ],
)
def test_numbers_are_read_as_people_read_them(value, said):
    assert text(number(value)) == said


def test_two_of_something_is_liang_and_twelve_is_not():
    assert text(count(2)) == "两"
    assert [text(count(n)) for n in (12, 22, 102)] == ["十二", "二十二", "一百零二"]


def value_of(said: str) -> int:
    """The number that a listener hears."""
    total = section = digit = 0
    for char in said:
        if char in "十百千":
            section += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[char]
            digit = 0
        elif char == "万":
            total, section, digit = (section + digit) * 10000, 0, 0
        else:
            digit = "零一二三四五六七八九".find(char) if char != "两" else 2
    return total + section + digit


@given(st.integers(0, LIMIT - 1))
def test_a_listener_hears_the_number_that_was_meant(value):
    said = text(number(value))
    assert value_of(said) == value
    assert "零零" not in said
    assert value == 0 or not said.endswith("零")


@pytest.mark.parametrize("value", [-1, LIMIT])
def test_what_cannot_be_read_is_refused(value):
    with pytest.raises(ValueError, match="cannot be spoken"):
        number(value)


def test_a_caller_is_told_place_and_wait():
    assert text(queue_announcement(3, 120)) == "您前面还有三位预计等待两分钟"
    assert text(queue_announcement(2, None)) == "您前面还有两位"
    assert text(queue_announcement(0, 20)) == "您是下一位，请稍候预计等待不到一分钟"
    assert text(queue_announcement(None, 7200)) == "预计等待超过一小时"
    assert queue_announcement(None, None) == ()


def test_every_snippet_is_there_and_speaks():
    for name in SNIPPETS:
        samples = decode_wav((FOLDER / f"{name}.wav").read_bytes())
        assert 0.1 < len(samples) / 8000 < 4, name
        assert abs(samples.astype(int)).max() > 8000, name
