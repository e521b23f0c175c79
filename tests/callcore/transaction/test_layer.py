"""Matching, routing of responses, timers and bounds of the layer (RFC 3261 §17, §18; 3581)."""

import pytest

from callcore.errors import LocalProtocolError
from callcore.flow import Flow
from callcore.message import Request, parse, render, request, response
from callcore.transaction import (
    Ack,
    Answered,
    Cancelled,
    Failed,
    Incoming,
    TransactionLayer,
    Transmit,
)
from tests.callflows.ladder import TCP, UDP, Counting


def make(limit=100):
    return TransactionLayer(Counting(), limit=limit)


def incoming(
    method="OPTIONS",
    *,
    via="192.0.2.1:5070;branch=z9hG4bK1",
    cseq=1,
    to_tag="",
    uri="sip:us@192.0.2.10",
):
    return parse(
        (
            f"{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nFrom: <sip:a@b>;tag=f\r\n"
            f"To: <sip:us@192.0.2.10>{to_tag}\r\nCall-ID: c\r\nCSeq: {cseq} {method}\r\n\r\n"
        ).encode()
    )


def outgoing(method="OPTIONS"):
    headers = [("From", "<sip:us@x>;tag=u"), ("To", "<sip:a@b>"), ("Call-ID", "o")]
    return request(method, "sip:a@b", headers=[*headers, ("CSeq", f"1 {method}")])


def answer(layer, effects, status, *, tag="t", via=None):
    """A response to a request of ours, as parsed."""
    sent = next(effect.message for effect in effects if isinstance(effect, Transmit))
    made = response(sent, status, to_tag=tag)
    data = layer.refuse(sent, UDP, made).data
    if via is not None:
        data = data.replace(b"Via:", b"Via: SIP/2.0/UDP other;branch=z9hG4bKo\r\nVia:", via)
    return parse(data)


def test_a_request_is_reported_once_and_its_response_repeated():
    layer = make()
    (first,) = layer.receive(incoming(), UDP, 0.0)
    assert isinstance(first, Incoming)
    assert layer.receive(incoming(), UDP, 0.1) == []
    (sent,) = layer.respond(first.key, response(first.request, 200, to_tag="t"), 0.2)
    assert layer.receive(incoming(), UDP, 0.3) == [sent]
    assert layer.deadline() == 32.2
    assert layer.fire(32.2) == []
    assert (len(layer), layer.deadline()) == (0, None)


def test_an_invite_gets_100_at_once():
    effects = make().receive(incoming("INVITE"), UDP, 0.0)
    assert [type(effect) for effect in effects] == [Transmit, Incoming]
    assert effects[0].message.status == 100


def test_rport_gives_address_and_port_as_they_were_seen():
    """RFC 3581 §4."""
    layer = make()
    flow = UDP._replace(remote=("198.51.100.7", 4444))
    (effect,) = layer.receive(incoming(via="10.0.0.1;rport;branch=z9hG4bK1"), flow, 0.0)
    assert (effect.request.via.received, effect.request.via.rport) == ("198.51.100.7", 4444)
    (sent,) = layer.respond(effect.key, response(effect.request, 200), 0.0)
    assert sent.flow == flow
    assert b"received=198.51.100.7" in sent.data
    assert b"rport=4444" in sent.data


def test_without_rport_the_response_goes_to_the_port_in_via():
    """RFC 3261 §18.2.2."""
    layer = make()
    flow = UDP._replace(remote=("198.51.100.7", 4444))
    (effect,) = layer.receive(incoming(via="10.0.0.1:5099;branch=z9hG4bK1"), flow, 0.0)
    assert effect.request.via.received == "198.51.100.7"
    (sent,) = layer.respond(effect.key, response(effect.request, 200), 0.0)
    assert sent.flow.remote == ("198.51.100.7", 5099)


def test_the_other_vias_of_the_line_stay():
    layer = make()
    via = "10.0.0.1;branch=z9hG4bK1, SIP/2.0/UDP first.example;branch=z9hG4bK0"
    (effect,) = layer.receive(incoming(via=via), UDP, 0.0)
    assert "first.example;branch=z9hG4bK0" in effect.request.all("Via")[0]


def test_over_a_stream_the_response_takes_the_same_connection():
    layer = make()
    (effect,) = layer.receive(incoming(), TCP, 0.0)
    (sent,) = layer.respond(effect.key, response(effect.request, 200), 0.0)
    assert sent.flow == TCP
    assert len(layer) == 0


