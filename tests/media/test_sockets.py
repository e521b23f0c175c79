"""Both kinds of sockets under the tick: one after the other, the same ladder."""

import socket
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from media.edge import Edge
from media.io import worker
from media.io.sockets import UdpWire
from media.io.uring_wire import BACKLOG, UringWire
from media.outgoing import PACKET
from media.srtp import Guard, Keys
from media.tick import PASSES
from tests.media.phones import ADDRESS, exchange, free_range
from tests.media.wire import rtp

LEGS = 8


def has_uring() -> bool:
    try:
        UringWire(1)
    except OSError:
        return False
    return True


needs_uring = pytest.mark.skipif(not has_uring(), reason="the kernel has no io_uring for us")
KINDS = [
    pytest.param(UdpWire, id="plain"),
    pytest.param(UringWire, id="io_uring", marks=needs_uring),
]


class Parties:
    """A wire with latched legs, and the socket of each leg's party."""

    def __init__(self, kind: Callable[[int], UdpWire], legs: int) -> None:
        self.wire = kind(LEGS)
        self.first_port = free_range()
        self.sockets = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(legs)]
        for leg, party in enumerate(self.sockets):
            party.bind((ADDRESS, 0))
            party.settimeout(5)
            self.open(leg)

    def open(self, leg: int) -> None:
        self.wire.open(leg, ADDRESS, self.first_port + 2 * leg)
        self.pin(leg)
        self.wire.read(0)  # what was asked for is done with the next look

    def pin(self, leg: int) -> None:
        self.wire.aim(leg, self.sockets[leg].getsockname())
        self.wire.pin(leg, self.sockets[leg].getsockname())

    def say(self, leg: int, packet: bytes) -> None:
        self.sockets[leg].sendto(packet, (ADDRESS, self.first_port + 2 * leg))

    def turns(self) -> list[dict[int, bytes]]:
        """What a tick would read, a turn after the other."""
        found = []
        for turn in range(PASSES):
            got = self.wire.read(turn)
            if got is None:
                break
            legs, rows, sizes = got
            assert len(set(legs.tolist())) == len(legs)
            pairs = zip(legs.tolist(), rows, sizes.tolist(), strict=True)
            found.append({leg: row[:size].tobytes() for leg, row, size in pairs})
        return found

    def close(self) -> None:
        for leg, party in enumerate(self.sockets):
            self.wire.close(leg)
            party.close()


@pytest.fixture(params=KINDS)
def parties(request: pytest.FixtureRequest) -> Iterator[Callable[[int], Parties]]:
    made: list[Parties] = []

    def make(legs: int) -> Parties:
        made.append(Parties(request.param, legs))
        return made[-1]

    yield make
    for one in made:
        one.close()


Make = Callable[[int], Parties]


def test_a_tick_has_one_packet_of_each_leg(parties: Make):
    it = parties(3)
    for number in range(40):  # more than a pool of rows has
        for leg in range(3):
            it.say(leg, rtp(number, leg, b"x" * 160))
        assert it.turns() == [{leg: rtp(number, leg, b"x" * 160) for leg in range(3)}]
    assert it.wire.errors == 0


def test_a_legs_second_packet_comes_in_the_second_turn_and_a_floods_rest_later(parties: Make):
    it = parties(2)
    for number in range(PASSES + 2):
        it.say(0, rtp(number, 0, b"flood"))
    it.say(1, rtp(9, 0, b"voice"))
    first = it.turns()
    assert first[0] == {0: rtp(0, 0, b"flood"), 1: rtp(9, 0, b"voice")}
    assert first[1:] == [{0: rtp(number, 0, b"flood")} for number in range(1, PASSES)]
    it.say(1, rtp(10, 0, b"voice"))
    rest = it.turns()
    assert rest[0] == {0: rtp(PASSES, 0, b"flood"), 1: rtp(10, 0, b"voice")}
    assert rest[1] == {0: rtp(PASSES + 1, 0, b"flood")}


def test_a_flood_takes_nothing_from_the_others(parties: Make):
    it = parties(3)
    for number in range(60):
        for _ in range(50):
            it.say(0, rtp(number, 0, b"flood"))
        it.say(1, rtp(number, 0, b"voice"))
        it.say(2, rtp(number, 0, b"voice"))
        heard = it.turns()[0]
        assert heard[1] == heard[2] == rtp(number, 0, b"voice")


