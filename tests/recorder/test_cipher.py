"""Encrypted recordings: what was changed, moved, cut or swapped does not open."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.cipher import HEAD, TAG_BYTES, Cipher, Layout, Span, Tampered
from recorder.keys import KeyLost, KeyRing, LocalKey, parse_key

KEY = bytes(range(32))
PREFIX = b"prefix!"
CHUNK = 16

plain_bytes = st.binary(max_size=5 * CHUNK + 3)


def cipher(recording: str = "r1", key: bytes = KEY) -> Cipher:
    return Cipher(key, recording, PREFIX, CHUNK)


def stored(data: bytes, recording: str = "r1") -> bytes:
    return b"".join(cipher(recording).sealed([data]))


def whole(layout: Layout) -> Span:
    return Span(0, layout.chunks - 1, HEAD.size, layout.stored_bytes)


def opened(sealed: bytes, size: int, recording: str = "r1") -> bytes:
    layout = Layout(size, CHUNK)
    pieces = [sealed[HEAD.size :]]
    return b"".join(cipher(recording).opened(layout, whole(layout), pieces))


@settings(max_examples=40)
@given(plain_bytes, st.integers(1, 7))
def test_what_goes_in_comes_out_in_pieces_of_any_size(data, step):
    pieces = [data[at : at + step] for at in range(0, len(data), step)]
    sealed = b"".join(cipher().sealed(pieces))
    assert sealed == stored(data)
    assert len(sealed) == Layout(len(data), CHUNK).stored_bytes
    assert opened(sealed, len(data)) == data


@settings(max_examples=40)
@given(st.binary(min_size=1, max_size=5 * CHUNK), st.data())
def test_any_stretch_opens_from_its_own_chunks_alone(data, draw):
    start = draw.draw(st.integers(0, len(data) - 1))
    stop = draw.draw(st.integers(start + 1, len(data) + 5))
    layout = Layout(len(data), CHUNK)
    span = layout.span(start, stop)
    touched = stored(data)[span.start : span.stop]
    assert len(touched) <= (span.last - span.first + 1) * (CHUNK + TAG_BYTES)
    found = b"".join(cipher().opened(layout, span, [touched]))
    skip = start - span.first * CHUNK
    assert found[skip : skip + stop - start] == data[start:stop]


@settings(max_examples=40)
@given(st.binary(min_size=1, max_size=4 * CHUNK), st.data())
def test_one_flipped_bit_is_found(data, draw):
    sealed = bytearray(stored(data))
    at = draw.draw(st.integers(HEAD.size, len(sealed) - 1))
    sealed[at] ^= 1 << draw.draw(st.integers(0, 7))
    with pytest.raises(Tampered):
        opened(bytes(sealed), len(data))


@settings(max_examples=40)
@given(st.integers(2, 5), st.data())
def test_chunks_left_out_or_exchanged_are_found(count, draw):
    data = os.urandom(count * CHUNK)
    sealed, step = stored(data), CHUNK + TAG_BYTES
    chunks = [sealed[at : at + step] for at in range(HEAD.size, len(sealed), step)]
    short = draw.draw(st.integers(1, count - 1))
    with pytest.raises(Tampered):  # cut off at the end, and whoever did it says that this is all
        opened(sealed[: HEAD.size] + b"".join(chunks[:short]), short * CHUNK)
    with pytest.raises(Tampered):
        opened(sealed[: HEAD.size] + b"".join(chunks[1:]), len(data) - CHUNK)
    first, second = draw.draw(st.permutations(range(count)))[:2]
    chunks[first], chunks[second] = chunks[second], chunks[first]
    with pytest.raises(Tampered):
        opened(sealed[: HEAD.size] + b"".join(chunks), len(data))


def test_another_recordings_object_does_not_open_even_under_the_same_key():
    with pytest.raises(Tampered):
        opened(stored(b"secret", "r1"), 6, recording="r2")


def test_a_data_key_opens_for_its_recording_and_master_key_alone():
    master = LocalKey(KEY, os.urandom)
    wrapped = master.wrap(b"d" * 32, "r1")
    assert master.unwrap(wrapped, "r1") == b"d" * 32
    assert b"d" * 8 not in wrapped
    for key, recording in [(master, "r2"), (LocalKey(bytes(32), os.urandom), "r1")]:
        with pytest.raises(Tampered):
            key.unwrap(wrapped, recording)


def test_a_ring_opens_with_old_keys_and_says_which_one_is_lost():
    old, new = LocalKey(bytes(32), os.urandom), LocalKey(KEY, os.urandom)
    wrapped = old.wrap(b"d" * 32, "r1")
    ring = KeyRing([new, old])
    assert ring.current is new
    assert ring.unwrap(old.key_id, wrapped, "r1") == b"d" * 32
    with pytest.raises(KeyLost, match=f"r1 .*{old.key_id}.*old_keys"):
        KeyRing([new]).unwrap(old.key_id, wrapped, "r1")


@pytest.mark.parametrize("text", ["", "c2hvcnQ=", "!" * 44, "A" * 44])
def test_a_bad_key_is_refused_and_not_shown(text):
    with pytest.raises(ValueError, match="32 bytes") as caught:
        parse_key(text)
    assert not text or text not in str(caught.value)
