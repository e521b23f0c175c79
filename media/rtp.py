"""RTP headers of many packets at once, RFC 3550 §5.1 and A.1; sequence arithmetic."""

from dataclasses import dataclass

import numpy as np

from media.types import Bytes, Flags, Halves, Integers, Words

HEADER = 12
ROW = 640  # bytes kept of a packet: header, extensions and 60 ms of G.711


@dataclass(frozen=True, slots=True)
class Headers:
    """One entry a packet; where `valid` is false the rest means nothing."""

    valid: Flags
    marker: Flags
    payload_type: Bytes
    sequence: Halves
    timestamp: Words
    ssrc: Words
    offset: Integers  # of the payload in its row, bytes
    size: Integers  # of the payload without padding, bytes


def parse(rows: Bytes, sizes: Integers) -> Headers:
    """Headers of packets in (n, ROW) uint8 rows; a packet that fills its row counts as oversized.

    RFC 3550 A.1: version 2, and lengths of CSRC list, extension and padding that fit the packet.
    """
    first = rows[:, 0]
    halves = rows.view(">u2")
    words = rows.view(">u4")
    second = rows[:, 1]
    count = len(rows)
    offset = np.full(count, HEADER, np.int64)
    size = sizes - HEADER
    valid = (size >= 0) & (sizes < rows.shape[1])
    odd = np.flatnonzero((first != 0x80) & valid)
    if len(odd):  # rare: CSRC, extension, padding or another version
        _unfold(rows, sizes, odd, (valid, offset, size))
    return Headers(
        valid=valid,
        marker=second >= 0x80,
        payload_type=(second & 0x7F).astype(np.uint8),
        sequence=halves[:, 1].astype(np.uint16),
        timestamp=words[:, 1].astype(np.uint32),
        ssrc=words[:, 2].astype(np.uint32),
        offset=offset,
        size=size,
    )


def _unfold(
    rows: Bytes, sizes: Integers, odd: Integers, into: tuple[Flags, Integers, Integers]
) -> None:
    """Header and payload lengths where the first byte is not the plain 0x80."""
    valid, offset, size = into
    first, total = rows[odd, 0], sizes[odd]
    start = HEADER + 4 * (first & 0x0F).astype(np.int64)
    good = (first >> 6 == 2) & (start <= total)
    extended = (first & 0x10 != 0) & good
    good &= ~extended | (start + 4 <= total)
    at = np.where(extended & good, start, 0)
    words = rows[odd, at + 2].astype(np.int64) * 256 + rows[odd, at + 3]
    start += np.where(extended, 4 + 4 * words, 0)
    good &= start <= total
    last = rows[odd, total - 1].astype(np.int64)
    padding = np.where(first & 0x20, last, 0)
    # §5.1: the count includes itself, so a padded packet has at least one byte of it.
    good &= ((first & 0x20) == 0) | ((padding > 0) & (start + padding <= total))
    valid[odd] = good
    offset[odd] = start
    size[odd] = total - start - padding


def payload_span(row: memoryview, size: int) -> tuple[int, int] | None:
    """Where one packet's payload begins and ends (§5.1, §5.3.1); None where lengths do not fit."""
    first = row[0]
    start, end = HEADER + 4 * (first & 0x0F), size
    if first == 0x80:
        return start, end
    if first & 0x10 and start + 4 <= end:
        start += 4 + 4 * (row[start + 2] << 8 | row[start + 3])
    elif first & 0x10:
        return None
    if first & 0x20:
        padding = row[end - 1]
        end -= padding
        if not padding:
            return None
    return (start, end) if first >> 6 == 2 and start <= end else None


def build(rows: Bytes, first_two: tuple[int, Bytes], numbers: tuple[Halves, Words, Words]) -> None:
    """Write (n, 12+) headers in place: (first byte, payload types), (sequence, timestamp, ssrc)."""
    sequence, timestamp, ssrc = numbers
    rows[:, 0] = first_two[0]
    rows[:, 1] = first_two[1]
    halves, words = rows.view(">u2"), rows.view(">u4")
    halves[:, 1] = sequence
    words[:, 1] = timestamp
    words[:, 2] = ssrc


def extend(highest: Integers, sequence: Halves) -> Integers:
    """Sequence numbers with their cycles, next to the highest seen; RFC 3550 A.1 without limits."""
    step = (sequence - highest.astype(np.uint16)).astype(np.uint16).view(np.int16)
    return highest + step


def since(later: Words, earlier: Words) -> Integers:
    """Timestamps' distance modulo 2^32, signed, in samples."""
    return (later - earlier).view(np.int32).astype(np.int64)
