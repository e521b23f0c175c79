"""A recording as one listener gets it: WAV with the name of who listens in it."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recorder.io.playback import Playback
from recorder.watermark import code_of, mark

HEAD = 44  # of recorder.io.sealing's WAV: RIFF, fmt, data
FRAME = 4
RIFF_SIZE = slice(4, 8)


@dataclass(frozen=True, slots=True)
class Marking:
    """`dbfs` None: the text alone, no tone."""

    who: str
    text: str
    dbfs: float | None = None

    @property
    def amplitude(self) -> float:
        return 0.0 if self.dbfs is None else float(32768 * 10 ** (self.dbfs / 20))


def marked(wav: Playback, marking: Marking) -> Playback:
    """The same sound with a LIST chunk behind it, and with the tone in it when there is one."""
    tail = _list_chunk(marking.text)
    size = wav.size + len(tail)

    def chunks(start: int, stop: int | None) -> Iterator[bytes]:
        end = size if stop is None else min(stop, size)
        if start < wav.size:
            yield from _sound(wav, marking, start, min(end, wav.size), size)
        if end > wav.size:
            yield tail[max(0, start - wav.size) : end - wav.size]

    return dataclasses.replace(wav, size=size, path=None, chunks=chunks)


def _sound(wav: Playback, marking: Marking, start: int, stop: int, size: int) -> Iterator[bytes]:
    """Bytes [start, stop) of head and samples; whole samples are read, for the tone is in them."""
    if start < HEAD:
        head = bytearray(b"".join(wav.chunks(0, HEAD)))
        head[RIFF_SIZE] = struct.pack("<I", size - 8)
        yield bytes(head[start:stop])
        start = HEAD
    if start >= stop:
        return
    first = (start - HEAD) // FRAME
    skip = (start - HEAD) % FRAME
    left = stop - start
    held = b""
    for piece in wav.chunks(HEAD + first * FRAME, min(wav.size, stop + FRAME)):
        held += piece
        whole = len(held) // FRAME * FRAME
        data = _toned(held[:whole], first, marking)[skip:]
        first, held, skip = first + whole // FRAME, held[whole:], max(0, skip - whole)
        yield data[:left]
        left -= len(data)
        if left <= 0:
            return


def _toned(data: bytes, first: int, marking: Marking) -> bytes:
    if marking.dbfs is None:
        return data
    samples = np.frombuffer(data, "<i2").reshape(-1, 2)
    return mark(samples, first, code_of(marking.who), marking.amplitude).astype("<i2").tobytes()


def _list_chunk(text: str) -> bytes:
    """RIFF INFO: ICMT, which players and file managers show as the comment."""
    words = text.encode() + b"\0"
    words += b"\0" * (len(words) % 2)
    info = b"INFO" + b"ICMT" + struct.pack("<I", len(words)) + words
    return b"LIST" + struct.pack("<I", len(info)) + info
