"""Limits that keep strangers from taking the time and memory of those we know."""

import math
from collections import OrderedDict
from collections.abc import Hashable
from enum import Enum, auto

from callcore.call.settings import LimitSettings
from callcore.value import dataclass


@dataclass(frozen=True, slots=True)
class Bucket:
    """A token bucket; `tokens` is what it held at `at`."""

    rate_per_second: float
    size: float
    tokens: float
    at: float

    @classmethod
    def full(cls, rate_per_second: float, size: float, now: float) -> "Bucket":
        """A bucket that nothing was taken from yet."""
        return cls(rate_per_second, size, size, now)

    def take(self, now: float) -> tuple["Bucket", bool]:
        """Take one token; False, and nothing taken, when there is none."""
        rate, size = self.rate_per_second, self.size
        tokens = self.tokens + (now - self.at) * rate
        tokens = min(tokens, size)
        if tokens < 1.0:
            return Bucket(rate, size, tokens, now), False
        return Bucket(rate, size, tokens - 1.0, now), True

    def wait_seconds(self, now: float) -> int:
        """Whole seconds until a token is there: what Retry-After says (RFC 3261 §20.33)."""
        missing = 1.0 - self.tokens - (now - self.at) * self.rate_per_second
        return max(1, math.ceil(missing / self.rate_per_second))


class Verdict(Enum):
    """What to do with a request: SERVE it, REFUSE it with 503, or DROP it unread.

    IGNORE is to drop what a banned source sends.
    """

    SERVE = auto()
    REFUSE = auto()
    DROP = auto()
    IGNORE = auto()


class Admission:
    """Requests of strangers, limited for each source and for all of them together.

    An answer costs about as much as the request, so refusals have a bucket of their own, a
    tenth of the rate; what goes beyond is dropped. A source forgotten (least recently seen)
    starts with a full bucket: the common bucket is what bounds a flood from forged sources.
    """

    def __init__(self, settings: LimitSettings, now: float) -> None:
        self._settings = settings
        self._sources: OrderedDict[Hashable, Bucket] = OrderedDict()
        self._all = Bucket.full(settings.strangers, settings.strangers_burst, now)
        refusals = max(1.0, settings.strangers / 10)
        self._refusals = Bucket.full(refusals, refusals, now)

    def __len__(self) -> int:
        return len(self._sources)

    def admit(self, source: Hashable, now: float) -> Verdict:
        """Judge one request of a source that we do not know."""
        settings = self._settings
        if self._take(source, settings.per_source, settings.source_burst, now):
            self._all, served = self._all.take(now)
            if served:
                return Verdict.SERVE
        return self._refuse(now)

    def admit_seat(self, flow: Hashable, now: float) -> Verdict:
        """Judge one request that comes by a seat's binding."""
        settings = self._settings
        if self._take(flow, settings.per_seat, settings.seat_burst, now):
            return Verdict.SERVE
        return self._refuse(now)

    def _take(self, key: Hashable, rate: float, burst: float, now: float) -> bool:
        bucket = self._sources.get(key)
        if bucket is None:
            bucket = Bucket.full(rate, burst, now)
            if len(self._sources) >= self._settings.remembered:
                self._sources.popitem(last=False)
        self._sources[key], served = bucket.take(now)
        self._sources.move_to_end(key)
        return served

    def _refuse(self, now: float) -> Verdict:
        self._refusals, answered = self._refusals.take(now)
        return Verdict.REFUSE if answered else Verdict.DROP


class TrunkLimit:
    """`calls_per_second` (incoming) and `max_calls` (both directions) of one trunk."""

    def __init__(self, calls_per_second: float, max_calls: int, now: float) -> None:
        self._max_calls = max_calls
        self._legs: set[str] = set()
        self._bucket: Bucket | None = None
        if calls_per_second > 0:
            # One second's worth may come at once: arrivals are never evenly spaced.
            self._bucket = Bucket.full(calls_per_second, max(1.0, calls_per_second), now)

    @property
    def calls(self) -> int:
        """Calls now on the trunk."""
        return len(self._legs)

    @property
    def is_full(self) -> bool:
        """Whether `max_calls` is reached."""
        return 0 < self._max_calls <= len(self._legs)

    def admit(self, now: float) -> tuple[str, int] | None:
        """None when an incoming call may pass, else why not and the Retry-After in seconds."""
        if self.is_full:
            # How long the others will talk is not known; a line comes free about that often.
            return "max_calls", 10
        if self._bucket is None:
            return None
        self._bucket, passed = self._bucket.take(now)
        return None if passed else ("calls_per_second", self._bucket.wait_seconds(now))

    def add(self, leg: str) -> None:
        """A call of this trunk began."""
        self._legs.add(leg)

    def remove(self, leg: str) -> None:
        """It ended."""
        self._legs.discard(leg)
