"""Parsing: what is checked at once, what only when read, and what each costs at worst."""

from __future__ import annotations

import time

import pytest

from callcore.errors import RemoteProtocolError
from callcore.message import MAX_BYTES, Request, Response, parse
from callcore.message.message import READERS
from tests.callcore.message.samples import INVITE, SDP, invite


def test_an_invite_is_read():
    message = invite()
    assert (message.method, message.uri) == ("INVITE", "sip:12345@hotline.example.com")
    assert (message.via.transport, message.via.host, message.via.port) == (
        "UDP",
        "192.0.2.15",
        5060,
    )
    assert (message.via.branch, message.via.rport) == ("z9hG4bK-524287-1", None)
    assert message.via.wants_rport
    assert (message.from_.display, message.from_.uri.user) == ("Wang Fang", "055112345678")
    assert (message.from_.tag, message.to.tag) == ("9fxced76sl", None)
    assert message.call_id == "3848276298220188511@192.0.2.15"
    assert message.cseq == (1, "INVITE")
    assert message.contacts[0].uri.transport == "udp"
    assert message.record_routes[0].uri.host == "edge.example.com"
    assert (message.routes, message.max_forwards, message.expires) == ([], 70, None)
    assert message.content_type == "application/sdp"
    assert message.body == SDP
    assert len(message.values("v")) == 2


def test_a_response_is_read():
    message = parse(b"SIP/2.0 180 Ringing\r\nCSeq: 7 INVITE\r\nContent-Length: 0\r\n\r\n")
    assert isinstance(message, Response)
    assert (message.status, message.reason, message.cseq.number) == (180, "Ringing", 7)


@pytest.mark.parametrize("name", ["Via", "VIA", "via", "v", "V", "vIa"])
def test_a_name_may_be_asked_for_in_any_form(name):
    assert len(invite().all(name)) == 2


def test_a_field_that_is_missing_is_named_when_it_is_read():
    message = parse(b"OPTIONS sip:a SIP/2.0\r\nMax-Forwards: 1\r\n\r\n")
    for attribute, where in (("via", "Via"), ("from_", "From"), ("call_id", "Call-ID")):
        with pytest.raises(RemoteProtocolError) as caught:
            getattr(message, attribute)
        assert caught.value.where == where


def test_an_attribute_that_no_message_has_is_our_mistake():
    with pytest.raises(AttributeError):
        _ = invite().contact
    with pytest.raises(AttributeError):
        _ = parse(b"SIP/2.0 200 OK\r\n\r\n").request_uri


