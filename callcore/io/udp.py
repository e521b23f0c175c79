"""One UDP socket: read until empty, work in turns, write at once."""

import asyncio
import contextlib
import socket
import struct
import time
from collections import deque
from collections.abc import Callable

from callcore.flow import Flow

# Measured on one core: recvfrom until EAGAIN costs 1.9 us a datagram on uvloop, as much as its
# DatagramProtocol, and lets us send on the same socket without a transport between. recvmsg costs
# half as much again, and has the kernel's time of arrival: what is charged for is counted by it.
MAX_READS = 256  # datagrams a wakeup
TURN = 32  # datagrams worked on before timers and other sockets get their turn
MAX_RECEIVED = 8192  # datagrams read and not yet worked on; the kernel's buffer keeps the next
BUFFER_BYTES = 4 << 20
MAX_WAITING = 1024  # datagrams kept while the kernel's buffer is full; the peer repeats the rest

SO_TIMESTAMPNS = 35  # Linux
STAMP = struct.Struct("qq")  # timespec
MOST_LATE_SECONDS = 5.0  # more is a step of the system's clock

Receive = Callable[[bytes, Flow, float], None]


class UdpSocket:
    """Datagrams in by `receive`, out by `send`; `read_done` is called after each turn.

    `receive` is told when a datagram arrived, on the loop's clock.
    Under load they wait here and not in the kernel, whose buffer may hold a few milliseconds'
    worth only; `on_delay` is told in each turn how long the oldest has waited.
    """

    def __init__(self, address: tuple[str, int], receive: Receive, read_done: Callable[[], None]):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                self._socket.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
            with contextlib.suppress(OSError):
                self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            if family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self._socket.bind(address)
        except OSError:
            self._socket.close()
            raise
        self.address: tuple[str, int] = self._socket.getsockname()[:2]
        self.dropped = 0
        self.on_delay: Callable[[float], None] = lambda seconds: None
        # Datagram, from where, when it arrived, when it was read.
        self._received: deque[tuple[bytes, tuple[str, int], float, float]] = deque()
        self._turn_due = False
        self._receive = receive
        self._read_done = read_done
        self._waiting: deque[tuple[bytes, tuple[str, int]]] = deque(maxlen=MAX_WAITING)
        self._flows: dict[tuple[str, int], Flow] = {}
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def send(self, data: bytes, remote: tuple[str, int]) -> bool:
        """Send now, or when the kernel has room again; False when it cannot be sent at all."""
        if self._waiting:
            self._queue(data, remote)
            return True
        try:
            self._socket.sendto(data, remote)
        except (BlockingIOError, InterruptedError):
            self._queue(data, remote)
        except ConnectionRefusedError:
            return True  # an ICMP about an earlier datagram; SIP's timers judge the peer
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Stop reading and free the port."""
        if self._socket.fileno() < 0:
            return
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()

    def _queue(self, data: bytes, remote: tuple[str, int]) -> None:
        if not self._waiting:
            self._loop.add_writer(self._socket.fileno(), self._writable)
        if len(self._waiting) == MAX_WAITING:
            self.dropped += 1
        self._waiting.append((data, remote))

    def _writable(self) -> None:
        while self._waiting:
            data, remote = self._waiting[0]
            try:
                self._socket.sendto(data, remote)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.dropped += 1
            self._waiting.popleft()
        with contextlib.suppress(ValueError):
            self._loop.remove_writer(self._socket.fileno())

    def _readable(self) -> None:
        now, wall = self._loop.time(), time.time()
        received = self._received
        for _ in range(min(MAX_READS, MAX_RECEIVED - len(received))):
            try:
                data, said, _, remote = self._socket.recvmsg(65536, 64)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                continue  # ICMP errors of what we sent come up here
            received.append((data, remote, now - lateness(said, wall), now))
        if received and not self._turn_due:
            self._turn()

    def _turn(self) -> None:
        self._turn_due = False
        received = self._received
        if not received:
            return  # closed meanwhile
        self.on_delay(self._loop.time() - received[0][3])
        try:
            for _ in range(min(TURN, len(received))):
                data, remote, arrived, _ = received.popleft()
                self._receive(data, self._flow(remote), arrived)
                if self._socket.fileno() < 0:
                    received.clear()
                    return
        finally:
            if received:
                self._turn_due = True
                self._loop.call_soon(self._turn)
            self._read_done()

    def _flow(self, remote: tuple[str, int]) -> Flow:
        flow = self._flows.get(remote)
        if flow is None:
            if len(self._flows) >= 4096:
                self._flows.clear()  # a cache: forged sources must not fill the memory
            flow = self._flows[remote] = Flow("udp", self.address, (remote[0], remote[1]))
        return flow


def lateness(said: list[tuple[int, int, bytes]], wall: float) -> float:
    """How long a datagram has waited in the kernel, by its stamp; seconds."""
    for level, kind, data in said:
        if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
            seconds, nanoseconds = STAMP.unpack(data[: STAMP.size])
            late = wall - seconds - nanoseconds / 1e9
            return late if 0 <= late <= MOST_LATE_SECONDS else 0.0
    return 0.0
