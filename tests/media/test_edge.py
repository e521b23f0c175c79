"""Codecs and packet times at the edge: what goes in comes out, and real parties hear each other."""

import asyncio

import numpy as np
import pytest
from G722 import G722
from hypothesis import given
from hypothesis import strategies as st

from media import messages as m
from media import rtcp
from media.edge import PTIMES_MS, Edge, is_odd
from media.g711 import decode, encode
from media.io.plane import Remote
from tests.media.phones import Phone, exchange, power
from tests.media.wire import REMOTE, Board


def packets(count: int, kind: int = 8, ptime_ms: int = 20) -> list[bytes]:
    size = ptime_ms * 8
    return [
        bytes([0x80, kind])
        + (number & 0xFFFF).to_bytes(2, "big")
        + (number * size).to_bytes(4, "big")
        + b"ssrc"
        + bytes([number % 256]) * size
        for number in range(count)
    ]


@given(st.sampled_from(list(PTIMES_MS)), st.integers(1, 40))
def test_any_packet_time_is_cut_from_the_same_bytes(ptime_ms: int, count: int):
    edge = Edge("PCMA", 8, ptime_ms)
    sent = [out for packet in packets(count) for out in edge.seal(packet)]
    voice = b"".join(packet[12:] for packet in packets(count))
    assert b"".join(out[12:] for out in sent) == voice[: len(sent) * ptime_ms * 8]
    assert len(sent) == count * 20 // ptime_ms
    numbers = [int.from_bytes(out[2:4], "big") for out in sent]
    assert numbers == [numbers[0] + at for at in range(len(sent))] if sent else not numbers
    stamps = [int.from_bytes(out[4:8], "big") for out in sent]
    assert stamps == [number * ptime_ms * 8 for number in range(len(sent))]


def test_keys_between_the_voice_have_numbers_of_the_same_row():
    edge = Edge("PCMA", 8, 40)
    first, second, third = packets(3)
    event = bytes([0x80, 101]) + first[2:12] + b"\x05\x0a\x00\xa0"
    sent = [*edge.seal(first), *edge.seal(event), *edge.seal(second), *edge.seal(third)]
    numbers = [int.from_bytes(out[2:4], "big") for out in sent]
    assert numbers[1] == numbers[0] + 1
    assert sent[0][12:] == event[12:]
    assert len(sent[1]) == 12 + 320


@pytest.mark.parametrize("codec", ["G722", "L16"])
def test_a_tone_stays_a_tone(codec: str):
    at = np.arange(1600) / 8000
    tone = np.rint(8000 * np.sin(2 * np.pi * 440 * at)).astype(np.int16)
    codes = encode(tone, 0).tobytes()
    out, back = Edge(codec, 96, 20), Edge(codec, 96, 20)
    heard = b""
    for number in range(10):
        ours = b"\x80\x60" + bytes(10) + codes[number * 160 : number * 160 + 160]
        (wire,) = out.seal(ours)
        row = bytearray(640)
        row[: len(wire)] = wire
        size = back.open(memoryview(row), len(wire), 96)
        heard += bytes(row[12:size])
    assert len(heard) == 1600
    assert power(decode(np.frombuffer(heard[400:], np.uint8), 0), 440) > 0.98


@given(st.binary(max_size=600), st.sampled_from(["G722", "L16", "PCMA"]))
def test_any_bytes_stay_a_packet(data: bytes, codec: str):
    row = bytearray(640)
    row[: len(data)] = data
    assert 0 <= Edge(codec, 96, 20).open(memoryview(row), len(data), 96) <= 640


def dressed(packet: bytes, how: str) -> bytes:
    """The same RTP packet with what RFC 3550 allows around its payload."""
    head, payload = bytearray(packet[:12]), packet[12:]
    if how == "extension":  # RFC 6464's level, as many phones add it
        head[0] |= 0x10
        return bytes(head) + b"\xbe\xde\x00\x01\x10\x9f\x00\x00" + payload
    if how == "sources":
        head[0] |= 2
        return bytes(head) + bytes(8) + payload
    head[0] |= 0x20
    return bytes(head) + payload + b"\x00\x00\x00\x04"


@pytest.mark.parametrize("how", ["extension", "sources", "padding"])
@pytest.mark.parametrize("codec", ["G722", "L16"])
def test_what_stands_around_a_payload_is_no_sound(codec: str, how: str):
    """Played as they came, bytes of another codec are the loudest noise that there is."""
    at = np.arange(1600) / 8000
    codes = encode(np.rint(8000 * np.sin(2 * np.pi * 440 * at)).astype(np.int16), 0).tobytes()
    out, back = Edge(codec, 96, 20), Edge(codec, 96, 20)
    heard = b""
    for number in range(10):
        (wire,) = out.seal(b"\x80\x60" + bytes(10) + codes[number * 160 : number * 160 + 160])
        wire = dressed(wire, how)
        row = bytearray(640)
        row[: len(wire)] = wire
        size = back.open(memoryview(row), len(wire), 96)
        assert row[0] == 0x80
        heard += bytes(row[12:size])
    assert len(heard) == 1600
    assert power(decode(np.frombuffer(heard[400:], np.uint8), 0), 440) > 0.98


