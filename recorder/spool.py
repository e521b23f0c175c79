"""The spool file: one JSON line (whose audio is it?), then checksummed blocks of A-law stereo.

    {"spool": 1, "crc32": ..., "header": {...}}\\n
    magic(4) first_frame(4) count(2) private(2) crc32(4) payload(count x 320)   ... and so on

A frame is 20 ms: 160 A-law bytes of the left party, then 160 of the right. Blocks carry the number
of their first frame, so that what is lost between two of them is known and becomes silence, and
the bits of the sides (1 left, 2 right) that were left out on purpose for privacy.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

FRAME_BYTES = 320
FRAME_MS = 20
SAMPLES_PER_FRAME = 160
MAX_BLOCK_FRAMES = 500
MAX_HEADER_BYTES = 1 << 16
MAGIC = b"\xc0AB\x01"
BOTH_SIDES = 3
BLOCK = struct.Struct(">4sIHHI")


@dataclass(frozen=True, slots=True)
class Block:
    """Whole frames that arrived as they were written; `frames` is n x 2 x 160 bytes of A-law."""

    first_frame: int
    frames: bytes
    private: int = 0

    @property
    def count(self) -> int:
        return len(self.frames) // FRAME_BYTES


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes of the file that no block could be read from."""

    offset: int
    length: int
    why: str


Item = Block | Damage


def encode_header(header: Mapping[str, Any]) -> bytes:
    """The file's first line; raises ValueError when the header is too long to be found again."""
    text = _canonical(header)
    line = f'{{"spool":1,"crc32":{zlib.crc32(text.encode())},"header":{text}}}\n'
    if len(line) > MAX_HEADER_BYTES:
        raise ValueError(f"spool header of {len(line)} bytes; at most {MAX_HEADER_BYTES}")
    return line.encode()


def decode_header(line: bytes) -> dict[str, Any] | None:
    """The header that the line holds, or None when it is not what was written."""
    try:
        envelope = json.loads(line)
        header = envelope["header"]
        whole = envelope["crc32"] == zlib.crc32(_canonical(header).encode())
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return header if whole and isinstance(header, dict) else None


def block_head(first_frame: int, frames: bytes, private: int = 0) -> bytes:
    """The 16 bytes that go before `frames`; raises ValueError for frames that are not whole."""
    count, rest = divmod(len(frames), FRAME_BYTES)
    if rest or not 0 < count <= MAX_BLOCK_FRAMES:
        raise ValueError(f"a block of {len(frames)} bytes is not 1 to {MAX_BLOCK_FRAMES} frames")
    checksum = _checksum(first_frame, count, private, frames)
    return BLOCK.pack(MAGIC, first_frame, count, private, checksum)


def split(first_frame: int, frames: bytes) -> Iterator[tuple[int, bytes]]:
    """The same frames in blocks that are short enough to be written."""
    step = MAX_BLOCK_FRAMES * FRAME_BYTES
    for at in range(0, len(frames), step):
        yield first_frame + at // FRAME_BYTES, frames[at : at + step]


def encode_block(first_frame: int, frames: bytes) -> bytes:
    return block_head(first_frame, frames) + frames


class Decoder:
    """Reads a spool file in pieces of any size; what cannot be read is skipped and reported."""

    def __init__(self) -> None:
        self.header: dict[str, Any] | None = None
        self._headed = False
        self._buffer = bytearray()
        self._start = 0  # the file offset of the buffer's first byte
        self._bad: int | None = None  # the file offset where unreadable bytes began

    def feed(self, data: bytes) -> list[Item]:
        self._buffer += data
        return self._read(final=False)

    def close(self) -> list[Item]:
        """What is left when the file ends; an unfinished block is a torn tail."""
        items = self._read(final=True)
        items += self._damage(self._start + len(self._buffer), "torn tail")
        self._drop(len(self._buffer))
        return items

    def _read(self, final: bool) -> list[Item]:
        items: list[Item] = []
        if not self._headed and not self._read_header(final):
            return items
        at = 0
        while (found := self._buffer.find(MAGIC, at)) >= 0:
            if found > at:
                self._mark(at)
            at = found
            end = self._end_of_block(at)
            if end is not None and end > len(self._buffer) and not final:
                break  # the rest is still to come
            block = self._block(at, end)
            if block is None:
                self._mark(at)
                at += 1
                continue
            items += self._damage(self._start + at, "corrupt")
            items.append(block)
            at = end or at
        else:
            at = self._skip_to_tail(at, final)
        self._drop(at)
        return items

    def _read_header(self, final: bool) -> bool:
        """True once the first line was dealt with; a damaged one is searched for blocks."""
        end = self._buffer.find(b"\n", 0, MAX_HEADER_BYTES)
        if end < 0 and not final and len(self._buffer) < MAX_HEADER_BYTES:
            return False
        self._headed = True
        self.header = decode_header(bytes(self._buffer[:end])) if end >= 0 else None
        if self.header is not None:
            self._drop(end + 1)
        return True

    def _end_of_block(self, at: int) -> int | None:
        """Where the block at `at` ends, or None when its head makes no sense."""
        if len(self._buffer) < at + BLOCK.size:
            return at + BLOCK.size
        _, _, count, private, _ = BLOCK.unpack_from(self._buffer, at)
        if private > BOTH_SIDES or not 0 < count <= MAX_BLOCK_FRAMES:
            return None
        return at + BLOCK.size + int(count) * FRAME_BYTES

    def _block(self, at: int, end: int | None) -> Block | None:
        if end is None or end > len(self._buffer):
            return None
        _, first_frame, count, private, crc = BLOCK.unpack_from(self._buffer, at)
        frames = bytes(self._buffer[at + BLOCK.size : end])
        whole = crc == _checksum(first_frame, count, private, frames)
        return Block(first_frame, frames, private) if whole else None

    def _skip_to_tail(self, at: int, final: bool) -> int:
        """No magic from `at` on: all of it is lost, but for the start of a magic cut in two."""
        keep = len(self._buffer) if final else max(at, len(self._buffer) - len(MAGIC) + 1)
        if keep > at:
            self._mark(at)
        return keep

    def _mark(self, at: int) -> None:
        if self._bad is None:
            self._bad = self._start + at

    def _damage(self, until: int, why: str) -> list[Item]:
        if self._bad is None or until <= self._bad:
            return []
        damage = Damage(self._bad, until - self._bad, why)
        self._bad = None
        return [damage]

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._start += count


def decode(data: bytes) -> tuple[dict[str, Any] | None, list[Item]]:
    """A whole file at once: its header, and its blocks and damages in order."""
    decoder = Decoder()
    items = decoder.feed(data)
    items += decoder.close()
    return decoder.header, items


def _canonical(header: Any) -> str:
    return json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def _checksum(first_frame: int, count: int, private: int, frames: bytes) -> int:
    return zlib.crc32(frames, zlib.crc32(BLOCK.pack(MAGIC, first_frame, count, private, 0)))
