"""One connection: bytes through TLS and WebSocket, as far as it has them, to messages' bytes."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, cast

from callcore.flow import Flow, Transport
from callcore.io.tls import TlsLayer
from callcore.io.websocket import WebSocketLayer

if TYPE_CHECKING:
    from callcore.io.streams import Streams


class Connection(asyncio.Protocol):
    """Accepted, or opened by us (`is_ours`); `ready` holds its flow once it may be used."""

    def __init__(
        self,
        streams: Streams,
        scheme: Transport,
        tls: TlsLayer | None,
        web: WebSocketLayer | None,
        *,
        is_ours: bool = False,
    ) -> None:
        self._streams = streams
        self._scheme = scheme
        self._tls = tls
        self._web = web
        self._transport: asyncio.Transport | None = None
        self._is_ready = False
        self._is_kept = is_ours
        self._asked_at: float | None = None  # a ping of ours without an answer
        self._waits_since: float | None = None  # for the rest of a message
        self.flow: Flow | None = None
        self.heard_at: float | None = None
        self.opened_at = self._moved_at = streams.now()
        self.ready: asyncio.Future[Flow] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.flow = self._streams.opened(self, self._transport, self._scheme)
        if self.flow is None:
            self._fail(ConnectionAbortedError("too many connections"))
            return
        self._flush()
        self._note_if_ready()

    def data_received(self, data: bytes) -> None:
        if self.flow is None:
            return
        self._asked_at, self._moved_at = None, self._streams.now()
        try:
            plain = data if self._tls is None else self._tls.receive(data)
        except ssl.SSLError as error:
            self._cut("handshake" if not self._is_ready else "broken", error)
            return
        messages = [plain] if plain else []
        if self._web is not None:
            binary = self._web.binary
            messages = self._web.receive(plain) if plain else []
            self._streams.counters["binary"] += self._web.binary - binary
        self._note_if_ready()
        self._flush()
        for message in messages:
            self.heard_at = self._streams.now()
            self._streams.user.stream_received(message, self.flow)
        self._note_if_waiting()
        if self._web is not None and self._web.is_closed:
            self._end_web(self._web.why)
        elif self._tls is not None and self._tls.is_closed:
            self.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self.flow is not None:
            flow, self.flow = self.flow, None
            self._streams.lost(flow, was_ready=self._is_ready)
        self._fail(error or ConnectionResetError("the connection was closed at once"))

    def send(self, data: bytes) -> bool:
        """Write; False when it is closing, or when too much waits already: then it is cut off."""
        transport = self._transport
        if transport is None or transport.is_closing() or not self._is_ready:
            return False
        most_bytes = self._streams.limits.send_buffer_bytes
        if transport.get_write_buffer_size() + len(data) > most_bytes:
            self._streams.counters["slow reader"] += 1
            transport.abort()
            return False
        if self._web is None and self._tls is None:
            transport.write(data)
            return True
        try:
            if self._web is None:
                assert self._tls is not None
                self._tls.send(data)
            elif not self._web.is_ready:
                return False
            else:
                self._web.send(data)
            self._flush()
        except ssl.SSLError as error:
            self._cut("broken", error)
            return False
        return True

    def close(self) -> None:
        """Close once everything written is out."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        with contextlib.suppress(ssl.SSLError):
            if self._web is not None and self._is_ready:
                self._web.close()
            self._flush()
            if self._tls is not None and self._is_ready:
                self._tls.close()
                transport.write(self._tls.take())
        transport.close()

    def abort(self) -> None:
        """Close now."""
        if self._transport is not None:
            self._transport.abort()

    def check(self, now: float) -> None:
        """Close it if it has been silent, or slow, for too long; ask a silent WebSocket."""
        limits = self._streams.limits
        flow = self.flow
        if flow is None:
            return
        if self._waits_since is not None and now - self._waits_since > limits.message_seconds:
            self._cut("slow")
        elif self.heard_at is None and not self._is_kept:
            late = now - self.opened_at > limits.first_bytes_seconds
            if late and not self._streams.user.stream_is_kept(flow):
                self._cut("silent")
        elif not self._is_ready:
            pass  # ours, and still being opened: that has a limit of its own
        elif self._web is not None and self._asked_at is not None:
            if now - self._asked_at > limits.ping_seconds:
                self._cut("dead")
        else:
            heard = self.heard_at or self.opened_at
            if now - heard > limits.idle_seconds and not self._streams.user.stream_is_kept(flow):
                self.abort()
            elif self._web is not None and now - self._moved_at > limits.ping_seconds:
                self._ask(now)

    def _ask(self, now: float) -> None:
        """RFC 7118 §6: browsers cannot ping, so we do."""
        if self._web is not None and self._web.is_ready:
            self._asked_at = now
            self._web.ping()
            self._flush()

    def _note_if_ready(self) -> None:
        if self._is_ready or self.flow is None:
            return
        if self._tls is not None and not self._tls.is_ready:
            return
        if self._web is not None and not self._web.is_ready:
            return
        self._is_ready = True
        if self._web is not None:
            self.heard_at = self._streams.now()
        names = self._tls.names if self._tls is not None else frozenset()
        self._streams.made_ready(self.flow, names)
        if not self.ready.done():
            self.ready.set_result(self.flow)

    def _note_if_waiting(self) -> None:
        flow = self.flow
        if flow is None:
            return
        if self._web is not None:
            waits = self._web.is_waiting
        else:
            waits = self._streams.user.stream_is_waiting(flow)
        if not waits:
            self._waits_since = None
        elif self._waits_since is None:
            self._waits_since = self._streams.now()

    def _flush(self) -> None:
        """Pass on what the layers have to say."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._web is not None and (said := self._web.take()):
            if self._tls is None:
                self._transport.write(said)
            else:
                self._tls.send(said)
        if self._tls is not None and (sealed := self._tls.take()):
            self._transport.write(sealed)

    def _end_web(self, why: str) -> None:
        if why:
            self._streams.counters[why] += 1
        self.close()

    def _cut(self, why: str, error: ssl.SSLError | None = None) -> None:
        """Count, say what TLS has to say about it, and close."""
        self._streams.counters[why] += 1
        if error is not None:
            self._fail(error)
            if self._transport is not None and self._tls is not None:
                self._transport.write(self._tls.take())
                self._transport.close()
        else:
            self.abort()

    def _fail(self, error: Exception) -> None:
        if not self.ready.done():
            self.ready.set_exception(error)
            self.ready.exception()  # nobody may be waiting for it
