r"""Numbers written anew by ordered rules: from an operator's way to ours, and back.

Ours is how people dial: 13800000001, 055112345678, 12345, 0085212345678. Pure functions; the
rules are a trunk's data (numbers_in, numbers_out).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from callcore.errors import LocalProtocolError
from callcore.message import Uri

LONGEST = 40  # E.164 has 15 digits; what is longer is no number, and no pattern shall try it
_NUMBER = re.compile(r"\+?[0-9*#A-Da-d]+\Z")
_SEPARATORS = str.maketrans("", "", "-.() ")


@dataclass(frozen=True, slots=True)
class Rule:
    """The whole number, or (`prefix`) how it begins, and what is written in its place."""

    pattern: re.Pattern[str]
    to: str

    def apply(self, number: str) -> str | None:
        """The number written anew, or None where the rule does not fit."""
        found = self.pattern.fullmatch(number)
        return None if found is None else found.expand(self.to)


Rules = tuple[Rule, ...]


def make_rules(
    rows: Iterable[tuple[str | None, str | None, str]], *, country: str = "", area: str = ""
) -> Rules:
    """Rules of (prefix, pattern, to) with %country% and %area% filled in.

    A rule that wants the one which is empty is left out. LocalProtocolError for no pattern.
    """
    rules = []
    for prefix, pattern, to in rows:
        text = (pattern or "") + (prefix or "") + to
        if ("%country%" in text and not country) or ("%area%" in text and not area):
            continue
        try:
            rules.append(_rule(prefix, pattern, to, {"%country%": country, "%area%": area}))
        except re.error as error:
            raise LocalProtocolError(f"no rule for numbers: {pattern!r}: {error}") from None
    return tuple(rules)


def _rule(prefix: str | None, pattern: str | None, to: str, names: dict[str, str]) -> Rule:
    if prefix is not None:
        prefix, to = _filled(prefix, names), _filled(to, names)
        to = to.replace("\\", r"\\") + r"\g<1>"
        return Rule(re.compile(re.escape(prefix) + r"(.*)", re.ASCII), to)
    # A digit behind \1 would make another group of it: filled-in digits stand behind \g<1>.
    to = _filled(re.sub(r"\\(\d+)", r"\\g<\1>", to), names)
    return Rule(re.compile(_filled(pattern or "", names), re.ASCII), to)


def _filled(text: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        text = text.replace(name, value)
    return text


def rewrite(number: str, rules: Rules) -> str:
    """By the first rule that fits; what is no number, and what none fits, stays as it is."""
    if not number or len(number) > LONGEST or not _NUMBER.match(number):
        return number
    for rule in rules:
        written = rule.apply(number)
        if written is not None:
            return written
    return number


def number_of(uri: Uri) -> str:
    """The number that a URI names, without visual separators (RFC 3966 §5.1.1).

    A local number in the context of a prefix becomes a global one (§5.1.5). The user part of a
    sip URI may be a telephone-subscriber with its parameters (RFC 3261 §19.1.6); one that is no
    number is returned as it is.
    """
    user, _, rest = (uri.user or "").partition(";")
    context = uri.params.get("phone-context") if uri.scheme == "tel" else _context(rest)
    number = user.translate(_SEPARATORS)
    if not _NUMBER.match(number):
        return user
    prefix = (context or "").translate(_SEPARATORS)
    if prefix.startswith("+") and prefix[1:].isdecimal() and not number.startswith("+"):
        return prefix + number
    return number


def _context(params: str) -> str | None:
    for param in params.split(";"):
        name, _, value = param.partition("=")
        if name.lower() == "phone-context":
            return value
    return None
