"""Building messages and writing them."""

from __future__ import annotations

import pytest

from callcore.errors import LocalProtocolError, RemoteProtocolError
from callcore.message import Uri, parse, refusal, render, request, response, with_headers
from tests.callcore.message.samples import INVITE, invite


def test_a_parsed_message_goes_out_as_it_came():
    assert render(invite()) == INVITE


def test_content_length_is_always_right():
    headers = [("Via", "SIP/2.0/UDP a"), ("l", "99"), ("Subject", "x")]
    data = render(request("MESSAGE", Uri("sip", "a", "b"), headers=headers, body=b"hello"))
    assert data == (
        b"MESSAGE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nSubject: x\r\n"
        b"Content-Length: 5\r\n\r\nhello"
    )


def test_a_response_copies_what_it_must():
    """RFC 3261 §8.2.6.2."""
    answer = response(invite(), 180, headers=[("Contact", "<sip:us>")], to_tag="t1")
    assert render(answer).split(b"\r\n") == [
        b"SIP/2.0 180 Ringing",
        b"Via: SIP/2.0/UDP 192.0.2.15:5060;branch=z9hG4bK-524287-1;rport",
        b"Via: SIP/2.0/TCP edge.example.com;branch=z9hG4bKabc",
        b"Record-Route: <sip:edge.example.com;lr>",
        b'From: "Wang Fang" <sip:055112345678@trunk.example.com;user=phone>;tag=9fxced76sl',
        b"To: <sip:12345@hotline.example.com>;tag=t1",
        b"Call-ID: 3848276298220188511@192.0.2.15",
        b"CSeq: 1 INVITE",
        b"Contact: <sip:us>",
        b"Content-Length: 0",
        b"",
        b"",
    ]
    assert (answer.via, answer.cseq, answer.to.tag) == (invite().via, (1, "INVITE"), "t1")
    assert parse(render(answer)) == answer


def test_a_tag_that_is_there_stays():
    """RFC 3261 §8.2.6.2: a request within a dialog brings our tag."""
    answer = response(invite((b"hotline.example.com>\r", b"b>;tag=old\r")), 200, to_tag="new")
    assert answer.to.tag == "old"


def test_a_tag_goes_behind_a_bare_uri_too():
    request_ = invite((b"To: <sip:12345@hotline.example.com>", b"To: sip:12345@b;user=phone"))
    to = response(request_, 200, to_tag="t").to
    assert (to.tag, to.uri.params) == ("t", {})


def test_trying_repeats_the_timestamp_and_no_route():
    """RFC 3261 §8.2.6.1."""
    answer = response(invite((b"Max-Forwards: 70", b"Timestamp: 54.1")), 100)
    assert answer.get("Timestamp") == "54.1"
    assert answer.record_routes == []
    assert answer.to.tag is None


def test_a_refusal_carries_no_route():
    assert response(invite(), 486, "Engaged", to_tag="t").record_routes == []
    assert response(invite(), 486, "Engaged").reason == "Engaged"


def test_other_fields_make_another_message():
    message = invite()
    changed = with_headers(message, [("Subject", "x")], b"body")
    assert (changed.get("Subject"), changed.body, changed.get("l")) == ("x", b"body", "4")
    assert changed.start_line == message.start_line
    assert message.get("Subject") is None
    assert with_headers(response(message, 200), []).start_line == "SIP/2.0 200 OK"


def test_the_list_of_headers_is_a_copy():
    message = invite()
    message.headers.clear()
    assert len(message.headers) == 11


@pytest.mark.parametrize("value", ["a\r\nX: b", "a\nb", "a\rb"])
def test_our_own_values_cannot_smuggle_a_field_in(value):
    with pytest.raises(LocalProtocolError):
        render(request("A", "sip:a", headers=[("Subject", value)]))


def test_a_request_with_a_wrong_field_is_answered_400():
    """RFC 4475 §3.1.2.6: the wrong field comes back as it was."""
    data = INVITE.replace(b"To: <sip:12345@hotline.example.com>", b'To: "x <sip:a>')
    with pytest.raises(RemoteProtocolError) as caught:
        parse(data)
    answer = refusal(data, caught.value)
    assert answer is not None
    assert answer.status == 400
    assert answer.get("To") == '"x <sip:a>'
    assert answer.via.branch == "z9hG4bK-524287-1"
    render(answer)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"INVITE sip:a SIP/2.0\r\n\r\n",
        INVITE.replace(b"INVITE sip", b"ACK sip"),
        INVITE.replace(b"UDP 192", b"UDP ;192"),
        INVITE.replace(b"INVITE sip:12345@hotline.example.com SIP/2.0", b"SIP/2.0 200 OK"),
    ],
)
def test_what_cannot_or_must_not_be_answered_is_not(data):
    assert refusal(data, RemoteProtocolError("wrong")) is None