@pytest.mark.parametrize(
    ("data", "where", "status"),
    [
        (b"", "Framing", 400),
        (b"\r\n\r\n", "Framing", 400),
        (b"INVITE sip:a SIP/2.0\r\nVia", "Framing", 400),
        (b"INVITE sip:a SIP/2.0\nVia: x\n\n", "Framing", 400),
        (b"INVITE sip:a SIP/2.0\r\nX: a\nb\r\n\r\n", "Framing", 400),
        (b"INVITE sip:a SIP/2.0\r\nX: a\rb\r\n\r\n", "Framing", 400),
        (b"INVITE sip:a SIP/2.0\r\nno colon\r\n\r\n", "Framing", 400),
        (b"INVITE sip:a SIP/2.0\r\nVia\r\n\r\n", "Framing", 400),
        (b"INVITE sip:a SIP/2.0\r\nna me: x\r\n\r\n", "Framing", 400),
        (b"INVITE sip:a SIP/2.0\r\n: x\r\n\r\n", "Framing", 400),
        (b"INVITE sip:a SIP/2.0\r\nl: 1\r\n\r\n", "Framing", 400),
        (b"INVITE sip:a SIP/2.0\r\nl: +0\r\n\r\n", "Framing", 400),
        (b"INVITE sip:a SIP/2.0\r\nl: \xd9\xa1\r\n\r\n", "Framing", 400),
        (b"INVITE sip:a SIP/2.0\r\nl: " + b"9" * 5000 + b"\r\n\r\n", "Framing", 513),
        (b"INVITE sip:a SIP/2.0\r\n" + b"X: y\r\n" * 600 + b"\r\n", "Framing", 400),
        (b"INVITE sip:a SIP/2.0\r\nX: " + b"y" * MAX_BYTES + b"\r\n\r\n", "Framing", 513),
        (b"INVITE a SIP/2.0\r\n\r\n", "StartLine", 400),
        (b"IN VITE sip:a SIP/2.0\r\n\r\n", "StartLine", 400),
        (b"HTTP/1.1 200 OK\r\n\r\n", "StartLine", 400),
        (b"SIP/2.0 099 x\r\n\r\n", "StartLine", 400),
        (b"SIP/2.0 700 x\r\n\r\n", "StartLine", 400),
        (b"SIP/2.0 200\r\n\r\n", "StartLine", 400),
        (b"A sip:a SIP/2.0\r\nCSeq: 2147483648 A\r\n\r\n", "CSeq", 400),
        (b"A sip:a SIP/2.0\r\nCSeq: " + b"9" * 9000 + b" A\r\n\r\n", "CSeq", 400),
        (b"A sip:a SIP/2.0\r\nCall-ID: a b\r\n\r\n", "Call-ID", 400),
        (b"A sip:a SIP/2.0\r\ni: \r\n\r\n", "Call-ID", 400),
        (b"A sip:a SIP/2.0\r\nv: SIP/2.0/UDP a:65536\r\n\r\n", "Via", 400),
        (b"A sip:a SIP/2.0\r\nv: SIP/2.0/UDP a:0\r\n\r\n", "Via", 400),
        (b"A sip:a SIP/2.0\r\nf: sip:a;b@c\r\n\r\n", "From", 400),
        (b"A sip:a SIP/2.0\r\nt: <sip:a@b:99999>\r\n\r\n", "To", 400),
    ],
)
def test_what_cannot_be_trusted_is_refused_at_once(data, where, status):
    with pytest.raises(RemoteProtocolError) as caught:
        parse(data)
    assert (caught.value.where, caught.value.status) == (where, status)


@pytest.mark.parametrize(
    ("field", "attribute", "where"),
    [
        (b"Contact: <sip:a@b", "contacts", "Contact"),
        (b'Contact: "a <sip:b>, <sip:c>', "contacts", "Contact"),
        (b"Contact: <sip:a>;;", "contacts", "Contact"),
        (b"Contact: *, <sip:a>", "contacts", "Contact"),
        (b"Route: nobody", "routes", "Route"),
        (b"Record-Route: ,", "record_routes", "Record-Route"),
        (b"Max-Forwards: 256", "max_forwards", "Max-Forwards"),
        (b"Max-Forwards: -1", "max_forwards", "Max-Forwards"),
        (b"Expires: soon", "expires", "Expires"),
        (b"Date: Fri, 30 Feb 2010 16:00:00 GMT", "date_ms", "Date"),
        (b"Date: Fri, 01 Jan 0000 16:00:00 GMT", "date_ms", "Date"),
    ],
)
def test_what_nobody_reads_costs_nobody_a_call(field, attribute, where):
    message = parse(b"A sip:a SIP/2.0\r\n" + field + b"\r\n\r\n")
    with pytest.raises(RemoteProtocolError) as caught:
        getattr(message, attribute)
    assert (caught.value.where, caught.value.status) == (where, 400)


def test_a_register_that_removes_all_has_a_wildcard_and_no_contacts():
    message = parse(b"REGISTER sip:a SIP/2.0\r\nm: *\r\nExpires: 0\r\n\r\n")
    assert message.wildcard
    assert message.contacts == []
    assert message.expires == 0


def test_too_long_an_expiry_is_the_longest_that_there_is():
    """RFC 4475 §3.1.2.4 allows to clamp it."""
    message = parse(b"REGISTER sip:a SIP/2.0\r\nExpires: 1" + b"0" * 99 + b"\r\n\r\n")
    assert message.expires == 2**32 - 1


def test_a_date_is_wall_time():
    """RFC 3261 §20.17."""
    message = parse(b"A sip:a SIP/2.0\r\nDate: Sat, 13 Nov 2010 23:29:00 GMT\r\n\r\n")
    assert message.date_ms == 1289690940000


def test_octets_past_the_body_are_dropped():
    """RFC 3261 §18.3."""
    message = parse(b"A sip:a SIP/2.0\r\nl: 2\r\n\r\nabcd")
    assert message.body == b"ab"


