"""The legs' RTCP sockets, each beside its RTP port (RFC 3550 §11); a few are read in each tick.

The kernel's own time of arrival is taken, so that a round trip does not contain our waiting.
"""

import contextlib
import select
import socket
import struct
from collections.abc import Iterator

from media.legs import Source

SO_TIMESTAMPNS = 35  # Linux
_timespec = struct.Struct("@ll")
MOST_BYTES = 1600
MOST_AT_ONCE = 16  # reports read in a tick, 800 a second: those of 4,000 legs, or of a flood


class ReportWire:
    """A leg whose second port is taken by somebody else goes without reports of its own."""

    def __init__(self, capacity: int) -> None:
        self._sockets: list[socket.socket | None] = [None] * capacity
        self._remote: list[Source | None] = [None] * capacity
        self._leg_of: dict[int, int] = {}
        self._poll = select.epoll()
        self.errors = 0

    def open(self, leg: int, host: str, port: int) -> None:
        """Bind the odd port."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        sock.setblocking(False)
        try:
            sock.bind((host, port))
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        except OSError:
            sock.close()
            self.errors += 1
            return
        self._sockets[leg] = sock
        self._leg_of[sock.fileno()] = leg
        self._poll.register(sock.fileno(), select.EPOLLIN)

    def close(self, leg: int) -> None:
        """Give the port back."""
        sock = self._sockets[leg]
        if sock is not None:
            del self._leg_of[sock.fileno()]
            sock.close()
        self._sockets[leg] = self._remote[leg] = None

    def aim(self, leg: int, remote: Source | None) -> None:
        """Where reports go; None: nowhere."""
        self._remote[leg] = remote

    def send(self, leg: int, packet: bytes) -> None:
        """A report; as good as lost when it cannot be sent."""
        sock, remote = self._sockets[leg], self._remote[leg]
        if sock is None or remote is None:
            return
        try:
            sock.sendto(packet, remote)
        except OSError:
            self.errors += 1

    def read(self) -> Iterator[tuple[int, Source, bytes, float]]:
        """Leg, source, packet, and when it came in seconds since 1970."""
        for fd, _ in self._poll.poll(0, MOST_AT_ONCE):
            leg = self._leg_of[fd]
            sock = self._sockets[leg]
            assert sock is not None
            with contextlib.suppress(OSError):  # an ICMP error of an earlier send
                data, notes, _, source = sock.recvmsg(MOST_BYTES, 64)
                yield leg, (source[0], source[1]), data, _when(notes)


def _when(notes: list[tuple[int, int, bytes]]) -> float:
    for level, kind, data in notes:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = _timespec.unpack(data[: _timespec.size])
            return float(seconds + nanoseconds / 1e9)
    return 0.0
