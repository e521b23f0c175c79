"""Seals spool segments into one file, FLAC or Opus, and makes WAV of it on request."""

from __future__ import annotations

import contextlib
import io
import os
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import soundfile

from recorder.io.encoding import FLAC, Encoder, Format, Proof, encoder, proof
from recorder.io.objects import sha256_of_file
from recorder.io.segments import Segment
from recorder.seal import RATE, Head, Heard, Samples, SegmentNote, Source, audio, duration_ms
from recorder.spool import (
    BLOCK,
    FRAME_BYTES,
    FRAME_MS,
    MAX_HEADER_BYTES,
    SAMPLES_PER_FRAME,
    SIDES,
    Decoder,
    Item,
    block_size,
)

WAV_HEAD = struct.Struct("<4sI4s4sIHHIIHH4sI")
WAV_FRAME_BYTES = 4
WAV_PIECE = 10 * RATE
WRITTEN_BYTES = 1 << 18
PROVED_PIECES = 24  # two of so many pieces (of ten seconds) are read back


# Milliseconds since the epoch that a date can be made of; anything else is a damaged header.
LAST_MS = 1 << 42


class SealError(Exception):
    """The sealed file does not hold what was written to it: the disk is full or broken."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A finished file and what is known about it."""

    path: str
    size: int
    sha256: str
    samples: int
    started_ms: int
    header: dict[str, Any]
    notes: tuple[SegmentNote, ...]
    form: Format = FLAC
    heard: tuple[Heard, Heard] = field(default_factory=lambda: (Heard(), Heard()))

    @property
    def duration_ms(self) -> int:
        return duration_ms(self.samples)

    @property
    def damaged(self) -> bool:
        """True for an empty shell: no header that can be read and not one whole frame."""
        return not self.samples and not self.header


class _Output(io.FileIO):
    """A file that remembers its first failure: libsndfile does not tell of a full disk.

    After it nothing is written any more, and whoever writes goes on to the end.
    """

    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        view = memoryview(data)
        done = 0
        try:
            while done < len(view) and self.failure is None:
                done += super().write(view[done:]) or 0
        except OSError as error:
            self.failure = error
        return len(view)


def seal(segments: list[Segment], path: str, form: Format = FLAC) -> Sealed:
    """Streams the segments into a file at `path`, and reads samples of it back.

    Memory does not grow with the length.  Raises SealError or OSError.
    """
    sources, header = _sources(segments)
    try:
        heard = Heard(), Heard()
        samples, proofs = _write(sources, path, form, heard)
        _prove(path, samples, proofs, form)
    except soundfile.SoundFileError as error:
        raise SealError(f"{path}: {error}") from error
    notes = tuple(source.note for source in sources)
    started_ms = min(note.started_ms for note in notes)
    size = os.stat(path).st_size
    return Sealed(path, size, sha256_of_file(path), samples, started_ms, header, notes, form, heard)


def _write(
    sources: list[Source], path: str, form: Format, heard: tuple[Heard, Heard]
) -> tuple[int, list[Proof]]:
    output = _Output(path, "w+b")
    # An encoder writes a few kilobytes at a time: a call of the system each would be a tenth more.
    with io.BufferedRandom(output, WRITTEN_BYTES) as buffered:
        try:
            with encoder(buffered, form) as into:
                told = _encode(audio(sources, heard), into, form)
            buffered.flush()
        except soundfile.SoundFileError as error:
            raise output.failure or error from None
        if output.failure is not None:
            raise output.failure
    return told


def _encode(pieces: Iterator[Samples], into: Encoder, form: Format) -> tuple[int, list[Proof]]:
    samples = 0
    proofs: list[Proof] = []
    for number, piece in enumerate(pieces):
        into.write(piece)
        if number % PROVED_PIECES > 1:
            proofs.pop()  # of those between, only the last stays
        proofs.append(proof(samples, piece, form))
        samples += len(piece)
    if not samples:
        # A file without any sample cannot be opened again: 20 ms stand for nothing.
        into.write(np.zeros((SAMPLES_PER_FRAME, 2), np.int16))
    return samples, proofs


