"""SRTP both ways with real workers: a phone whose packets are sealed by libsrtp on its own."""

import asyncio
import contextlib

import pylibsrtp
from hypothesis import given
from hypothesis import strategies as st

from media import events, rtcp
from media import messages as m
from media.srtp import BAD, PROFILES, TAGS, Guard, Keys
from tests.media.phones import Phone, exchange, power
from tests.media.wire import REMOTE, Board

SUITE = "AES_CM_128_HMAC_SHA1_80"
OUTBOUND = pylibsrtp.Policy.SSRC_ANY_OUTBOUND
OURS, THEIRS, WRONG = bytes(range(30)), bytes(range(100, 130)), bytes(30)


def session(key: bytes, kind: int, suite: str = SUITE) -> pylibsrtp.Session:
    policy = pylibsrtp.Policy(key=key, ssrc_type=kind, srtp_profile=PROFILES[suite])
    policy.allow_repeat_tx = True
    return pylibsrtp.Session(policy=policy)


class SecurePhone(Phone):
    """A phone that talks and hears SRTP; what it cannot open it has not heard."""

    def __init__(self, hertz: float, suite: str = SUITE) -> None:
        super().__init__(hertz)
        self.suite = suite
        self.seal = session(THEIRS, pylibsrtp.Policy.SSRC_ANY_OUTBOUND, suite)
        self.unseal = session(OURS, pylibsrtp.Policy.SSRC_ANY_INBOUND, suite)
        self.last = b""

    def packet(self, payload: bytes, kind: int | None = None, marker: bool = False) -> bytes:
        self.last = self.seal.protect(super().packet(payload, kind, marker))
        return self.last

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            while True:
                data = self.socket.recv(2048)
                with contextlib.suppress(pylibsrtp.Error):
                    plain = self.unseal.unprotect(data)
                    self.packets.append((asyncio.get_running_loop().time(), plain))
                self.arrived.set()

    def remote(self, **changes):
        return super().remote(srtp=Keys(self.suite, OURS, THEIRS), **changes)


def add(it, leg: str, phone: Phone) -> Phone:
    it.phones.append(phone)
    address = it.plane.open(leg, None if leg == "a" else "a")
    it.plane.connect(leg, phone.remote())
    phone.talk(address.port)
    return phone


async def test_protected_and_plain_parties_hear_each_other():
    async with exchange() as it:
        a = add(it, "a", SecurePhone(440))
        b = add(it, "b", SecurePhone(1000, "AES_CM_128_HMAC_SHA1_32"))
        c = add(it, "c", Phone(1700))
        it.plane.bridge("call", ("a", "b"))
        await asyncio.gather(a.hears(1000), b.hears(440))
        it.plane.bridge("call", ("a", "c"))
        await asyncio.gather(a.hears(1700), c.hears(440))
        # The same keys again, as a re-INVITE brings them: the counters go on, nothing is lost.
        it.plane.connect("a", a.remote())
        count = len(a.packets)
        await a.until(lambda: len(a.packets) > count + 30)
        await c.hears(440)
        it.plane.close("a")
        closed = await it.wait(events.LegClosed)
        assert (closed[0].stats.unauthenticated, closed[0].stats.replayed) == (0, 0)
        assert closed[0].stats.lost == 0


