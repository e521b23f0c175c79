"""Headers against a plain reading of RFC 3550, packet by packet."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from media.rtp import ROW, build, extend, parse, since


def read_plainly(data: bytes):
    """RFC 3550 §5.1 and A.1 in plain words; None for what must be refused."""
    if not 12 <= len(data) < ROW or data[0] >> 6 != 2:
        return None
    offset = 12 + 4 * (data[0] & 15)
    if offset > len(data):
        return None
    if data[0] & 0x10:
        if offset + 4 > len(data):
            return None
        offset += 4 + 4 * int.from_bytes(data[offset + 2 : offset + 4], "big")
        if offset > len(data):
            return None
    end = len(data)
    if data[0] & 0x20:
        if not 0 < data[-1] <= end - offset:
            return None
        end -= data[-1]
    return (
        data[1] >= 128,
        data[1] & 127,
        int.from_bytes(data[2:4], "big"),
        int.from_bytes(data[4:8], "big"),
        int.from_bytes(data[8:12], "big"),
        offset,
        end - offset,
    )


def rows_of(packets: list[bytes]):
    rows = np.full((len(packets), ROW), 0xEE, np.uint8)
    for row, data in zip(rows, packets, strict=True):
        row[: min(len(data), ROW)] = np.frombuffer(data[:ROW], np.uint8)
    return rows, np.array([min(len(data), ROW) for data in packets], np.int64)


first = st.sampled_from([0x80, 0x90, 0xA0, 0xB3, 0x8F, 0x40, 0x00, 0xC0, 0xFF])
body = st.one_of(st.binary(max_size=60), st.binary(min_size=171, max_size=171))
packets = st.one_of(
    st.builds(lambda b, rest: bytes([b]) + rest, first, body),
    st.binary(max_size=40),
    st.just(b"\x80" * (ROW + 5)),
)


@given(st.lists(packets, min_size=1, max_size=12))
def test_headers_read_as_one_by_one(batch):
    headers = parse(*rows_of(batch))
    for at, data in enumerate(batch):
        plain = read_plainly(data)
        assert headers.valid[at] == (plain is not None)
        if plain is not None:
            assert plain == (
                headers.marker[at],
                headers.payload_type[at],
                headers.sequence[at],
                headers.timestamp[at],
                headers.ssrc[at],
                headers.offset[at],
                headers.size[at],
            )


@given(st.integers(0, 65535), st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_what_is_built_reads_the_same(sequence, timestamp, ssrc):
    rows = np.zeros((3, 172), np.uint8)
    clock, source = (np.full(3, value, np.uint32) for value in (timestamp, ssrc))
    numbers = (np.full(3, sequence, np.uint16), clock, source)
    build(rows, (0x80, np.full(3, 0x88, np.uint8)), numbers)
    assert read_plainly(rows[1].tobytes()) == (True, 8, sequence, timestamp, ssrc, 12, 160)


@given(st.integers(0, 2**40), st.integers(-30000, 30000))
def test_sequence_numbers_find_their_cycle(highest, step):
    number = highest + step
    got = extend(np.array([highest]), np.array([number % 65536], np.uint16))
    assert got[0] == number


@given(st.integers(0, 2**32 - 1), st.integers(-(2**31), 2**31 - 1))
def test_timestamps_wrap(earlier, distance):
    later = np.array([(earlier + distance) % 2**32], np.uint32)
    assert since(later, np.array([earlier], np.uint32))[0] == distance
