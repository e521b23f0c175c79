"""All legs' state, one array a field: legs are rows, and rows in use are kept low."""

import heapq

import numpy as np

from media.errors import LocalProtocolError
from media.events import LegStats
from media.messages import Connect
from media.types import Bytes, Flags, Integers, Words

Source = tuple[str, int]

COUNTERS = (
    "packets_in",
    "packets_out",
    "late",
    "duplicate",
    "reordered",
    "concealed",
    "trimmed",
    "stretched",
    "resynced",
    "strangers",
    "malformed",
    "unnegotiated",
    "comfort",
    "collisions",
    "flooded",
    "replayed",
    "unauthenticated",
)


class Legs:
    """What was negotiated for each leg, from whom it hears, and what was counted."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.high = 0  # rows 0..high-1 are worked on each tick
        self.index: dict[str, int] = {}
        self.names: list[str] = [""] * capacity
        self._free = list(range(capacity))
        self.codec: Bytes = np.zeros(capacity, np.uint8)
        self.receive_type: Bytes = np.zeros(capacity, np.uint8)
        self.send_type: Bytes = np.zeros(capacity, np.uint8)
        self.dtmf_receive_type: Integers = np.full(capacity, -1, np.int64)
        self.dtmf_send_type: Integers = np.full(capacity, -1, np.int64)
        self.sends: Flags = np.zeros(capacity, np.bool_)
        self.receives: Flags = np.zeros(capacity, np.bool_)
        self.latched: Flags = np.zeros(capacity, np.bool_)
        self.ssrc: Words = np.zeros(capacity, np.uint32)
        self.heard_tick: Integers = np.zeros(capacity, np.int64)  # of the last good packet
        self.timed_out: Flags = np.zeros(capacity, np.bool_)
        self.started: Flags = np.zeros(capacity, np.bool_)
        self.highest: Integers = np.zeros(capacity, np.int64)  # sequence number with cycles
        self.first: Integers = np.zeros(capacity, np.int64)
        self.received: Integers = np.zeros(capacity, np.int64)  # since `first`
        self.lost_before: Integers = np.zeros(capacity, np.int64)  # before the last resync
        self.counts: dict[str, Integers] = {name: np.zeros(capacity, np.int64) for name in COUNTERS}
        self.remote: list[Source | None] = [None] * capacity  # as the SDP says
        self.source: list[Source | None] = [None] * capacity  # as latched
        self.accept_any: Flags = np.zeros(capacity, np.bool_)
        self.gone = dict.fromkeys((*COUNTERS, "lost"), 0)  # of closed legs

    def __len__(self) -> int:
        return len(self.index)

    def add(self, name: str, tick: int) -> int:
        """Take the lowest free row; LocalProtocolError when the name is taken or none is free."""
        if name in self.index:
            raise LocalProtocolError(f"leg {name} is open already")
        if not self._free:
            raise LocalProtocolError(f"all {self.capacity} legs of the worker are in use")
        leg = heapq.heappop(self._free)
        self.index[name] = leg
        self.names[leg] = name
        self.high = max(self.high, leg + 1)
        for flags in (self.sends, self.receives, self.latched, self.timed_out, self.started):
            flags[leg] = False
        for numbers in (self.highest, self.first, self.received, self.lost_before):
            numbers[leg] = 0
        for numbers in self.counts.values():
            numbers[leg] = 0
        self.heard_tick[leg] = tick
        self.remote[leg] = self.source[leg] = None
        return leg

    def remove(self, name: str, stats: LegStats | None = None) -> tuple[int, LegStats]:
        """Give the row back and sum up what the leg counted, if `stats` are not that already."""
        leg = self.index.pop(name)
        stats = stats or self.stats(leg)
        for key in self.gone:
            self.gone[key] += getattr(stats, key)
        self.names[leg] = ""
        self.sends[leg] = self.receives[leg] = self.latched[leg] = False
        for numbers in (self.highest, self.first, self.received, self.lost_before):
            numbers[leg] = 0
        for numbers in self.counts.values():
            numbers[leg] = 0
        heapq.heappush(self._free, leg)
        while self.high and not self.names[self.high - 1]:
            self.high -= 1
        return leg, stats

    def negotiate(self, leg: int, codec: int, what: Connect) -> None:
        """Take over what offer and answer agreed; silence is counted anew when it may speak now."""
        sends = what.direction in ("sendrecv", "sendonly")
        receives = what.direction in ("sendrecv", "recvonly")
        self.codec[leg] = codec
        self.send_type[leg] = what.payload_type
        self.receive_type[leg] = (
            what.payload_type if what.receive_payload_type is None else what.receive_payload_type
        )
        send, receive = what.dtmf_payload_type, what.receive_dtmf_payload_type
        self.dtmf_send_type[leg] = -1 if send is None else send
        self.dtmf_receive_type[leg] = self.dtmf_send_type[leg] if receive is None else receive
        # RFC 2543's hold, c=0.0.0.0, and a refused stream: there is nowhere to send to.
        self.sends[leg] = sends and what.port > 0 and what.host not in ("0.0.0.0", "::")
        self.receives[leg] = receives
        self.accept_any[leg] = what.accept_any
        self.remote[leg] = (what.host, what.port)

    def unlatch(self, leg: int) -> None:
        """Forget the source; the next valid packets name a new one."""
        self.latched[leg] = False
        self.source[leg] = None

    def latch(self, leg: int, source: Source, ssrc: int, sequence: int) -> None:
        """RFC 3550 §8: a source is an address and an SSRC; its numbers start anew."""
        self.renumber(leg, sequence)
        self.latched[leg] = True
        self.source[leg] = source
        self.ssrc[leg] = ssrc

    def renumber(self, leg: int, first: int) -> None:
        """Begin a new count of expected packets; what was missing so far stays missing."""
        self.lost_before[leg] += self._lost(leg)
        self.first[leg] = self.highest[leg] = first
        self.received[leg] = 0

    def _lost(self, leg: int) -> int:
        expected = int(self.highest[leg] - self.first[leg]) + 1
        return max(0, expected - int(self.received[leg])) if self.received[leg] else 0

    def lost(self) -> int:
        """Packets that never came, of all open legs; RFC 3550 A.3."""
        n = self.high
        missing = self.highest[:n] - self.first[:n] + 1 - self.received[:n]
        return int((np.maximum(missing, 0) * (self.received[:n] > 0) + self.lost_before[:n]).sum())

    def stats(self, leg: int) -> LegStats:
        """What one leg counted so far."""
        counts = {name: int(numbers[leg]) for name, numbers in self.counts.items()}
        return LegStats(lost=self._lost(leg) + int(self.lost_before[leg]), **counts)

    def total(self, counter: str) -> int:
        """One counter over all legs, the closed ones included."""
        return int(self.counts[counter][: self.high].sum()) + self.gone[counter]
