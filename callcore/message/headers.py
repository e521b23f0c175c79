"""The fields that every message has: Via, the name-addr fields, CSeq (RFC 3261 §20 and §25.1)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from callcore.errors import RemoteProtocolError
from callcore.message.grammar import (
    HOST,
    MAX_LENGTH,
    PARAMS,
    PORT,
    QUOTED,
    TOKEN,
    WS,
    Params,
    legible,
    quote,
    read_params,
    unquote,
    write_params,
)
from callcore.message.uri import URI, Uri, parse_uri

# A display name without quotes is tokens and spaces; peers also write bare UTF-8 there.
_DISPLAY = r"[A-Za-z0-9\-.!%*_+`'~ \t\x80-\U0010ffff]*+"
# RFC 3261 §20.10: without <> a URI holds no comma, question mark or semicolon.
_BARE = rf'(?![^;,]*+[?])(?={URI})[^\x00-\x20;,?<>"\x7f]++'

# What most URIs are, a part of URI that is tried first: 0.2 us less for each.
_PLAIN = r"sip:(?:[A-Za-z0-9+]++@)?[A-Za-z0-9.\-]++(?::[1-9][0-9]{0,3}+)?(?=>)"

_name_addr = re.compile(
    rf"{WS}(?:(?:({QUOTED}){WS}|({_DISPLAY}))<({_PLAIN}|{URI})>|({_BARE}))({PARAMS}){WS}\Z",
    re.DOTALL,
).match
_via = re.compile(
    rf"{WS}(?:SIP/2\.0/|[sS][iI][pP]{WS}/{WS}[0-9.]++{WS}/{WS})({TOKEN}++)[ \t]++({HOST}){WS}"
    rf"(?::{WS}({PORT}))?({PARAMS}){WS}(?:,|\Z)",
    re.DOTALL,
).match
_cseq = re.compile(rf"{WS}([0-9]++)[ \t]++({TOKEN}++){WS}\Z").match
_call_id = re.compile(rf"{WS}([\x21-\x7e]++){WS}\Z").match

BOUND = 1 << 31  # of CSeq numbers
VIA_PARTS = frozenset({"transport", "host", "port", "params"})
# Bound once: parsing calls them for every message.
_new = object.__new__
_new_tuple = tuple.__new__


class CSeq(NamedTuple):
    """CSeq (RFC 3261 §20.16)."""

    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


class Via:
    """One Via value (RFC 3261 §20.42); treat as immutable.

    `transport` is in upper case; `host` is without the brackets of IPv6. Parsing checks the whole
    value; the parts are taken when first asked for, which is what `__getattr__` is called for: a
    slot that is not filled yet.
    """

    __slots__ = ("_found", "branch", "host", "params", "port", "transport")

    transport: str
    host: str
    port: int | None
    params: Params
    branch: str | None  # RFC 3261 §8.1.1.7
    _found: re.Match[str]

    def __init__(
        self, transport: str, host: str, port: int | None = None, params: Params | None = None
    ) -> None:
        self.transport = transport.upper()
        self.host = host.strip("[]")
        self.port = port
        self.params = params if params is not None else {}

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name == "branch":
                self.branch = value = self.params.get("branch")
                return value
            if name not in VIA_PARTS:
                raise AttributeError(name)
            transport, host, port, params = self._found.groups()
            self.transport = transport.upper()
            self.host = host[1:-1] if host[0] == "[" else host
            self.port = None if port is None else int(port)
            self.params = read_params(params, "Via") if params else {}
            return getattr(self, name)

    @property
    def received(self) -> str | None:
        """The address that the request came from (RFC 3261 §18.2.1)."""
        value = self.params.get("received")
        return None if value is None else value.strip("[]")

    @property
    def rport(self) -> int | None:
        """The port that the request came from (RFC 3581 §4); None also when only asked for."""
        value = self.params.get("rport")
        if value is None or len(value) > 5 or not (value.isascii() and value.isdigit()):
            return None
        return int(value)

    @property
    def wants_rport(self) -> bool:
        """The sender asks for the response to go to the port it sent from (RFC 3581 §3)."""
        return "rport" in self.params

    def with_params(self, **params: str | None) -> Via:
        """The same value with parameters added or replaced."""
        return Via(self.transport, self.host, self.port, {**self.params, **params})

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.transport} {host}{port}{write_params(self.params)}"

    def __repr__(self) -> str:
        return f"Via({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Via) and (
            (self.transport, self.host.lower(), self.port, self.params)
            == (other.transport, other.host.lower(), other.port, other.params)
        )

    def __hash__(self) -> int:
        return hash((self.transport, self.host.lower(), self.port, self.branch))


class NameAddr:
    """A value of From, To, Contact, Route and their like (RFC 3261 §20.10); treat as immutable.

    Parsing checks the whole value; each part is taken when first asked for, as with Via.
    """

    __slots__ = ("_found", "_where", "display", "params", "tag", "uri")

    display: str
    uri: Uri
    params: Mapping[str, str | None]
    tag: str | None  # RFC 3261 §19.3
    _found: re.Match[str]
    _where: str

    def __init__(
        self, uri: Uri, display: str = "", params: Mapping[str, str | None] | None = None
    ) -> None:
        self.uri = uri
        self.display = display
        self.params = params if params is not None else {}

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name == "tag":
                self.tag = value = self.params.get("tag")
            elif name == "params":
                text = self._found[5]
                self.params = value = read_params(text, self._where) if text else {}
            elif name == "uri":
                self.uri = value = parse_uri(self._found[3] or self._found[4], self._where)
            elif name == "display":
                quoted, words = self._found.group(1, 2)
                self.display = value = legible(unquote(quoted or (words or "").strip(" \t")))
            else:
                raise AttributeError(name)
            return value

    def with_params(self, **params: str | None) -> NameAddr:
        """The same value with parameters added or replaced."""
        return NameAddr(self.uri, self.display, {**self.params, **params})

    def __str__(self) -> str:
        display = f"{quote(self.display)} " if self.display else ""
        return f"{display}<{self.uri}>{write_params(self.params)}"

    def __repr__(self) -> str:
        return f"NameAddr({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NameAddr) and (
            (self.display, self.uri, self.params) == (other.display, other.uri, other.params)
        )

    def __hash__(self) -> int:
        return hash((self.display, self.uri, self.params.get("tag")))


def parse_name_addr(text: str, where: str = "Contact") -> NameAddr:
    """One name-addr or addr-spec with its parameters; RemoteProtocolError(400)."""
    found = _name_addr(text) if len(text) <= MAX_LENGTH else None
    if found is None:
        raise RemoteProtocolError("not an address", where=where)
    value: NameAddr = _new(NameAddr)
    value._found = found
    value._where = where
    return value


def parse_via(text: str) -> Via:
    """The first value of a Via field; RemoteProtocolError(400).

    RFC 3261 §20.42: white space may stand around the slashes and the colon.
    """
    found = _via(text) if len(text) <= MAX_LENGTH else None
    if found is None:
        raise RemoteProtocolError("not a Via", where="Via")
    via: Via = _new(Via)
    via._found = found
    return via


def parse_cseq(text: str) -> CSeq:
    """CSeq; RemoteProtocolError(400) also for a number of 2**31 or more (RFC 3261 §8.1.1.5)."""
    found = _cseq(text)
    if found is None:
        raise RemoteProtocolError("not a CSeq", where="CSeq")
    digits, method = found.groups()
    number = int(digits) if len(digits) < 20 else BOUND
    if number >= BOUND:
        raise RemoteProtocolError("the CSeq number is too large", where="CSeq")
    return _new_tuple(CSeq, (number, method))


def parse_call_id(text: str) -> str:
    """Call-ID; RemoteProtocolError(400) when empty or not one word (RFC 3261 §20.8)."""
    found = _call_id(text)
    if found is None:
        raise RemoteProtocolError("not a Call-ID", where="Call-ID")
    return found[1]
