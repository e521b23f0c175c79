"""Reading and writing session descriptions (RFC 8866)."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcore.errors import LocalProtocolError, RemoteProtocolError
from callcore.sdp import Codec, Media, Origin, SessionDescription, parse_sdp, render_sdp
from tests.callcore.message.samples import SDP
from tests.fuzz.fuzz_sdp import target


def description(*lines: str, head: str = "c=IN IP4 192.0.2.1") -> SessionDescription:
    text = ["v=0", "o=- 1 2 IN IP4 192.0.2.1", "s=-", head, "t=0 0", *lines, ""]
    return parse_sdp("\r\n".join(line for line in text[:-1] if line).encode() + b"\r\n")


def test_an_ordinary_offer_is_read():
    media = parse_sdp(SDP).media[0]
    assert (media.kind, media.port, media.proto) == ("audio", 40376, "RTP/AVP")
    assert media.formats == ("8", "0", "101")
    assert [codec.name for codec in media.codecs] == ["PCMA", "PCMU", "telephone-event"]
    assert (media.connection, media.direction, media.ptime) == ("192.0.2.15", "sendrecv", 20)
    assert not media.on_hold


def test_a_section_overrides_the_session():
    found = description(
        "a=sendonly",
        "m=audio 4000 RTP/AVP 0",
        "c=IN IP6 2001:DB8::1",
        "a=inactive",
        "m=audio 4002 RTP/AVP 0",
    )
    assert [media.connection for media in found.media] == ["2001:db8::1", "192.0.2.1"]
    assert [media.direction for media in found.media] == ["inactive", "sendonly"]


def test_numbers_have_the_meaning_that_rtpmap_gives_them():
    """RFC 3551 §3: a dynamic number without rtpmap means nothing; a static one may be remapped."""
    media = description(
        "m=audio 4000/2 RTP/AVP 96 97 0 9",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 useinbandfec=1; stereo=0",
        "a=rtpmap:0 PCMU/8000/1",
    )
    assert media.media[0].codecs == (
        Codec(96, "opus", 48000, 2, "useinbandfec=1; stereo=0"),
        Codec(0, "PCMU", 8000),
        Codec(9, "G722", 8000),
    )
    assert media.media[0].ports == 2


@pytest.mark.parametrize(
    ("head", "line", "on_hold"),
    [
        ("c=IN IP4 192.0.2.1", "a=sendrecv", False),
        ("c=IN IP4 192.0.2.1", "a=recvonly", False),
        ("c=IN IP4 192.0.2.1", "a=sendonly", True),
        ("c=IN IP4 192.0.2.1", "a=inactive", True),
        ("c=IN IP4 0.0.0.0", "a=sendrecv", True),
        ("c=IN IP6 ::", "a=sendrecv", True),
    ],
)
def test_both_styles_of_hold_are_seen(head, line, on_hold):
    """RFC 3264 §8.4."""
    assert description("m=audio 4000 RTP/AVP 0", line, head=head).media[0].on_hold is on_hold


def test_what_is_missing_and_harmless_is_forgiven():
    """RFC 4475 §3.1.2.18 has no s= and t=; some phones end lines in LF."""
    data = b"v=0\no=- 1 1 IN IP4 192.0.2.1\nc=IN IP4 192.0.2.1\nm=audio 9 RTP/AVP 0\n\n"
    assert parse_sdp(data).media[0].port == 9


def test_fax_and_data_have_formats_but_no_codecs():
    media = description(
        "m=image 4000 udptl t38", "m=application 9 UDP/DTLS/SCTP webrtc-datachannel"
    )
    assert [m.formats for m in media.media] == [("t38",), ("webrtc-datachannel",)]
    assert [m.codecs for m in media.media] == [(), ()]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\r\n",
        b"o=- 1 1 IN IP4 a\r\n",
        b"v=1\r\no=- 1 1 IN IP4 a\r\n",
        b"v=0\r\n",
        b"v=0\r\no=- x 1 IN IP4 a\r\n",
        b"v=0\r\no=- 1 1 IN IP4 a\r\nnonsense\r\n",
        b"v=0\r\no=- 1 1 IN IP4 a\r\nc=IN IP4 ::1\r\n",
        b"v=0\r\no=- 1 1 IN IP4 a\r\nc=IN IP5 a\r\n",
        b"v=0\r\no=- 1 1 IN IP4 a\r\nm=audio 65536 RTP/AVP 0\r\n",
        b"v=0\r\no=- 1 1 IN IP4 a\r\nm=audio 1 RTP/AVP\r\n",
        b"v=0\r\no=- 1 1 IN IP4 a\r\nm=audio 1 RTP/AVP 128\r\n",
        b"v=0\r\no=- 1 1 IN IP4 a\r\nm=audio 1 RTP/AVP x\r\n",
        b"v=0\r\no=- 1 1 IN IP4 a\r\nm=audio 1 RTP/AVP 0\r\na=rtpmap:0 PCMU\r\n",
        b"v=0\r\no=- 1 1 IN IP4 a\r\nm=audio 1 RTP/AVP 0\r\na=rtpmap:0 PCMU/0\r\n",
        b"v=0\r\no=- 1 1 IN IP4 a\r\nm=audio 1 RTP/AVP 0\r\na=fmtp:x\r\n",
        b"v=0\r\no=- 1 1 IN IP4 a\r\nm=audio 1 RTP/AVP 0\r\na=ptime:soon\r\n",
        b"v=0\r\no=- 1 1 IN IP4 a\r\n" + b"m=audio 1 RTP/AVP 0\r\n" * 65,
        b"v=0\r\no=- 1 1 IN IP4 a\r\n" + b"a=x\r\n" * 2001,
        b"v=0\r\no=- 1 1 IN IP4 a\r\na=" + b"x" * 65536,
    ],
)
def test_what_cannot_be_trusted_is_refused(data):
    with pytest.raises(RemoteProtocolError) as caught:
        parse_sdp(data)
    assert (caught.value.status, caught.value.where) == (400, "SDP")


def test_our_own_values_cannot_smuggle_a_line_in():
    with pytest.raises(LocalProtocolError):
        render_sdp(SessionDescription(Origin("-", 1, 1, "a"), name="x\r\na=y"))


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9\-]{0,10}", fullmatch=True)
ADDRESSES = st.ip_addresses().map(str)
CODECS = st.builds(
    Codec,
    st.integers(0, 127),
    NAMES,
    st.integers(1, 999999),
    st.integers(1, 8),
    st.sampled_from(["", "0-15", "a=b; c"]),
)


@st.composite
def sections(draw):
    codecs = draw(st.lists(CODECS, min_size=1, max_size=5, unique_by=lambda c: c.payload_type))
    return Media(
        kind=draw(st.sampled_from(["audio", "video"])),
        port=draw(st.integers(0, 65535)),
        proto=draw(st.sampled_from(["RTP/AVP", "RTP/SAVPF", "UDP/TLS/RTP/SAVP"])),
        formats=tuple(str(codec.payload_type) for codec in codecs),
        connection=draw(ADDRESSES),
        attributes=(("x-" + draw(NAMES), draw(st.none() | NAMES)),),
        direction=draw(st.sampled_from(["sendrecv", "sendonly", "recvonly", "inactive"])),
        ptime=draw(st.none() | st.integers(1, 200)),
        codecs=tuple(codecs),
    )


@given(st.lists(sections(), max_size=3), ADDRESSES, st.integers(0, 2**63))
def test_a_description_survives_being_written(media, address, number):
    origin = Origin("-", number, number, address)
    written = SessionDescription(origin, tuple(media), connection=address)
    assert parse_sdp(render_sdp(written)) == written


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_the_remotes_error(data):
    target(data)
    target(b"v=0\r\no=- 1 1 IN IP4 a\r\n" + data)


NASTY = [
    b"a=rtpmap:" + b" " * 60000,
    b"a=rtpmap:1" + b" " * 60000 + b"x",
    b"a=fmtp:1" + b" " * 60000,
    b"a=ptime:" + b" " * 60000 + b"x",
    b"m=audio 1 RTP/AVP" + b" 0" * 30000,
    b"m=audio 1 RTP/AVP" + b" " * 60000,
    b"o=" + b" 1" * 30000,
    b"a=x\r\n" * 1900 + b"m=audio 1 RTP/AVP 0\r\n" * 60,
]


@pytest.mark.parametrize("line", NASTY)
def test_no_input_costs_more_than_its_length_deserves(line):
    data = b"v=0\r\no=- 1 1 IN IP4 a\r\n" + line + b"\r\n"
    took = []
    for _ in range(5):
        start = time.process_time()
        with contextlib.suppress(RemoteProtocolError):
            parse_sdp(data)
        took.append(time.process_time() - start)
    assert min(took) < 0.01