def test_sent_by_is_part_of_the_key():
    """RFC 3261 §17.2.3: the same branch from another host is another transaction."""
    layer = make()
    for host in ("192.0.2.1:5070", "192.0.2.1:5071", "192.0.2.3:5070"):
        assert layer.receive(incoming(via=f"{host};branch=z9hG4bK1"), UDP, 0.0)
    assert len(layer) == 3


def test_the_ack_of_a_failure_is_the_transactions():
    layer = make()
    effect = layer.receive(incoming("INVITE"), UDP, 0.0)[1]
    layer.respond(effect.key, response(effect.request, 486, to_tag="t"), 0.0)
    assert layer.receive(incoming("ACK", to_tag=";tag=t"), UDP, 0.1) == []
    assert layer.deadline() == 5.1


def test_the_ack_of_a_2xx_goes_up():
    layer = make()
    effect = layer.receive(incoming("INVITE"), UDP, 0.0)[1]
    layer.respond(effect.key, response(effect.request, 200, to_tag="t"), 0.0)
    ack = incoming("ACK", via="192.0.2.1:5070;branch=z9hG4bK2", to_tag=";tag=t")
    assert layer.receive(ack, UDP, 0.1) == [Ack(ack, UDP)]


def test_a_client_of_rfc_2543():
    """RFC 3261 §17.2.3: no magic cookie, so the request as a whole is compared."""
    layer = make()
    via = "192.0.2.1:5070;branch=7"
    effect = layer.receive(incoming("INVITE", via=via), UDP, 0.0)[1]
    assert [type(e) for e in layer.receive(incoming("INVITE", via=via), UDP, 0.0)] == [Transmit]
    assert len(layer.receive(incoming("INVITE", via=via, cseq=2), UDP, 0.0)) == 2
    layer.tag(effect.key, "t")
    layer.respond(effect.key, response(effect.request, 200, to_tag="t"), 0.0)
    ack = incoming("ACK", via=via, to_tag=";tag=t")
    assert layer.receive(ack, UDP, 0.1) == [Ack(ack, UDP)]


def test_an_ack_of_rfc_2543_with_another_to_tag_is_no_match():
    layer = make()
    via = "192.0.2.1:5070"
    effect = layer.receive(incoming("INVITE", via=via), UDP, 0.0)[1]
    layer.tag(effect.key, "t")
    layer.respond(effect.key, response(effect.request, 486, to_tag="t"), 0.0)
    ack = incoming("ACK", via=via, to_tag=";tag=other")
    assert layer.receive(ack, UDP, 0.1) == [Ack(ack, UDP)]
    assert layer.receive(incoming("ACK", via=via, to_tag=";tag=t"), UDP, 0.1) == []


@pytest.mark.parametrize("via", ["192.0.2.1:5070;branch=z9hG4bK1", "192.0.2.1:5070"])
def test_cancel_is_answered_and_reported(via):
    """RFC 3261 §9.2."""
    layer = make()
    effect = layer.receive(incoming("INVITE", via=via), UDP, 0.0)[1]
    layer.tag(effect.key, "t")
    cancel = incoming("CANCEL", via=via)
    sent, told = layer.receive(cancel, UDP, 0.1)
    assert (sent.message.status, sent.message.to.tag) == (200, "t")
    assert isinstance(told, Cancelled)
    assert told.key == effect.key
    assert layer.receive(cancel, UDP, 0.2) == [sent]


def test_cancel_after_the_final_response_is_answered_only():
    layer = make()
    effect = layer.receive(incoming("INVITE"), UDP, 0.0)[1]
    layer.respond(effect.key, response(effect.request, 200, to_tag="t"), 0.0)
    (sent,) = layer.receive(incoming("CANCEL"), UDP, 0.1)
    assert sent.message.status == 200


def test_a_request_of_ours_is_sent_with_a_via_and_answered():
    layer = make()
    key, effects = layer.send_request(outgoing(), UDP, 0.0, "owner")
    (sent,) = effects
    assert parse(sent.data).via.branch == key[0]
    assert b";rport" in sent.data
    got = answer(layer, effects, 200)
    assert layer.receive(got, UDP, 0.1) == [Answered("owner", got, UDP)]
    assert layer.receive(got, UDP, 0.2) == []
    layer.fire(layer.deadline())
    assert len(layer) == 0


