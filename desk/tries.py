"""Wrong passwords, counted: who keeps trying is not listened to for a while."""

from collections import OrderedDict
from dataclasses import dataclass, field

OF_A_NAME = 10  # from one address: somebody else's tries shut nobody out
OF_AN_ADDRESS = 50  # whatever the names
WINDOW_SECONDS = 300.0
MOST = 20_000  # addresses and names that are remembered


class TooManyTries(Exception):
    """HTTP 429; `seconds` until the next one is listened to."""

    def __init__(self, seconds: float) -> None:
        super().__init__("too many wrong passwords: try again later")
        self.seconds = seconds

    @property
    def headers(self) -> dict[str, str]:
        """RFC 9110 §10.2.3."""
        return {"Retry-After": str(max(1, round(self.seconds)))}


@dataclass(slots=True)
class Tries:
    """Times are seconds on a steady clock. A window begins with its first wrong password."""

    _wrong: OrderedDict[tuple[str, ...], tuple[float, int]] = field(default_factory=OrderedDict)

    def check(self, name: str, source: str, now: float) -> None:
        """Raises TooManyTries."""
        for key, most in _keys(name, source):
            since, count = self._wrong.get(key, (now, 0))
            left = since + WINDOW_SECONDS - now
            if count >= most and left > 0:
                raise TooManyTries(left)

    def wrong(self, name: str, source: str, now: float) -> bool:
        """Counts one; whether it was the last that is listened to."""
        full = False
        for key, most in _keys(name, source):
            since, count = self._wrong.pop(key, (now, 0))
            if now - since >= WINDOW_SECONDS:
                since, count = now, 0
            self._wrong[key] = since, count + 1
            full = full or count + 1 >= most
        while len(self._wrong) > MOST:
            self._wrong.popitem(last=False)
        return full

    def right(self, name: str, source: str) -> None:
        """Whoever knows it may mistype it again; the address keeps its count."""
        self._wrong.pop((source, name), None)


def _keys(name: str, source: str) -> tuple[tuple[tuple[str, ...], int], ...]:
    return ((source, name), OF_A_NAME), ((source,), OF_AN_ADDRESS)
