"""The two forms that recordings are kept in: FLAC by libsndfile, Opus in Ogg by FFmpeg.

Measured for an hour of stereo: FLAC takes 1.0 s of CPU and 42 MB; Opus at 32 kbit/s takes thirteen
times the CPU and 12 MB (`application=audio` keeps the waveform: likeness .99; `voip` does not:
.54). libsndfile's own Opus takes 75 s, so it only reads it.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import numpy as np
import numpy.typing as npt
import soundfile

from recorder.seal import RATE, Samples

# libFLAC's level 3 of 8: no search for what both channels have in common, for two parties have
# nothing. It takes 0.72 of the CPU of its default 5, and a hundredth more room.
FLAC_LEVEL = 3 / 8
OPUS_BITS_PER_SECOND = 32_000
OPUS_OPTIONS = {"application": "audio", "compression_level": "0", "vbr": "on"}
WINDOW = RATE // 10
LIKENESS = 0.5  # of the loudness of each tenth of a second, before and after a lossy codec
QUIET = 100.0  # mean magnitude: below it a lossy codec may say what it likes


@dataclass(frozen=True, slots=True)
class Format:
    name: str
    suffix: str
    content_type: str
    lossless: bool


FORMATS = {
    "flac": Format("flac", ".flac", "audio/flac", lossless=True),
    "opus": Format("opus", ".opus", "audio/ogg", lossless=False),
}
FLAC = FORMATS["flac"]


def format_of(key: str) -> Format:
    """Of a sealed recording, by its key in the store; encrypted ones have one suffix more."""
    return next((one for one in FORMATS.values() if one.suffix in key.rpartition("/")[2]), FLAC)


class Encoder(Protocol):
    def write(self, piece: Samples, /) -> None:
        """(n, 2) int16, 8 kHz."""


@contextmanager
def encoder(output: BinaryIO, form: Format) -> Iterator[Encoder]:
    """What is written to it is in `output` when the context ends."""
    if form.name == "opus":
        with _opus(output) as opus:
            yield opus
        return
    with soundfile.SoundFile(
        output, "w", RATE, 2, "PCM_16", format="FLAC", compression_level=FLAC_LEVEL
    ) as file:
        yield file


class _Opus:
    """RFC 7845, by FFmpeg's muxer, which notes the pre-skip and the exact end."""

    def __init__(self, output: BinaryIO) -> None:
        import av  # 35 MB that a house with FLAC does not need

        self._frame = av.AudioFrame
        self._container = av.open(output, "w", format="ogg")
        self._stream = self._container.add_stream("libopus", rate=RATE, options=OPUS_OPTIONS)
        self._stream.layout = "stereo"
        self._stream.bit_rate = OPUS_BITS_PER_SECOND
        self._written = 0

    def write(self, piece: Samples, /) -> None:
        flat = np.ascontiguousarray(piece).reshape(1, -1)
        frame = self._frame.from_ndarray(flat, format="s16", layout="stereo")
        frame.sample_rate = RATE
        frame.pts = self._written
        self._written += len(piece)
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        self._container.mux(self._stream.encode(None))

    def close(self) -> None:
        self._container.close()


@contextmanager
def _opus(output: BinaryIO) -> Iterator[_Opus]:
    opus = _Opus(output)
    try:
        yield opus
        opus.finish()
    finally:
        opus.close()


@dataclass(frozen=True, slots=True)
class Proof:
    """A piece of the audio that the sealed file must give back."""

    start: int
    length: int
    checksum: int
    loudness: npt.NDArray[np.float32]  # (tenths of a second, 2)

    def holds(self, piece: Samples, form: Format) -> bool:
        """Bit by bit from a lossless form; in length and loudness from a lossy one."""
        if len(piece) != self.length:
            return False
        if form.lossless:
            return zlib.crc32(np.ascontiguousarray(piece).data) == self.checksum
        found = loudness(piece)
        near = np.abs(found - self.loudness) <= QUIET + LIKENESS * self.loudness
        return bool(near.all())


def proof(start: int, piece: Samples, form: Format) -> Proof:
    """Of a lossless form a checksum is enough."""
    if form.lossless:
        return Proof(start, len(piece), zlib.crc32(piece.data), np.zeros((0, 2), np.float32))
    return Proof(start, len(piece), 0, loudness(piece))


def loudness(piece: Samples) -> npt.NDArray[np.float32]:
    """Mean magnitude of each whole tenth of a second, (n, 2)."""
    whole = len(piece) // WINDOW * WINDOW
    magnitude = np.abs(piece[:whole].astype(np.float32)).reshape(-1, WINDOW, 2)
    mean: npt.NDArray[np.float32] = magnitude.mean(axis=1, dtype=np.float32)
    return mean
