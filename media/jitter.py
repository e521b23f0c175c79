"""A jitter buffer for each leg, all moved together: rings of 32 frames of 20 ms, in G.711.

A leg's first packet waits one tick, so a packet is played 20 to 40 ms after it came and has that
much room to be late. Frames are placed by timestamp, so senders of 10 to 60 ms look the same. An
empty ring holds the play position still, so the delay grows at once by what the network needs.
How deep the buffer should be is worked out in depth.py; slip.py makes it so.
"""

import numpy as np

from media.depth import EARLIEST, Depth
from media.g711 import SILENCE
from media.legs import Legs
from media.rtp import Headers, extend, since
from media.types import FRAME, HALF, Bytes, Flags, Halves, Integers, Words

SLOTS = 32
AHEAD = EARLIEST  # samples that a packet may be early
BEHIND = 50 * FRAME  # samples that a packet may be late before it is a jump of the clock
START_TICKS = 1
RESUME_FRAMES = 8  # more than a pause explains: the deepest buffer that a pause may have drained
LATE_RUN = 4  # late packets in a row after which the sender's clock is believed
MAX_PAYLOAD = 480  # 60 ms
WHOLE = 0x0101  # both halves of a slot are there


class Jitter:
    """`play_ts` is the timestamp of the next sample to play; `head_ts` the end of the newest."""

    def __init__(self, legs: Legs) -> None:
        capacity = legs.capacity
        self.legs = legs
        self.depth = Depth(capacity)
        self.ring: Bytes = np.zeros((capacity * SLOTS, FRAME), np.uint8)
        self.halves: Bytes = self.ring.reshape(capacity * SLOTS * 2, HALF)
        self.filled: Bytes = np.zeros(capacity * SLOTS * 2, np.uint8)  # one flag a half slot
        self.pairs: Halves = self.filled.view(np.uint16)  # both flags of a slot
        self.row: Integers = np.arange(capacity, dtype=np.int64) * SLOTS
        self.running: Flags = np.zeros(capacity, np.bool_)
        self.renewed: Flags = np.zeros(capacity, np.bool_)  # the next packet is of a new stream
        self.wait: Integers = np.zeros(capacity, np.int64)  # ticks until play starts
        self.play_ts: Words = np.zeros(capacity, np.uint32)
        self.head_ts: Words = np.zeros(capacity, np.uint32)
        self.play_slot: Integers = np.zeros(capacity, np.int64)
        self.held: Integers = np.zeros(capacity, np.int64)  # ticks the play position stood still
        self.late_run: Integers = np.zeros(capacity, np.int64)
        self.tick = 0
        # For whoever fills the gaps: of the last tick, the legs that lacked something, and for
        # every leg the flags and the place of the slot that was played.
        self.lossy: Integers = np.zeros(0, np.int64)
        self.pairs_played: Halves = np.zeros(0, np.uint16)
        self.slots_played: Integers = np.zeros(0, np.int64)

    def clear(self, leg: int) -> None:
        """Empty the ring; the next packet starts anew."""
        self.running[leg] = self.renewed[leg] = False
        self.pairs[leg * SLOTS : (leg + 1) * SLOTS] = 0

    def renew(self, leg: int) -> None:
        """The next packet is of another stream; what was heard of this one is gone on from."""
        self.renewed[leg] = True

    def insert(self, legs: Integers, rows: Bytes, headers: Headers) -> None:
        """Put one packet of each of these distinct legs in its place.

        Payloads are a multiple of 80 bytes and at most 480; the headers are theirs, in order.
        """
        ahead = self._place(legs, headers)
        self.depth.note(legs, ahead)
        size = headers.size
        good = (ahead >= 0) & (ahead < AHEAD)
        whole = good & (size == FRAME) & (ahead % FRAME == 0) & (headers.offset == 12)
        slot = self.row[legs] + (self.play_slot[legs] + ahead // FRAME) % SLOTS
        if whole.all():  # the steady state: one copy for all
            taken = self.pairs[slot] != 0
            if not taken.any():
                self.ring[slot] = rows[:, 12 : 12 + FRAME]
                self.pairs[slot] = WHOLE
            else:
                self._fill_whole(legs, rows, slot, np.flatnonzero(~taken))
                self.legs.counts["duplicate"][legs[taken]] += 1
        else:
            self._fill_halves(legs, ahead, rows, headers, np.flatnonzero(good))
        end = (headers.timestamp + size.astype(np.uint32)).astype(np.uint32)
        newer = good & (since(end, self.head_ts[legs]) > 0)
        self.head_ts[legs[newer]] = end[newer]

    def _fill_whole(self, legs: Integers, rows: Bytes, slot: Integers, which: Integers) -> None:
        self.ring[slot[which]] = rows[which, 12 : 12 + FRAME]
        self.pairs[slot[which]] = WHOLE

    def _fill_halves(
        self, legs: Integers, ahead: Integers, rows: Bytes, headers: Headers, which: Integers
    ) -> None:
        """Any other packet time or alignment to 10 ms: half slots, which may wrap."""
        base = self.row[legs] * 2
        first = self.play_slot[legs] * 2 + ahead // HALF
        count = headers.size // HALF
        pieces = [which[count[which] > piece] for piece in range(MAX_PAYLOAD // HALF)]
        new = np.zeros(len(legs), np.bool_)
        for piece, some in enumerate(pieces):
            new[some] |= self.filled[base[some] + (first[some] + piece) % (SLOTS * 2)] == 0
        self.legs.counts["duplicate"][legs[which[~new[which]]]] += 1
        windows = np.lib.stride_tricks.sliding_window_view(rows, HALF, axis=1)
        for piece, some in enumerate(pieces):
            some = some[new[some]]
            places = base[some] + (first[some] + piece) % (SLOTS * 2)
            self.halves[places] = windows[some, headers.offset[some] + piece * HALF]
            self.filled[places] = 1

    def _place(self, legs: Integers, headers: Headers) -> Integers:
        """Samples from the play position to each packet; restarts those whose clock jumped."""
        counts = self.legs.counts
        timestamp = headers.timestamp
        restart = ~self.running[legs] | self.renewed[legs]
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
            counts["resynced"][again[self.running[again] & ~self.renewed[again]]] += 1
            ahead[restart] = self._restart(again, timestamp[restart])
        self.count_sequence(legs, headers.sequence, restart)
        return ahead

    def _resume(self, legs: Integers, ahead: Integers, held: Integers, restart: Flags) -> Integers:
        """After a pause: frames that were lost in it are not waited for again."""
        self.held[legs] = 0
        restart |= (held > 0) & (ahead > (held + RESUME_FRAMES) * FRAME)
        skip = np.where((ahead > 0) & (held > 0), np.minimum(ahead // FRAME, held), 0)
        self._go_on(legs, skip)
        left: Integers = ahead - skip * FRAME
        return left

    def _go_on(self, legs: Integers, frames: Integers) -> None:
        """Move the play position by whole frames against the steady clock."""
        self.play_ts[legs] += (frames * FRAME).astype(np.uint32)
        self.play_slot[legs] = (self.play_slot[legs] + frames) % SLOTS
        self.depth.lag[legs] -= frames * FRAME

    def _restart(self, legs: Integers, timestamp: Words) -> Integers:
        """Play from here on; samples from the play position to the packet.

        A leg that was heard before lacks a frame first, which concealment fills: no click.
        """
        new = ~self.running[legs]
        self.pairs.reshape(-1, SLOTS)[legs] = 0
        if new.any():
            fresh = legs[new]
            silence = SILENCE[self.legs.codec[fresh]]
            self.ring.reshape(-1, SLOTS, FRAME)[fresh] = silence[:, None, None]
            self.play_slot[fresh] = 0
        ahead: Integers = np.where(new, 0, START_TICKS * FRAME)
        self.play_ts[legs] = timestamp - ahead.astype(np.uint32)
        self.head_ts[legs] = timestamp
        self.wait[legs] = np.where(new, START_TICKS, 0)
        self.held[legs] = 0
        self.late_run[legs] = 0
        self.depth.clear(legs)
        self.running[legs] = True
        self.renewed[legs] = False
        return ahead

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

    def play(self, out: Bytes, still: Flags | None = None) -> None:
        """The next frame of legs 0..n-1 into (n, 160) codes, silence where there is none.

        Where `still` is set the play position is not moved, and the frame means nothing.
        """
        n = len(out)
        self.tick += 1
        flat = self.row[:n] + self.play_slot[:n]
        pairs = self.pairs[flat]
        go = self.running[:n] & (self.wait[:n] <= 0)
        self.wait[:n] -= 1
        if still is not None:
            self.depth.lag[:n] += still * FRAME
            go &= ~still
        have = (pairs != 0) & go
        behind = since(self.head_ts[:n], self.play_ts[:n])
        gap = go & ~have & (behind > 0)  # missing while later ones are here: lost
        advance = have | gap
        np.take(self.ring, flat, axis=0, out=out, mode="clip")
        self.lossy = np.flatnonzero(go & (pairs != WHOLE))
        self.pairs_played, self.slots_played = pairs, flat
        self._patch(out, have, pairs)
        self.legs.counts["concealed"][:n] += gap
        self.pairs[flat] = np.where(advance, 0, pairs)
        waits = go & ~advance
        self.held[:n] += waits
        self.depth.lag[:n] += waits * FRAME
        self.play_slot[:n] = (self.play_slot[:n] + advance) % SLOTS
        self.play_ts[:n] += (advance * FRAME).astype(np.uint32)

    def _patch(self, out: Bytes, have: Flags, pairs: Halves) -> None:
        """Silence for whole and half frames that are not there."""
        codec = self.legs.codec
        if not have.all():
            none = np.flatnonzero(~have)
            out[none] = SILENCE[codec[none]][:, None]
        partial = np.flatnonzero(have & (pairs != WHOLE))
        for leg in partial:
            flags = pairs[leg : leg + 1].view(np.uint8)
            out[leg].reshape(2, HALF)[flags == 0] = SILENCE[codec[leg]]

    def ready(self, legs: Integers) -> Flags:
        """Which of these legs have one more whole frame in hand."""
        there: Flags = self.pairs[self.row[legs] + self.play_slot[legs]] == WHOLE
        return there & self.running[legs] & (self.wait[legs] <= 0)

    def another(self, legs: Integers) -> Bytes:
        """One more whole frame of legs that are ready, (legs, 160) codes."""
        flat = self.row[legs] + self.play_slot[legs]
        self.pairs[flat] = 0
        self._go_on(legs, np.ones(len(legs), np.int64))
        frames: Bytes = self.ring[flat]
        return frames
