"""A tick without sockets: packets are put in as bytes, and what is sent is kept."""

import struct
from collections import deque
from typing import Any

import numpy as np

from media import messages as m
from media.dtmf import DIGITS
from media.edge import Edge
from media.events import Event
from media.g711 import PCMA, encode
from media.legs import Source
from media.outgoing import PACKET
from media.prompts import Bank
from media.rtp import ROW
from media.srtp import Guard
from media.switch import Switch

REMOTE = ("192.0.2.7", 4000)


class Wire:
    """Each leg has one source, which is pinned when it latches."""

    def __init__(self, capacity: int) -> None:
        self.outgoing = np.zeros((capacity, PACKET), np.uint8)
        self.waiting: dict[int, deque[tuple[Source, bytes]]] = {}
        self.pinned: dict[int, Source] = {}
        self.sent: list[bytes] = []
        self.events: list[tuple[int, bytes]] = []
        self._plan: list[int] = []
        self.control: list[tuple[int, Source, bytes, float]] = []
        self.told: list[tuple[int, bytes]] = []
        self.time = 1.8e9
        self.guards: dict[int, Guard] = {}
        self.edges: dict[int, Edge] = {}

    def open(self, leg: int, host: str, port: int) -> None:
        self.waiting[leg] = deque()

    def close(self, leg: int) -> None:
        self.waiting.pop(leg, None)

    def aim(self, leg: int, remote: Source) -> None: ...

    def aim_reports(self, leg: int, port: int) -> None: ...

    def guard(self, leg: int) -> Guard | None:
        return self.guards.get(leg)

    def protect(self, leg: int, guard: Guard | None) -> None:
        """For whoever asks: packets here are open ones."""
        _put(self.guards, leg, guard)

    def edge(self, leg: int) -> Edge | None:
        return self.edges.get(leg)

    def shape(self, leg: int, edge: Edge | None, kind: int) -> None:
        """Outwards only."""
        _put(self.edges, leg, edge)

    def reports(self) -> Any:
        taken, self.control = self.control, []
        return taken

    def send_report(self, leg: int, packet: bytes) -> None:
        self.told.append((leg, packet))

    def now(self) -> float:
        return self.time

    def unpin(self, leg: int) -> None:
        self.pinned.pop(leg, None)

    def pin(self, leg: int, source: Source) -> None:
        self.pinned[leg] = source

    def put(self, leg: int, packet: bytes, source: Source = REMOTE) -> None:
        self.waiting[leg].append((source, packet))

    def _take(self, pinned: bool) -> list[tuple[int, Source, bytes]]:
        found = []
        for leg, queue in self.waiting.items():
            for at, (source, packet) in enumerate(queue):
                if (self.pinned.get(leg) == source) is pinned:
                    del queue[at]
                    found.append((leg, source, packet))
                    break
        return found

    def read(self, turn: int) -> Any:
        found = self._take(True)
        if not found:
            return None
        return np.array([leg for leg, _, _ in found]), *_rows([data for *_, data in found])

    def visit(self) -> Any:
        found = self._take(False)
        if not found:
            return None
        visitors = [(leg, source) for leg, source, _ in found]
        return visitors, *_rows([data for *_, data in found])

    def send(self, legs: Any) -> None:
        if legs is not None:
            self._plan = legs.tolist()
        self.sent = [out for leg in self._plan for out in self._shaped(leg)]

    def _shaped(self, leg: int) -> list[bytes]:
        packet, edge = self.outgoing[leg].tobytes(), self.edges.get(leg)
        return [packet] if edge is None else edge.seal(packet)

    def send_one(self, leg: int, packet: bytes) -> None:
        self.events.append((leg, packet))


def _put(table: dict[int, Any], leg: int, what: Any) -> None:
    if what is None:
        table.pop(leg, None)
    else:
        table[leg] = what


def _rows(packets: list[bytes]) -> Any:
    rows = np.zeros((len(packets), ROW), np.uint8)
    for row, packet in zip(rows, packets, strict=True):
        row[: len(packet)] = np.frombuffer(packet[:ROW], np.uint8)
    return rows, np.array([len(packet) for packet in packets])


class NoWriter:
    def open(self, recording: str, header: dict[str, object]) -> None: ...
    def write(self, block: Any) -> None: ...
    def close(self, recording: str) -> None: ...


class Board:
    """A switch with legs a, b, c ... in memory."""

    def __init__(self, legs: str = "a", keys: int | None = 101, bank: Bank | None = None) -> None:
        capacity = max(8, len(legs))
        self.wire = Wire(capacity)
        self.events: list[Event] = []
        setup = m.Setup(prompts={}, sink="", sink_arguments={}, capacity=capacity)
        self.switch = Switch(setup, bank or Bank({}), self.wire, NoWriter(), self.events.append)
        for number, leg in enumerate(legs):
            numbers = (1, 1000, 77 + number, 7 + number)
            self.switch.obey(m.Open(leg, "192.0.2.1", 5000 + number), numbers)
            self.switch.obey(m.Connect(leg, *REMOTE, "PCMA", 8, keys), (0, 0, 0))

    def obey(self, command: m.Command) -> None:
        self.switch.obey(command, (0, 0, 0))

    def step(self, count: int = 1) -> None:
        for _ in range(count):
            self.switch.step()

    def of(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def count(self, name: str, leg: int = 0) -> int:
        return int(self.switch.legs.counts[name][leg])

    def heard(self, leg: int = 0) -> np.ndarray:
        return self.switch.mixer.heard[leg].copy()


def rtp(number: int, timestamp: int, payload: bytes, kind: int = 8, ssrc: int = 5) -> bytes:
    head = struct.pack(">BBHII", 0x80, kind, number % 65536, timestamp % 2**32, ssrc)
    return head + payload


def voice(number: int, level: int = 0, **changes: Any) -> bytes:
    """A frame of silence, or of a 400 Hz tone."""
    at = np.arange(160) / 8000
    tone = np.rint(level * np.sin(2 * np.pi * 400 * at)).astype(np.int16)
    return rtp(number, number * 160, encode(tone, PCMA).tobytes(), **changes)


def key(digit: str, duration: int, end: bool) -> bytes:
    return bytes([DIGITS.index(digit), 0x80 if end else 10]) + duration.to_bytes(2, "big")
