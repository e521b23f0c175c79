"""Whatever bytes come, parsing and reading raise RemoteProtocolError or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

from callcore.errors import RemoteProtocolError
from callcore.message import (
    Message,
    Request,
    parse,
    refusal,
    render,
    response,
    validate,
    with_headers,
)
from callcore.message.digest import best_challenge, parse_credentials
from callcore.message.message import READERS
from tests.callcore.message.samples import INVITE
from tests.fuzz.mutations import fuzz

CORPUS = [
    INVITE,
    INVITE.replace(b"Max-Forwards: 70", b'Authorization: Digest username="u", nc=00000001'),
    INVITE.replace(b"Max-Forwards: 70", b"Date: Sat, 13 Nov 2010 23:29:00 GMT\r\nExpires: 3"),
    INVITE.replace(b"INVITE sip:12345@hotline.example.com SIP/2.0", b"SIP/2.0 200 OK"),
    INVITE.replace(b"Contact: ", b'Contact:\r\n  *, "a" <tel:+1>;q=0.1, '),
]


def target(data: bytes) -> None:
    """Parse, read every field, answer, build again; the parts must parse to the same again."""
    try:
        message = parse(data)
    except RemoteProtocolError as error:
        answer = refusal(data, error)
        if answer is not None:
            parse_again(render(answer))
        return
    for attribute in READERS:
        if attribute != "request_uri" or isinstance(message, Request):
            read(message, attribute)
    for read_list in (message.values, message.all, message.get):
        for name in ("Via", "Contact", "Authorization"):
            attempt(read_list, name)
    attempt(parse_credentials, message.get("Authorization") or "")
    best_challenge(message.all("WWW-Authenticate"))
    assert parse(render(message)) == message
    again = parse(render(with_headers(message, message.headers)))
    assert again.start_line == message.start_line
    if isinstance(message, Request):
        attempt(validate, message)
        attempt(lambda m: render(response(m, 200, to_tag="t")), message)


def read(message: Message, attribute: str) -> None:
    with contextlib.suppress(RemoteProtocolError):
        value = getattr(message, attribute)
        for item in value if isinstance(value, list) else [value]:
            for part in ("uri", "params", "display", "host", "branch", "rport", "tag"):
                getattr(item, part, None)
            str(item)


def attempt(call: Callable[[Any], object], argument: object) -> None:
    with contextlib.suppress(RemoteProtocolError):
        call(argument)


def parse_again(data: bytes) -> None:
    """What we send back about a wrong field may hold the wrong field, and nothing worse."""
    where = ""
    try:
        parse(data)
    except RemoteProtocolError as error:
        where = error.where
    assert where in ("", "To", "CSeq", "Via")


if __name__ == "__main__":
    fuzz(target, CORPUS)