def test_a_response_of_another_branch_or_method_or_with_two_vias_is_dropped():
    """RFC 3261 §8.1.3.3, §17.1.3."""
    layer = make()
    _, effects = layer.send_request(outgoing(), UDP, 0.0, "owner")
    got = answer(layer, effects, 200)
    for old, new in [(b"z9hG4bK-us-1", b"z9hG4bK-us-9"), (b"1 OPTIONS", b"1 INFO")]:
        assert layer.receive(parse(render(got).replace(old, new)), UDP, 0.1) == []
    assert layer.receive(answer(layer, effects, 200, via=1), UDP, 0.1) == []


def test_a_failed_invite_is_acknowledged_with_its_branch_and_route():
    """RFC 3261 §17.1.1.3, §22.1."""
    layer = make()
    invite = outgoing("INVITE")
    invite = request(
        "INVITE",
        "sip:a@b",
        headers=[*invite.headers, ("Route", "<sip:p;lr>"), ("Authorization", "Digest x")],
    )
    _, effects = layer.send_request(invite, UDP, 0.0, "owner")
    got = answer(layer, effects, 486)
    ack, told = layer.receive(got, UDP, 0.1)
    sent = parse(ack.data)
    assert isinstance(sent, Request)
    assert (sent.method, sent.uri, str(sent.cseq)) == ("ACK", "sip:a@b", "1 ACK")
    assert sent.via == effects[0].message.via
    assert (sent.to.tag, sent.get("Route")) == ("t", "<sip:p;lr>")
    assert sent.get("Authorization") == "Digest x"
    assert told == Answered("owner", got, UDP)


def test_cancel_of_ours_needs_a_provisional_response():
    """RFC 3261 §9.1."""
    layer = make()
    key, effects = layer.send_request(outgoing("INVITE"), UDP, 0.0, "owner")
    assert layer.cancel(key, 0.1, "cancel") == []
    layer.receive(answer(layer, effects, 180), UDP, 0.2)
    (sent,) = layer.cancel(key, 0.3, "cancel")
    assert sent.message.via.branch == key[0]
    layer.abandon(key)
    assert layer.cancel(key, 0.4, "cancel") == []
    assert len(layer) == 1


def test_failures_are_told():
    layer = make()
    layer.send_request(outgoing(), UDP, 0.0, "slow")
    layer.send_request(outgoing(), TCP, 0.0, "cut")
    assert layer.transport_failed(TCP, 1.0) == [Failed("cut", "transport")]
    assert layer.transport_failed(TCP, 1.0) == []
    told = []
    while (at := layer.deadline()) is not None:
        told += [effect for effect in layer.fire(at) if isinstance(effect, Failed)]
    assert told == [Failed("slow", "timeout")]
    assert len(layer) == 0


def test_a_datagram_that_could_not_be_sent():
    """RFC 3261 §18.4: what it would have started fails, and nothing else does."""
    layer = make()
    _, sent = layer.send_request(outgoing(), UDP, 0.0, "one")
    layer.send_request(outgoing(), UDP, 0.0, "two")
    assert layer.not_sent(sent[0].message, 1.0) == [Failed("one", "transport")]
    assert layer.not_sent(sent[0].message, 1.0) == []
    assert len(layer) == 1


def test_beyond_its_bound_the_layer_answers_503_and_counts():
    layer = make(limit=2)
    for number in range(5):
        via = f"192.0.2.1:5070;branch=z9hG4bK{number}"
        effects = layer.receive(incoming("INVITE", via=via), UDP, 0.0)
        if number >= 2:
            (sent,) = effects
            assert sent.message.status == 503
            assert sent.message.get("Retry-After")
    assert (len(layer), layer.refused) == (2, 3)


def test_answering_twice_is_our_bug():
    layer = make()
    effect = layer.receive(incoming("INVITE"), UDP, 0.0)[1]
    layer.respond(effect.key, response(effect.request, 486, to_tag="t"), 0.0)
    with pytest.raises(LocalProtocolError):
        layer.respond(effect.key, response(effect.request, 180, to_tag="t"), 0.0)
    assert layer.respond(("gone",), response(effect.request, 200), 0.0) == []


def test_ipv6_in_via():
    layer = make()
    flow = Flow("udp", ("2001:db8::1", 5060), ("2001:db8::2", 5070))
    _, (sent,) = layer.send_request(outgoing(), flow, 0.0, "x")
    assert b"SIP/2.0/UDP [2001:db8::1]:5060;" in sent.data
    (effect,) = layer.receive(incoming(via="[2001:db8::9];branch=z9hG4bK1"), flow, 0.0)
    assert effect.request.via.received == "2001:db8::2"
