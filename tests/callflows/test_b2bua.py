"""Two ends and the back-to-back user agent between them (RFC 7092)."""

from typing import Self

import pytest

from callcore.call.b2bua import B2bua
from callcore.call.legs import Placement
from callcore.errors import RemoteProtocolError
from callcore.flow import Flow
from callcore.message import Request
from callcore.transaction import Incoming, Transmit
from tests.callflows.ladder import ANSWER, CALL, OFFER, UDP, Ladder, name_of, sdp

EAST = Flow("udp", ("192.0.2.10", 5060), ("192.0.2.2", 5080))
HOLD = sdp(6000, "sendonly")


class Bridge:
    """Two ladders over one core: `west` calls, `east` is called."""

    def __init__(self) -> None:
        self.closed = False
        self.west = Ladder(UDP)
        self.b2bua = B2bua(self.west.legs, self.route)
        self.west._put = self._put
        self.east = Ladder(EAST)
        self.east._put = self._put
        self.east.layer, self.east.legs = self.west.layer, self.west.legs
        self.east.out = self.west.out
        self.west._take = self.east._take = self._take

    def route(self, arrived):
        if self.closed:
            raise RemoteProtocolError("no way", status=404)
        return Placement(
            "sip:12345@192.0.2.2:5080", EAST, "<sip:us@x>", "<sip:east@y>", arrived.request.body
        )

    def _put(self, effect):
        legs, now = self.west.legs, self.west.now
        if isinstance(effect, Transmit):
            self._take([effect])
        elif legs.wants(effect):
            self._take(legs.receive(effect, now))
        else:
            assert isinstance(effect, Incoming)
            self._take(legs.arrive(effect, CALL, now))

    def _take(self, outputs):
        for packet in self.b2bua.perform(outputs, self.west.now):
            end = self.east if packet.flow.remote == EAST.remote else self.west
            end.sent.append(packet.message)
            if not isinstance(packet.message, Request):
                if packet.message.cseq.method == "INVITE":
                    end.our_tag = packet.message.to.tag or end.our_tag
            elif packet.message.method == "INVITE":
                end.call_id = packet.message.call_id
                end.our_tag = packet.message.from_.tag or ""
            side = "east" if end is self.east else "west"
            self.west.out.append((self.west.now, (side, packet)))
        return self.west

    def expect(self, *lines: str) -> Self:
        """What was sent, as `west 180 INVITE`."""
        seen = [f"{side} {name_of(packet)}" for _, (side, packet) in self.west.out]
        assert seen == list(lines)
        self.west.out.clear()
        return self

    def wait(self, seconds: float) -> Self:
        self.west.wait(seconds)
        self.east.now = self.west.now
        return self

    def expect_nothing_left(self) -> None:
        self.wait(400)
        self.west.out.clear()
        self.west.expect_nothing_left()
        assert len(self.b2bua) == 0


def ringing() -> Bridge:
    bridge = Bridge()
    bridge.west.asks("INVITE", OFFER)
    bridge.expect("west 100 INVITE", "east INVITE")
    bridge.east.answers(180, tag="e")
    return bridge.expect("west 180 INVITE")


def talking() -> Bridge:
    bridge = ringing()
    bridge.east.answers(200, ANSWER, tag="e")
    bridge.expect("east ACK", "west 200 INVITE")
    assert bridge.west.last(2, "INVITE").body == ANSWER
    bridge.west.acks()
    return bridge.expect()


def test_fourteen_messages():
    """west              us              east
    |---- INVITE --->|---- INVITE --->|
    |<----- 180 -----|<----- 180 -----|
    |<----- 200 -----|<----- 200 -----|
    |------ ACK ---->|------ ACK ---->|
    |------ BYE ---->|------ BYE ---->|
    |<----- 200 -----|<----- 200 -----|
    """
    bridge = talking()
    assert bridge.east.last_request("INVITE").body == OFFER
    assert (len(bridge.b2bua), bridge.b2bua.answered) == (2, 1)
    bridge.west.asks("BYE")
    bridge.expect("west 200 BYE", "east BYE")
    bridge.east.answers(200)
    bridge.expect().expect_nothing_left()


