"""From parts to a message, and from a message to bytes (RFC 3261 §7, §8.2.6)."""

from __future__ import annotations

from collections.abc import Iterable

from callcore.errors import LocalProtocolError
from callcore.message.message import Message, Request, Response
from callcore.message.names import KEYS, key_of
from callcore.message.reasons import REASONS
from callcore.message.uri import Uri

Headers = Iterable[tuple[str, str]]

# Requests whose responses carry the route of a dialog (RFC 3261 §12.1.1, 6665 §4.1, 3515 §2.4).
DIALOG_FORMING = frozenset({"INVITE", "SUBSCRIBE", "NOTIFY", "REFER"})
COPIED = (("from", "From:"), ("to", "To:"), ("call-id", "Call-ID:"), ("cseq", "CSeq:"))


def render(message: Message) -> bytes:
    """The bytes of a message; one that was parsed renders to the bytes that came.

    LocalProtocolError if a value of ours would break the framing.
    """
    raw = message._raw
    if raw is None:
        lines = message._lines
        head = "\r\n".join([message.start_line, *lines, "", ""])
        breaks = len(lines) + 2
        if head.count("\n") != breaks or head.count("\r") != breaks:
            raise LocalProtocolError("CR or LF within a start line or header field")
        message._raw = raw = head.encode("utf-8", "surrogateescape") + message.body
    return raw


def _lines(headers: Headers, body: bytes) -> list[str]:
    known = KEYS.get
    lines = [
        f"{name}: {value}"
        for name, value in headers
        if (known(name) or key_of(name)) != "content-length"
    ]
    lines.append(f"Content-Length: {len(body)}")
    return lines


def request(method: str, uri: str | Uri, *, headers: Headers, body: bytes = b"") -> Request:
    """A request of ours; Content-Length is added, and replaces one that is given."""
    message = Request.__new__(Request)
    message.method = method
    message.uri = str(uri)
    message.version = "SIP/2.0"
    message.body = body
    message._lines = _lines(headers, body)
    message._raw = None
    return message


def response(
    to: Request,
    status: int,
    reason: str | None = None,
    *,
    headers: Headers = (),
    body: bytes = b"",
    to_tag: str | None = None,
) -> Response:
    """A response to a request: Via, From, To, Call-ID and CSeq are copied as they came.

    RFC 3261 §8.2.6.2; Record-Route too where a dialog may come of it (§12.1.1) and Timestamp in
    a 100 (§8.2.6.1). `to_tag` is added unless To has a tag already.
    """
    first, more = to._first, to._more
    lines = ["Via:" + first["via"]] if "via" in first else []
    if "via" in more:
        lines += ["Via:" + value for value in more["via"]]
    if 100 < status < 300 and to.method in DIALOG_FORMING:
        lines += ["Record-Route:" + value for value in to._all("record-route")]
    for key, name in COPIED:
        if key in first:
            lines.append(name + first[key])
            if key == "to" and to_tag is not None and to.to.tag is None:
                lines[-1] += f";tag={to_tag}"
    if status == 100 and "timestamp" in first:
        lines.append("Timestamp:" + first["timestamp"])
    message = Response.__new__(Response)
    message.status = status
    message.reason = REASONS.get(status, "") if reason is None else reason
    message.body = body
    message._lines = lines + _lines(headers, body)
    message._raw = None
    return message


def with_field_on_top(message: Request, field: str) -> Request:
    """The same request under one more field line, the others untouched."""
    changed = Request.__new__(Request)
    changed.method, changed.uri, changed.version = message.method, message.uri, message.version
    changed.body = message.body
    lines = message._lines
    if lines[0][0] == "\n":  # it was received
        lines = [line[1:] for line in lines]
    changed._lines = [field, *lines]
    changed._raw = None
    return changed


def with_top_via(message: Request, value: str) -> Request:
    """The same request with another first Via field; what was read of its fields stays read."""
    changed = Request.__new__(Request)
    changed.method, changed.uri, changed.version = message.method, message.uri, message.version
    changed.body = message.body
    changed._first = {**message._first, "via": f" {value}"}
    changed._more = message._more
    lines = [line.lstrip("\n") for line in message._lines]
    top = next(place for place, line in enumerate(lines) if key_of(line.partition(":")[0]) == "via")
    lines[top] = f"Via: {value}"
    changed._lines = lines
    changed._raw = None
    return changed


def with_headers(message: Message, headers: Headers, body: bytes | None = None) -> Message:
    """The same start line over other fields, and over another body if one is given."""
    changed = type(message).__new__(type(message))
    if isinstance(message, Request) and isinstance(changed, Request):
        changed.method, changed.uri, changed.version = message.method, message.uri, message.version
    elif isinstance(message, Response) and isinstance(changed, Response):
        changed.status, changed.reason = message.status, message.reason
    changed.body = message.body if body is None else body
    changed._lines = _lines(headers, changed.body)
    changed._raw = None
    return changed