def test_a_datagram_without_content_length_is_body_to_its_end():
    assert parse(b"A sip:a SIP/2.0\r\nX: y\r\n\r\nabcd").body == b"abcd"


def test_empty_lines_before_a_message_are_skipped():
    """RFC 3261 §7.5."""
    assert parse(b"\r\n\r\n" + INVITE) == invite()


def test_a_name_in_gbk_becomes_legible_and_goes_out_as_it_came():
    name = "王芳".encode("gbk")
    message = invite((b"Wang Fang", name))
    assert message.from_.display == "王芳"
    assert name in (message.get("From") or "").encode("utf-8", "surrogateescape")


def test_a_reason_that_is_no_text_at_all_can_still_be_recorded():
    message = parse(b"SIP/2.0 500 \xff\xfe\x80\r\n\r\n")
    assert isinstance(message, Response)
    message.reason.encode()


NASTY = {
    "many names": b"X-a: b\r\n" * 500,
    "unknown names": b"".join(b"X-%d-%d: b\r\n" % (i, i) for i in range(500)),
    "one long fold": b"X: a" + b"\r\n " * 400 + b"\r\n",
    "spaces": b"To:" + b" " * 60000 + b"\r\n",
    "spaces in a fold": b"X: a\r\n" + b" " * 60000 + b"b\r\n",
    "open quote": b'To: "' + b"\\a" * 30000 + b"\r\n",
    "open quotes": b'Contact: <sip:a>,"' + b'a","' * 15000 + b"\r\n",
    "semicolons": b"To: <sip:a>" + b";" * 60000 + b"\r\n",
    "parameters": b"To: <sip:a>" + b"".join(b";p%d=1" % i for i in range(6000)) + b"\r\n",
    "parameter gaps": b"To: <sip:a>;a" + b" " * 60000 + b"\r\n",
    "display": b"To: " + b"a " * 30000 + b"\r\n",
    "display, then nothing": b"To: " + b"a" * 60000 + b"<\r\n",
    "a long user": b"To: <sip:" + b"a" * 60000 + b">\r\n",
    "colons": b"To: <sip:" + b":" * 60000 + b"@a>\r\n",
    "ats": b"To: <sip:" + b"a@" * 30000 + b">\r\n",
    "uri parameters": b"To: <sip:a" + b"".join(b";p%d=1" % i for i in range(6000)) + b">\r\n",
    "escapes": b"To: <sip:" + b"%41" * 20000 + b"@a>\r\n",
    "brackets": b"Contact: " + b"<" * 60000 + b"\r\n",
    "commas": b"Contact: " + b"," * 60000 + b"\r\n",
    "contacts": b"Contact: " + b"<sip:a>," * 5000 + b"<sip:b>\r\n",
    "digits": b"CSeq: " + b"9" * 60000 + b" A\r\n",
    "length": b"Content-Length: " + b"0" * 60000 + b"\r\n",
    "via slashes": b"Via: SIP/2.0/" + b"/" * 60000 + b"\r\n",
    "via colons": b"Via: SIP/2.0/UDP [" + b":" * 60000 + b"\r\n",
    "ipv6": b"To: <sip:[" + b":" * 60000 + b"]>\r\n",
    "surrogates": b"To: \xff" + b"\xff" * 60000 + b"<sip:a>\r\n",
    "expires": b"Expires: " + b"1" * 60000 + b"\r\n",
}


@pytest.mark.parametrize("name", NASTY)
def test_no_input_costs_more_than_its_length_deserves(name):
    """5 ms of processor for any 64 kB, fields included; the best of five."""
    data = b"INVITE sip:a@b SIP/2.0\r\n" + NASTY[name] + b"\r\n"
    assert len(data) <= MAX_BYTES
    took = []
    for _ in range(5):
        start = time.process_time()
        try:
            message = parse(data)
        except RemoteProtocolError:
            pass
        else:
            read_all(message)
        took.append(time.process_time() - start)
    assert min(took) < 0.005


def read_all(message: Request | Response) -> None:
    for attribute in READERS:
        try:
            value = getattr(message, attribute)
            if attribute in ("from_", "to"):
                _ = (value.display, value.uri.user, value.params)
            elif attribute == "via":
                _ = value.params
        except (RemoteProtocolError, AttributeError):
            continue
