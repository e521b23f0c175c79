"""Offer and answer with browsers (RFC 8829)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callcore.errors import RemoteProtocolError
from callcore.sdp import LocalMedia, make_answer, make_offer, parse_sdp
from callcore.sdp.webrtc import (
    WebLocal,
    is_web,
    make_web_answer,
    make_web_offer,
    read_web_answer,
)

PRINT = ":".join(["AB"] * 32)
LOCAL = WebLocal(
    (("198.51.100.1", 19000), ("10.0.0.1", 19000)),
    "ourufrag",
    "o" * 24,
    ("sha-256", ":".join(["0F"] * 32)),
    session_id=7,
    version=3,
)
# What Chromium 149 offers through JsSIP, without its header extensions.
CHROMIUM = f"""v=0
o=- 4611731400430051336 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
a=msid-semantic: WMS 3a4f
m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=candidate:1 1 udp 2113937151 6f3c.local 50123 typ host generation 0 network-cost 999
a=ice-ufrag:8hhY
a=ice-pwd:asd88fgpdd777uzjYhagZg
a=ice-options:trickle
a=fingerprint:sha-256 {PRINT}
a=setup:actpass
a=mid:0
a=sendrecv
a=msid:3a4f 77c1
a=rtcp-mux
a=rtcp-rsize
a=rtpmap:111 opus/48000/2
a=rtcp-fb:111 transport-cc
a=fmtp:111 minptime=10;useinbandfec=1
a=rtpmap:63 red/48000/2
a=fmtp:63 111/111
a=rtpmap:9 G722/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:8 PCMA/8000
a=rtpmap:13 CN/8000
a=rtpmap:110 telephone-event/48000
a=rtpmap:126 telephone-event/8000
a=ssrc:1001 cname:x
"""


def offer(old: str = "", new: str = "") -> bytes:
    assert old in CHROMIUM
    return CHROMIUM.replace(old, new).replace("\n", "\r\n").encode()


def test_a_browser_is_answered_with_one_port_a_certificate_and_our_candidates():
    body, remote = make_web_answer(parse_sdp(offer()), LOCAL)
    assert body.decode().splitlines() == [
        "v=0",
        "o=- 7 3 IN IP4 198.51.100.1",
        "s=-",
        "t=0 0",
        "a=ice-lite",
        "a=group:BUNDLE 0",
        "m=audio 19000 UDP/TLS/RTP/SAVPF 111 110",
        "c=IN IP4 198.51.100.1",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 maxplaybackrate=8000;sprop-maxcapturerate=8000;"
        "maxaveragebitrate=32000;stereo=0",
        "a=rtpmap:110 telephone-event/48000",
        "a=fmtp:110 0-15",
        "a=ptime:20",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=ice-ufrag:ourufrag",
        f"a=ice-pwd:{'o' * 24}",
        "a=fingerprint:sha-256 " + ":".join(["0F"] * 32),
        "a=setup:passive",
        "a=candidate:1 1 udp 2130706431 198.51.100.1 19000 typ host",
        "a=candidate:2 1 udp 2130706175 10.0.0.1 19000 typ host",
        "a=end-of-candidates",
        "a=msid:callcore audio",
        "a=mid:0",
    ]
    assert (remote.ufrag, remote.fingerprints) == ("8hhY", (("sha-256", PRINT),))
    assert (remote.codec.name, remote.codec.payload_type, remote.setup) == ("opus", 111, "passive")
    assert remote.dtmf is not None
    assert (remote.dtmf.payload_type, remote.dtmf.rate) == (110, 48000)
    # c=0.0.0.0 is no hold here: ICE says where the browser is.
    assert (remote.direction, remote.remote_on_hold) == ("sendrecv", False)


def test_two_ends_of_ours_agree():
    other = replace(LOCAL, ufrag="other", codecs=("PCMA",))
    ours = parse_sdp(make_web_offer(LOCAL))
    assert is_web(ours)
    body, theirs = make_web_answer(ours, other)
    ours_again = read_web_answer(LOCAL, parse_sdp(body))
    assert (theirs.codec.name, ours_again.codec.name) == ("PCMA", "PCMA")
    assert (theirs.setup, ours_again.setup) == ("passive", "active")
    assert (theirs.receive_payload_type, ours_again.receive_payload_type) == (8, 8)
    assert ours_again.dtmf is None  # offered at the clock of Opus, which was not taken


def test_keys_are_offered_by_one_clock_only():
    """Chromium's DTMF at 8000 beside Opus at 48000 lasts a sixth of what it should."""
    offered = [codec.payload_type for codec in parse_sdp(make_web_offer(LOCAL)).media[0].codecs]
    assert offered == [111, 8, 0, 110]


