"""Cutting streams into messages."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcore.errors import RemoteProtocolError
from callcore.message import MAX_BYTES, Framer, Ping, parse
from tests.callcore.message.samples import INVITE

OPTIONS = b"OPTIONS sip:a SIP/2.0\r\nl: 0\r\n\r\n"
FOLDED = b"OPTIONS sip:a SIP/2.0\r\nContent-Length :\r\n 3\r\n\r\nabc"
PIECES = {OPTIONS: OPTIONS, FOLDED: FOLDED, INVITE: INVITE, b"\r\n\r\n": Ping()}


def feed_all(chunks: list[bytes]) -> list[bytes | Ping]:
    framer = Framer()
    return [item for chunk in chunks for item in framer.feed(chunk)]


def test_two_messages_and_a_ping_in_one_read():
    """RFC 5626 §3.5.1."""
    assert feed_all([OPTIONS + b"\r\n\r\n" + INVITE]) == [OPTIONS, Ping(), INVITE]


def test_a_single_crlf_is_a_pong_or_nothing():
    """RFC 5626 §3.5.1 and RFC 3261 §7.5."""
    assert feed_all([b"\r\n" + OPTIONS + b"\r\n", OPTIONS]) == [OPTIONS, OPTIONS]


def test_what_is_framed_parses():
    assert parse(Framer().feed(FOLDED)[0]).body == b"abc"


@given(st.lists(st.sampled_from(sorted(PIECES)), max_size=5), st.data())
def test_the_cuts_do_not_matter(pieces, data):
    stream = b"".join(pieces)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=12).map(sorted))
    bounds = [0, *cuts, len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(bounds)]
    assert feed_all(chunks) == [PIECES[piece] for piece in pieces]


def test_byte_by_byte():
    stream = INVITE + b"\r\n\r\n" + FOLDED
    assert feed_all([bytes([octet]) for octet in stream]) == [INVITE, Ping(), FOLDED]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"OPTIONS sip:a SIP/2.0\r\nX: y\r\n\r\n", 400),
        (b"OPTIONS sip:a SIP/2.0\r\nl: 0\r\nContent-Length: 0\r\n\r\n", 400),
        (b"OPTIONS sip:a SIP/2.0\r\nl: -1\r\n\r\n", 400),
        (b"OPTIONS sip:a SIP/2.0\r\nl: 70000\r\n\r\n", 513),
        (b"OPTIONS sip:a SIP/2.0\r\nl: 99999999999999\r\n\r\n", 513),
        (b"\n", 400),
        (b"\rX", 400),
        (b"x" * (MAX_BYTES + 1), 513),
    ],
)
def test_a_stream_that_cannot_be_framed_is_given_up(data, status):
    framer = Framer()
    with pytest.raises(RemoteProtocolError) as caught:
        framer.feed(data)
    assert caught.value.status == status
    with pytest.raises(RemoteProtocolError):
        framer.feed(OPTIONS)


def test_messages_before_the_fault_are_not_lost():
    framer = Framer()
    assert framer.feed(OPTIONS + b"X\r\n\r\n") == [OPTIONS]
    assert framer.broken is not None
    with pytest.raises(RemoteProtocolError):
        framer.feed(b"")


def test_a_slow_sender_costs_no_more_than_a_fast_one():
    """A head of 60 kB in pieces of ten bytes: every byte is looked at once, not at each piece."""
    data = b"OPTIONS sip:a SIP/2.0\r\nX: " + b"y" * 60000 + b"\r\nl: 0\r\n\r\n"
    framer = Framer()
    start = time.process_time()
    found = [item for i in range(0, len(data), 10) for item in framer.feed(data[i : i + 10])]
    assert found == [data]
    assert time.process_time() - start < 0.5
