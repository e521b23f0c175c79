"""From the segments of one recording to one stretch of stereo audio, in pieces of a few seconds.

Caller left, agent right, as the tap wrote them. Segments (a media worker was replaced) are placed
by their wall clock start, blocks by their first frame; what is missing between them is silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import numpy.typing as npt

from recorder.alaw import stereo as linear
from recorder.spool import FRAME_BYTES, FRAME_MS, SAMPLES_PER_FRAME, Block, Damage, Item

RATE = 8000
PIECE_FRAMES = 500
# A longer hole is a clock that jumped or a number that lies: the audio follows at once instead.
MAX_HOLE_FRAMES = 4 * 3600 * 50
SAMPLES_PER_MS = RATE // 1000

Samples = npt.NDArray[np.int16]


SIDES = (("left", 1), ("right", 2))


@dataclass(slots=True)
class Private:
    """Frames of a segment, from `first` on, in which sides were left out on purpose."""

    first: int
    count: int
    bits: int

    @property
    def sides(self) -> tuple[str, ...]:
        return tuple(side for side, bit in SIDES if self.bits & bit)


@dataclass(slots=True)
class SegmentNote:
    """What became of one segment; `shifted_ms` is how far it lies from where its clock said.

    One that `follows` goes on with the frames of the segment before it (the same worker, another
    folder); `at_ms` is where the frame 0 that they count from lies.
    """

    number: int
    started_ms: int
    size: int = 0
    follows: bool = False
    frames: int = 0
    missing_frames: int = 0
    repeated_frames: int = 0
    damaged_bytes: int = 0
    torn: bool = False
    at_ms: int = 0
    shifted_ms: int = 0
    private: list[Private] = field(default_factory=list)


@dataclass(slots=True)
class Source:
    """A segment to be read once: its note and its blocks in the order of the file."""

    note: SegmentNote
    items: Iterable[Item]


def audio(sources: Iterable[Source]) -> Iterator[Samples]:
    """(n, 2) int16 pieces of the whole recording; fills in the notes while they are taken."""
    base_ms: int | None = None
    written = 0  # samples so far
    for clock in _clocks(sources):
        note = clock[0].note
        base_ms = note.started_ms if base_ms is None else base_ms
        wanted = (note.started_ms - base_ms) * SAMPLES_PER_MS
        silent = wanted - written
        if not 0 <= silent <= MAX_HOLE_FRAMES * SAMPLES_PER_FRAME:
            silent = 0
        for source in clock:
            source.note.at_ms = (written + silent) // SAMPLES_PER_MS
            source.note.shifted_ms = source.note.at_ms - wanted // SAMPLES_PER_MS
        pieces = _clock(clock)
        first = next(pieces, None)
        if first is None:
            continue  # nothing in it: no reason for silence before it
        yield from silence(silent)
        yield first
        written += silent + len(first)
        for piece in pieces:
            yield piece
            written += len(piece)


def _clocks(sources: Iterable[Source]) -> Iterator[list[Source]]:
    """Segments whose frames are numbered by one clock, together: one worker wrote them."""
    ordered = sorted(sources, key=lambda source: (source.note.started_ms, source.note.number))
    for _, clock in groupby(ordered, key=lambda source: source.note.started_ms):
        together: list[Source] = []
        for source in clock:
            if together and not source.note.follows:
                yield together
                together = []
            together.append(source)
        yield together


def silence(samples: int) -> Iterator[Samples]:
    """That many samples of nothing, in pieces; digital silence is 0 in linear PCM."""
    whole = PIECE_FRAMES * SAMPLES_PER_FRAME
    for at in range(0, samples, whole):
        yield np.zeros((min(whole, samples - at), 2), np.int16)


@dataclass(slots=True)
class _Reading:
    """Where the reading of one clock's frames stands; `offset` corrects lying numbers."""

    expected: int = 0
    offset: int = 0
    held: bytearray = field(default_factory=bytearray)

    def take(self) -> Samples:
        held, self.held = self.held, bytearray()
        return linear(held)


def _clock(sources: list[Source]) -> Iterator[Samples]:
    reading = _Reading()
    for source in sources:
        for item in source.items:
            if isinstance(item, Damage):
                source.note.damaged_bytes += item.length
                source.note.torn = source.note.torn or item.why == "torn tail"
            else:
                yield from _block(reading, source.note, item)
    if reading.held:
        yield reading.take()


def _block(reading: _Reading, note: SegmentNote, block: Block) -> Iterator[Samples]:
    hole = block.first_frame - reading.offset - reading.expected
    if abs(hole) > MAX_HOLE_FRAMES:
        reading.offset, hole = block.first_frame - reading.expected, 0
    frames = _fresh(block, hole, note)
    if hole > 0:
        note.missing_frames += hole
        if reading.held:
            yield reading.take()
        yield from silence(hole * SAMPLES_PER_FRAME)
    reading.held += frames
    count = len(frames) // FRAME_BYTES
    first = reading.expected + max(hole, 0)
    _note_privacy(note, first, count, block.private)
    note.frames += count
    reading.expected = first + count
    if len(reading.held) >= PIECE_FRAMES * FRAME_BYTES:
        yield reading.take()


def _note_privacy(note: SegmentNote, first: int, count: int, bits: int) -> None:
    """Blocks that follow each other with the same sides left out are one gap."""
    last = note.private[-1] if note.private else None
    if last is not None and last.first + last.count == first and last.bits == bits:
        last.count += count
    elif bits and count:
        note.private.append(Private(first, count, bits))


def _fresh(block: Block, hole: int, note: SegmentNote) -> bytes:
    """The block without those of its frames that an earlier block already brought."""
    if hole >= 0:
        return block.frames
    repeated = min(-hole, block.count)
    note.repeated_frames += repeated
    return block.frames[repeated * FRAME_BYTES :]


def duration_ms(samples: int) -> int:
    return samples // SAMPLES_PER_MS


def frames_ms(frames: int) -> int:
    return frames * FRAME_MS
