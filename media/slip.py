"""Time is put in and left out without clicks, so that buffers follow jitter and clocks that drift.

One pitch period is said twice, or left out, by overlap-add over its length; where nothing is said,
or what sounds has no period, any length will do, so a whole frame is taken or given at once. The
periods that were put in are kept after the ring (`carry` samples, under a frame and a half), and
when they make a frame the ring is let rest for one tick; left out are samples of the carry, or of
one more frame of the ring. Legs without a carry are not touched: G.711 passes bit by bit.
"""

import numpy as np

from media.conceal import MATCH, PITCH_MAX, Concealer, pitch_of
from media.g711 import DECODE, ENCODE
from media.jitter import WHOLE, Jitter
from media.types import FRAME, Bytes, Flags, Integers, Samples

CARRY = FRAME + PITCH_MAX  # samples at most
ROW = CARRY + FRAME
SEARCH = MATCH + PITCH_MAX  # samples that a pitch is found in
MOST = 24  # slips in a tick: a stall of all senders must not stall us
REST_TICKS = 3  # between two slips of a leg that speaks
PATIENCE_TICKS = 25  # for silence, when there is no hurry
HURRY = 2  # frames
VOICED = 0.4  # likeness of two periods, from which on it is one
SILENT = 90  # mean magnitude, -51 dBov: nothing is said


