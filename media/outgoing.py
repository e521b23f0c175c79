"""The packets to be sent: (n_legs, 172) uint8, headers and 20 ms of G.711 each."""

from base64 import b64encode

import numpy as np

from media.dtmf import Press
from media.legs import Legs
from media.rtp import HEADER, build
from media.types import FRAME, Bytes, Flags, Halves, Integers, Words

PACKET = HEADER + FRAME
EVENT_HOLD_TICKS = 3  # audio pauses until this long after the last packet of a key press


class Outgoing:
    """Each leg's own numbers (RFC 3550 §5.1), and who is sent to in this tick."""

    def __init__(self, legs: Legs, rows: Bytes) -> None:
        capacity = legs.capacity
        self.legs = legs
        self.rows = rows
        self.sequence: Halves = np.zeros(capacity, np.uint16)
        self.timestamp: Words = np.zeros(capacity, np.uint32)
        self.ssrc: Words = np.zeros(capacity, np.uint32)
        self.octets: Integers = np.full(capacity, FRAME, np.int64)  # of a packet's payload
        self.before: Integers = np.zeros(capacity, np.int64)  # packets sent under another SSRC
        self.names = [""] * capacity  # CNAMEs
        self.marker: Bytes = np.zeros(capacity, np.uint8)  # 0x80 before the first packet is sent
        self.dirty = True
        self._muted: dict[int, int] = {}  # leg -> first tick with audio again
        self._press: dict[int, int] = {}  # leg -> timestamp of the last key press
        self._active: Flags = np.zeros(capacity, np.bool_)

    def start(self, leg: int, sequence: int, timestamp: int, ssrc: int, name: int = 0) -> None:
        """A new stream with these random numbers; RFC 7022 §4.2: 96 bits make a name, by base64."""
        self.names[leg] = b64encode(name.to_bytes(12, "big")).decode()
        self.octets[leg] = FRAME
        self.before[leg] = 0
        self.sequence[leg] = sequence
        self.timestamp[leg] = timestamp
        self.ssrc[leg] = ssrc
        self.marker[leg] = 0x80
        self._muted.pop(leg, None)
        self._press.pop(leg, None)
        self.dirty = True

    def fill(self, pool: Bytes, source: Integers, tick: int) -> Integers | None:
        """Build all rows; the legs to send to when they changed, else None."""
        n = len(source)
        rows = self.rows[:n]
        rows[:, HEADER:] = pool.take(source, axis=0, mode="clip")
        for leg in [leg for leg, until in self._muted.items() if until <= tick]:
            del self._muted[leg]
            self.dirty = True
        changed = self._choose(n) if self.dirty else None
        active = self._active[:n]
        types = self.legs.send_type[:n] | self.marker[:n]
        build(rows, (0x80, types), (self.sequence[:n], self.timestamp[:n], self.ssrc[:n]))
        self.marker[:n] &= np.where(active, 0, 0x80).astype(np.uint8)
        self.sequence[:n] += active
        self.timestamp[:n] += np.uint32(FRAME)
        self.legs.counts["packets_out"][:n] += active
        return changed

    def _choose(self, n: int) -> Integers:
        self.dirty = False
        self._active[:] = self.legs.sends
        self._active[list(self._muted)] = False
        return np.flatnonzero(self._active[:n])

    def change_ssrc(self, leg: int) -> None:
        """RFC 3550 §8.2: the other side has chosen ours; the next one of a random start."""
        self.ssrc[leg] = (int(self.ssrc[leg]) * 1664525 + 1013904223) & 0xFFFFFFFF
        self.before[leg] = self.legs.counts["packets_out"][leg]  # §6.4.1: counted anew

    def event(self, leg: int, kind: int, press: Press, payload: bytes, tick: int) -> bytes:
        """A telephone-event packet of the leg's stream; its audio pauses meanwhile.

        RFC 4733 §2.5.1.2: the timestamp is the start's; the marker is on the first packet.
        """
        self.dirty |= leg not in self._muted
        self._muted[leg] = tick + EVENT_HOLD_TICKS
        stamp = press.stamp(leg, int(self.timestamp[leg]))
        first = self._press.get(leg) != stamp
        self._press[leg] = stamp
        head = bytearray(HEADER)
        head[0], head[1] = 0x80, kind | (0x80 if first else 0)
        head[2:4] = int(self.sequence[leg]).to_bytes(2, "big")
        head[4:8] = stamp.to_bytes(4, "big")
        head[8:12] = int(self.ssrc[leg]).to_bytes(4, "big")
        self.sequence[leg] += np.uint16(1)
        return bytes(head) + payload
