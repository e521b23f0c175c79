"""Arrivals by interval: what a forecast is made from, and what it is compared with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

Counts = NDArray[np.float64]
DAY_MINUTES = 1440


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Calls offered by day and interval of arrival, local time; whole days only."""

    first: date
    minutes: int  # length of an interval
    counts: Counts  # (n_days, 1440 / minutes) float64, calls

    @property
    def days(self) -> list[date]:
        """The dates of the rows."""
        return [self.first + timedelta(index) for index in range(len(self.counts))]

    def until(self, day: date) -> Arrivals:
        """What was known before that day began."""
        return Arrivals(self.first, self.minutes, self.counts[: (day - self.first).days])


@dataclass(frozen=True, slots=True)
class Handling:
    """Means of the same calls, in seconds; None where the source does not tell."""

    talk_seconds: float | None = None
    patience_seconds: float | None = None  # time waited by all / calls given up: exponential, MLE


def check_minutes(minutes: int) -> None:
    """ValueError unless an interval divides the day."""
    if not 5 <= minutes <= DAY_MINUTES or DAY_MINUTES % minutes:
        raise ValueError("an interval is at least 5 minutes and divides the day: 15, 30 or 60")


def from_times(times_ms: Iterable[int], minutes: int, utc_offset_minutes: int) -> Arrivals:
    """Counts arrivals; the first and the last day, of which a part may be missing, are left out.

    ValueError when no whole day is left.
    """
    ones = ((at_ms, 1.0) for at_ms in times_ms)
    return from_counts(ones, minutes, utc_offset_minutes, whole=False)


def from_counts(
    counted: Iterable[tuple[int, float]], minutes: int, utc_offset_minutes: int, *, whole: bool
) -> Arrivals:
    """Sums (start_ms, calls); `whole`: the first and last day are complete and kept."""
    check_minutes(minutes)
    pairs = np.array(list(counted), dtype=np.float64).reshape(-1, 2)
    if not len(pairs):
        raise ValueError("no calls in the history")
    slots_a_day = DAY_MINUTES // minutes
    slots = (pairs[:, 0] / 60_000 + utc_offset_minutes) // minutes
    first, last = int(slots.min() // slots_a_day), int(slots.max() // slots_a_day)
    counts = np.zeros((last - first + 1) * slots_a_day)
    np.add.at(counts, slots.astype(np.int64) - first * slots_a_day, pairs[:, 1])
    days = counts.reshape(-1, slots_a_day)
    if not whole:
        days, first = days[1:-1], first + 1
    if not len(days):
        raise ValueError("the history has no whole day: the first and the last are left out")
    return Arrivals(date(1970, 1, 1) + timedelta(first), minutes, days)


def local_ms(text: str, utc_offset_minutes: int) -> int:
    """An ISO time (local where it says no zone), or milliseconds since the epoch, as the latter."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time like 2026-11-03T09:30:00") from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=timezone(timedelta(minutes=utc_offset_minutes)))
    return round(at.astimezone(UTC).timestamp() * 1000)


def patience(waited_ms: Sequence[int], abandoned: int) -> float | None:
    """Mean patience of exponential callers, seconds, those answered being censored."""
    return sum(waited_ms) / 1000 / abandoned if abandoned else None
