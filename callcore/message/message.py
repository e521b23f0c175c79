"""Requests and responses: fields are split once, and read when they are asked for.

RFC 3261 §7. A field's attribute is a slot that stays empty until somebody reads it; reading an
empty slot calls `__getattr__`, which parses the field and fills the slot, so that a second
reading costs nothing. Whatever bytes came, reading raises RemoteProtocolError or nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from callcore.errors import RemoteProtocolError
from callcore.message.fields import parse_date_ms, parse_number
from callcore.message.grammar import split_list
from callcore.message.headers import (
    CSeq,
    NameAddr,
    Via,
    parse_call_id,
    parse_cseq,
    parse_name_addr,
    parse_via,
)
from callcore.message.names import key_of
from callcore.message.uri import Uri, parse_uri


class Message:
    """What requests and responses share; treat as immutable once built."""

    __slots__ = (
        "_first",
        "_lines",
        "_more",
        "_raw",
        "body",
        "call_id",
        "contacts",
        "content_type",
        "cseq",
        "date_ms",
        "expires",
        "from_",
        "max_forwards",
        "record_routes",
        "routes",
        "to",
        "via",
        "wildcard",
    )

    body: bytes
    via: Via  # topmost
    from_: NameAddr
    to: NameAddr
    cseq: CSeq
    call_id: str
    contacts: list[NameAddr]  # without the "*" of REGISTER, for which see `wildcard`
    wildcard: bool  # Contact: *
    routes: list[NameAddr]
    record_routes: list[NameAddr]
    max_forwards: int | None
    expires: int | None  # seconds
    content_type: str | None  # type and subtype in lower case, without parameters
    date_ms: int | None  # wall time
    _raw: bytes | None
    _lines: list[str]  # as they came, unfolded, the LF before them included
    _first: dict[str, str]  # by key: the value of the first line
    _more: dict[str, list[str]]  # and of those that repeat it

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            read = READERS.get(name)
            if read is None:
                raise AttributeError(f"{type(self).__name__} has no {name}")
            value = read(self)
            setattr(self, name, value)
            return value

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Every header field line in order: the name as written, the value unfolded."""
        pairs = [line.split(":", 1) for line in self._lines]
        return [(name.strip(" \t\n"), value.strip(" \t")) for name, value in pairs]

    def get(self, name: str) -> str | None:
        """The value of the first field line of this name.

        Bytes that are not UTF-8 are lone surrogates in it; `grammar.legible` makes it fit to be
        recorded.
        """
        value = self._first.get(key_of(name))
        return None if value is None else value.strip(" \t")

    def all(self, name: str) -> list[str]:
        """The value of every field line of this name, unsplit."""
        return [value.strip(" \t") for value in self._all(key_of(name))]

    def _all(self, key: str) -> list[str]:
        value = self._first.get(key)
        return [] if value is None else [value, *self._more.get(key, ())]

    def values(self, name: str) -> list[str]:
        """The comma-separated values of all field lines of this name (RFC 3261 §7.3.1).

        Empty elements are left out; RemoteProtocolError when a quote is left open.
        """
        lines = self._all(key_of(name))
        return [item for line in lines for item in split_list(line, name) if item]

    def _need(self, key: str, name: str) -> str:
        value = self._first.get(key)
        if value is None:
            raise RemoteProtocolError(f"{name} is missing", where=name)
        return value

    def _addresses(self, name: str) -> list[NameAddr]:
        lines = self._all(key_of(name))
        return [parse_name_addr(item, name) for line in lines for item in split_list(line, name)]

    @property
    def start_line(self) -> str:
        """The request line or status line."""
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Message)
            and self.start_line == other.start_line
            and self.headers == other.headers
            and self.body == other.body
        )

    def __hash__(self) -> int:
        return hash((self.start_line, self.body, len(self._lines)))

    def __repr__(self) -> str:
        return f"<{self.start_line!r}, {len(self._lines)} fields, {len(self.body)} bytes>"


class Request(Message):
    """A request (RFC 3261 §7.1); `uri` is the Request-URI as written."""

    __slots__ = ("method", "request_uri", "uri", "version")

    method: str
    uri: str
    version: str  # "SIP/2.0"
    request_uri: Uri

    @property
    def start_line(self) -> str:
        """The request line."""
        return f"{self.method} {self.uri} {self.version}"


class Response(Message):
    """A response (RFC 3261 §7.2)."""

    __slots__ = ("reason", "status")

    status: int
    reason: str

    @property
    def start_line(self) -> str:
        """The status line."""
        return f"SIP/2.0 {self.status} {self.reason}"


def _read_first(message: Message) -> dict[str, str]:
    first: dict[str, str] = {}
    more: dict[str, list[str]] = {}
    for line in message._lines:
        name, _, value = line.partition(":")
        key = key_of(name)
        if key in first:
            more.setdefault(key, []).append(value)
        else:
            first[key] = value
    message._more = more
    return first


def _read_contacts(message: Message) -> list[NameAddr]:
    return [] if message.wildcard else message._addresses("Contact")


def _read_content_type(message: Message) -> str | None:
    value = message.get("content-type")
    return None if value is None else value.partition(";")[0].strip(" \t").lower()


def _read_request_uri(message: Message) -> Uri:
    if not isinstance(message, Request):
        raise AttributeError("a response has no request_uri")
    return parse_uri(message.uri, "Request-URI")


READERS: dict[str, Callable[[Message], object]] = {
    "_first": _read_first,
    "via": lambda m: parse_via(m._need("via", "Via")),
    "from_": lambda m: parse_name_addr(m._need("from", "From"), "From"),
    "to": lambda m: parse_name_addr(m._need("to", "To"), "To"),
    "cseq": lambda m: parse_cseq(m._need("cseq", "CSeq")),
    "call_id": lambda m: parse_call_id(m._need("call-id", "Call-ID")),
    "contacts": _read_contacts,
    "wildcard": lambda m: m.all("contact") == ["*"],
    "routes": lambda m: m._addresses("Route"),
    "record_routes": lambda m: m._addresses("Record-Route"),
    "max_forwards": lambda m: parse_number(m.get("max-forwards"), "Max-Forwards", most=255),
    "expires": lambda m: parse_number(m.get("expires"), "Expires", clamp=True),
    "content_type": _read_content_type,
    "date_ms": lambda m: parse_date_ms(m.get("date")),
    "request_uri": _read_request_uri,
}
