"""The codec of the spool file."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.spool import (
    BLOCK,
    FRAME_BYTES,
    MAGIC,
    MAX_BLOCK_FRAMES,
    Block,
    Damage,
    Decoder,
    block_head,
    decode,
    encode_block,
    encode_header,
    split,
)

HEADER = {"recording": "r1", "caller": "市民", "started_ms": 1}

headers = st.dictionaries(st.text(max_size=8), st.text(max_size=20) | st.integers(), max_size=5)
# Magic and newlines inside of the audio are what a search could stumble over.
payloads = st.integers(1, 3).flatmap(
    lambda count: st.lists(
        st.sampled_from([b"\x55", b"\xd5", b"\n", MAGIC[:2], MAGIC]), max_size=40
    ).map(lambda bits: b"".join(bits).ljust(count * FRAME_BYTES, b"\x55")[: count * FRAME_BYTES])
)
blocks = st.lists(payloads, max_size=6).map(
    lambda parts: [
        Block(sum(len(p) for p in parts[:at]) // FRAME_BYTES, part) for at, part in enumerate(parts)
    ]
)
pieces = st.lists(st.integers(1, 2000), min_size=1, max_size=5)


def file_of(header: dict, content: list[Block]) -> bytes:
    return encode_header(header) + b"".join(encode_block(b.first_frame, b.frames) for b in content)


def three() -> list[Block]:
    return [Block(at * 25, bytes([at + 1]) * 25 * FRAME_BYTES) for at in range(3)]


@given(headers, blocks)
def test_what_was_written_is_read(header, content):
    assert decode(file_of(header, content)) == (header, content)


@given(headers, blocks, st.data())
def test_a_file_cut_anywhere_keeps_every_whole_block(header, content, data):
    whole = file_of(header, content)
    cut = data.draw(st.integers(0, len(whole)))
    found, items = decode(whole[:cut])
    ends = [len(file_of(header, content[:n])) for n in range(len(content) + 1)]
    kept = sum(end <= cut for end in ends[1:])
    assert [item for item in items if isinstance(item, Block)] == content[:kept]
    assert found == (header if cut >= ends[0] else None)
    if cut not in (0, *ends):
        assert isinstance(items[-1], Damage)
        assert items[-1].why == "torn tail"
        assert items[-1].offset + items[-1].length == cut


@given(headers, blocks, st.lists(st.floats(0, 0.999), max_size=3), pieces)
def test_pieces_of_any_size_read_the_same(header, content, damaged, sizes):
    whole = bytearray(file_of(header, content))
    for share in damaged:
        whole[int(share * len(whole))] ^= 0xFF
    decoder, items, rest = Decoder(), [], bytes(whole)
    for size in itertools.cycle(sizes):
        items += decoder.feed(rest[:size])
        rest = rest[size:]
        if not rest:
            break
    items += decoder.close()
    header_read, items_read = decode(bytes(whole))
    assert decoder.header == header_read
    assert [i for i in items if isinstance(i, Block)] == [
        i for i in items_read if isinstance(i, Block)
    ]
    assert sum(i.length for i in items if isinstance(i, Damage)) == sum(
        i.length for i in items_read if isinstance(i, Damage)
    )


@given(st.binary(max_size=3000))
def test_no_bytes_at_all_break_the_decoder(data):
    decode(data)


@given(headers, blocks, st.data())
def test_every_byte_is_a_block_a_header_or_a_damage(header, content, data):
    whole = bytearray(file_of(header, content))
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    found, items = decode(bytes(whole))
    told = sum(i.length if isinstance(i, Damage) else BLOCK.size + len(i.frames) for i in items) + (
        len(encode_header(header)) if found is not None else 0
    )
    assert told == len(whole)


class TestFiveCorruptFiles:
    def test_a_flipped_bit_in_the_middle_loses_one_block(self):
        content = three()
        whole = bytearray(file_of(HEADER, content))
        size = BLOCK.size + len(content[0].frames)
        start = len(encode_header(HEADER)) + size
        whole[start + 1000] ^= 1
        assert decode(bytes(whole)) == (
            HEADER,
            [content[0], Damage(start, size, "corrupt"), content[2]],
        )

    def test_a_damaged_header_loses_no_audio(self):
        content = three()
        whole = bytearray(file_of(HEADER, content))
        whole[40] ^= 4
        found, items = decode(bytes(whole))
        assert found is None
        assert items == [Damage(0, len(encode_header(HEADER)), "corrupt"), *content]

    def test_a_count_that_lies_loses_one_block(self):
        content = three()
        whole = bytearray(file_of(HEADER, content))
        start = len(encode_header(HEADER))
        whole[start + 8 : start + 10] = MAX_BLOCK_FRAMES.to_bytes(2, "big")
        found, items = decode(bytes(whole))
        assert found == HEADER
        assert [i for i in items if isinstance(i, Block)] == content[1:]

    def test_foreign_bytes_between_blocks_are_skipped(self):
        first, second, third = three()
        start = file_of(HEADER, [first])
        whole = start + b"x" * 777 + MAGIC + encode_block(second.first_frame, second.frames)
        whole += encode_block(third.first_frame, third.frames)
        damage = Damage(len(start), 777 + len(MAGIC), "corrupt")
        assert decode(whole) == (HEADER, [first, damage, second, third])

    def test_a_file_of_zeros_is_all_damage(self):
        """What a file system may leave after a power loss."""
        assert decode(bytes(70_000)) == (None, [Damage(0, 70_000, "torn tail")])


def test_a_header_that_could_not_be_found_again_is_refused():
    with pytest.raises(ValueError, match="spool header"):
        encode_header({"note": "x" * 70_000})


@pytest.mark.parametrize("frames", [b"", b"x" * 319, bytes(FRAME_BYTES * (MAX_BLOCK_FRAMES + 1))])
def test_frames_that_are_not_whole_are_refused(frames):
    with pytest.raises(ValueError, match="block of"):
        block_head(0, frames)


def test_long_writes_are_split():
    frames = bytes(FRAME_BYTES * (2 * MAX_BLOCK_FRAMES + 1))
    parts = list(split(7, frames))
    assert [first for first, _ in parts] == [7, 507, 1007]
    assert b"".join(part for _, part in parts) == frames
