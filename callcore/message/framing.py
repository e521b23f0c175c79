"""Cutting a stream into messages by Content-Length, keep-alives kept apart.

RFC 3261 §7.5 and §18.3, RFC 5626 §3.5.1.
"""

from __future__ import annotations

import re

from callcore.errors import RemoteProtocolError
from callcore.message.parse import MAX_BYTES, parse_length

_length = re.compile(
    rb"\r\n(?:content-length|l)[ \t]*+:((?:[^\r]|\r\n[ \t])*+)(?=\r\n)", re.IGNORECASE
)
PINGS = b"\r\n\r\n" * 2
_pings = re.compile(rb"(?:\r\n\r\n)++").match
_fold = re.compile(rb"\r\n[ \t]+").sub


class Ping:
    """A double CRLF of the peer, to be answered by a single one (RFC 5626 §3.5.1)."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Ping)

    def __hash__(self) -> int:
        return hash(Ping)

    def __repr__(self) -> str:
        return "Ping()"


class Framer:
    """One per connection; what it returns does not depend on how the bytes were cut.

    Where the stream can no longer be framed, the messages before that point are returned first
    and the next call raises; `broken` holds the error as soon as it is known.
    """

    __slots__ = ("_body_at", "_buffer", "_end", "_searched", "broken")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._searched = 0  # up to here no end of a head was found
        self._end = 0  # of the message whose head is complete; 0 = not yet known
        self.broken: RemoteProtocolError | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether a message has begun and not ended; a lone CRLF is none."""
        return len(self._buffer) > 2

    def feed(self, data: bytes) -> list[bytes | Ping]:
        """Messages and pings that are complete now; RemoteProtocolError when framing is lost."""
        if self.broken is not None:
            raise self.broken
        buffer = self._buffer
        buffer += data
        found: list[bytes | Ping] = []
        at = 0
        try:
            if self._end == 0 and buffer.startswith(PINGS):
                # Thousands of them are no reason to be slow: 64 kB one by one took 7 ms.
                run = _pings(buffer)
                assert run is not None
                at = run.end()
                found += [Ping()] * (at // 4)
            while (step := self._next(at)) is not None:
                item, at = step
                if item is not None:
                    found.append(item)
        except RemoteProtocolError as error:
            self.broken = error
            if not found:
                raise
        del buffer[:at]
        return found

    def _next(self, at: int) -> tuple[bytes | Ping | None, int] | None:
        """The next item that starts at `at` and where it ends; None if more bytes are needed."""
        buffer = self._buffer
        if self._end == 0:
            if buffer.startswith((b"\r", b"\n"), at):
                return self._blank(at)
            head = self._head(at)
            if head < 0:
                return None
            self._end = head + 4 - at + self._body_length(at, head)
            if self._end > MAX_BYTES:
                raise RemoteProtocolError("the message is too large", status=513, where="Framing")
        end = at + self._end
        if len(buffer) < end:
            return None
        self._end = self._searched = 0
        return bytes(buffer[at:end]), end

    def _blank(self, at: int) -> tuple[bytes | Ping | None, int] | None:
        buffer = self._buffer
        ahead = bytes(buffer[at : at + 4])
        if ahead == b"\r\n\r\n":
            return Ping(), at + 4
        if b"\r\n\r\n".startswith(ahead):
            return None  # perhaps the first half of a ping
        if ahead.startswith(b"\r\n"):
            return None, at + 2  # a pong, or the CRLF that may precede a message
        raise RemoteProtocolError("CR or LF alone between messages", where="Framing")

    def _head(self, at: int) -> int:
        """Where the head that starts at `at` ends, or -1."""
        end = self._buffer.find(b"\r\n\r\n", at + self._searched)
        if end < 0:
            self._searched = max(0, len(self._buffer) - at - 3)
            if len(self._buffer) - at > MAX_BYTES:
                raise RemoteProtocolError("the head is too large", status=513, where="Framing")
        return end

    def _body_length(self, at: int, head: int) -> int:
        """RFC 3261 §20.14: over a stream Content-Length must be there, and only once."""
        lengths = _length.findall(bytes(self._buffer[at : head + 2]))
        if len(lengths) != 1:
            raise RemoteProtocolError("no Content-Length, or several", where="Framing")
        return parse_length(_fold(b" ", lengths[0]).decode("latin-1"))