class Slip:
    """The carry of each leg stands at the right end of the first CARRY columns of its row."""

    def __init__(self, jitter: Jitter, concealer: Concealer) -> None:
        capacity = jitter.legs.capacity
        self.jitter = jitter
        self.concealer = concealer
        self.depth = jitter.depth
        self.carry: Integers = np.zeros(capacity, np.int64)
        self.rows: Bytes = np.zeros((capacity, ROW), np.uint8)
        self.windows: Bytes = np.lib.stride_tricks.sliding_window_view(self.rows, FRAME, axis=1)
        self.last: Bytes = np.zeros((capacity, FRAME), np.uint8)  # what was played before
        self.last_tick: Integers = np.full(capacity, -1, np.int64)
        self.next_tick: Integers = np.zeros(capacity, np.int64)
        self.waited: Integers = np.zeros(capacity, np.int64)

    def clear(self, leg: int) -> None:
        self.carry[leg] = self.waited[leg] = 0
        self.last_tick[leg] = -1

    def still(self, high: int) -> Flags | None:
        """Legs whose carry is a frame: their ring is not to be moved in this tick."""
        full = self.carry[:high] >= FRAME
        if not full.any():
            return None
        need = self.depth.need[:high]
        need -= full & (need > 0)
        self.jitter.legs.counts["stretched"][:high] += full
        return full

    def step(self, out: Bytes, still: Flags | None) -> None:
        """Turn the rings' frames, (n, 160) codes, into what is heard, in place."""
        n = len(out)
        legs = np.flatnonzero((self.carry[:n] > 0) | (self.depth.need[:n] != 0))
        if not len(legs):
            return
        if still is None:
            fresh = legs
        else:
            rests = still[legs]
            fresh, full = legs[~rests], legs[rests]
            out[full] = self.windows[full, CARRY - self.carry[full]]
            self.carry[full] -= FRAME
        if len(fresh):
            self.rows[fresh, CARRY:] = out[fresh]
            length = self.carry[fresh] + FRAME
            self._slip(fresh, length)
            out[fresh] = self.windows[fresh, ROW - length]
            self.carry[fresh] = length - FRAME
            self.rows[fresh, :CARRY] = self.rows[fresh, FRAME:]
        self.waited[legs[(self.carry[legs] == 0) & (self.depth.need[legs] == 0)]] = 0
        growing = legs[self.depth.need[legs] > 0]
        self.last[growing] = out[growing]
        self.last_tick[growing] = self.jitter.tick

    def _slip(self, legs: Integers, length: Integers) -> None:
        """Change rows and their lengths for the few legs whose turn it is."""
        tick, jitter = self.jitter.tick, self.jitter
        able = (
            (self.next_tick[legs] <= tick)
            & (jitter.pairs_played[legs] == WHOLE)
            & (self.concealer.run[legs] == 0)
        )
        need = self.depth.need[legs]
        grows = need > 0
        able &= ~grows | (self.last_tick[legs] == tick - 1)
        at = np.flatnonzero(able)
        if len(at) > MOST:
            at = np.roll(at, -(tick * MOST) % len(at))[:MOST]
        for which, work in ((at[grows[at]], self._lengthen), (at[~grows[at]], self._shorten)):
            if len(which):
                work(legs[which], which, length)

    def _speaks(self, legs: Integers, samples: Samples) -> Flags:
        """Where something is said, in (legs, n) samples; and legs that wait for silence wait."""
        loud: Flags = np.abs(samples.astype(np.int32)).mean(axis=1) > SILENT
        self.waited[legs] += loud
        return loud

    def _impatient(self, legs: Integers) -> Flags:
        urgent = np.abs(self.depth.need[legs]) >= HURRY
        late: Flags = self.waited[legs] > PATIENCE_TICKS
        return urgent | late

    def _lengthen(self, legs: Integers, which: Integers, length: Integers) -> None:
        """A period of what was played last is said again, faded into; then this frame."""
        before = self._linear(self.last[legs], legs)
        now = self._linear(self.windows[legs, ROW - length[which]], legs)
        loud = self._speaks(legs, now)
        go = np.flatnonzero(~loud | self._impatient(legs))
        if not len(go):
            return
        legs, which, loud = legs[go], which[go], loud[go]
        carry = self.carry[legs]
        past = np.concatenate([before[go], now[go]], axis=1)
        pitch, voiced = periods(past)
        more = np.where(loud & voiced, pitch, FRAME - carry % FRAME)
        for leg, at, count, two in zip(legs, which, more.tolist(), past, strict=True):
            start = ROW - int(length[at])
            old = self.rows[leg, start:].copy()
            piece = self._fade(int(leg), two[FRAME:], two[FRAME - count : FRAME])
            row = np.concatenate([piece, old])
            length[at] = len(row)
            self.rows[leg, ROW - len(row) :] = row
        self._done(legs, loud)

    def _shorten(self, legs: Integers, which: Integers, length: Integers) -> None:
        """A period is left out: the frame fades into what comes a period later."""
        carry = self.carry[legs]
        deep = (self.depth.need[legs] < 0) & self.jitter.ready(legs)
        loud = self._speaks(legs, self._linear(self.windows[legs, ROW - length[which]], legs))
        go = np.flatnonzero((deep | (carry > 0)) & (~loud | self._impatient(legs)))
        if not len(go):
            return
        legs, which, loud, deep, carry = legs[go], which[go], loud[go], deep[go], carry[go]
        pitch, voiced = periods(self._coming(legs, carry))
        less = np.where(loud & voiced, pitch, np.where(carry > 0, carry, FRAME))
        more = less > carry  # needs another frame
        go = np.flatnonzero(~more | deep)
        if not len(go):
            return
        taken = go[more[go]]
        frames = dict(zip(legs[taken].tolist(), self.jitter.another(legs[taken]), strict=True))
        self.depth.need[legs[taken]] += 1
        self.jitter.legs.counts["trimmed"][legs[taken]] += 1
        for place in go:
            leg, at, count = int(legs[place]), which[place], int(less[place])
            row = self.rows[leg, ROW - int(length[at]) :]
            if leg in frames:
                row = np.concatenate([row, frames[leg]])
            self._leave_out(leg, row, count)
            length[at] = len(row) - count
        self._done(legs[go], loud[go])

    def _coming(self, legs: Integers, carry: Integers) -> Samples:
        """Of what is played and comes next; before a carry stands what was played before it."""
        flat = self.jitter.row[legs] + self.jitter.play_slot[legs]
        next_too = np.concatenate([self.rows[legs, CARRY:], self.jitter.ring[flat]], axis=1)
        codes = np.where((carry > 0)[:, None], self.rows[legs, -SEARCH:], next_too[:, :SEARCH])
        return self._linear(codes, legs)

    def _leave_out(self, leg: int, row: Bytes, count: int) -> None:
        linear = self._linear(row[None], np.array([leg]))[0]
        width = min(count, len(row) - count)
        piece = self._fade(leg, linear[:width], linear[count : count + width])
        shorter = np.concatenate([piece, row[count + width :]])
        self.rows[leg, ROW - len(shorter) :] = shorter

    def _done(self, legs: Integers, loud: Flags) -> None:
        self.waited[legs] = np.where(loud, self.waited[legs], 0)
        self.next_tick[legs] = self.jitter.tick + np.where(loud, REST_TICKS, 1)

    def _linear(self, codes: Bytes, legs: Integers) -> Samples:
        offset = self.jitter.legs.codec[legs].astype(np.int64) << 8
        samples: Samples = DECODE.ravel().take(codes + offset[:, None])
        return samples

    def _fade(self, leg: int, old: Samples, new: Samples) -> Bytes:
        """From old to new over the length of new, in the leg's codec."""
        count = len(new)
        share = np.arange(1, count + 1, dtype=np.int64)
        mixed = (old[:count].astype(np.int64) * (count + 1 - share) + new * share) // (count + 1)
        codes: Bytes = ENCODE[self.jitter.legs.codec[leg]].take(
            mixed.astype(np.int16).view(np.uint16)
        )
        return codes


def periods(signal: Samples) -> tuple[Integers, Flags]:
    """The period of each row, and whether it is one: its last samples are like those before."""
    pitch = pitch_of(signal).astype(np.int64)
    last = signal[:, -MATCH:].astype(np.float64)
    place = signal.shape[1] - MATCH - pitch[:, None] + np.arange(MATCH)
    before = np.take_along_axis(signal, place, axis=1).astype(np.float64)
    energy = np.sqrt((last**2).sum(axis=1) * (before**2).sum(axis=1))
    voiced: Flags = (last * before).sum(axis=1) > VOICED * np.maximum(energy, 1)
    return pitch, voiced
