"""Recordings: both sides of a call as heard, in A-law, in blocks of 25 frames.

A side is any number of legs: one is copied, more are summed, none (it has gone, or the side is
paused for privacy) is silence. Blocks of different recordings end in different ticks, so that the
writer has a steady stream, and wherever privacy begins or ends, so that it is known of each block.
"""

import struct
from dataclasses import dataclass

import numpy as np

from media.errors import LocalProtocolError
from media.g711 import DECODE, ENCODE, PCMA, PCMU, SILENCE, TRANSCODE
from media.hearing import Hearing
from media.legs import Legs
from media.types import FRAME, Bytes, Integers

BLOCK = 25  # frames, 500 ms
FRAME_BYTES = 2 * FRAME
LEFT, RIGHT = 1, 2  # bits of `private`

Side = tuple[int, ...]

SIDE = struct.Struct(">iiHBB")  # delay, ahead: samples; lost: frames; RTP payload type; stream
NOT_KNOWN = -(1 << 31)
NOTHING = SIDE.pack(0, NOT_KNOWN, 0, 255, 0)
PAYLOAD_TYPES = {PCMU: 0, PCMA: 8}


@dataclass(frozen=True, slots=True)
class Block:
    """`frames` is n x 2 x 160 bytes A-law; the first one is number `first_frame`.

    `private` has the bits of the sides that were left out on purpose in all of it. `sides` is what
    is known of left and right at its end, for whoever puts them on one time: SIDE twice.
    """

    recording: str
    first_frame: int
    frames: bytes
    private: int = 0
    sides: bytes = b""