def test_a_stranger_s_bytes_leave_the_decoder_as_it_is():
    """ADPCM: each sample hangs on those before it, whoever sent them."""
    coder, rng = G722(8000, 64000), np.random.default_rng(1)
    at = np.arange(160 * 20)
    tone = np.rint(8000 * np.sin(2 * np.pi * 440 * at / 8000)).astype(np.int16)
    alone, disturbed = Edge("G722", 9, 20), Edge("G722", 9, 20)
    for number in range(20):
        voice = bytes(coder.encode(tone[number * 160 : number * 160 + 160]))
        rows = [bytearray(b"\x80\x09" + bytes(10) + voice) for _ in range(2)]
        noise = bytearray(b"\x80\x09" + bytes(10) + rng.bytes(160))
        disturbed.open(memoryview(noise), 172, 9, aside=True)
        for edge, row in zip((alone, disturbed), rows, strict=True):
            assert edge.open(memoryview(row), 172, 9) == 172
        assert rows[0] == rows[1]


def test_another_packet_time_goes_on_with_the_numbers_and_counts_packets_as_sent():
    """
    us                    phone
     |== 3 x 60 ms, #1.. ==>|
     |<- re-INVITE, 20 ms --|
     |== #4.. =============>|
    """
    board = Board()
    numbers: list[int] = []

    def step(count: int) -> None:
        for _ in range(count):
            board.step()
            numbers.extend(int.from_bytes(packet[2:4], "big") for packet in board.wire.sent)

    board.obey(m.Connect("a", *REMOTE, "PCMA", 8, ptime_ms=60))
    step(9)
    assert board.count("packets_out") == 3
    board.obey(m.Connect("a", *REMOTE, "PCMA", 8, ptime_ms=40))
    step(4)
    board.obey(m.Connect("a", *REMOTE, "PCMA", 8))
    step(3)
    assert numbers == list(range(1, 9))
    assert board.count("packets_out") == 8


def test_a_report_tells_the_packets_and_octets_of_another_packet_time():
    board = Board()
    board.obey(m.Connect("a", *REMOTE, "L16", 97, ptime_ms=30))
    board.step(250)
    report = rtcp.parse(board.wire.told[0][1])
    assert report is not None
    assert report.sender is not None
    assert report.sender.packets == len(range(30, 250 * 20 + 1, 30))
    assert report.sender.octets == 480 * report.sender.packets


def test_plain_legs_have_no_edge():
    assert not is_odd("PCMA", 20)
    assert is_odd("PCMA", 30)
    assert is_odd("G722", 20)


class OddPhone(Phone):
    """A phone of another codec or packet time."""

    def __init__(self, hertz: float, codec: str, kind: int, ptime_ms: int = 20) -> None:
        super().__init__(hertz)
        self.wire, self.kind, self.ptime_ms = codec, kind, ptime_ms
        self.coder, self.decoder = G722(8000, 64000), G722(8000, 64000)

    def frame(self) -> bytes:
        codes = super().frame()
        linear = decode(np.frombuffer(codes, np.uint8), 0)
        if self.wire == "G722":
            return bytes(self.coder.encode(linear))
        return linear.astype(">i2").tobytes() if self.wire == "L16" else codes

    def audio(self, last: int = 0):
        mine = [data[12:] for _, data in self.packets if data[1] & 0x7F == self.kind][-last:]
        if self.wire == "G722":
            return np.array(self.decoder.decode(b"".join(mine)), np.int16)
        if self.wire == "L16":
            return np.frombuffer(b"".join(mine), ">i2").astype(np.int16)
        return decode(np.frombuffer(b"".join(mine), np.uint8), 0)

    def remote(self, **changes):
        return Remote(
            "127.0.0.1", self.port, self.wire, self.kind, 101, ptime_ms=self.ptime_ms, **changes
        )


async def test_parties_of_four_kinds_hear_each_other():
    async with exchange() as it:
        phones = {
            "a": OddPhone(440, "G722", 9),
            "b": OddPhone(1000, "L16", 97),
            "c": OddPhone(1700, "PCMA", 8, 40),
            "d": Phone(2300),
        }
        for leg, phone in phones.items():
            it.phones.append(phone)
            address = it.plane.open(leg, None if leg == "a" else "a")
            it.plane.connect(leg, phone.remote())
            phone.talk(address.port)
        a, b, c, d = phones.values()
        for one, other in ((a, d), (b, d), (a, b), (c, d), (a, c)):
            names = [leg for leg, phone in phones.items() if phone in (one, other)]
            it.plane.bridge("call", tuple(names))
            await asyncio.gather(
                one.hears(other.hertz, packets=10), other.hears(one.hertz, packets=10)
            )
        sizes = {len(data) for _, data in c.packets[-10:]}
        assert sizes == {12 + 320}
        assert {len(data) for _, data in b.packets[-10:]} == {12 + 320}
        assert {len(data) for _, data in a.packets[-10:]} == {12 + 160}
