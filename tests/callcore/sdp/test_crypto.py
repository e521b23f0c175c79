"""SRTP in offers and answers (RFC 4568)."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcore.errors import RemoteProtocolError
from callcore.sdp import LocalMedia, make_answer, make_offer, parse_sdp, read_answer
from callcore.sdp.crypto import Crypto, offered, read
from callcore.sdp.description import Media
from callcore.sdp.offer_answer import plain_offer

OURS, THEIRS = bytes(range(30)), bytes(range(100, 130))
US = LocalMedia("192.0.2.1", 4000, master=OURS)
THEM = LocalMedia("192.0.2.2", 5000, master=THEIRS)


def media(*lines: str) -> Media:
    attributes = tuple(("crypto", line) for line in lines)
    return Media("audio", 1, "RTP/SAVP", ("8",), attributes=attributes)


def agree(ours: str, theirs: str) -> tuple[object, object]:
    """Our offer, their answer: what both think that was agreed."""
    us, them = replace(US, srtp=ours), replace(THEM, srtp=theirs)
    answer, far = make_answer(parse_sdp(make_offer(us)), them)
    return read_answer(us, parse_sdp(answer)).srtp, far.srtp


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("offer", "accept"), ("offer", "require"), ("require", "accept"), ("require", "offer")],
)
def test_both_sides_have_the_same_keys(ours: str, theirs: str):
    near, far = agree(ours, theirs)
    assert (near.suite, near.send, near.receive) == ("AES_CM_128_HMAC_SHA1_80", OURS, THEIRS)
    assert (far.suite, far.send, far.receive) == ("AES_CM_128_HMAC_SHA1_80", THEIRS, OURS)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("off", "accept"), ("accept", "offer"), ("off", "off")]
)
def test_who_need_not_be_protected_is_served_plain(ours: str, theirs: str):
    assert agree(ours, theirs) == (None, None)


@pytest.mark.parametrize(
    ("ours", "theirs"), [("off", "require"), ("require", "off"), ("offer", "off")]
)
def test_who_must_be_protected_is_not_served_plain(ours: str, theirs: str):
    with pytest.raises(RemoteProtocolError) as error:
        agree(ours, theirs)
    assert error.value.status == 488


def test_a_protected_offer_is_one_stream_and_who_refuses_it_may_be_made_a_plain_one():
    us = replace(US, srtp="offer")
    (media,) = parse_sdp(make_offer(us)).media
    assert media.proto == "RTP/SAVP"
    assert [c.tag for c in read(media)] == [1, 2]
    answer, _ = make_answer(parse_sdp(plain_offer(us)), replace(THEM, srtp="off"))
    assert read_answer(us, parse_sdp(answer)).srtp is None
    with pytest.raises(RemoteProtocolError):  # where protection is required there is no other one
        read_answer(replace(US, srtp="require"), parse_sdp(answer))


def test_of_two_streams_the_protected_one_is_taken():
    offer = make_offer(replace(US, srtp="offer"))
    plain = b"m=audio 4000 RTP/AVP 8\r\n"
    answer, _ = make_answer(parse_sdp(offer + plain), replace(THEM, srtp="accept"))
    assert [m.port for m in parse_sdp(answer).media] == [5000, 0]


def test_an_answer_without_a_key_of_ours_is_refused():
    us = replace(US, srtp="require")
    answer, _ = make_answer(parse_sdp(make_offer(us)), replace(THEM, srtp="accept"))
    for bad in (
        answer.replace(b"a=crypto:1 ", b"a=crypto:7 "),
        answer.replace(b"SHA1_80", b"SHA1_32"),
        answer.replace(b"a=crypto", b"a=nothing"),
    ):
        with pytest.raises(RemoteProtocolError, match="no key of ours"):
            read_answer(us, parse_sdp(bad))


def test_keys_are_never_printed():
    secrets = [offered(OURS), replace(US, srtp="offer"), agree("offer", "accept")]
    assert repr(OURS)[2:20] not in repr(secrets)


KEY = base64.b64encode(OURS).decode()


@pytest.mark.parametrize(
    ("line", "usable"),
    [
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}", True),
        (f"1 AES_CM_128_HMAC_SHA1_32 inline:{KEY}|2^20", True),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} -EXTRA", True),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4", False),  # §6.1: an identifier of keys
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY};inline:{KEY}", False),
        (f"1 AES_CM_128_HMAC_SHA1_80 inline:{KEY} UNENCRYPTED_SRTP", False),  # §6.3
        (f"1 F8_128_HMAC_SHA1_80 inline:{KEY}", False),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:AAAA", False),
        ("1 AES_CM_128_HMAC_SHA1_80 inline:not*base64", False),
        ("x", False),
        ("", False),
    ],
)
def test_which_attributes_can_be_used(line: str, usable: bool):
    assert bool(read(media(line))) is usable


@given(st.binary(min_size=30, max_size=30), st.integers(0, 10**9 - 1))
def test_what_is_written_is_read(key: bytes, tag: int):
    one = Crypto(tag, "AES_CM_128_HMAC_SHA1_80", key)
    assert read(media(one.attribute()[1])) == (one,)


@given(st.text(max_size=120))
def test_any_text_is_a_key_or_none(text: str):
    assert all(len(one.key) == 30 for one in read(media(text)))


def test_reports_on_one_port_are_answered_and_ports_of_their_own_are_kept():
    """RFC 5761 §5.1.1, RFC 3605."""
    offer = make_offer(THEM)
    _, plain = make_answer(parse_sdp(offer), US)
    assert plain.rtcp_port == 5001
    body, muxed = make_answer(parse_sdp(offer + b"a=rtcp-mux\r\n"), US)
    assert muxed.rtcp_port == 5000
    assert b"a=rtcp-mux" in body
    _, own = make_answer(parse_sdp(offer + b"a=rtcp:6001 IN IP4 192.0.2.2\r\n"), US)
    assert own.rtcp_port == 6001
