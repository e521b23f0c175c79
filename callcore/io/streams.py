"""Connections and their listeners: bounded in number, in silence and in what waits to be sent."""

import asyncio
import socket
from collections import Counter
from dataclasses import dataclass
from typing import Protocol

from callcore.effects import Connect
from callcore.flow import Flow, Transport
from callcore.io.certificates import Certificates
from callcore.io.connection import Connection
from callcore.io.tls import TlsLayer
from callcore.io.websocket import WebSocketLayer

SECURE = frozenset({"tls", "wss"})
WEB = frozenset({"ws", "wss"})


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """When a connection is refused or closed."""

    connections: int = 10_000
    connections_per_host: int = 1_500
    unready_per_host: int = 256  # those that have not finished TLS and the WebSocket's upgrade
    first_bytes_seconds: float = 10.0  # a connection that says nothing, or gets not so far
    message_seconds: float = 15.0  # from the first byte of a message to its last
    idle_seconds: float = 120.0  # one that the engine has no use for
    ping_seconds: float = 25.0  # a silent WebSocket is asked; twice as long: it is gone
    connect_seconds: float = 5.0
    close_seconds: float = 0.5  # for what is written already, when the server stops
    send_buffer_bytes: int = 1 << 20  # a peer that reads this slowly is closed


class StreamUser(Protocol):
    """What the connections tell; the server shell implements it."""

    def stream_received(self, data: bytes, flow: Flow) -> None: ...

    def stream_closed(self, flow: Flow) -> None: ...

    def stream_is_kept(self, flow: Flow) -> bool: ...

    def stream_is_waiting(self, flow: Flow) -> bool: ...

    def stream_proven(self, flow: Flow, names: frozenset[str]) -> None: ...


class Streams:
    """All connections of a server, each a Flow with its own serial.

    `counters` counts what went wrong: "refused" (too many), "handshake", "silent" (cut off
    before it said anything whole), "slow" (a message that does not end), "too large", "broken",
    "dead" (no pong), "slow reader"; and "binary" frames.
    """

    def __init__(self, user: StreamUser, limits: StreamLimits, certificates: Certificates) -> None:
        self.user = user
        self.limits = limits
        self.counters: Counter[str] = Counter()
        self.certificates = certificates
        self._loop = asyncio.get_running_loop()
        self._connections: dict[Flow, Connection] = {}
        self._hosts: Counter[str] = Counter()
        self._unready: Counter[str] = Counter()
        self._servers: list[asyncio.Server] = []
        self._serial = 0
        self._empty = asyncio.Event()
        self._sweeper: asyncio.TimerHandle | None = None
        self._sweep()

    @property
    def flows(self) -> list[Flow]:
        """The connections that are open."""
        return list(self._connections)

    @property
    def refused(self) -> int:
        """Connections that were too many."""
        return self.counters["refused"]

    def now(self) -> float:
        """The loop's clock."""
        return self._loop.time()

    async def listen(self, transport: Transport, address: tuple[str, int]) -> tuple[str, int]:
        """Accept connections at an address; returns it with the port really bound."""
        server = await self._loop.create_server(
            lambda: self._accept(transport), address[0], address[1], backlog=1024
        )
        self._servers.append(server)
        host, port = server.sockets[0].getsockname()[:2]
        return host, port

    async def connect(self, asked: Connect) -> Flow:
        """Open a connection; OSError (ssl.SSLError too) or TimeoutError when that fails."""
        async with asyncio.timeout(self.limits.connect_seconds):
            _, connection = await self._loop.create_connection(
                lambda: self._dial(asked), asked.remote[0], asked.remote[1]
            )
            try:
                flow = await connection.ready
            except BaseException:
                connection.abort()
                raise
        return flow

    def send(self, flow: Flow, data: bytes) -> bool:
        """Write to a connection; False when it is gone."""
        connection = self._connections.get(flow)
        return connection is not None and connection.send(data)

    def close(self, flow: Flow) -> None:
        """Close a connection once everything written is out."""
        connection = self._connections.get(flow)
        if connection is not None:
            connection.close()

    def stop_listening(self) -> None:
        """Accept nobody any more."""
        for server in self._servers:
            server.close()

    async def stop(self) -> None:
        """Close everything; returns when it is closed."""
        self.stop_listening()
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in list(self._connections.values()):
            connection.close()
        self._note_if_empty()
        try:
            async with asyncio.timeout(self.limits.close_seconds):
                await self._empty.wait()
        except TimeoutError:
            for connection in list(self._connections.values()):
                connection.abort()
            await self._empty.wait()
        for server in self._servers:
            await server.wait_closed()

    def opened(
        self, connection: Connection, transport: asyncio.Transport, scheme: Transport
    ) -> Flow | None:
        """Take a new connection in, or cut it off when there are too many."""
        remote = transport.get_extra_info("peername")
        local = transport.get_extra_info("sockname")
        limits = self.limits
        if (
            remote is None
            or len(self._connections) >= limits.connections
            or self._hosts[remote[0]] >= limits.connections_per_host
            or self._unready[remote[0]] >= limits.unready_per_host
        ):
            self.counters["refused"] += 1
            transport.abort()
            return None
        _notice_death(transport.get_extra_info("socket"), limits)
        self._serial += 1
        flow = Flow(scheme, local[:2], remote[:2], self._serial)
        self._hosts[flow.remote[0]] += 1
        self._unready[flow.remote[0]] += 1
        self._connections[flow] = connection
        self._empty.clear()
        return flow

    def made_ready(self, flow: Flow, names: frozenset[str]) -> None:
        """A connection may carry messages; `names` are those of its certificate, if checked."""
        _count_down(self._unready, flow.remote[0])
        self.user.stream_proven(flow, names)

    def lost(self, flow: Flow, *, was_ready: bool) -> None:
        """A connection is gone."""
        self._connections.pop(flow, None)
        _count_down(self._hosts, flow.remote[0])
        if not was_ready:
            _count_down(self._unready, flow.remote[0])
        self._note_if_empty()
        self.user.stream_closed(flow)

    def _accept(self, transport: Transport) -> Connection:
        tls = TlsLayer(self.certificates.server()) if transport in SECURE else None
        return Connection(self, transport, tls, WebSocketLayer() if transport in WEB else None)

    def _dial(self, asked: Connect) -> Connection:
        tls: TlsLayer | None = None
        if asked.transport == "tls":
            verifies = self.certificates.verifies(asked.trust)
            context = self.certificates.client(asked.trust)
            expected = (asked.server_name or asked.remote[0]) if verifies else ""
            tls = TlsLayer(context, asked.server_name, expected)
        return Connection(self, asked.transport, tls, None, is_ours=True)

    def _note_if_empty(self) -> None:
        if self._connections:
            self._empty.clear()
        else:
            self._empty.set()

    def _sweep(self) -> None:
        """Close what is silent; one timer for all connections, none a connection."""
        now = self.now()
        for connection in list(self._connections.values()):
            connection.check(now)
        limits = self.limits
        every = min(limits.first_bytes_seconds, limits.idle_seconds, limits.message_seconds)
        self._sweeper = self._loop.call_later(min(every, limits.ping_seconds) / 4, self._sweep)


def _count_down(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]


def _notice_death(sock: socket.socket | None, limits: StreamLimits) -> None:
    """RFC 5626 §4.4.1 leaves it to the stack: a peer that lost its power is found out."""
    if sock is None:
        return
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
    except OSError:
        pass  # it is gone already
