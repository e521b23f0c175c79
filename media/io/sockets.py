"""The legs' UDP sockets: one open to all, and beside it one connected to the latched source.

Measured on 1,000 sockets over loopback, microseconds a packet (one noisy core):
    sendto 4.4, send on a connected socket 3.6; recvfrom_into 2.0, recv_into 1.35;
    recv_into that finds nothing (an exception) 1.2; epoll.poll and recv_into 1.6;
    os.write and os.readv 4.0 and 1.8; epoll.poll that finds nothing 1.4 in all.
So a latched leg has a socket that is bound to the same port and connected: the kernel prefers it
for packets of that source, sends need no address and no route look-up, receives make no address,
and strangers end in the open socket's queue, where they cannot displace the party's packets.
Epoll tells who has packets: dearer than plain reading by 0.25, cheaper than one miss in four.
In the worker, 1,000 recorded legs: 8.2 to 9.3 in all a leg and tick; by profile about half of it
sending, 30 % receiving (epoll is some 9 % of all), 10 % arrays, the rest the writer's thread.
"""

import contextlib
import select
import socket
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from media.edge import Edge
from media.io.reports import ReportWire
from media.legs import Source
from media.outgoing import PACKET
from media.rtp import ROW
from media.srtp import TAGS, Guard
from media.types import Bytes, Flags, Integers

RECEIVE_BUFFER = 65536  # bytes: what a stall of half a second leaves behind
EXPEDITED = 0xB8  # DSCP EF, RFC 3246

Got = tuple[Integers, Bytes, Integers]


