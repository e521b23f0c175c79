"""Requests that parse and must be refused all the same."""

from __future__ import annotations

import pytest

from callcore.errors import RemoteProtocolError
from callcore.message import check_scheme, validate
from tests.callcore.message.samples import invite


def test_a_good_request_passes():
    validate(invite())
    check_scheme(invite())


@pytest.mark.parametrize(
    ("change", "status", "where"),
    [
        ((b" SIP/2.0\r\nVia", b" SIP/3.0\r\nVia"), 505, "StartLine"),
        ((b"CSeq: 1 INVITE", b"CSeq: 1 BYE"), 400, "CSeq"),
        ((b"CSeq: 1", b"X-CSeq: 1"), 400, "CSeq"),
        ((b"From:", b"X-From:"), 400, "From"),
        ((b";rport", b";branch=other"), 400, "Via"),
        ((b";tag=9fxced76sl", b";tag=1;tag=2"), 400, "From"),
        ((b"To: <sip:12345", b"To: <sip:" + b"1" * 5000), 414, "To"),
        ((b"Call-ID:", b"X-Call:"), 400, "Call-ID"),
        ((b"Max-Forwards: 70", b"Call-ID: b"), 400, "call-id"),
        ((b"com SIP/2.0", b"com?a=b SIP/2.0"), 400, "Request-URI"),
        ((b"sip:12345@hotline.example.com SIP/2.0", b"sip:@ SIP/2.0"), 400, "Request-URI"),
    ],
)
def test_a_wrong_request_is_refused(change, status, where):
    message = invite(change)
    with pytest.raises(RemoteProtocolError) as caught:
        validate(message)
    assert (caught.value.status, caught.value.where) == (status, where)


def test_a_scheme_that_we_do_not_serve_is_416():
    """RFC 3261 §8.2.2.1."""
    message = invite((b"INVITE sip:12345@hotline.example.com", b"INVITE http://x"))
    with pytest.raises(RemoteProtocolError) as caught:
        check_scheme(message)
    assert caught.value.status == 416
