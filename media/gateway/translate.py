"""RTP of a browser to RTP of the plane and back: packet for packet, nothing is buffered.

Sequence number, marker and SSRC stay as they are, so loss, reordering and jitter of the one side
are seen on the other: the plane's jitter buffer and the browser's own do what they do for phones.
"""

import struct
from dataclasses import replace
from typing import Protocol

import numpy as np

from media import rtcp
from media.g711 import DECODE, ENCODE, PCMA
from media.gateway.messages import Codec
from media.gateway.opus import FACTOR, Decoder, Encoder
from media.rtp import HEADER, payload_span
from media.types import FRAME

_header = struct.Struct("!BBHII")
_event = struct.Struct("!BBH")
EVENT_BYTES = 4
MOST_DURATION = 0xFFFF  # RFC 4733 §2.3.5 has 16 bits for it


class Malformed(Exception):
    """No RTP, or not what its payload type says."""


class Unnegotiated(Exception):
    """A payload type that was not agreed."""


class Voice(Protocol):
    """One direction's payload."""

    def turn(self, payload: bytes) -> bytes: ...


class Same:
    """G.711 on both sides."""

    def turn(self, payload: bytes) -> bytes:
        return payload


class FromOpus:
    """Opus to A-law."""

    def __init__(self) -> None:
        self._decoder = Decoder()

    def turn(self, payload: bytes) -> bytes:
        try:
            samples = self._decoder.decode(payload)
        except ValueError as error:
            raise Malformed(str(error)) from None
        codes: bytes = ENCODE[PCMA].take(samples.view(np.uint16)).tobytes()
        return codes


class ToOpus:
    """A-law to Opus; the plane sends frames of 20 ms and no others."""

    def __init__(self) -> None:
        self._encoder = Encoder()

    def turn(self, payload: bytes) -> bytes:
        if len(payload) != FRAME:
            raise Malformed(f"{len(payload)} bytes of A-law")
        return self._encoder.encode(DECODE[PCMA].take(np.frombuffer(payload, np.uint8)))


class Timeline:
    """Timestamps of one clock as those of another, without a jump where 32 bits end."""

    def __init__(self, up: int, down: int) -> None:
        self._up, self._down = up, down
        self._last = self._total = 0
        self._ssrc = -1

    def turn(self, timestamp: int, ssrc: int) -> int:
        if ssrc != self._ssrc:
            self._ssrc, self._last, self._total = ssrc, timestamp, timestamp
        step = (timestamp - self._last) & 0xFFFFFFFF
        self._total += step - (step >> 31 << 32)
        self._last = timestamp
        return self._total * self._up // self._down & 0xFFFFFFFF

    def at(self, timestamp: int, ssrc: int) -> int | None:
        """The same of a stamp that is told beside the stream; None of a stream not seen yet."""
        if ssrc != self._ssrc:
            return None
        step = (timestamp - self._last) & 0xFFFFFFFF
        return (self._total + step - (step >> 31 << 32)) * self._up // self._down & 0xFFFFFFFF


class Direction:
    """One way of one session: which payload types pass, and what becomes of them."""

    def __init__(
        self, voice: Voice, types: tuple[int, int], events: tuple[int, int], scale: tuple[int, int]
    ) -> None:
        """`types` and `events`: the payload type that comes and the one that goes."""
        self._voice = voice
        self._from, self._to = types
        self._event_from, self._event_to = events
        self._up, self._down = scale
        self._timeline = Timeline(*scale)

    def turn(self, packet: bytes) -> bytes:
        """The packet of the other side; Malformed, Unnegotiated."""
        if len(packet) < HEADER or packet[0] >> 6 != 2:
            raise Malformed("no RTP")
        _, second, sequence, timestamp, ssrc = _header.unpack_from(packet)
        number = second & 0x7F
        if number == self._from:
            number, payload = self._to, self._voice.turn(payload_of(packet))
        elif number == self._event_from and self._event_to >= 0:
            number, payload = self._event_to, self._event(payload_of(packet))
        else:
            raise Unnegotiated
        timestamp = self._timeline.turn(timestamp, ssrc)
        return _header.pack(0x80, second & 0x80 | number, sequence, timestamp, ssrc) + payload

    def report(self, packet: bytes) -> bytes | None:
        """RTCP of the other side, by this one's clock (RFC 3550 §6.4.1); None where none is left.

        What is said beside the reports is for the next hop alone (feedback, RFC 4585).
        """
        told = rtcp.parse(packet)
        if told is None:
            return None
        sender = told.sender
        if sender is not None:
            stamp = self._timeline.at(sender.timestamp, told.ssrc)
            sender = None if stamp is None else replace(sender, timestamp=stamp)
        heard = tuple(
            replace(one, jitter=one.jitter * self._up // self._down) for one in told.heard
        )
        report = rtcp.Report(told.ssrc, sender, heard, told.goodbye)
        return rtcp.build(report, rtcp.cname(packet))

    def _event(self, payload: bytes) -> bytes:
        """RFC 4733 §2.3: the duration is counted by the clock of the timestamps."""
        if len(payload) < EVENT_BYTES:
            raise Malformed("a short telephone-event")
        event, flags, duration = _event.unpack_from(payload)
        duration = min(duration * self._up // self._down, MOST_DURATION)
        return _event.pack(event, flags, duration)


def payload_of(packet: bytes) -> bytes:
    """What is behind CSRCs and extension, without padding."""
    span = payload_span(memoryview(packet), len(packet))
    if span is None:
        raise Malformed("lengths that do not fit")
    return packet[span[0] : span[1]]


def directions(codec: Codec) -> tuple[Direction, Direction]:
    """From the browser, and to it."""
    opus = codec.name == "opus"
    inward: Voice = FromOpus() if opus else Same()
    outward: Voice = ToOpus() if opus else Same()
    return (
        Direction(
            inward,
            (codec.receive, codec.plain),
            (codec.dtmf_receive, codec.plain_dtmf),
            (1, FACTOR) if opus else (1, 1),
        ),
        Direction(
            outward,
            (codec.plain, codec.send),
            (codec.plain_dtmf, codec.dtmf_send),
            (FACTOR, 1) if opus else (1, 1),
        ),
    )