def udp(host: str) -> socket.socket:
    """A non-blocking UDP socket of the address's family."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    sock.setblocking(False)
    return sock


class UdpWire:
    """Reads into and sends from rows that are allocated once."""

    def __init__(self, capacity: int) -> None:
        self.outgoing: Bytes = np.zeros((capacity, PACKET), np.uint8)
        self.rows: Bytes = np.zeros((capacity, ROW), np.uint8)
        self._views = [memoryview(row) for row in self.rows]
        self._out = [memoryview(row) for row in self.outgoing]
        self._doors: list[socket.socket | None] = [None] * capacity
        self._lines: list[socket.socket | None] = [None] * capacity
        self._remote: list[Source | None] = [None] * capacity
        self._door_poll = select.epoll()
        self._line_poll = select.epoll()
        self._special: Flags = np.zeros(capacity, np.bool_)  # legs with a guard or an edge
        self._readers: dict[int, Callable[[memoryview], int]] = {}
        self._leg_of: dict[int, int] = {}
        self._twice: set[int] = set()
        self._sends: list[tuple[Callable[[memoryview], int], memoryview]] = []
        self._plan: Integers = np.zeros(0, np.int64)
        self._stale = False
        self._guards: dict[int, Guard] = {}  # legs with SRTP: the others pay nothing for it
        self._edges: dict[int, tuple[Edge, int]] = {}  # and the payload type that it decodes
        self._reports = ReportWire(capacity)
        self._muxed: set[int] = set()
        self.errors = 0

    def open(self, leg: int, host: str, port: int) -> None:
        """Bind without sharing, so that a port in use is found; only then allow the second."""
        sock = udp(host)
        try:
            sock.bind((host, port))
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            _tune(sock)
        except OSError:
            sock.close()
            raise
        self._doors[leg] = sock
        self._leg_of[sock.fileno()] = leg
        self._door_poll.register(sock.fileno(), select.EPOLLIN)
        self._reports.open(leg, host, port + 1)

    def close(self, leg: int) -> None:
        self.unpin(leg)
        self._reports.close(leg)
        self._muxed.discard(leg)
        self._guards.pop(leg, None)
        self._edges.pop(leg, None)
        self._special[leg] = False
        door = self._doors[leg]
        if door is not None:
            del self._leg_of[door.fileno()]
            door.close()
        self._doors[leg] = self._remote[leg] = None
        self._stale = True

    def aim(self, leg: int, remote: Source) -> None:
        self._remote[leg] = remote
        self._stale = True

    def aim_reports(self, leg: int, port: int) -> None:
        """Where RTCP goes, beside RTP: its own port, the same one, or 0 for nowhere."""
        remote = self._remote[leg]
        assert remote is not None
        muxed = 0 < port == remote[1]
        (self._muxed.add if muxed else self._muxed.discard)(leg)
        self._reports.aim(leg, (remote[0], port) if port and not muxed else None)

    def guard(self, leg: int) -> Guard | None:
        """The leg's SRTP."""
        return self._guards.get(leg)

    def protect(self, leg: int, guard: Guard | None) -> None:
        """SRTP from now on, or none any more."""
        if guard is None:
            self._guards.pop(leg, None)
        else:
            self._guards[leg] = guard
        self._changed(leg)

    def edge(self, leg: int) -> Edge | None:
        """The leg's other codec or packet time."""
        found = self._edges.get(leg)
        return None if found is None else found[0]

    def shape(self, leg: int, edge: Edge | None, kind: int) -> None:
        """Another codec or packet time for packets that come as this payload type."""
        if edge is None:
            self._edges.pop(leg, None)
        else:
            self._edges[leg] = edge, kind
        self._changed(leg)

    def _changed(self, leg: int) -> None:
        self._special[leg] = leg in self._guards or leg in self._edges
        self._stale = True

    def pin(self, leg: int, source: Source) -> None:
        """Connect; where that fails (no more files) the open socket goes on serving the leg."""
        self.unpin(leg)
        self._remote[leg] = source
        door = self._doors[leg]
        assert door is not None
        try:
            line = udp(source[0])
        except OSError:
            self.errors += 1
            return
        try:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            line.bind(door.getsockname())
            line.connect(source)
            _tune(line)
            self._attend(leg, line)
        except OSError:
            self.errors += 1
            line.close()
            return
        self._lines[leg] = line

    def unpin(self, leg: int) -> None:
        line = self._lines[leg]
        if line is not None:
            self._neglect(leg, line)
            line.close()
            self._lines[leg] = None
        self._stale = True

    def _attend(self, leg: int, line: socket.socket) -> None:
        """Packets of this socket are to be read; OSError where that cannot be."""
        self._line_poll.register(line.fileno(), select.EPOLLIN)
        self._leg_of[line.fileno()] = leg
        self._readers[line.fileno()] = line.recv_into

    def _neglect(self, leg: int, line: socket.socket) -> None:
        """And not any more."""
        del self._readers[line.fileno()], self._leg_of[line.fileno()]

    def read(self, turn: int) -> Got | None:
        """Epoll is asked again each turn; from the third on only while somebody has a backlog."""
        ready = self._line_poll.poll(0, len(self._views))
        if not ready or (turn > 1 and self._twice.isdisjoint([fd for fd, _ in ready])):
            return None
        if turn:
            self._twice = {fd for fd, _ in ready}
        sizes: list[int] = []
        append, readers = sizes.append, self._readers
        pairs = zip(ready, self._views, strict=False)
        while True:
            try:
                for (fd, _), view in pairs:
                    append(readers[fd](view))
                break
            except OSError:  # an ICMP error of an earlier send is told here
                append(-1)
                self.errors += 1
        leg_of = self._leg_of
        legs, lengths = np.array([leg_of[fd] for fd, _ in ready]), np.array(sizes)
        self._unlock(legs, lengths, self._views)
        return sound(legs, self.rows[: len(sizes)], lengths)

    def visit(self) -> tuple[list[tuple[int, Source]], Bytes, Integers] | None:
        ready = self._door_poll.poll(0, len(self._views))
        if not ready:
            return None
        visitors: list[tuple[int, Source]] = []
        sizes: list[int] = []
        for fd, _ in ready:
            leg = self._leg_of[fd]
            door = self._doors[leg]
            assert door is not None
            try:
                size, source = door.recvfrom_into(self._views[len(sizes)])
            except OSError:
                self.errors += 1
                continue
            aside = (source[0], source[1]) != self._remote[leg]
            size = self._enter(leg, self._views[len(sizes)], size, aside)
            if size >= 0:
                visitors.append((leg, (source[0], source[1])))
                sizes.append(size)
        if not visitors:  # all of this turn were bad; the next turn looks on
            return [], self.rows[:0], np.zeros(0, np.int64)
        return visitors, self.rows[: len(sizes)], np.array(sizes, np.int64)

    def _unlock(self, legs: Integers, sizes: Integers, views: Sequence[memoryview]) -> None:
        """What is protected, or of another codec, in place: packets, one a leg, in these views."""
        if self._guards or self._edges:
            places = np.flatnonzero(self._special[legs] & (sizes >= 0))
            # Whole arrays become Python's numbers at once: one by one it is dearer.
            each = zip(places.tolist(), legs[places].tolist(), sizes[places].tolist(), strict=True)
            sizes[places] = [self._enter(leg, views[at], size) for at, leg, size in each]

    def _enter(self, leg: int, row: memoryview, size: int, aside: bool = False) -> int:
        """Out of SRTP and out of another codec, in place; -1 for what is not to be trusted.

        `aside`: it is not, or not yet, from whom the leg hears.
        """
        guard, edge = self._guards.get(leg), self._edges.get(leg)
        if guard is not None:
            size = guard.open(row, size)
        if edge is not None and size >= 0:
            size = edge[0].open(row, size, edge[1], aside=aside)
        return size

    def reports(self) -> Iterator[tuple[int, Source, bytes, float]]:
        """RTCP that came on ports of its own: leg, source, packet, seconds since 1970."""
        for leg, source, data, at in self._reports.read():
            guard = self._guards.get(leg)
            if guard is None:
                yield leg, source, data, at
                continue
            row = bytearray(data)
            size = guard.open_report(memoryview(row), len(row))
            if size >= 0:
                yield leg, source, bytes(row[:size]), at

    def send_report(self, leg: int, packet: bytes) -> None:
        """RTCP to the leg's party."""
        guard = self._guards.get(leg)
        if guard is not None:
            packet = guard.seal_report(packet)
        if leg not in self._muxed:
            self._reports.send(leg, packet)
            return
        try:
            self._plain_sender(leg)(memoryview(packet))
        except OSError:
            self.errors += 1

    def now(self) -> float:
        """Seconds since 1970, for RTCP's NTP times."""
        return time.time()

    def send(self, legs: Integers | None) -> None:
        if legs is not None:
            self._plan, self._stale = legs, True
        if self._stale:
            self._prepare()
            self._stale = False
        pairs = iter(self._sends)
        while True:
            try:
                for send, row in pairs:
                    send(row)
                return
            except OSError:  # nobody listens there, no route, buffer full: as good as lost
                self.errors += 1

    def _prepare(self) -> None:
        self._sends = [(self._sender(leg), self._out[leg]) for leg in self._plan.tolist()]

    def send_one(self, leg: int, packet: bytes) -> None:
        try:
            self._sender(leg)(memoryview(packet))
        except OSError:
            self.errors += 1

    def _sender(self, leg: int) -> Callable[[memoryview], int]:
        send, guard, edge = self._plain_sender(leg), self._guards.get(leg), self.edge(leg)
        if guard is not None:
            send = _sealed(send, guard)
        if edge is None:
            return send
        return lambda row: sum(send(memoryview(packet)) for packet in edge.seal(bytes(row)))

    def _plain_sender(self, leg: int) -> Callable[[memoryview], int]:
        line, door, remote = self._lines[leg], self._doors[leg], self._remote[leg]
        if line is not None:
            return line.send
        assert door is not None
        assert remote is not None
        sendto = door.sendto
        return lambda row: sendto(row, remote)


def _sealed(send: Callable[[memoryview], int], guard: Guard) -> Callable[[memoryview], int]:
    """Sends packets encrypted; those of the usual size without a copy more than one."""
    place = memoryview(bytearray(PACKET + TAGS[guard.keys.suite]))
    usual = guard.sealer(place, PACKET)

    def sealed(row: memoryview) -> int:
        if len(row) != PACKET:
            return send(memoryview(guard.seal(bytes(row))))
        place[:PACKET] = row
        return send(place) if not usual() else 0

    return sealed


def sound(legs: Integers, rows: Bytes, sizes: Integers) -> Got | None:
    """Without the receives that failed."""
    if sizes.min() < 0:
        good = sizes >= 0
        legs, rows, sizes = legs[good], rows[good], sizes[good]
    return legs, rows, sizes


def _tune(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    with contextlib.suppress(OSError):  # routers' help only
        if sock.family == socket.AF_INET:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, EXPEDITED)
        else:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, EXPEDITED)
