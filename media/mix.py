"""What each leg is sent: one row index a leg into a pool of frames, so mixing is one gather.

The pool, (rows, 160) codes: what each leg was heard to say; what was made for it (another codec,
or the sum of a conference without itself); a frame of silence of each codec; the prompts' bank.
A two-party bridge of one codec only points at the other leg's row: bit exact, nothing is decoded.
Other two-party bridges go through one table. Conferences are decoded, summed and encoded.
"""

import numpy as np

from media.g711 import DECODE, ENCODE, PCMA, PCMU, SILENCE, TRANSCODE
from media.legs import Legs
from media.prompts import Bank
from media.types import FRAME, Bytes, Integers

NONE: Integers = np.zeros(0, np.int64)


class Mixer:
    """Bridges, and the plan that follows from them; the plan changes only with a command."""

    def __init__(self, legs: Legs, bank: Bank) -> None:
        capacity = legs.capacity
        self.legs = legs
        self.bank = bank
        self.made_at = capacity
        self.silence_at = 2 * capacity
        self.bank_at = 2 * capacity + 2
        self.pool: Bytes = np.zeros((self.bank_at + 2 * bank.frames, FRAME), np.uint8)
        self.pool[self.silence_at : self.bank_at] = SILENCE[:, None]
        self.pool[self.bank_at :] = bank.codes
        self.heard: Bytes = self.pool[:capacity]
        self.source: Integers = np.full(capacity, self.silence_at, np.int64)
        self.partner: Integers = np.full(capacity, -1, np.int64)
        self.dirty = True  # the plan is made anew before the next tick, however much changed
        self.bridges: dict[str, list[int]] = {}
        self.bridge_of: dict[int, str] = {}
        self._transcoded: list[tuple[Integers, Integers, int]] = []  # (to, from, from's codec)
        self._members = NONE  # of conferences, one bridge after the other
        self._starts = NONE
        self._group = NONE

    def bridge(self, name: str, legs: list[int]) -> None:
        """Join legs; those that were in another bridge leave it."""
        self.unbridge(name)
        for leg in legs:
            self.leave(leg)
        self.bridges[name] = legs
        self.bridge_of.update((leg, name) for leg in legs)
        self.dirty = True

    def unbridge(self, name: str) -> None:
        for leg in self.bridges.pop(name, []):
            del self.bridge_of[leg]
        self.dirty = True

    def leave(self, leg: int) -> None:
        """Take one leg out of its bridge; the others stay joined."""
        name = self.bridge_of.pop(leg, None)
        if name is not None:
            self.bridges[name].remove(leg)
            if not self.bridges[name]:
                del self.bridges[name]
            self.dirty = True

    def plan(self) -> None:
        """Work out each leg's source row, if bridges or codecs changed since the last time."""
        if not self.dirty:
            return
        self.dirty = False
        codec = self.legs.codec
        self.source[:] = self.silence_at + codec.astype(np.int64)
        self.partner[:] = -1
        pairs = [(a, b) for two in self.bridges.values() if len(two) == 2 for a, b in [two]]
        to = np.array([x for a, b in pairs for x in (a, b)], np.int64)
        other = np.array([x for a, b in pairs for x in (b, a)], np.int64)
        self.partner[to] = other
        same = codec[to] == codec[other]
        self.source[to] = np.where(same, other, self.made_at + to)
        self._transcoded = [
            (to[which], other[which], kind)
            for kind in (PCMA, PCMU)
            if (which := np.flatnonzero(~same & (codec[other] == kind))).size
        ]
        rooms = [members for members in self.bridges.values() if len(members) > 2]
        sizes = np.array([len(members) for members in rooms], np.int64)
        self._members = np.array([leg for members in rooms for leg in members], np.int64)
        self._starts = np.cumsum(sizes) - sizes
        self._group = np.repeat(np.arange(len(rooms)), sizes)
        self.source[self._members] = self.made_at + self._members

    def make(self) -> None:
        """Frames that are nobody's own: other codecs and conferences, from `heard` to `made`."""
        made = self.pool[self.made_at : self.silence_at]
        for to, other, kind in self._transcoded:
            made[to] = TRANSCODE[kind].take(self.heard[other])
        if len(self._members):
            self._confer(made)

    def _confer(self, made: Bytes) -> None:
        """Mix-minus: everybody but oneself, clipped to 16 bits; (members, 160) int32."""
        members = self._members
        codec = self.legs.codec[members].astype(np.intp)
        own = DECODE.ravel().take(self.heard[members] + (codec << 8)[:, None]).astype(np.int32)
        total = np.add.reduceat(own, self._starts, axis=0)
        mixed = np.clip(total[self._group] - own, -32768, 32767).astype(np.int16)
        index = mixed.view(np.uint16) + (codec << 16)[:, None]
        made[members] = ENCODE.ravel().take(index)

    def prompt_rows(self, legs: Integers, frames: Integers) -> Integers:
        """Rows of the pool where the bank has these frames, each in its leg's codec."""
        return self.bank_at + frames + self.legs.codec[legs].astype(np.int64) * self.bank.frames
