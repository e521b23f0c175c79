"""From the segments of one recording to one stretch of stereo audio, in pieces of a few seconds.

Caller left, agent right, on one time (align.py). Segments (a media worker was replaced) are placed
by their wall clock start, blocks by their first frame; what is missing between them is silence.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import numpy.typing as npt

from recorder.alaw import stereo as linear
from recorder.align import SidePlan, Spot, plan, slip
from recorder.spool import (
    FRAME_BYTES,
    FRAME_MS,
    SAMPLES_PER_FRAME,
    Block,
    Damage,
    Item,
    side_states,
)

RATE = 8000
PIECE_FRAMES = 500
# A longer hole is a clock that jumped or a number that lies: the audio follows at once instead.
MAX_HOLE_FRAMES = 4 * 3600 * 50
SAMPLES_PER_MS = RATE // 1000

Samples = npt.NDArray[np.int16]
Mono = npt.NDArray[np.int16]
NO_SAMPLES: Mono = np.zeros(0, np.int16)


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


@dataclass(frozen=True, slots=True)
class Head:
    """A block without its frames, for whoever looks ahead."""

    first_frame: int
    count: int
    sides: bytes


@dataclass(slots=True)
class Source:
    """A segment to be read once: its note and its blocks in the order of the file."""

    note: SegmentNote
    items: Iterable[Item]
    heads: Iterable[Head] = ()


@dataclass(slots=True)
class Heard:
    """One side of all of the recording; `known_frames` are those of which loss is known."""

    source: str = ""
    lost_frames: int = 0
    known_frames: int = 0
    drift_ppm: float = 0.0

    def add(self, plan: SidePlan) -> None:
        """One clock more; the longest one's drift counts."""
        if plan.known_frames > self.known_frames:
            self.drift_ppm = plan.drift_ppm
        self.source = self.source or plan.source
        self.lost_frames += plan.lost_frames
        self.known_frames += plan.known_frames


def audio(sources: Iterable[Source], heard: tuple[Heard, Heard] | None = None) -> Iterator[Samples]:
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
        plans = _plans(clock)
        for side, made in zip(heard or (), plans, strict=False):
            side.add(made)
        pieces = _clock(clock, plans)
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
    plans: tuple[SidePlan, SidePlan] = field(default_factory=lambda: (SidePlan(), SidePlan()))
    woven: int = 0  # samples
    ahead: list[Mono] = field(default_factory=lambda: [NO_SAMPLES, NO_SAMPLES])

    def take(self) -> Samples:
        held, self.held = self.held, bytearray()
        return self.weave(linear(held))

    def weave(self, piece: Samples, shifts: tuple[int, int] = (0, 0)) -> Samples:
        """Both sides as far as both are there; what one has more waits for the other."""
        if shifts == (0, 0) and not len(self.ahead[0]) and not len(self.ahead[1]):
            self.woven += len(piece)
            return piece
        sides = [
            np.concatenate([ahead, slip(np.ascontiguousarray(piece[:, number]), shifts[number])])
            for number, ahead in enumerate(self.ahead)
        ]
        both = min(map(len, sides))
        self.ahead = [side[both:] for side in sides]
        self.woven += both
        return np.stack([side[:both] for side in sides], axis=1)

    def rest(self) -> Samples:
        """What one side has more, the other silent, to the end of a frame."""
        count = max(map(len, self.ahead))
        count += -(self.woven + count) % SAMPLES_PER_FRAME
        piece = np.zeros((count, 2), np.int16)
        for number, ahead in enumerate(self.ahead):
            piece[: len(ahead), number] = ahead
        return piece


def _plans(sources: list[Source]) -> tuple[SidePlan, SidePlan]:
    """What each side of these segments needs to be on one time with the other."""
    spots: tuple[list[Spot], list[Spot]] = [], []
    for source in sources:
        for block in source.heads:
            end = (block.first_frame + block.count) * SAMPLES_PER_FRAME
            for side, state in zip(spots, side_states(block.sides), strict=True):
                if state is not None:
                    side.append(Spot(block.first_frame, end, state))
    return plan(*spots)


def _clock(sources: list[Source], plans: tuple[SidePlan, SidePlan]) -> Iterator[Samples]:
    reading = _Reading(plans=plans)
    for source in sources:
        for item in source.items:
            if isinstance(item, Damage):
                source.note.damaged_bytes += item.length
                source.note.torn = source.note.torn or item.why == "torn tail"
            else:
                yield from _block(reading, source.note, item)
    if reading.held:
        yield reading.take()
    if len(rest := reading.rest()):
        yield rest


def _block(reading: _Reading, note: SegmentNote, block: Block) -> Iterator[Samples]:
    hole = block.first_frame - reading.offset - reading.expected
    if abs(hole) > MAX_HOLE_FRAMES:
        reading.offset, hole = block.first_frame - reading.expected, 0
    frames = _fresh(block, hole, note)
    if hole > 0:
        note.missing_frames += hole
        if reading.held:
            yield reading.take()
        for quiet in silence(hole * SAMPLES_PER_FRAME):
            yield reading.weave(quiet)
    left, right = (one.shifts.get(block.first_frame, 0) for one in reading.plans)
    if (left or right) and frames:
        if reading.held:
            yield reading.take()
        yield reading.weave(linear(frames), (left, right))
    else:
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