@pytest.mark.parametrize(
    ("preferred", "number", "rate"), [("PCMA", 8, 8000), ("PCMU", 0, 8000), ("opus", 111, 48000)]
)
def test_our_preference_chooses_the_codec_and_keys_have_its_clock(
    preferred: str, number: int, rate: int
):
    _, remote = make_web_answer(parse_sdp(offer()), replace(LOCAL, codecs=(preferred, "opus")))
    assert remote.dtmf is not None
    assert (remote.codec.payload_type, remote.dtmf.rate) == (number, rate)


def test_hold_is_what_the_direction_says():
    _, remote = make_web_answer(parse_sdp(offer("a=sendrecv", "a=sendonly")), LOCAL)
    assert (remote.direction, remote.remote_on_hold) == ("recvonly", True)


def test_a_role_once_agreed_stays():
    """RFC 8842 §5.3: actpass in a later offer asks for nothing new."""
    _, remote = make_web_answer(parse_sdp(offer()), replace(LOCAL, setup="active"))
    assert remote.setup == "active"


def test_a_video_stream_is_refused_and_its_place_kept():
    video = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=rtpmap:96 VP8/90000\r\n"
    body, _ = make_web_answer(parse_sdp(offer() + video.encode()), LOCAL)
    found = parse_sdp(body).media
    assert [(media.kind, media.port) for media in found] == [("audio", 19000), ("video", 0)]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        (f"a=fingerprint:sha-256 {PRINT}\n", "", "a=fingerprint is missing"),
        (f"sha-256 {PRINT}", "sha-1 " + ":".join(["AB"] * 20), "no fingerprint by sha-256"),
        (f"sha-256 {PRINT}", "sha-256 AB:CD", "no fingerprint by sha-256"),
        (f"sha-256 {PRINT}", "sha-256", "a=fingerprint is wrong"),
        ("a=setup:actpass\n", "", "a=setup is missing"),
        ("setup:actpass", "setup:holdconn", "a=setup is missing or does not fit"),
        ("a=rtcp-mux\n", "", "rtcp-mux is missing"),
        ("a=ice-pwd:asd88fgpdd777uzjYhagZg\n", "", "ice-ufrag or ice-pwd"),
        ("ice-ufrag:8hhY", "ice-ufrag:8 h", "ice-ufrag or ice-pwd"),
        ("111 63 9 0 8 13 110 126", "63 9 13", "no codec in common"),
    ],
)
def test_what_is_missing_is_named_and_refused_with_488(old: str, new: str, why: str):
    with pytest.raises(RemoteProtocolError, match=why) as raised:
        make_web_answer(parse_sdp(offer(old, new)), LOCAL)
    assert raised.value.status == 488


def test_a_phone_with_keys_in_its_description_is_no_browser():
    """RFC 4568 over RTP/SAVPF: SRTP without DTLS."""
    assert not is_web(parse_sdp(offer("UDP/TLS/RTP/SAVPF", "RTP/SAVPF")))


def test_a_phone_s_description_is_none_of_a_browser_s_nor_the_other_way_round():
    plain = LocalMedia("198.51.100.1", 20000)
    assert not is_web(parse_sdp(make_offer(plain)))
    with pytest.raises(RemoteProtocolError):
        make_answer(parse_sdp(offer()), plain)
    with pytest.raises(RemoteProtocolError):
        make_web_answer(parse_sdp(make_offer(plain)), LOCAL)
