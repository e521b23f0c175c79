"""From the segments of one recording to one stretch of stereo audio, in pieces of a few seconds.

Caller left, agent right, as the tap wrote them. Segments (a media worker was replaced) are placed
by their wall clock start, blocks by their first frame; what is missing between them is silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

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
    """What became of one segment; `shifted_ms` is how far it lies from where its clock said."""

    number: int
    started_ms: int
    size: int = 0
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
    for source in sorted(sources, key=lambda source: (source.note.started_ms, source.note.number)):
        note = source.note
        base_ms = note.started_ms if base_ms is None else base_ms
        wanted = (note.started_ms - base_ms) * SAMPLES_PER_MS
        silent = wanted - written
        if not 0 <= silent <= MAX_HOLE_FRAMES * SAMPLES_PER_FRAME:
            silent = 0
        note.at_ms = (written + silent) // SAMPLES_PER_MS
        note.shifted_ms = note.at_ms - wanted // SAMPLES_PER_MS
        pieces = _segment(source)
        first = next(pieces, None)
        if first is None:
            continue  # nothing in it: no reason for silence before it
        yield from silence(silent)
        yield first
        written += silent + len(first)
        for piece in pieces:
            yield piece
            written += len(piece)


def silence(samples: int) -> Iterator[Samples]:
    """That many samples of nothing, in pieces; digital silence is 0 in linear PCM."""
    whole = PIECE_FRAMES * SAMPLES_PER_FRAME
    for at in range(0, samples, whole):
        yield np.zeros((min(whole, samples - at), 2), np.int16)


def _segment(source: Source) -> Iterator[Samples]:
    note = source.note
    expected = 0
    offset = 0  # what a lying first_frame is corrected by
    held = bytearray()
    for item in source.items:
        if isinstance(item, Damage):
            note.damaged_bytes += item.length
            note.torn = note.torn or item.why == "torn tail"
            continue
        hole = item.first_frame - offset - expected
        if abs(hole) > MAX_HOLE_FRAMES:
            offset, hole = item.first_frame - expected, 0
        frames = _fresh(item, hole, note)
        if hole > 0:
            note.missing_frames += hole
            if held:
                yield linear(held)
                held = bytearray()
            yield from silence(hole * SAMPLES_PER_FRAME)
        held += frames
        count = len(frames) // FRAME_BYTES
        _note_privacy(note, expected + max(hole, 0), count, item.private)
        note.frames += count
        expected += max(hole, 0) + count
        if len(held) >= PIECE_FRAMES * FRAME_BYTES:
            yield linear(held)
            held = bytearray()
    if held:
        yield linear(held)


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
