"""TCP listeners and connections: bounded in number, in silence and in what waits to be sent."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Protocol, cast

from callcore.flow import Flow


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """When a connection is refused or closed."""

    connections: int = 10_000
    connections_per_host: int = 1_500
    first_bytes_seconds: float = 10.0  # a connection that says nothing at all
    idle_seconds: float = 120.0  # one that the engine has no use for
    connect_seconds: float = 5.0
    close_seconds: float = 0.5  # for what is written already, when the server stops
    send_buffer_bytes: int = 1 << 20  # a peer that reads this slowly is closed


class StreamUser(Protocol):
    """What the connections tell; the server shell implements it."""

    def stream_received(self, data: bytes, flow: Flow) -> None: ...

    def stream_closed(self, flow: Flow) -> None: ...

    def stream_is_kept(self, flow: Flow) -> bool: ...


class Connection(asyncio.Protocol):
    """One connection, accepted or opened by us."""

    def __init__(self, streams: "TcpStreams") -> None:
        self._streams = streams
        self._transport: asyncio.Transport | None = None
        self.flow: Flow | None = None
        self.heard_at: float | None = None
        self.opened_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.flow = self._streams.opened(self, self._transport)

    def data_received(self, data: bytes) -> None:
        if self.flow is not None:
            self.heard_at = self._streams.now()
            self._streams.user.stream_received(data, self.flow)

    def connection_lost(self, error: Exception | None) -> None:
        if self.flow is not None:
            self._streams.lost(self.flow)

    def send(self, data: bytes, most_bytes: int) -> bool:
        """Write; False when it is closing, or when too much waits already: then it is cut off."""
        if self._transport is None or self._transport.is_closing():
            return False
        if self._transport.get_write_buffer_size() + len(data) > most_bytes:
            self._transport.abort()
            return False
        self._transport.write(data)
        return True

    def close(self) -> None:
        """Close once everything written is out."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._transport.abort()


class TcpStreams:
    """All TCP connections of a server, each a Flow with its own serial."""

    def __init__(self, user: StreamUser, limits: StreamLimits) -> None:
        self.user = user
        self.refused = 0
        self._limits = limits
        self._loop = asyncio.get_running_loop()
        self._connections: dict[Flow, Connection] = {}
        self._hosts: Counter[str] = Counter()
        self._servers: list[asyncio.Server] = []
        self._serial = 0
        self._empty = asyncio.Event()
        self._sweeper: asyncio.TimerHandle | None = None
        self._sweep()

    @property
    def flows(self) -> list[Flow]:
        """The connections that are open."""
        return list(self._connections)

    def now(self) -> float:
        """The loop's clock."""
        return self._loop.time()

    async def listen(self, address: tuple[str, int]) -> tuple[str, int]:
        """Accept connections at an address; returns it with the port really bound."""
        server = await self._loop.create_server(
            lambda: Connection(self), address[0], address[1], backlog=1024
        )
        self._servers.append(server)
        host, port = server.sockets[0].getsockname()[:2]
        return host, port

    async def connect(self, remote: tuple[str, int]) -> Flow:
        """Open a connection; OSError or TimeoutError when that fails."""
        async with asyncio.timeout(self._limits.connect_seconds):
            _, connection = await self._loop.create_connection(
                lambda: Connection(self), remote[0], remote[1]
            )
        if connection.flow is None:
            raise ConnectionAbortedError("too many connections")
        connection.heard_at = self.now()
        return connection.flow

    def send(self, flow: Flow, data: bytes) -> bool:
        """Write to a connection; False when it is gone."""
        connection = self._connections.get(flow)
        return connection is not None and connection.send(data, self._limits.send_buffer_bytes)

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
            async with asyncio.timeout(self._limits.close_seconds):
                await self._empty.wait()
        except TimeoutError:
            for connection in list(self._connections.values()):
                connection.abort()
            await self._empty.wait()
        for server in self._servers:
            await server.wait_closed()

    def opened(self, connection: Connection, transport: asyncio.Transport) -> Flow | None:
        """Take a new connection in, or cut it off when there are too many."""
        remote = transport.get_extra_info("peername")
        local = transport.get_extra_info("sockname")
        limits = self._limits
        if (
            remote is None
            or len(self._connections) >= limits.connections
            or self._hosts[remote[0]] >= limits.connections_per_host
        ):
            self.refused += 1
            transport.abort()
            return None
        self._serial += 1
        flow = Flow("tcp", local[:2], remote[:2], self._serial)
        self._hosts[flow.remote[0]] += 1
        self._connections[flow] = connection
        self._empty.clear()
        connection.opened_at = self.now()
        return flow

    def lost(self, flow: Flow) -> None:
        """A connection is gone."""
        self._connections.pop(flow, None)
        self._hosts[flow.remote[0]] -= 1
        if not self._hosts[flow.remote[0]]:
            del self._hosts[flow.remote[0]]
        self._note_if_empty()
        self.user.stream_closed(flow)

    def _note_if_empty(self) -> None:
        if self._connections:
            self._empty.clear()
        else:
            self._empty.set()

    def _sweep(self) -> None:
        """Close what is silent; one timer for all connections, none a connection."""
        limits = self._limits
        now = self.now()
        for flow, connection in list(self._connections.items()):
            if connection.heard_at is None:
                expired = now - connection.opened_at > limits.first_bytes_seconds
            else:
                expired = now - connection.heard_at > limits.idle_seconds
            if expired and not self.user.stream_is_kept(flow):
                connection.abort()
        every = min(limits.first_bytes_seconds, limits.idle_seconds) / 4
        self._sweeper = self._loop.call_later(every, self._sweep)
