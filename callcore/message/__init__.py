"""SIP messages: grammar, parsing, rendering, framing, digest (RFC 3261 §7, §19, §20, §25)."""

from callcore.message.framing import Framer, Ping
from callcore.message.headers import CSeq, NameAddr, Via, parse_name_addr, parse_via
from callcore.message.message import Message, Request, Response
from callcore.message.parse import MAX_BYTES, MAX_LINES, parse
from callcore.message.reasons import REASONS
from callcore.message.refusal import refusal
from callcore.message.render import (
    render,
    request,
    response,
    with_field_on_top,
    with_headers,
    with_top_via,
)
from callcore.message.uri import Uri, parse_uri
from callcore.message.validate import check_scheme, validate

__all__ = [
    "MAX_BYTES",
    "MAX_LINES",
    "REASONS",
    "CSeq",
    "Framer",
    "Message",
    "NameAddr",
    "Ping",
    "Request",
    "Response",
    "Uri",
    "Via",
    "check_scheme",
    "parse",
    "parse_name_addr",
    "parse_uri",
    "parse_via",
    "refusal",
    "render",
    "request",
    "response",
    "validate",
    "with_field_on_top",
    "with_headers",
    "with_top_via",
]