def test_the_called_side_hangs_up():
    bridge = talking()
    bridge.east.asks("BYE", tag="e")
    bridge.expect("east 200 BYE", "west BYE")
    bridge.west.answers(200)
    bridge.expect_nothing_left()


@pytest.mark.parametrize("status", [302, 404, 486, 503, 603])
def test_a_failure_is_passed_on(status):
    bridge = ringing()
    bridge.east.answers(status, tag="e")
    bridge.expect("east ACK", f"west {status} INVITE")
    bridge.west.acks()
    bridge.expect().expect_nothing_left()


def test_early_media_is_passed_on():
    bridge = ringing()
    bridge.east.answers(183, ANSWER, tag="e")
    bridge.expect("west 183 INVITE")
    assert bridge.west.last(1, "INVITE").body == ANSWER


def test_the_caller_gives_up():
    bridge = Bridge()
    bridge.west.asks("INVITE", OFFER, branch="z9hG4bK-w")
    bridge.east.answers(180, tag="e")
    bridge.expect("west 100 INVITE", "east INVITE", "west 180 INVITE")
    bridge.west.asks("CANCEL", cseq=1, branch="z9hG4bK-w", to_tag="")
    bridge.expect("west 200 CANCEL", "west 487 INVITE", "east CANCEL")
    bridge.east.answers(200, to="CANCEL")
    bridge.east.answers(487, to="INVITE", tag="e")
    bridge.expect("east ACK")
    bridge.west.acks()
    bridge.expect().expect_nothing_left()


def test_nobody_is_there():
    bridge = Bridge()
    bridge.west.asks("INVITE", OFFER)
    bridge.wait(32)
    bridge.expect("west 100 INVITE", *["east INVITE"] * 7, "west 408 INVITE")
    bridge.west.acks()
    bridge.expect_nothing_left()


def test_hold_is_passed_on_and_answered():
    bridge = talking()
    bridge.west.asks("INVITE", HOLD)
    bridge.expect("west 100 INVITE", "east INVITE")
    assert bridge.east.last_request("INVITE").body == HOLD
    bridge.east.answers(200, ANSWER, tag="e")
    bridge.expect("east ACK", "west 200 INVITE")
    bridge.west.acks()
    bridge.expect()


def test_hold_from_the_called_side():
    bridge = talking()
    bridge.east.asks("INVITE", HOLD, tag="e")
    bridge.expect("east 100 INVITE", "west INVITE")
    bridge.west.answers(200, ANSWER)
    bridge.expect("west ACK", "east 200 INVITE")


def test_a_refused_hold_leaves_the_call_alone():
    bridge = talking()
    bridge.west.asks("INVITE", HOLD)
    bridge.east.answers(488, tag="e")
    bridge.expect("west 100 INVITE", "east INVITE", "east ACK", "west 488 INVITE")
    bridge.west.acks()
    bridge.expect()
    assert len(bridge.b2bua) == 2


def test_an_invite_without_offer_is_refused():
    bridge = Bridge()
    bridge.west.asks("INVITE")
    bridge.expect("west 100 INVITE", "west 488 INVITE")


def test_a_reinvite_without_offer_is_refused():
    bridge = talking()
    bridge.west.asks("INVITE")
    bridge.expect("west 100 INVITE", "west 488 INVITE")


def test_a_call_without_a_way_is_refused():
    bridge = Bridge()
    bridge.closed = True
    bridge.west.asks("INVITE", OFFER)
    bridge.expect("west 100 INVITE", "west 404 INVITE")


def test_a_2xx_that_is_never_acknowledged_ends_both():
    bridge = ringing()
    bridge.east.answers(200, ANSWER, tag="e")
    bridge.expect("east ACK", "west 200 INVITE").wait(32)
    bridge.expect(*["west 200 INVITE"] * 10, "west BYE", "east BYE")
