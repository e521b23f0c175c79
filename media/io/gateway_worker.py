"""A gateway process: `python -m media.io.gateway_worker FD SETUP`, many browsers, two sockets.

FD is its end of the control socket, SETUP a JSON of `messages.Setup`. It ends when the other end
closes. The sockets are its parent's: a process that takes its place has the same addresses.
"""

import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time

import msgspec

from media.gateway import messages as m
from media.gateway.exchange import Exchange
from media.gateway.messages import Address
from media.gateway.session import Patience
from media.io.channel import Channel

BEAT_SECONDS = 0.5
FIRE_SECONDS = 0.1
LARGEST_DATAGRAM = 2048
TURN_PACKETS = 64  # of one socket before the other one is looked at


class Sockets:
    """Both sockets, as the exchange writes to them."""

    def __init__(self, public: socket.socket, plain: socket.socket) -> None:
        self.public, self.plain = public, plain
        self.errors = 0
        for sock in (public, plain):
            sock.setblocking(False)

    def to_browser(self, data: bytes, address: Address) -> None:
        self._send(self.public, data, address)

    def to_plane(self, data: bytes, address: Address) -> None:
        self._send(self.plain, data, address)

    def _send(self, sock: socket.socket, data: bytes, address: Address) -> None:
        try:
            sock.sendto(data, address)
        except OSError:
            self.errors += 1


class GatewayWorker:
    """The loop around the exchange: control channel, sockets, clock, life signs."""

    def __init__(self, sock: socket.socket, setup: m.Setup) -> None:
        self.sock = sock
        self.channel = Channel(sock)
        self.wire = Sockets(socket.socket(fileno=setup.public), socket.socket(fileno=setup.plain))
        patience = Patience(setup.connect_seconds, setup.consent_seconds)
        self.exchange = Exchange(patience, self.wire, self.channel.send)
        self.decoder = msgspec.msgpack.Decoder(m.AnyCommand)
        self.stopping = False

    def run(self) -> None:
        """Serve until told to stop, or until nobody is there to tell."""
        poll = select.poll()
        for one in (self.sock, self.wire.public, self.wire.plain):
            poll.register(one, select.POLLIN)
        beat_at = fire_at = time.monotonic()
        while not self.stopping and not self.channel.closed:
            ready = {number for number, _ in poll.poll(1000 * FIRE_SECONDS)}
            now = time.monotonic()
            if self.sock.fileno() in ready:
                self._obey(now)
            if self.wire.public.fileno() in ready:
                self._hear_browsers(now)
            if self.wire.plain.fileno() in ready:
                self._hear_plane()
            if now >= fire_at:
                self.exchange.fire(now)
                fire_at = now + FIRE_SECONDS
            if now >= beat_at and not self.channel.backlog:
                self.channel.send(self.beat())
                beat_at = now + BEAT_SECONDS
            self.channel.flush()
        self.exchange.stop()

    def _obey(self, now: float) -> None:
        for body in self.channel.receive():
            command = self.decoder.decode(body)
            if isinstance(command, m.Stop):
                self.stopping = True
                return
            self.exchange.obey(command, now)
            if isinstance(command, m.Identity):
                self.channel.send(m.Ready(os.getpid()))

    def _hear_browsers(self, now: float) -> None:
        for _ in range(TURN_PACKETS):
            try:
                data, source = self.wire.public.recvfrom(LARGEST_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:  # an ICMP error of an earlier datagram
                continue
            self.exchange.from_browser(data, source[:2], now)

    def _hear_plane(self) -> None:
        for _ in range(TURN_PACKETS):
            try:
                data, source = self.wire.plain.recvfrom(LARGEST_DATAGRAM)
            except BlockingIOError:
                return
            except OSError:
                continue
            self.exchange.from_plane(data, source[:2])

    def beat(self) -> m.Heartbeat:
        """The counters since the start."""
        counts = self.exchange.counts | {"send_errors": self.wire.errors}
        return m.Heartbeat(
            sessions=len(self.exchange),
            connected=self.exchange.connected,
            cpu_seconds=time.process_time(),
            **counts,
        )


def main(arguments: list[str]) -> None:
    """Build everything, freeze it out of the garbage collector's sight, serve."""
    sock = socket.socket(fileno=int(arguments[0]))
    setup = msgspec.json.decode(arguments[1], type=m.Setup)
    worker = GatewayWorker(sock, setup)
    for name in (signal.SIGINT, signal.SIGTERM):  # the parent drains calls and then closes us
        signal.signal(name, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        os.nice(-10)  # before the signalling process, whose bursts would be heard
    gc.collect()
    gc.freeze()
    worker.run()


if __name__ == "__main__":
    main(sys.argv[1:])