def test_an_empty_datagram_and_a_refused_send_silence_nobody(parties: Make):
    it = parties(2)
    it.wire.send(np.array([0, 1]))
    for _ in range(3):
        it.say(0, b"")
        assert it.turns() == [{0: b""}]
        it.say(0, rtp(1, 0, b"voice"))
        assert {0: rtp(1, 0, b"voice")} in it.turns()
    gone = it.sockets[1].getsockname()
    it.sockets[1].close()
    for _ in range(3):  # the first is answered by ICMP, which is told with a later call
        it.wire.send(None)
        it.turns()
    assert it.wire.errors > 0
    it.sockets[1] = socket.socket(type=socket.SOCK_DGRAM)
    it.sockets[1].bind(gone)
    it.say(1, rtp(2, 0, b"voice"))
    heard = it.turns() + it.turns()
    assert {1: rtp(2, 0, b"voice")} in heard


def test_every_leg_is_sent_its_row_through_whatever_it_has_agreed_on(parties: Make):
    it = parties(4)
    keys = Keys("AES_CM_128_HMAC_SHA1_80", bytes(30), bytes(range(30)))
    it.wire.protect(1, Guard(keys, lambda why: None))
    it.wire.shape(2, Edge("PCMA", 8, 40), 8)
    it.wire.unpin(3)  # not latched any more: sent to where it is aimed
    it.wire.aim(3, it.sockets[3].getsockname())
    for leg in range(4):
        it.wire.outgoing[leg] = np.frombuffer(rtp(1, 160, bytes([leg]) * 160), np.uint8)
    it.wire.send(np.arange(4))
    it.wire.send(None)
    assert it.sockets[0].recv(999) == it.sockets[0].recv(999) == rtp(1, 160, bytes(160))
    theirs = Guard(Keys(keys.suite, keys.receive, keys.send), lambda why: None)
    sealed = bytearray(it.sockets[1].recv(999))
    assert len(sealed) == PACKET + 10
    assert theirs.open(memoryview(sealed), len(sealed)) == PACKET
    assert sealed[:PACKET] == rtp(1, 160, bytes([1]) * 160)
    assert it.sockets[2].recv(999) == rtp(1, 160, bytes([2]) * 320)
    assert it.sockets[3].recv(999) == rtp(1, 160, bytes([3]) * 160)
    it.say(1, theirs.seal(rtp(5, 0, b"secret")))
    assert it.turns() == [{1: rtp(5, 0, b"secret")}]


def test_what_came_for_a_leg_that_has_closed_is_nobodys(parties: Make):
    it = parties(3)
    it.say(0, rtp(1, 0, b"old"))
    it.say(1, rtp(1, 0, b"voice"))
    it.wire.close(0)
    assert it.turns() == [{1: rtp(1, 0, b"voice")}]
    it.open(0)  # another call's leg, on the same port
    it.say(0, rtp(2, 0, b"new"))
    assert it.turns() == [{0: rtp(2, 0, b"new")}]
    it.say(0, rtp(3, 0, b"moved"))
    it.pin(0)  # latched anew, to the same source
    it.turns()
    it.say(0, rtp(4, 0, b"here"))
    assert it.turns() == [{0: rtp(4, 0, b"here")}]


@needs_uring
def test_a_flood_waits_for_a_while_and_no_longer():
    it = Parties(UringWire, 2)
    assert isinstance(it.wire, UringWire)
    for number in range(3 * BACKLOG):
        it.say(0, rtp(number, 0, b"flood"))
    seen = 0
    while turns := it.turns():
        seen += len(turns)
    assert BACKLOG <= seen < 2 * BACKLOG
    assert seen + it.wire.dropped == 3 * BACKLOG
    assert it.wire.errors == 0
    it.close()


def test_the_kernels_refusal_is_made_up_for_unless_io_uring_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
):
    def refuse(capacity: int) -> UringWire:
        raise PermissionError(1, "io_uring: Operation not permitted")

    monkeypatch.setattr(worker, "UringWire", refuse)
    assert worker.wire_of("auto", LEGS)[0] == "plain"
    assert worker.wire_of("plain", LEGS)[0] == "plain"
    with pytest.raises(PermissionError, match="io_uring"):
        worker.wire_of("io_uring", LEGS)


async def test_a_call_over_plain_sockets_where_that_is_asked_for():
    async with exchange(sockets="plain") as it:
        assert it.plane.stats().sockets == ("plain",)
        a, b = it.phone("a", 440), it.phone("b", 1000)
        it.plane.bridge("call", ("a", "b"))
        await a.hears(1000)
        await b.hears(440)