async def test_replays_wrong_keys_and_plain_packets_are_counted_and_not_heard():
    async with exchange() as it:
        a, b = add(it, "a", SecurePhone(440)), add(it, "b", SecurePhone(1000))
        it.plane.bridge("call", ("a", "b"))
        await asyncio.gather(a.hears(1000), b.hears(440))
        right = a.seal
        count = len(b.packets)
        for _ in range(5):
            a.send(a.last)  # a replay
            a.send(Phone.packet(a, a.frame()))  # plain RTP with all its numbers right
            await b.until(lambda count=count: len(b.packets) > count + 2)
        await a.hush()
        a.seal = session(WRONG, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
        a.talk(a.target[1])
        count = len(b.packets)
        await b.until(lambda: len(b.packets) > count + 40)
        assert power(b.audio(10), 440) < 0.1
        await a.hush()
        a.seal = right
        a.talk(a.target[1])
        await b.hears(440)
        it.plane.close("a")
        (closed,) = await it.wait(events.LegClosed)
        assert closed.stats.replayed == 5
        assert closed.stats.unauthenticated > 5 + 20


async def test_keys_stay_out_of_what_is_printed():
    assert "AES" in repr(Keys(SUITE, OURS, THEIRS))
    assert repr(OURS)[2:10] not in repr(Keys(SUITE, OURS, THEIRS))


async def test_a_party_hears_and_sends_reports_and_the_call_s_quality_is_known():
    """RTCP beside RTP on real sockets: the worker's own report is answered."""
    async with exchange() as it:
        a, _ = add(it, "a", Phone(440)), add(it, "b", Phone(1000))
        it.plane.bridge("call", ("a", "b"))
        loop = asyncio.get_running_loop()
        told: asyncio.Queue[tuple[bytes, tuple[str, int]]] = asyncio.Queue()

        class Control(asyncio.DatagramProtocol):
            def datagram_received(self, data, addr):
                told.put_nowait((data, addr))

        transport, _ = await loop.create_datagram_endpoint(Control, local_addr=("127.0.0.1", 0))
        port = transport.get_extra_info("sockname")[1]
        it.plane.connect("a", a.remote(rtcp_port=port))
        async with asyncio.timeout(10):
            data, source = await told.get()
        report = rtcp.parse(data)
        assert source[1] == a.target[1] + 1
        assert report.sender.packets > 50
        block = rtcp.Heard(report.ssrc, 0, 7, 100, 80, rtcp.middle(report.sender.ntp), 0)
        transport.sendto(rtcp.build(rtcp.Report(a.ssrc, None, (block,)), "phone"), source)
        count = len(a.packets)
        await a.until(lambda: len(a.packets) > count + 30)
        it.plane.close("a")
        (closed,) = await it.wait(events.LegClosed)
        quality = closed.quality
        assert 0 <= quality.round_trip_ms < 5000
        assert quality.remote_jitter_ms == 10
        assert quality.remote_loss > 0
        assert quality.mos > 3.5
        transport.close()


@given(st.binary(max_size=200), st.booleans())
def test_what_is_no_packet_of_ours_is_blamed_and_stays_in_its_row(data: bytes, report: bool):
    """Whatever comes is read where it is: nothing behind it is touched, nothing is opened."""
    blamed: list[str] = []
    guard = Guard(Keys(SUITE, OURS, THEIRS), blamed.append)
    row = bytearray(data + b"\xaa" * 64)
    opened = guard.open_report if report else guard.open
    size = opened(memoryview(row), len(data))
    assert size == (len(data) if len(data) < 2 and not report else BAD)
    assert len(blamed) == (size == BAD)
    assert row[len(data) :] == b"\xaa" * 64


@given(st.binary(min_size=160, max_size=160), st.integers(0, 65535), st.sampled_from(sorted(TAGS)))
def test_what_is_sealed_in_place_is_what_libsrtp_seals(payload: bytes, sequence: int, suite: str):
    packet = bytes([0x80, 8]) + sequence.to_bytes(2, "big") + bytes(4) + b"ssrc" + payload
    guard = Guard(Keys(suite, OURS, THEIRS), lambda why: None)
    place = bytearray(packet + bytes(TAGS[suite]))
    assert guard.sealer(memoryview(place), len(packet))() == 0
    assert bytes(place) == session(OURS, OUTBOUND, suite).protect(packet)
    row = bytearray(place + bytes(20))
    theirs = Guard(Keys(suite, THEIRS, OURS), lambda why: None)
    assert theirs.open(memoryview(row), len(place)) == len(packet)
    assert row[: len(packet)] == packet
    assert theirs.open(memoryview(bytearray(place)), len(place)) == BAD  # a replay


def rtp(number: int) -> bytes:
    return bytes([0x80, 8]) + (number & 0xFFFF).to_bytes(2, "big") + bytes(4) + b"ssrc" + bytes(160)


def rolled(seal: pylibsrtp.Session, first: int, turns: int) -> int:
    """A stream whose sequence numbers have gone round so often; the next one."""
    number = first
    while number >> 16 < turns:
        seal.protect(rtp(number))
        number += 20_000
    return number


def row(packet: bytes) -> memoryview:
    return memoryview(bytearray(packet + bytes(20)))


def test_a_party_with_a_new_key_still_understands_us():
    """RFC 3711 §3.2.3: its key is the other direction's; ours, and its roll-over, go on."""
    board = Board()
    board.obey(m.Connect("a", *REMOTE, "PCMA", 8, srtp=Keys(SUITE, OURS, THEIRS)))
    first = board.wire.guards[0]
    theirs = session(OURS, pylibsrtp.Policy.SSRC_ANY_INBOUND)
    for number in range(40_000, 80_000, 10_000):
        theirs.unprotect(first.seal(rtp(number)))
    board.obey(m.Connect("a", *REMOTE, "PCMA", 8, srtp=Keys(SUITE, OURS, WRONG)))
    second = board.wire.guards[0]
    assert second is not first
    assert theirs.unprotect(second.seal(rtp(80_000))) == rtp(80_000)
    fresh = session(WRONG, OUTBOUND).protect(rtp(5))
    assert second.open(row(fresh), len(fresh)) == 172


@given(st.integers(0, 65535), st.integers(0, 5))
def test_a_stream_older_than_our_key_of_it_is_found(first: int, turns: int):
    """Another worker takes a leg over: the roll-over counter is told by nobody."""
    theirs = session(THEIRS, OUTBOUND)
    number = rolled(theirs, first, turns)
    blamed: list[str] = []
    guard = Guard(Keys(SUITE, OURS, THEIRS), blamed.append)
    missed = max(0, turns - 1)  # each packet is tried with one turn more as well
    opened = []
    for at in range(number, number + turns + 3):
        sealed = theirs.protect(rtp(at))
        opened.append(guard.open(row(sealed), len(sealed)) == 172)
    assert opened == [False] * missed + [True] * (turns + 3 - missed)
    assert blamed == ["unauthenticated"] * missed
    again = theirs.protect(rtp(number + turns + 1))
    assert guard.open(row(again), len(again)) == BAD
    assert blamed[-1] == "replayed"


def test_a_wrong_key_is_not_found_however_long_it_is_tried():
    theirs = session(WRONG, OUTBOUND)
    guard = Guard(Keys(SUITE, OURS, THEIRS), lambda why: None)
    for number in range(200):
        sealed = theirs.protect(rtp(number))
        assert guard.open(row(sealed), len(sealed)) == BAD
    right = session(THEIRS, OUTBOUND)
    turned = rolled(right, 40_000, 1)
    sizes = []
    for number in range(turned, turned + 70):
        sealed = right.protect(rtp(number))
        sizes.append(guard.open(row(sealed), len(sealed)))
    assert sizes[-1] == 172
