"""The guard against toll fraud: who may dial what on a trunk, and how often.

A stolen password is worth what can be dialled with it. A seat dials numbers of allowed classes
only, so many at once and so many in 24 hours; all seats together so many in 24 hours.
"""

import re
from collections import deque
from collections.abc import Callable, Container

from callcore.call.settings import NumberClass, OutboundSettings

DAY_SECONDS = 86_400.0
_number = re.compile(r"\+?[0-9*#]{1,32}\Z").match
_separators = str.maketrans("", "", " -.()/")


class TollGuard:
    """Judges a call that a seat places on a trunk, and counts those that were let through.

    `is_registered` says whether a seat is one that has proved its password.
    """

    def __init__(
        self,
        settings: OutboundSettings,
        seats: Container[str],
        is_registered: Callable[[str], bool],
    ) -> None:
        self._settings = settings
        self._seats = seats
        self._is_registered = is_registered
        self._classes = [(one.name, compiled(one)) for one in settings.classes]
        self._days: dict[str, deque[float]] = {}  # of each seat, and "" of all of them
        self._legs: dict[str, str] = {}

    def kind(self, number: str) -> str | None:
        """The class of a number; None when it has none."""
        plain = self.normal(number)
        if plain is None:
            return None
        return next((name for name, fits in self._classes if fits(plain)), None)

    def normal(self, number: str) -> str | None:
        """A number as it is dialled inside of the country; None when it is no number."""
        plain = number.translate(_separators)
        if _number(plain) is None:
            return None
        for prefix in ("+", "00"):
            home = prefix + self._settings.country_code
            if plain.startswith(home):
                rest = plain.removeprefix(home)
                # A mobile stands as it is; an area code wants its trunk prefix back.
                return rest if rest.startswith(("0", "1")) else f"0{rest}"
        return plain

    def judge(self, seat: str, number: str, now: float) -> str | None:
        """None when the call may go out, else why not."""
        settings = self._settings
        if seat not in self._seats or not self._is_registered(seat):
            return "seat not registered"
        kind = self.kind(number)
        if kind == "emergency" and kind in settings.allowed:
            return None  # whatever was dialled before
        if kind is None or kind not in settings.allowed:
            return "number not allowed"
        if 0 < settings.seat_calls <= sum(one == seat for one in self._legs.values()):
            return "seat's calls at once"
        if self._is_full(seat, settings.seat_calls_a_day, now):
            return "seat's calls a day"
        if self._is_full("", settings.calls_a_day, now):
            return "calls a day"
        return None

    def began(self, leg: str, seat: str, now: float) -> None:
        """A call was let through."""
        self._legs[leg] = seat
        settings = self._settings
        for key, limit in ((seat, settings.seat_calls_a_day), ("", settings.calls_a_day)):
            if limit > 0:
                self._days.setdefault(key, deque(maxlen=limit)).append(now)

    def ended(self, leg: str) -> None:
        """It is over."""
        self._legs.pop(leg, None)

    def _is_full(self, key: str, limit: int, now: float) -> bool:
        """The last `limit` calls are remembered: the oldest of them is too young."""
        times = self._days.get(key)
        return times is not None and len(times) >= limit > 0 and now - times[0] < DAY_SECONDS


def compiled(kind: NumberClass) -> Callable[[str], object]:
    """Digits stand for themselves, x for any, [3-9] for some, a trailing * for the rest."""
    patterns = []
    for pattern in kind.patterns:
        rest = "[0-9*#]*" if pattern.endswith("*") else ""
        patterns.append(pattern.removesuffix("*").replace("+", r"\+").replace("x", "[0-9]") + rest)
    return re.compile("|".join(f"(?:{one})" for one in patterns)).fullmatch
