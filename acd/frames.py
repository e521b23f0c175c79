"""The journal's bytes: a magic line, then frames of length, crc32 and one msgpack-encoded event."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

import msgspec

from acd.events import Event

MAGIC = b"callcore journal 1\n"
HEADER = struct.Struct("<II")  # length of the payload, crc32 of the payload
MOST_BYTES = 1 << 24  # a longer frame is damage
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Event).decode


@dataclass(frozen=True, slots=True)
class Segment:
    """What one file holds: its events, and where the last whole frame ends."""

    events: list[Event]
    good_bytes: int
    damage: str  # "" when the file ends with a whole frame


def frame(event: Event) -> bytes:
    """One event as it is written."""
    payload = _encode(event)
    return HEADER.pack(len(payload), zlib.crc32(payload)) + payload


def parse(data: bytes) -> Segment:
    """All whole frames from the start of a file; a torn or damaged rest is named, not raised."""
    events: list[Event] = []
    if not data.startswith(MAGIC):
        torn = MAGIC.startswith(data)
        return Segment(events, 0, "" if not data else "torn head" if torn else "not a journal")
    at = len(MAGIC)
    while at < len(data):
        if at + HEADER.size > len(data):
            return Segment(events, at, "torn frame")
        length, checksum = HEADER.unpack_from(data, at)
        payload = data[at + HEADER.size : at + HEADER.size + length]
        if length > MOST_BYTES or len(payload) < length:
            return Segment(events, at, "torn frame")
        if zlib.crc32(payload) != checksum:
            return Segment(events, at, "wrong checksum")
        try:
            events.append(_decode(payload))
        except msgspec.MsgspecError as error:
            return Segment(events, at, f"unknown event: {error}")
        at += HEADER.size + length
    return Segment(events, at, "")