def _prove(path: str, samples: int, proofs: list[Proof], form: Format) -> None:
    """The length, and the audio at samples with the end among them.

    Decoding all of it took 0.6 s of CPU an hour of audio, a third of the whole sealing.
    """
    with soundfile.SoundFile(path) as file:
        whole = file.frames == max(samples, SAMPLES_PER_FRAME)
        for one in proofs:
            file.seek(one.start)
            whole = whole and one.holds(file.read(one.length, dtype="int16"), form)
    if not whole:
        raise SealError(f"{path}: the sealed file does not hold the audio that was written to it")


def _sources(segments: list[Segment]) -> tuple[list[Source], dict[str, Any]]:
    header: dict[str, Any] = {}
    sources = []
    for segment in segments:
        own = segment.header()
        size = segment.size()
        header = {**(own or {}), **header}  # the first segment's word counts
        follows = bool(own and own.get("follows"))
        note = SegmentNote(segment.number, began_ms(segment, own), size, follows)
        sources.append(Source(note, _items(segment), _heads(segment)))
    return sources, header


def began_ms(segment: Segment, header: dict[str, Any] | None) -> int:
    """When the segment began: each time the same, for it also tells segments apart."""
    told = header.get("started_ms") if header else None
    if isinstance(told, int) and 0 <= told < LAST_MS:
        return told
    # The header is damaged: the last write's time less the audio's length is close.
    return segment.modified_ms() - segment.size() // FRAME_BYTES * FRAME_MS


def _heads(segment: Segment) -> Iterator[Head]:
    """What blocks tell of their sides, up to the first that cannot be read: no frames are read."""
    with open(segment.path, "rb") as file:
        file.readline(MAX_HEADER_BYTES)
        at = file.tell()
        while len(head := file.read(BLOCK.size + SIDES.size)) == BLOCK.size + SIDES.size:
            size = block_size(head)
            _, first_frame, count, _, _ = BLOCK.unpack_from(head)
            if not size:
                return
            if size > BLOCK.size + count * FRAME_BYTES:
                yield Head(first_frame, count, head[BLOCK.size :])
            at += size
            file.seek(at)


def _items(segment: Segment) -> Iterator[Item]:
    decoder = Decoder()
    for data in segment.chunks():
        yield from decoder.feed(data)
    yield from decoder.close()


@contextlib.contextmanager
def memory_file(name: str) -> Iterator[str]:
    """A path to a file that takes no disk: sealing must go on when the disk is full."""
    descriptor = os.memfd_create(name)
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def wav_head(frames: int) -> bytes:
    """RIFF/WAVE, PCM 16 bit, stereo, 8 kHz."""
    data = frames * WAV_FRAME_BYTES
    return WAV_HEAD.pack(
        b"RIFF", 36 + data, b"WAVE", b"fmt ", 16, 1, 2, RATE, RATE * 4, 4, 16, b"data", data
    )


def wav_size(frames: int) -> int:
    return WAV_HEAD.size + frames * WAV_FRAME_BYTES


def wav_chunks(
    open_sealed: Callable[[], AbstractContextManager[Path | BinaryIO]], start: int, stop: int | None
) -> Iterator[bytes]:
    """Bytes [start, stop) of the recording as WAV, decoded while they are taken."""
    with open_sealed() as sealed, soundfile.SoundFile(sealed) as file:
        stop = min(stop if stop is not None else 1 << 62, wav_size(file.frames))
        if start < WAV_HEAD.size:
            yield wav_head(file.frames)[start:stop]
            start = WAV_HEAD.size
        frame, skip = divmod(start - WAV_HEAD.size, WAV_FRAME_BYTES)
        if start >= stop:
            return
        file.seek(frame)
        left = stop - start
        while left > 0:
            data = file.read(WAV_PIECE, dtype="int16").tobytes()[skip:]
            if not data:
                return
            yield data[:left]
            left -= len(data)
            skip = 0
