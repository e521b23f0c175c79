"""From bytes to a message: one split, then the checks that routing rests on.

RFC 3261 §7, §18.3 and §25.1; RFC 4475 for what to refuse.
"""

from __future__ import annotations

import re

from callcore.errors import RemoteProtocolError
from callcore.message.grammar import TOKEN, legible
from callcore.message.headers import parse_call_id, parse_cseq, parse_name_addr, parse_via
from callcore.message.message import Line, Message, Request, Response
from callcore.message.names import KEYS, key_of

MAX_BYTES = 65536
MAX_FIELDS = 256

_request_line = re.compile(
    rf'({TOKEN}++) ([A-Za-z][A-Za-z0-9+.\-]*+:[^\x00-\x20<>"\x7f]++) (SIP/[0-9]++\.[0-9]++)\Z',
    re.IGNORECASE,
).match
_status_line = re.compile(r"SIP/2\.0 ([1-6][0-9]{2}) ([^\x00-\x08\x0a-\x1f\x7f]*+)\Z", re.I).match
_unfold = re.compile(r"\r\n[ \t]+").sub


def parse(data: bytes) -> Request | Response:
    """One datagram, or one message that a Framer cut out of a stream.

    Checked at once: start line, framing, and Via, From, To, Call-ID and CSeq as far as they are
    there (`validate` demands that they are). Octets past Content-Length are dropped, RFC 3261
    §18.3. Raises RemoteProtocolError and nothing else.
    """
    if len(data) > MAX_BYTES:
        raise RemoteProtocolError("the message is too large", status=513, where="Framing")
    if data[:2] == b"\r\n":
        data = data.lstrip(b"\r\n")  # RFC 3261 §7.5
    end = data.find(b"\r\n\r\n")
    if end < 0:
        raise RemoteProtocolError("no empty line ends the header fields", where="Framing")
    head = data[:end].decode("utf-8", "surrogateescape")
    if "\r\n " in head or "\r\n\t" in head:
        head = _unfold(" ", head)
    start, *fields = head.split("\r\n")
    message = _start(start)
    breaks = len(fields)
    if breaks > MAX_FIELDS:
        raise RemoteProtocolError("too many header fields", where="Framing")
    if head.count("\n") != breaks or head.count("\r") != breaks:
        raise RemoteProtocolError("CR or LF alone in a header field", where="Framing")
    _fields(message, [line.partition(":") for line in fields])
    _body(message, data, end + 4)
    _routing(message)
    return message


def _start(line: str) -> Request | Response:
    found = _request_line(line)
    if found is not None:
        request = Request.__new__(Request)
        request.method, request.uri, request.version = found.groups()
        return request
    found = _status_line(line)
    if found is None:
        raise RemoteProtocolError("neither a request line nor a status line", where="StartLine")
    response = Response.__new__(Response)
    response.status = int(found[1])
    response.reason = legible(found[2])
    return response


def _fields(message: Message, lines: list[Line]) -> None:
    index: dict[str, list[str]] = {}
    usual = KEYS.get
    for name, colon, value in lines:
        key = usual(name)
        if key is None:
            key = key_of(name)
        if not colon:
            raise RemoteProtocolError("a header field has no colon", where="Framing")
        if key in index:
            index[key].append(value)
        else:
            index[key] = [value]
    message._lines = lines
    message._index = index


def _body(message: Message, data: bytes, start: int) -> None:
    """RFC 3261 §18.3; two Content-Length lines leave the end unknown (RFC 4475 §3.3.9)."""
    end = len(data)
    lengths = message._index.get("content-length")
    if lengths is not None:
        if len(lengths) > 1:
            raise RemoteProtocolError("two Content-Length fields", where="Framing")
        end = start + parse_length(lengths[0])
        if end > len(data):
            raise RemoteProtocolError("the body is shorter than Content-Length", where="Framing")
    message.body = data[start:end]
    message._raw = data if end == len(data) else data[:end]


def parse_length(text: str) -> int:
    """Content-Length (RFC 3261 §20.14)."""
    digits = text.strip(" \t")
    if not (digits.isascii() and digits.isdigit()):
        raise RemoteProtocolError("Content-Length is not a number", where="Framing")
    digits = digits.lstrip("0") or "0"
    if len(digits) > 9:
        raise RemoteProtocolError("Content-Length is too large", status=513, where="Framing")
    return int(digits)


def _routing(message: Message) -> None:
    index = message._index
    if "via" in index:
        message.via = parse_via(index["via"][0])
    if "from" in index:
        message.from_ = parse_name_addr(index["from"][0], "From")
    if "to" in index:
        message.to = parse_name_addr(index["to"][0], "To")
    if "call-id" in index:
        message.call_id = parse_call_id(index["call-id"][0])
    if "cseq" in index:
        message.cseq = parse_cseq(index["cseq"][0])
