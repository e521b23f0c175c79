"""Offer and answer (RFC 3264)."""

from __future__ import annotations

import pytest

from callcore.errors import RemoteProtocolError
from callcore.sdp import (
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    LocalMedia,
    make_answer,
    make_offer,
    parse_sdp,
    read_answer,
)
from tests.callcore.message.samples import SDP
from tests.callcore.sdp.test_parse import description

LOCAL = LocalMedia("198.51.100.1", 20000, session_id=7, version=3)


def test_an_offer_of_ours():
    assert make_offer(LOCAL).decode().splitlines() == [
        "v=0",
        "o=- 7 3 IN IP4 198.51.100.1",
        "s=-",
        "c=IN IP4 198.51.100.1",
        "t=0 0",
        "m=audio 20000 RTP/AVP 8 0 101",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=ptime:20",
        "a=sendrecv",
    ]


def test_two_ends_of_ours_agree():
    other = LocalMedia("2001:db8::1", 30000, codecs=(PCMU, TELEPHONE_EVENT))
    text, theirs = make_answer(parse_sdp(make_offer(LOCAL)), other)
    ours = read_answer(LOCAL, parse_sdp(text))
    assert (ours.remote_host, ours.remote_port) == ("2001:db8::1", 30000)
    assert (theirs.remote_host, theirs.remote_port) == ("198.51.100.1", 20000)
    assert ours.codec == theirs.codec == PCMU
    assert (ours.send_payload_type, ours.receive_payload_type, ours.dtmf_payload_type) == (
        0,
        0,
        101,
    )
    assert (ours.direction, ours.ptime_ms, ours.remote_on_hold) == ("sendrecv", 20, False)


def test_the_offerers_order_and_numbers_are_kept():
    """RFC 3264 §6.1: the answerer keeps the order and uses the offer's numbers."""
    offer = description(
        "m=audio 4000 RTP/AVP 18 97 96 100",
        "a=rtpmap:97 pcmu/8000",
        "a=rtpmap:96 PCMA/8000",
        "a=rtpmap:100 telephone-event/8000",
    )
    text, agreed = make_answer(offer, LOCAL)
    assert (agreed.codec.name, agreed.send_payload_type, agreed.receive_payload_type) == (
        "PCMU",
        97,
        97,
    )
    assert agreed.dtmf_payload_type == 100
    assert parse_sdp(text).media[0].formats == ("97", "100")


def test_an_answer_may_number_its_own_way():
    """RFC 3264 §6.1: we send with the answer's number and receive with the offer's."""
    answer = description("m=audio 4000 RTP/AVP 96", "a=rtpmap:96 PCMA/8000")
    agreed = read_answer(LOCAL, answer)
    assert (agreed.send_payload_type, agreed.receive_payload_type) == (96, PCMA.payload_type)
    assert agreed.dtmf_payload_type is None


def test_keys_are_received_by_the_offer_s_number_and_sent_by_the_answer_s():
    """RFC 3264 §6.1: payload types may differ by direction, those of keys too."""
    answer = description(
        "m=audio 4000 RTP/AVP 8 96", "a=rtpmap:96 telephone-event/8000", "a=fmtp:96 0-15"
    )
    agreed = read_answer(LOCAL, answer)
    assert (agreed.dtmf_payload_type, agreed.receive_dtmf_payload_type) == (96, 101)
    _, answered = make_answer(parse_sdp(make_offer(LOCAL)), LOCAL)
    assert answered.receive_dtmf_payload_type is None


def test_video_is_refused_in_its_place():
    """RFC 3264 §6: as many sections as the offer, the refused ones with port 0."""
    offer = description(
        "m=video 4002 RTP/AVP 31 34",
        "m=audio 4000 RTP/AVP 8",
        "m=audio 4004 RTP/AVP 0",
        "m=image 4006 udptl t38",
    )
    answer = parse_sdp(make_answer(offer, LOCAL)[0])
    assert [(m.kind, m.port, m.formats) for m in answer.media] == [
        ("video", 0, ("31", "34")),
        ("audio", 20000, ("8",)),
        ("audio", 0, ("0",)),
        ("image", 0, ("t38",)),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "m=audio 4000 RTP/AVP 18",
        "m=audio 0 RTP/AVP 8",
        "m=audio 4000 RTP/SAVP 8",
        "m=video 4000 RTP/AVP 8",
        "m=audio 4000 RTP/AVP 101",
        "",
    ],
)
def test_nothing_in_common_is_488(line):
    offer = description(*[line] if line else [])
    for refuse in (lambda: make_answer(offer, LOCAL), lambda: read_answer(LOCAL, offer)):
        with pytest.raises(RemoteProtocolError) as caught:
            refuse()
        assert caught.value.status == 488


def test_a_stream_without_an_address_is_488():
    with pytest.raises(RemoteProtocolError):
        make_answer(description("m=audio 4000 RTP/AVP 8", head=""), LOCAL)


@pytest.mark.parametrize(
    ("theirs", "want", "direction", "on_hold"),
    [
        ("sendrecv", "sendrecv", "sendrecv", False),
        ("sendrecv", "recvonly", "recvonly", False),
        ("sendonly", "sendrecv", "recvonly", True),
        ("recvonly", "sendrecv", "sendonly", False),
        ("inactive", "sendrecv", "inactive", True),
        ("sendonly", "sendonly", "inactive", True),
    ],
)
def test_a_direction_is_answered_with_its_mirror(theirs, want, direction, on_hold):
    """RFC 3264 §6.1."""
    local = LocalMedia("198.51.100.1", 20000, direction=want)
    offer = description("m=audio 4000 RTP/AVP 8", f"a={theirs}")
    text, agreed = make_answer(offer, local)
    assert (agreed.direction, agreed.remote_on_hold) == (direction, on_hold)
    assert parse_sdp(text).media[0].direction == direction


def test_the_old_hold_stops_what_we_send():
    """RFC 3264 §8.4: c=0.0.0.0."""
    offer = description("m=audio 4000 RTP/AVP 8", head="c=IN IP4 0.0.0.0")
    text, agreed = make_answer(offer, LOCAL)
    assert (agreed.direction, agreed.remote_on_hold) == ("recvonly", True)
    assert parse_sdp(text).media[0].direction == "recvonly"


def test_hold_of_ours_and_its_answer():
    local = LocalMedia("198.51.100.1", 20000, direction="sendonly")
    agreed = read_answer(local, description("m=audio 4000 RTP/AVP 8", "a=recvonly"))
    assert (agreed.direction, agreed.remote_on_hold) == ("sendonly", False)


def test_a_delayed_offer_is_ours_in_the_200_and_answered_in_the_ack():
    """RFC 3261 §13.2.1: no description in the INVITE."""
    offer = parse_sdp(make_offer(LOCAL))
    ack, _ = make_answer(offer, LocalMedia("192.0.2.9", 9000))
    agreed = read_answer(LOCAL, parse_sdp(ack))
    assert (agreed.remote_host, agreed.remote_port, agreed.codec) == ("192.0.2.9", 9000, PCMA)


def test_without_ptime_it_is_twenty_milliseconds():
    offer = parse_sdp(SDP.replace(b"a=ptime:20\r\n", b""))
    assert make_answer(offer, LOCAL)[1].ptime_ms == 20
    offer = parse_sdp(SDP.replace(b"a=ptime:20\r\n", b"a=ptime:30\r\n"))
    assert make_answer(offer, LOCAL)[1].ptime_ms == 30
