"""The answer to a request that cannot be parsed (RFC 3261 §16.3, RFC 4475 §3.1.2)."""

from __future__ import annotations

from callcore.errors import RemoteProtocolError
from callcore.message.headers import parse_call_id, parse_name_addr, parse_via
from callcore.message.message import Message, Request, Response
from callcore.message.parse import scan
from callcore.message.render import response


def refusal(data: bytes, error: RemoteProtocolError) -> Response | None:
    """The response that `error` deserves, or None when nobody could make use of one.

    It needs a Via to go back by, and Call-ID and From to be recognised; a response or an ACK is
    never answered. The fields are copied as they came, the wrong one too.
    """
    try:
        message: Message = scan(data)
        parse_via(message._first["via"])
        parse_call_id(message._first["call-id"])
        parse_name_addr(message._first["from"], "From")
    except (RemoteProtocolError, KeyError):
        return None
    if not isinstance(message, Request) or message.method == "ACK":
        return None
    return response(message, error.status, headers=[("Warning", f'399 callcore "{error}"')])
