"""A jitter buffer for each leg, all moved together: rings of 32 frames of 20 ms, in G.711.

A leg's first packet waits one tick, so a packet is played 20 to 40 ms after it came and has that
much room to be late. Frames are placed by timestamp, so senders of 10, 20, 30 and 40 ms look the
same. An empty ring holds the play position still (the delay grows by what the network needs); a
surplus that lasts a whole window is trimmed by one frame.
"""

import numpy as np

from media.g711 import SILENCE
from media.legs import Legs
from media.rtp import Headers, extend, since
from media.types import FRAME, Bytes, Flags, Halves, Integers, Words

SLOTS = 32
HALF = FRAME // 2  # a ring is filled by 10 ms
AHEAD = 24 * FRAME  # samples that a packet may be early
BEHIND = 50 * FRAME  # samples that a packet may be late before it is a jump of the clock
START_TICKS = 1
RESUME_FRAMES = 8  # more than a pause explains: the deepest buffer that a pause may have drained
LATE_RUN = 4  # late packets in a row after which the sender's clock is believed
WINDOW_TICKS = 64
MAX_PAYLOAD = 480  # 60 ms
PLENTY = 1 << 30


class Jitter:
    """`play_ts` is the timestamp of the next sample to play; `head_ts` the end of the newest."""

    def __init__(self, legs: Legs) -> None:
        capacity = legs.capacity
        self.legs = legs
        self.ring: Bytes = np.zeros((capacity * SLOTS, FRAME), np.uint8)
        self.halves: Bytes = self.ring.reshape(capacity * SLOTS * 2, HALF)
        self.filled: Bytes = np.zeros(capacity * SLOTS * 2, np.uint8)  # one flag a half slot
        self.pairs: Halves = self.filled.view(np.uint16)  # both flags of a slot
        self.row: Integers = np.arange(capacity, dtype=np.int64) * SLOTS
        self.running: Flags = np.zeros(capacity, np.bool_)
        self.wait: Integers = np.zeros(capacity, np.int64)  # ticks until play starts
        self.play_ts: Words = np.zeros(capacity, np.uint32)
        self.head_ts: Words = np.zeros(capacity, np.uint32)
        self.play_slot: Integers = np.zeros(capacity, np.int64)
        self.held: Integers = np.zeros(capacity, np.int64)  # ticks the play position stood still
        self.late_run: Integers = np.zeros(capacity, np.int64)
        self.least: Integers = np.full(capacity, PLENTY, np.int64)  # depth in samples, of a window
        self.tick = 0
        # For whoever fills the gaps: of the last tick, the legs that lacked something, and for
        # every leg the flags and the place of the slot that was played.
        self.lossy: Integers = np.zeros(0, np.int64)
        self.pairs_played: Halves = np.zeros(0, np.uint16)
        self.slots_played: Integers = np.zeros(0, np.int64)

    def clear(self, leg: int) -> None:
        """Empty the ring; the next packet starts anew."""
        self.running[leg] = False
        self.pairs[leg * SLOTS : (leg + 1) * SLOTS] = 0

    def insert(self, legs: Integers, rows: Bytes, headers: Headers) -> None:
        """Put one packet of each of these distinct legs in its place.

        Payloads are a multiple of 80 bytes and at most 480; the headers are theirs, in order.
        """
        ahead = self._place(legs, headers)
        size = headers.size
        good = (ahead >= 0) & (ahead < AHEAD)
        whole = good & (size == FRAME) & (ahead % FRAME == 0) & (headers.offset == 12)
        slot = self.row[legs] + (self.play_slot[legs] + ahead // FRAME) % SLOTS
        if whole.all():  # the steady state: one copy for all
            taken = self.pairs[slot] != 0
            if not taken.any():
                self.ring[slot] = rows[:, 12 : 12 + FRAME]
                self.pairs[slot] = 0x0101
            else:
                self._fill_whole(legs, rows, slot, np.flatnonzero(~taken))
                self.legs.counts["duplicate"][legs[taken]] += 1
        else:
            for at in np.flatnonzero(good):
                self._fill_halves(int(legs[at]), int(ahead[at]), rows[at], headers, int(at))
        end = (headers.timestamp + size.astype(np.uint32)).astype(np.uint32)
        newer = good & (since(end, self.head_ts[legs]) > 0)
        self.head_ts[legs[newer]] = end[newer]

    def _fill_whole(self, legs: Integers, rows: Bytes, slot: Integers, which: Integers) -> None:
        self.ring[slot[which]] = rows[which, 12 : 12 + FRAME]
        self.pairs[slot[which]] = 0x0101

    def _fill_halves(self, leg: int, ahead: int, row: Bytes, headers: Headers, at: int) -> None:
        """Any other packet time or alignment to 10 ms: half slots, which may wrap."""
        base = leg * SLOTS * 2
        first = int(self.play_slot[leg]) * 2 + ahead // HALF
        count = int(headers.size[at]) // HALF
        places = base + (first + np.arange(count)) % (SLOTS * 2)
        if self.filled[places].all():
            self.legs.counts["duplicate"][leg] += 1
            return
        start = int(headers.offset[at])
        self.halves[places] = row[start : start + count * HALF].reshape(count, HALF)
        self.filled[places] = 1

    def _place(self, legs: Integers, headers: Headers) -> Integers:
        """Samples from the play position to each packet; restarts those whose clock jumped."""
        counts = self.legs.counts
        timestamp = headers.timestamp
        restart = ~self.running[legs]
        ahead = since(timestamp, self.play_ts[legs])
        held = self.held[legs]
        if held.any():
            ahead = self._resume(legs, ahead, held, restart)
        late = (ahead < 0) & ~restart
        if late.any():
            self.late_run[legs[late]] += 1
            jumped = self.late_run[legs] >= LATE_RUN
            counts["late"][legs[late & ~jumped & (ahead >= -BEHIND)]] += 1
            restart |= late & (jumped | (ahead < -BEHIND))
        restart |= (ahead >= AHEAD) | ((ahead % HALF != 0) & (ahead >= 0))
        self.late_run[legs[~late]] = 0
        if restart.any():
            again = legs[restart]
            counts["resynced"][again[self.running[again]]] += 1
            self._restart(again, timestamp[restart])
            ahead[restart] = 0
        self.count_sequence(legs, headers.sequence, restart)
        return ahead

    def _resume(self, legs: Integers, ahead: Integers, held: Integers, restart: Flags) -> Integers:
        """After a pause: frames that were lost in it are not waited for again."""
        self.held[legs] = 0
        restart |= (held > 0) & (ahead > (held + RESUME_FRAMES) * FRAME)
        skip = np.where((ahead > 0) & (held > 0), np.minimum(ahead // FRAME, held), 0)
        self.play_ts[legs] += (skip * FRAME).astype(np.uint32)
        self.play_slot[legs] = (self.play_slot[legs] + skip) % SLOTS
        left: Integers = ahead - skip * FRAME
        return left

    def _restart(self, legs: Integers, timestamp: Words) -> None:
        self.pairs.reshape(-1, SLOTS)[legs] = 0
        silence = SILENCE[self.legs.codec[legs]]
        self.ring.reshape(-1, SLOTS, FRAME)[legs] = silence[:, None, None]
        self.play_ts[legs] = timestamp
        self.head_ts[legs] = timestamp
        self.play_slot[legs] = 0
        self.wait[legs] = START_TICKS
        self.held[legs] = 0
        self.late_run[legs] = 0
        self.least[legs] = PLENTY
        self.running[legs] = True

    def count_sequence(self, legs: Integers, sequence: Halves, restart: Flags) -> None:
        """RFC 3550 A.1 and A.3; a jump of more than 3000 or a restart begins a new count."""
        state = self.legs
        highest = state.highest[legs]
        number = extend(highest, sequence)
        step = number - highest
        jumped = restart & (np.abs(step) > 1) | (np.abs(step) > 3000)
        if jumped.any():
            for leg, first in zip(legs[jumped], number[jumped], strict=True):
                state.renumber(int(leg), int(first))
        state.counts["reordered"][legs] += (step < 0) & ~jumped
        state.highest[legs] = np.where(jumped, number, np.maximum(highest, number))
        state.received[legs] += 1

    def play(self, out: Bytes) -> None:
        """The next frame of legs 0..n-1 into (n, 160) codes, silence where there is none."""
        n = len(out)
        state = self.legs
        self.tick += 1
        flat = self.row[:n] + self.play_slot[:n]
        pairs = self.pairs[flat]
        go = self.running[:n] & (self.wait[:n] <= 0)
        self.wait[:n] -= 1
        have = (pairs != 0) & go
        behind = since(self.head_ts[:n], self.play_ts[:n])
        gap = go & ~have & (behind > 0)  # missing while later ones are here: lost
        advance = have | gap
        np.take(self.ring, flat, axis=0, out=out, mode="clip")
        self.lossy = np.flatnonzero(go & (pairs != 0x0101))
        self.pairs_played, self.slots_played = pairs, flat
        self._patch(out, have, pairs)
        state.counts["concealed"][:n] += gap
        self.pairs[flat] = np.where(advance, 0, pairs)
        self.held[:n] += go & ~advance
        self.play_slot[:n] = (self.play_slot[:n] + advance) % SLOTS
        self.play_ts[:n] += (advance * FRAME).astype(np.uint32)
        depth = behind - advance * FRAME
        np.minimum(self.least[:n], np.where(go, depth, PLENTY), out=self.least[:n])
        self._trim(n)

    def _patch(self, out: Bytes, have: Flags, pairs: Halves) -> None:
        """Silence for whole and half frames that are not there."""
        codec = self.legs.codec
        if not have.all():
            none = np.flatnonzero(~have)
            out[none] = SILENCE[codec[none]][:, None]
        partial = np.flatnonzero(have & (pairs != 0x0101))
        for leg in partial:
            flags = pairs[leg : leg + 1].view(np.uint8)
            out[leg].reshape(2, HALF)[flags == 0] = SILENCE[codec[leg]]

    def _trim(self, n: int) -> None:
        """Where two frames or more were always in hand for a whole window, leave one out."""
        which = np.arange(self.tick % WINDOW_TICKS, n, WINDOW_TICKS)
        least = self.least[which]
        rich = which[(least >= 2 * FRAME) & (least < PLENTY) & self.running[which]]
        if len(rich):
            self.pairs[self.row[rich] + self.play_slot[rich]] = 0
            self.play_slot[rich] = (self.play_slot[rich] + 1) % SLOTS
            self.play_ts[rich] += np.uint32(FRAME)
            self.legs.counts["trimmed"][rich] += 1
        self.least[which] = PLENTY
