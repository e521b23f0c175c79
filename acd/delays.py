"""How long an agent takes from an offer to the bridge: a running quantile of its last answers."""

from __future__ import annotations

from bisect import bisect_left, insort

QUANTILE = 0.8  # of ten calls that count as still in time for the agent, eight are answered in it
WINDOW = 20
LEAST = 5  # answers before the quantile is believed


class Delay:
    """A window of the last answers, sorted beside; deterministic, some 200 bytes an agent."""

    __slots__ = ("_last", "_sorted", "_turn", "ms")

    def __init__(self) -> None:
        self._last: list[int] = []
        self._sorted: list[int] = []
        self._turn = 0
        self.ms: int | None = None  # the quantile, or None while too little is known

    def add(self, took_ms: int) -> None:
        """One more answer; a missed offer counts as long as the phone rang."""
        if len(self._last) < WINDOW:
            self._last.append(took_ms)
        else:
            gone = self._last[self._turn]
            self._last[self._turn] = took_ms
            self._turn = (self._turn + 1) % WINDOW
            del self._sorted[bisect_left(self._sorted, gone)]
        insort(self._sorted, took_ms)
        count = len(self._sorted)
        if count >= LEAST:
            self.ms = self._sorted[min(count - 1, int(QUANTILE * count))]