class Taps:
    """Rows of recordings, a left and a right side each."""

    def __init__(self, legs: Legs, heard: Bytes, hearing: Hearing | None = None) -> None:
        self.legs = legs
        self.heard = heard
        self.hearing = hearing
        capacity = legs.capacity
        self.names: dict[str, int] = {}
        self._free = list(range(capacity - 1, -1, -1))
        self.sides: list[tuple[Side, Side]] = [((), ())] * capacity
        self.private = [0] * capacity
        self.fill: Integers = np.zeros(capacity, np.int64)
        self.first: Integers = np.zeros(capacity, np.int64)
        self.blocks: Bytes = np.zeros((capacity * BLOCK, 2, FRAME), np.uint8)
        self._places: Bytes = self.blocks.reshape(capacity * BLOCK * 2, FRAME)
        self._rows: list[str] = [""] * capacity
        self._concealed = [[0, 0] for _ in range(capacity)]  # of the side's leg, until its block
        self._changes = [0] * capacity
        self._tick = 0
        self.dirty = True  # recordings or codecs changed since the last plan

    def start(self, recording: str, left: Side, right: Side, private: int = 0) -> None:
        """Tap two sides from the next tick on."""
        if recording in self.names:
            raise LocalProtocolError(f"recording {recording} runs already")
        if not self._free:
            raise LocalProtocolError("too many recordings")
        row = self._free.pop()
        self.names[recording] = row
        self._rows[row] = recording
        self.fill[row] = self.first[row] = 0
        self.private[row] = private
        self.change(recording, left, right)

    def change(self, recording: str, left: Side, right: Side) -> None:
        """Other legs on the sides from the next tick on."""
        row = self._row(recording)
        self.sides[row] = left, right
        concealed = self.legs.counts["concealed"]
        self._concealed[row] = [
            int(concealed[side[0]]) if len(side) == 1 else 0 for side in (left, right)
        ]
        self._changes[row] += 1
        self.dirty = True

    def pause(self, recording: str, private: int) -> Block | None:
        """Silence on the sides with these bits from the next tick on; what was said before."""
        row = self._row(recording)
        if self.private[row] == private:
            return None
        before = self._take(row) if self.fill[row] else None
        self.private[row] = private
        self.dirty = True
        return before

    def stop(self, recording: str) -> Block | None:
        """End the recording; the frames that no block has taken yet."""
        row = self.names.pop(recording)
        rest = self._take(row) if self.fill[row] else None
        self._free.append(row)
        self._rows[row] = ""
        self.dirty = True
        return rest

    def drop_leg(self, leg: int) -> None:
        """The leg closes while it is recorded: its side goes on without it."""
        for row in self.names.values():
            left, right = self.sides[row]
            if leg in left or leg in right:
                self.sides[row] = _without(left, leg), _without(right, leg)
                self.dirty = True

    def _row(self, recording: str) -> int:
        try:
            return self.names[recording]
        except KeyError:
            raise LocalProtocolError(f"no recording {recording}") from None

    def _plan(self) -> None:
        """Index arrays for `step`, made anew when recordings or codecs change."""
        self.dirty = False
        rows = sorted(self.names.values())
        self._active = np.array(rows, np.int64)
        # Left and right of each recording in turn, as `step` lays them out.
        sides = [
            () if self.private[row] & bit else side
            for row in rows
            for bit, side in zip((LEFT, RIGHT), self.sides[row], strict=True)
        ]
        sizes = np.array([len(side) for side in sides], np.int64)
        self._at = np.flatnonzero(sizes == 1)
        self._from = np.array([side[0] for side in sides if len(side) == 1], np.int64)
        self._whole = len(self._at) == len(sides)
        self._mulaw = np.flatnonzero(self.legs.codec[self._from] == PCMU)
        self._sums = [
            (at := np.flatnonzero(sizes == size), np.array([sides[i] for i in at], np.int64))
            for size in np.unique(sizes[sizes > 1])
        ]

    def step(self) -> list[Block]:
        """Store one frame of both sides of every recording; the blocks that are due."""
        self._tick += 1
        if self.dirty:
            self._plan()
        active = self._active
        if not len(active):
            return []
        # Two places a frame: left and right.
        place = np.repeat((active * BLOCK + self.fill[active]) * 2, 2)
        place[1::2] += 1
        if not self._whole:
            self._places[place] = SILENCE[0]
            for at, legs in self._sums:
                self._places[place[at]] = self._sum(legs)
            place = place[self._at]
        frames = self.heard.take(self._from, axis=0, mode="clip")
        if len(self._mulaw):
            frames[self._mulaw] = TRANSCODE[PCMU].take(frames[self._mulaw])
        self._places[place] = frames
        self.fill[active] += 1
        # A recording's first block is short, by its row, and then they all stay staggered.
        due = active[(self._tick + active) % BLOCK == 0]
        return [self._take(row) for row in due.tolist() if self.fill[row]]

    def _sum(self, legs: Integers) -> Bytes:
        """(sides, size) legs: what they said together, clipped, in A-law."""
        codec = self.legs.codec[legs].astype(np.int64) << 8
        linear = DECODE.ravel().take(self.heard[legs] + codec[:, :, None])
        total = np.clip(linear.sum(axis=1, dtype=np.int32), -32768, 32767).astype(np.int16)
        codes: Bytes = ENCODE[PCMA].take(total.view(np.uint16))
        return codes

    def skip(self, ticks: int) -> list[Block]:
        """Leave a gap of so many frames in every recording; what they held before it."""
        rows = list(self.names.values())
        due = [self._take(row) for row in rows if self.fill[row]]
        self.first[rows] += ticks
        return due

    def _take(self, row: int) -> Block:
        count, first = int(self.fill[row]), int(self.first[row])
        start = row * BLOCK
        frames = self.blocks[start : start + count].tobytes()
        self.first[row] = first + count
        self.fill[row] = 0
        sides = b"".join(self._known(row, number) for number in (0, 1)) if self.hearing else b""
        return Block(self._rows[row], first, frames, self.private[row], sides)

    def _known(self, row: int, number: int) -> bytes:
        """How far behind its packets a side is heard, how early they came, and what was lost."""
        side = self.sides[row][number]
        if len(side) != 1 or self.private[row] >> number & 1 or self.hearing is None:
            return NOTHING
        leg, hearing = side[0], self.hearing
        depth = hearing.jitter.depth
        concealed = int(self.legs.counts["concealed"][leg])
        before, self._concealed[row][number] = self._concealed[row][number], concealed
        lag, early = int(depth.lag[leg]), int(depth.earliest[leg])
        held = int(hearing.jitter.held[leg]) * FRAME  # until the next packet: a pause, no delay
        return SIDE.pack(
            _clip(lag + int(hearing.slip.carry[leg]) - held),
            _clip(early - lag) if early and not held else NOT_KNOWN,
            min(max(0, concealed - before), BLOCK),
            PAYLOAD_TYPES[int(self.legs.codec[leg])],
            (self._changes[row] + int(depth.streams[leg])) & 255,
        )


def _clip(samples: int) -> int:
    return max(-(1 << 30), min(1 << 30, samples))


def _without(side: Side, leg: int) -> Side:
    return tuple(other for other in side if other != leg)
