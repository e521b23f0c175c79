"""Codecs and packet times that are not G.711 at 20 ms, changed at the edge of the plane.

Inside, every leg is A-law or mu-law in frames of 20 ms, which is what almost all calls are, and
what is fast. A leg with G.722 or L16 is A-law inside: its packets are decoded as they come and
encoded as they go, one by one, at 8 kHz. Packets of another length are cut and joined here too.
Cost: benchmarks/media_codecs.py.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from G722 import G722

from media.g711 import ENCODE, PCMA, decode, encode
from media.rtp import HEADER, payload_span
from media.types import FRAME, Bytes

CODECS = ("G722", "L16")
PTIMES_MS = range(10, 61, 10)
PTIME_MS = 20
BYTES_A_MS = FRAME // PTIME_MS
BAD = -1


class Voice(Protocol):
    """One leg's codec: its bytes to A-law and back; any number of samples."""

    def inwards(self, payload: bytes) -> bytes: ...
    def outwards(self, codes: bytes) -> bytes: ...


class Wideband:
    """G.722 at 64 kbit/s (RFC 3551 §4.5.2), its lower band only: 8 kHz is what is inside."""

    def __init__(self) -> None:
        self._decoder = G722(8000, 64000)
        self._encoder = G722(8000, 64000)

    def inwards(self, payload: bytes) -> bytes:
        samples = np.asarray(self._decoder.decode(payload), np.int16)
        return encode(samples, PCMA).tobytes()

    def outwards(self, codes: bytes) -> bytes:
        return bytes(self._encoder.encode(decode(np.frombuffer(codes, np.uint8), PCMA)))


class Linear:
    """L16 at 8 kHz (RFC 3551 §4.5.11): samples in network order."""

    def inwards(self, payload: bytes) -> bytes:
        if len(payload) % 2:
            return b""  # no whole samples: as good as malformed
        samples = np.frombuffer(payload, ">i2").astype(np.int16)
        codes: Bytes = ENCODE[PCMA].take(samples.view(np.uint16))
        return codes.tobytes()

    def outwards(self, codes: bytes) -> bytes:
        return decode(np.frombuffer(codes, np.uint8), PCMA).astype(">i2").tobytes()


class Same:
    """G.711 that has only another packet time."""

    def inwards(self, payload: bytes) -> bytes:
        return payload

    def outwards(self, codes: bytes) -> bytes:
        return codes


VOICES: dict[str, Callable[[], Voice]] = {"G722": Wideband, "L16": Linear}


def is_odd(codec: str, ptime_ms: int) -> bool:
    """Whether a leg needs an edge at all."""
    return codec in VOICES or ptime_ms != PTIME_MS


class Edge:
    """A leg's codec and packet time; the sequence numbers of what it sends are its own.

    `tally` is told how many packets more, or fewer, were sent than frames were given.
    """

    def __init__(
        self,
        codec: str,
        payload_type: int,
        ptime_ms: int,
        tally: Callable[[int], None] = lambda more: None,
    ) -> None:
        self.agreed = (codec, payload_type, ptime_ms)
        self.octets = ptime_ms * BYTES_A_MS * (2 if codec == "L16" else 1)  # of a packet's payload
        self.sequence: int | None = None  # of the next packet
        self._tally = tally
        self._voice = VOICES.get(codec, Same)()
        self._type = payload_type
        self._bytes = ptime_ms * BYTES_A_MS
        self._codes = b""
        self._timestamp = 0  # of the first of `_codes`

    def open(self, row: memoryview, size: int, kind: int, *, aside: bool = False) -> int:
        """Decode a row's RTP packet in place when it is of this payload type; its new size.

        `aside`: it is of a source that is not the leg's, or not yet: a stranger's bytes must not
        get into the decoder, whose next samples hang on its last ones.
        """
        if size <= HEADER or row[1] & 0x7F != kind:
            return size  # keys and comfort noise are looked at inside
        span = payload_span(row, size)
        if span is None or span[0] == span[1]:
            return size  # and so is what is wrong with it
        voice = VOICES.get(self.agreed[0], Same)() if aside else self._voice
        codes = voice.inwards(bytes(row[span[0] : span[1]]))
        # Without CSRCs, extension and padding: what is left of the packet is a plain one.
        end = HEADER + len(codes)
        row[0] = 0x80
        row[HEADER:end] = codes
        return end

    def seal(self, packet: bytes) -> list[bytes]:
        """The packets to be sent instead of this one of ours: none, one or more."""
        if self.sequence is None:
            self.sequence = int.from_bytes(packet[2:4], "big")
        if packet[1] & 0x7F != self._type:
            return [self._numbered(packet)]  # a key press is told as it is
        if not self._codes:
            self._timestamp = int.from_bytes(packet[4:8], "big")
        marked = packet[1] & 0x80
        self._codes += packet[HEADER:]
        due = []
        while len(self._codes) >= self._bytes:
            part, self._codes = self._codes[: self._bytes], self._codes[self._bytes :]
            stamp = self._timestamp.to_bytes(4, "big")
            head = bytes([0x80, self._type | marked]) + packet[2:4] + stamp + packet[8:12]
            due.append(self._numbered(head + self._voice.outwards(part)))
            self._timestamp = (self._timestamp + len(part)) & 0xFFFFFFFF
            marked = 0
        self._tally(len(due) - 1)
        return due

    def _numbered(self, packet: bytes) -> bytes:
        assert self.sequence is not None
        number = self.sequence.to_bytes(2, "big")
        self.sequence = (self.sequence + 1) & 0xFFFF
        return packet[:2] + number + packet[4:]
