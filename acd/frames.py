"""The journal's bytes: a magic line, a head, then frames of length, crc32 and one msgpack event.

Events have numbers, from 1 on without a gap; the head says which is the file's first. Files of
the first version (no head) are read as well. A tag that is not known is never passed over: it
comes from a newer version, and a state without it would be wrong.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

import msgspec

from acd.events import Event
from acd.settings import AcdSettings

MAGIC = b"callcore journal 2\n"
MAGIC_1 = b"callcore journal 1\n"
HEADER = struct.Struct("<II")  # length of the payload, crc32 of the payload
MOST_BYTES = 1 << 24  # a longer frame is damage
SEARCHED_BYTES = 1 << 20  # how far behind a damage whole frames are looked for
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Event).decode


class Head(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=True):
    """The first frame of a file; with it, a file can be read without those before it."""

    first: int  # number of the first event behind it
    epoch: int = 0  # the leadership under which they were written; 0 = no cluster
    settings: AcdSettings | None = None  # the last Configured before it
    lost: int = 0  # numbers just before `first` that were never written: the disk was away


_decode_head = msgspec.msgpack.Decoder(Head).decode


@dataclass(frozen=True, slots=True)
class Segment:
    """What one file holds: its events, and where the last whole frame ends."""

    events: list[Event]
    good_bytes: int
    damage: str  # "" when the file ends with a whole frame
    head: Head | None = None
    frames: list[bytes] = field(default_factory=list)  # the events' own, header and all


def frame(event: Event | Head) -> bytes:
    """One event as it is written."""
    payload = _encode(event)
    return HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def begin(head: Head) -> bytes:
    """How a file begins."""
    return MAGIC + frame(head)


def parse(data: bytes) -> Segment:
    """All whole frames from the start of a file; a torn or damaged rest is named, not raised."""
    if data.startswith(MAGIC_1):
        return parse_frames(data, len(MAGIC_1))
    if not data.startswith(MAGIC):
        torn = MAGIC.startswith(data) or MAGIC_1.startswith(data)
        return Segment([], 0, "" if not data else "torn head" if torn else "not a journal")
    payload, why = _payload(data, len(MAGIC))
    if why:
        return Segment([], 0, "torn head" if why == "torn frame" else why)
    try:
        head = _decode_head(payload)
    except msgspec.MsgspecError as error:
        return Segment([], 0, f"unknown head: {error}")
    return parse_frames(data, len(MAGIC) + HEADER.size + len(payload), head)


def parse_frames(data: bytes, at: int = 0, head: Head | None = None) -> Segment:
    """The whole frames from `at` on."""
    events: list[Event] = []
    frames: list[bytes] = []
    while at < len(data):
        payload, damage = _payload(data, at)
        if not damage:
            try:
                events.append(_decode(payload))
            except msgspec.MsgspecError as error:
                damage = f"unknown event: {error}"
        if damage:
            return Segment(events, at, damage, head, frames)
        end = at + HEADER.size + len(payload)
        frames.append(data[at:end])
        at = end
    return Segment(events, at, "", head, frames)


def _payload(data: bytes, at: int) -> tuple[bytes, str]:
    """What the frame at `at` holds, and what is wrong with it."""
    if at + HEADER.size > len(data):
        return b"", "torn frame"
    length, checksum = HEADER.unpack_from(data, at)
    begin_at = at + HEADER.size
    # Length 0: zeros, which a crash leaves where a file had grown and was not written yet.
    if not length or length > MOST_BYTES or begin_at + length > len(data):
        return b"", "torn frame"
    payload = data[begin_at : begin_at + length]
    return payload, "" if zlib.crc32(payload) == checksum else "wrong checksum"


def find_frame(data: bytes, at: int) -> int | None:
    """Where the next whole frame begins behind a damage: then it is no torn tail."""
    for start in range(at + 1, min(len(data) - HEADER.size, at + SEARCHED_BYTES)):
        length, checksum = HEADER.unpack_from(data, start)
        end = start + HEADER.size + length
        if 2 <= length <= MOST_BYTES and end <= len(data):
            payload = data[start + HEADER.size : end]
            if zlib.crc32(payload) == checksum and _is_event(payload):
                return start
    return None


def _is_event(payload: bytes) -> bool:
    try:
        _decode(payload)
    except msgspec.MsgspecError:
        return False
    return True
