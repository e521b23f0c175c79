"""Recordings: both directions of a call as heard, in A-law, in blocks of 25 frames.

Blocks of different recordings end in different ticks, so that the writer has a steady stream.
"""

from dataclasses import dataclass

import numpy as np

from media.errors import LocalProtocolError
from media.g711 import PCMU, SILENCE, TRANSCODE
from media.legs import Legs
from media.types import FRAME, Bytes, Integers

BLOCK = 25  # frames, 500 ms
FRAME_BYTES = 2 * FRAME


@dataclass(frozen=True, slots=True)
class Block:
    """`frames` is n x 2 x 160 bytes A-law; the first one is number `first_frame`."""

    recording: str
    first_frame: int
    frames: bytes


class Taps:
    """Rows of recordings; -1 in `sides` is a side whose leg has gone: silence."""

    def __init__(self, legs: Legs, heard: Bytes) -> None:
        self.legs = legs
        self.heard = heard
        capacity = legs.capacity
        self.names: dict[str, int] = {}
        self._free = list(range(capacity - 1, -1, -1))
        self.sides: Integers = np.full((capacity, 2), -1, np.int64)
        self.fill: Integers = np.zeros(capacity, np.int64)
        self.first: Integers = np.zeros(capacity, np.int64)
        self.blocks: Bytes = np.zeros((capacity * BLOCK, 2, FRAME), np.uint8)
        self._places: Bytes = self.blocks.reshape(capacity * BLOCK * 2, FRAME)
        self._rows: list[str] = [""] * capacity
        self._tick = 0
        self.dirty = True  # recordings or codecs changed since the last plan

    def start(self, recording: str, left: int, right: int) -> None:
        """Tap two legs from the next tick on."""
        if recording in self.names:
            raise LocalProtocolError(f"recording {recording} runs already")
        if not self._free:
            raise LocalProtocolError("too many recordings")
        row = self._free.pop()
        self.names[recording] = row
        self._rows[row] = recording
        self.sides[row] = left, right
        self.fill[row] = self.first[row] = 0
        self.dirty = True

    def stop(self, recording: str) -> Block | None:
        """End the recording; the frames that no block has taken yet."""
        row = self.names.pop(recording)
        rest = self._take(row) if self.fill[row] else None
        self._free.append(row)
        self._rows[row] = ""
        self.dirty = True
        return rest

    def drop_leg(self, leg: int) -> None:
        """The leg closes while it is recorded: silence on its side from now on."""
        self.sides[self.sides == leg] = -1
        self.dirty = True

    def _plan(self) -> None:
        """Index arrays for `step`, made anew when recordings or codecs change."""
        self.dirty = False
        self._active = np.array(sorted(self.names.values()), np.int64)
        sides = self.sides[self._active].ravel()  # left and right of each recording in turn
        self._at = np.flatnonzero(sides >= 0)
        self._from = sides[self._at]
        self._whole = len(self._at) == len(sides)
        self._mulaw = np.flatnonzero(self.legs.codec[self._from] == PCMU)

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
            place = place[self._at]
        frames = self.heard.take(self._from, axis=0, mode="clip")
        if len(self._mulaw):
            frames[self._mulaw] = TRANSCODE[PCMU].take(frames[self._mulaw])
        self._places[place] = frames
        self.fill[active] += 1
        # A recording's first block is short, by its row, and then they all stay staggered.
        due = active[(self._tick + active) % BLOCK == 0]
        return [self._take(int(row)) for row in due]

    def skip(self, ticks: int) -> list[Block]:
        """Leave a gap of so many frames in every recording; what they held before it."""
        rows = list(self.names.values())
        due = [self._take(row) for row in rows if self.fill[row]]
        self.first[rows] += ticks
        return due

    def _take(self, row: int) -> Block:
        count, first = int(self.fill[row]), int(self.first[row])
        start = row * BLOCK
        block = Block(self._rows[row], first, self.blocks[start : start + count].tobytes())
        self.first[row] = first + count
        self.fill[row] = 0
        return block
