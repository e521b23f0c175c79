"""The fields that every message has: Via, the name-addr fields, CSeq (RFC 3261 §20 and §25.1)."""

from __future__ import annotations

import re
from typing import NamedTuple

from callcore.errors import RemoteProtocolError
from callcore.message.grammar import (
    HOST,
    PARAMS,
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

_name_addr = re.compile(
    rf"{WS}(?:(?:({QUOTED}){WS}|({_DISPLAY}))<({URI})>|({_BARE}))({PARAMS}){WS}\Z", re.DOTALL
).match
_via = re.compile(
    rf"{WS}SIP{WS}/{WS}[0-9.]++{WS}/{WS}({TOKEN}++)[ \t]++({HOST}){WS}(?::{WS}([0-9]{{1,5}}+))?"
    rf"({PARAMS}){WS}(,|\Z)",
    re.DOTALL | re.IGNORECASE,
).match
_cseq = re.compile(rf"{WS}([0-9]++)[ \t]++({TOKEN}++){WS}\Z").match
_call_id = re.compile(r"[\x21-\x7e]++\Z").match


class CSeq(NamedTuple):
    """CSeq (RFC 3261 §20.16)."""

    number: int
    method: str

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


class Via:
    """One Via value (RFC 3261 §20.42); treat as immutable.

    `transport` is in upper case as it stands in the field; `host` is without the brackets of IPv6.
    """

    __slots__ = ("host", "params", "port", "transport")

    def __init__(
        self, transport: str, host: str, port: int | None = None, params: Params | None = None
    ) -> None:
        self.transport = transport
        self.host = host
        self.port = port
        self.params: Params = params if params is not None else {}

    @property
    def branch(self) -> str | None:
        """The branch parameter (RFC 3261 §8.1.1.7)."""
        return self.params.get("branch")

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

    Parsing checks the whole value; the URI and the parameters are split when first asked for,
    which is what `__getattr__` is called for: a slot that is not filled yet.
    """

    __slots__ = ("_params_text", "_uri_text", "_where", "display", "params", "uri")

    display: str
    uri: Uri
    params: Params
    _uri_text: str
    _params_text: str
    _where: str

    def __init__(self, uri: Uri, display: str = "", params: Params | None = None) -> None:
        self.uri = uri
        self.display = display
        self.params = params if params is not None else {}

    def _fill_uri(self) -> Uri:
        self.uri = uri = parse_uri(self._uri_text, self._where)
        return uri

    def _fill_params(self) -> Params:
        self.params = params = read_params(self._params_text, self._where)
        return params

    def __getattr__(self, name: str) -> object:
        if name == "uri":
            return self._fill_uri()
        if name == "params":
            return self._fill_params()
        raise AttributeError(name)

    @property
    def tag(self) -> str | None:
        """The tag parameter (RFC 3261 §19.3)."""
        return self.params.get("tag")

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
    found = _name_addr(text)
    if found is None:
        raise RemoteProtocolError("not an address", where=where)
    quoted, words, bracketed, bare, params = found.groups()
    value = NameAddr.__new__(NameAddr)
    if quoted:
        value.display = legible(unquote(quoted))
    else:
        value.display = legible(words.strip(" \t")) if words else ""
    value._uri_text = bracketed or bare
    value._where = where
    if params:
        value._params_text = params
    else:
        value.params = {}
    return value


def parse_via(text: str) -> Via:
    """The first value of a Via field; RemoteProtocolError(400).

    RFC 3261 §20.42: white space may stand around the slashes and the colon.
    """
    found = _via(text)
    if found is None:
        raise RemoteProtocolError("not a Via", where="Via")
    transport, host, port, params, _ = found.groups()
    via = Via.__new__(Via)
    via.transport = transport.upper()
    via.host = host[1:-1] if host[0] == "[" else host
    via.port = None
    if port is not None:
        via.port = int(port)
        if not 0 < via.port < 65536:
            raise RemoteProtocolError("not a port", where="Via")
    via.params = read_params(params, "Via") if params else {}
    return via


def parse_cseq(text: str) -> CSeq:
    """CSeq; RemoteProtocolError(400) also for a number of 2**31 or more (RFC 3261 §8.1.1.5)."""
    found = _cseq(text)
    if found is None:
        raise RemoteProtocolError("not a CSeq", where="CSeq")
    digits, method = found.groups()
    number = int(digits) if len(digits) < 20 else 1 << 31
    if number >= 1 << 31:
        raise RemoteProtocolError("the CSeq number is too large", where="CSeq")
    return CSeq(number, method)


def parse_call_id(text: str) -> str:
    """Call-ID; RemoteProtocolError(400) when empty or not one word (RFC 3261 §20.8)."""
    call_id = text.strip(" \t")
    if _call_id(call_id) is None:
        raise RemoteProtocolError("not a Call-ID", where="Call-ID")
    return call_id
