"""Louder and softer by table: one code for another, in whole decibels, for legs that ask for it."""

import numpy as np

from media.g711 import DECODE, ENCODE
from media.types import Bytes, Integers

MOST_DB = 20


def _table() -> Bytes:
    """(2 * 41, 256) codes: of A-law from -20 dB up, then of mu-law."""
    steps = 10 ** (np.arange(-MOST_DB, MOST_DB + 1) / 20)
    rows = []
    for kind in (0, 1):
        linear = np.clip(np.rint(DECODE[kind][None, :] * steps[:, None]), -32768, 32767)
        rows.append(ENCODE[kind].take(linear.astype(np.int16).view(np.uint16)))
    return np.concatenate(rows)


TABLE = _table()
STEPS = 2 * MOST_DB + 1


class Gains:
    """Decibels a leg; only legs that are not at 0 cost anything."""

    def __init__(self, capacity: int) -> None:
        self.db: Integers = np.zeros(capacity, np.int64)
        self._which: Integers = np.zeros(0, np.int64)

    def set(self, leg: int, db: int) -> None:
        """From now on; clipped to what the table has."""
        db = max(-MOST_DB, min(MOST_DB, db))
        if self.db[leg] != db:  # each leg that begins or ends is set to 0, and nearly all are
            self.db[leg] = db
            self._which = np.flatnonzero(self.db)

    def step(self, heard: Bytes, codec: Bytes) -> None:
        """Change what legs are heard to say, (n, 160) codes, in place."""
        which = self._which
        if not len(which):
            return
        which = which[which < len(heard)]
        row = codec[which].astype(np.int64) * STEPS + self.db[which] + MOST_DB
        heard[which] = TABLE.ravel().take(heard[which] + (row << 8)[:, None])
