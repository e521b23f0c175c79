"""Feature codes: what an agent's phone without REFER asks for by keys (RFC 4733 or in-band).

*1 8002 #   transfer      *3  complete the transfer      *5  hold, and back
*2 8002 #   consult       *4  three-way                  *9 119 #  emergency
*6 8002 #   a third party *81 ... *84  a supervisor      #119      the same by one key
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

PAUSE_SECONDS = 6.0  # a longer pause between two keys begins anew
MOST_KEYS = 24
WITH_NUMBER = frozenset(("transfer", "consult", "add", "emergency"))


@dataclass(frozen=True, slots=True)
class Keys:
    """What has been typed so far, and when the last key was (seconds on the loop's clock)."""

    typed: str = ""
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Order:
    """A code that is complete."""

    verb: str
    to: str = ""


NOTHING = Keys()


def press(
    keys: Keys, digit: str, codes: Mapping[str, str], now: float
) -> tuple[Keys, Order | None]:
    """One key more; `codes` maps verbs to what is typed for them.

    A star begins anew unless it can go on; # ends a number.
    """
    typed = keys.typed if now - keys.at <= PAUSE_SECONDS else ""
    if digit == "#" and typed:
        return NOTHING, _with_number(typed, codes)
    typed = (typed + digit)[-MOST_KEYS:]
    if not any(code.startswith(typed) or typed.startswith(code) for code in codes.values()):
        typed = digit if any(code.startswith(digit) for code in codes.values()) else ""
    verb = next((verb for verb, code in codes.items() if code == typed), None)
    if verb is not None and verb not in WITH_NUMBER:
        return NOTHING, Order(verb)
    return Keys(typed, now), None


def _with_number(typed: str, codes: Mapping[str, str]) -> Order | None:
    """The longest code that the keys begin with, and the number behind it."""
    found = [(code, verb) for verb, code in codes.items() if typed.startswith(code)]
    if not found:
        return None
    code, verb = max(found, key=lambda one: len(one[0]))
    number = typed.removeprefix(code)
    return Order(verb, number) if number and verb in WITH_NUMBER else None


def dialled(called: str, codes: Mapping[str, str], verbs: Collection[str]) -> Order | None:
    """What a phone dials as one number: a code of these verbs, and whom it is about."""
    found = [(codes[verb], verb) for verb in verbs if codes.get(verb)]
    fits = [(code, verb) for code, verb in found if called.startswith(code) and called != code]
    if not fits:
        return None
    code, verb = max(fits, key=lambda one: len(one[0]))
    return Order(verb, called.removeprefix(code))
