"""A queue's exact counts: one tally for each interval of arrival, and one of all that is older."""

from __future__ import annotations

from acd.service_level import Tally, day_start


class Ledger:
    """Counts by interval of arrival; a call holds the tally that it was counted in."""

    def __init__(self, interval_ms: int, kept: int, utc_offset_minutes: int) -> None:
        self._interval_ms = interval_ms
        self._kept = kept
        self._offset_minutes = utc_offset_minutes
        self._older = Tally()
        self.intervals: dict[int, Tally] = {}
        self._from_ms = self._to_ms = 0  # the interval that was asked for last
        self._current = self._older

    def tally(self, at_ms: int) -> Tally:
        """The tally of the interval that holds `at_ms`."""
        if self._from_ms <= at_ms < self._to_ms:
            return self._current
        offset_ms = self._offset_minutes * 60_000
        start_ms = at_ms - (at_ms + offset_ms) % self._interval_ms
        found = self.intervals.get(start_ms)
        if found is None:
            found = self.intervals[start_ms] = Tally()
            self._fold(start_ms - self._kept * self._interval_ms)
        self._from_ms, self._to_ms = start_ms, start_ms + self._interval_ms
        self._current = found
        return found

    def total(self) -> Tally:
        """Everything since the beginning."""
        total = Tally()
        total.add(self._older)
        for one in self.intervals.values():
            total.add(one)
        return total

    def since(self, from_ms: int) -> Tally:
        """Calls of the intervals that start at `from_ms` or later."""
        total = Tally()
        for start_ms, one in self.intervals.items():
            if start_ms >= from_ms:
                total.add(one)
        return total

    def today(self, now_ms: int) -> Tally:
        """Calls that arrived since midnight."""
        return self.since(day_start(now_ms, self._offset_minutes))

    def _fold(self, before_ms: int) -> None:
        """Intervals with calls in progress or just overflowed stay until those are counted."""
        for start_ms in [one for one in self.intervals if one < before_ms]:
            if self.intervals[start_ms].in_progress == 0:
                self._older.add(self.intervals.pop(start_ms))
