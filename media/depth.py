"""How deep each leg's jitter buffer should be: a quantile of how early its packets come.

Each packet tells how many samples it was ahead of the play position when it came. Counted against
a steady clock (`lag` is how far the play position has fallen behind one), these numbers stay
comparable while the buffer is moved, and a drift of the sender's clock shows as their wandering.
One packet in a hundred of the last 3 s may be late; beyond that the buffer grows, and where even
those come a frame and a half early it shrinks. Each leg is looked at every half second.
"""

import numpy as np

from media.types import FRAME, HALF, Bytes, Integers

BINS = 64  # of 10 ms, used in the round
WINDOWS = 6  # of PERIOD ticks: what is remembered
PERIOD = 25
JUDGE_TICKS = 5  # between looks, each at a fifth of the legs: fewer and longer arrays are cheaper
LATEST = -16 * HALF  # samples: later than this is counted as this
EARLIEST = 48 * HALF
FEWEST = 20  # packets, before anything is decided
LATE_SHARE = 100  # one in so many may be late
ROOM = FRAME  # samples that packets should be early at least, after the buffer has shrunk
RICH = FRAME + HALF


class Depth:
    """`need` is frames to be put in, or, negative, to be left out; `spread` samples of jitter."""

    def __init__(self, capacity: int) -> None:
        self.lag: Integers = np.zeros(capacity, np.int64)
        self.need: Integers = np.zeros(capacity, np.int64)
        self.spread: Integers = np.zeros(capacity, np.int64)
        self.early: Integers = np.zeros(capacity, np.int64)  # median, samples
        self.earliest: Integers = np.zeros(capacity, np.int64)  # but one in a hundred; 0: not known
        self.streams: Integers = np.zeros(capacity, np.int64)  # how often all began anew
        self.counts: Bytes = np.zeros((capacity, WINDOWS, BINS), np.uint8)
        self._flat: Bytes = self.counts.reshape(-1)
        self._window = 0

    def clear(self, legs: Integers) -> None:
        """What was counted has to do with another stream."""
        self.lag[legs] = self.need[legs] = self.spread[legs] = self.earliest[legs] = 0
        self.streams[legs] += 1
        self.counts[legs] = 0

    def note(self, legs: Integers, ahead: Integers) -> None:
        """One packet of each of these distinct legs came so many samples early."""
        steady = np.clip(ahead, LATEST, EARLIEST - 1) - self.lag[legs]
        place = (legs * WINDOWS + self._window) * BINS + steady // HALF % BINS
        count = self._flat[place]
        self._flat[place] = count + (count < 255)

    def step(self, tick: int, high: int) -> None:
        """Look at the legs whose turn it is; begin a new window when it is time."""
        if tick % PERIOD == 0:
            self._window = tick // PERIOD % WINDOWS
            self.counts[:, self._window] = 0
        if tick % JUDGE_TICKS == 0:
            turns = PERIOD // JUDGE_TICKS
            legs = np.arange(tick // JUDGE_TICKS % turns, high, turns)
            if len(legs):
                self._judge(legs)

    def _judge(self, legs: Integers) -> None:
        counts = self.counts[legs].sum(axis=1, dtype=np.int32)
        start = (LATEST - self.lag[legs]) // HALF
        order = (start[:, None] + np.arange(BINS)) % BINS
        upto = np.take_along_axis(counts, order, axis=1).cumsum(axis=1)
        total = upto[:, -1]
        low = _first(upto > (total // LATE_SHARE)[:, None])
        high = _first(upto >= (total - total // LATE_SHARE)[:, None])
        median = _first(upto * 2 > total[:, None])
        grow = np.where(median < HALF, 1, 0)  # the sender's clock is slow: before it is late
        grow = np.where(low < 0, (FRAME - 1 - low) // FRAME, grow)
        shrink = np.where(low >= RICH, (low - ROOM + HALF) // FRAME, 0)
        known = total >= FEWEST
        self.need[legs] = np.where(known, grow - shrink, 0)
        self.spread[legs] = np.where(known, high - low, 0)
        self.early[legs] = np.where(known, median, 0)
        self.earliest[legs] = np.where(known, high, 0)


def _first(reached: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Integers:
    """The lower end, in samples, of the first bin of each row where it holds."""
    first: Integers = LATEST + HALF * reached.argmax(axis=1).astype(np.int64)
    return first
