"""The spool file: one JSON line (whose audio is it?), then checksummed blocks of A-law stereo.

    {"spool": 1, "crc32": ..., "header": {...}}\\n
    magic(4) first_frame(4) count(2) private(2) crc32(4) sides(24) payload(count x 320)   ...

A frame is 20 ms: 160 A-law bytes of the left party, then 160 of the right. Blocks carry the number
of their first frame, so that what is lost between two of them is known and becomes silence, and
the bits of the sides (1 left, 2 right) that were left out on purpose for privacy. `sides` (not in
the blocks of version 1) is twice what a media worker knows of a side at the end of the block: how
far behind it is heard and how early its packets came, in samples against a steady clock; frames
that were lost in the block; codec (RTP payload type) and the number of the stream:

    delay(4) ahead(4) lost(2) codec(1) stream(1)
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
MAGIC = b"\xc0AB"
BARE, WITH_SIDES = MAGIC + b"\x01", MAGIC + b"\x02"
BOTH_SIDES = 3
BLOCK = struct.Struct(">4sIHHI")
SIDES = struct.Struct(">iiHBBiiHBB")
UNKNOWN_AHEAD = -(1 << 31)
NO_CODEC = 255  # nothing is known of the side: nobody, or several legs together
CODECS = {0: "PCMU", 8: "PCMA"}


@dataclass(frozen=True, slots=True)
class SideState:
    """One side at the end of a block; `ahead` is None until enough packets have come."""

    delay: int
    ahead: int | None
    lost: int
    source: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Block:
    """Whole frames that arrived as they were written; `frames` is n x 2 x 160 bytes of A-law."""

    first_frame: int
    frames: bytes
    private: int = 0
    sides: bytes = b""

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


def block_head(first_frame: int, frames: bytes, private: int = 0, sides: bytes = b"") -> bytes:
    """What goes before `frames`; raises ValueError for frames that are not whole."""
    count, rest = divmod(len(frames), FRAME_BYTES)
    if rest or not 0 < count <= MAX_BLOCK_FRAMES:
        raise ValueError(f"a block of {len(frames)} bytes is not 1 to {MAX_BLOCK_FRAMES} frames")
    if len(sides) not in (0, SIDES.size):
        raise ValueError(f"{len(sides)} bytes about the sides; {SIDES.size} are allowed, or none")
    magic = WITH_SIDES if sides else BARE
    checksum = _checksum(magic, first_frame, count, private, sides + frames)
    return BLOCK.pack(magic, first_frame, count, private, checksum) + sides


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
        size = block_size(self._buffer, at)
        return at + size if size else None

    def _block(self, at: int, end: int | None) -> Block | None:
        if end is None or end > len(self._buffer):
            return None
        magic, first_frame, count, private, crc = BLOCK.unpack_from(self._buffer, at)
        rest = bytes(self._buffer[at + BLOCK.size : end])
        if crc != _checksum(magic, first_frame, count, private, rest):
            return None
        sides = len(rest) - count * FRAME_BYTES
        return Block(first_frame, rest[sides:], private, rest[:sides])

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


def block_size(data: bytes | bytearray, at: int = 0) -> int:
    """Bytes of the block whose head lies at `at`, all of it; 0 when it is none."""
    magic, _, count, private, _ = BLOCK.unpack_from(data, at)
    if magic not in (BARE, WITH_SIDES) or private > BOTH_SIDES:
        return 0
    if not 0 < count <= MAX_BLOCK_FRAMES:
        return 0
    sides = SIDES.size if magic == WITH_SIDES else 0
    return BLOCK.size + sides + int(count) * FRAME_BYTES


def side_states(sides: bytes) -> tuple[SideState | None, SideState | None]:
    """Left and right; None for a side of which nothing is known."""
    if not sides:
        return None, None
    told = SIDES.unpack(sides)
    return _state(told[:5]), _state(told[5:])


def _state(told: tuple[int, ...]) -> SideState | None:
    delay, ahead, lost, codec, epoch = told
    if codec == NO_CODEC:
        return None
    known = None if ahead == UNKNOWN_AHEAD else ahead
    return SideState(delay, known, lost, CODECS.get(codec, str(codec)), epoch)


def _checksum(magic: bytes, first_frame: int, count: int, private: int, rest: bytes) -> int:
    return zlib.crc32(rest, zlib.crc32(BLOCK.pack(magic, first_frame, count, private, 0)))
