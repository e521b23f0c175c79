"""A phone that refuses a protected call is called again at once with a plain one."""

import pytest

from callcore.call.events import Answered, Ended
from callcore.call.placement import Party, SeatTarget, TrunkTarget
from callcore.call.refusals import HOLD_SECONDS, MOST, REFUSING, Refusals
from callcore.flow import Flow
from tests.callcore.stage import SDP, Peer, Stage

PROTECTED = SDP + b"a=protected\r\n"


def tls(host):
    return Flow("tls", ("127.0.0.1", 5061), (host, 40000), 1)


@pytest.fixture
def stage():
    stage = Stage()
    stage.engine.protect = lambda leg, transport: PROTECTED if transport == "tls" else None
    stage.told()
    return stage


def seat(stage, host="10.0.7.1", flow=None):
    peer = Peer(stage, host, flow=flow or tls(host))
    peer.register()
    stage.told()
    stage.taken()
    return peer


def call(stage, leg="L"):
    """Place a call to the seat; its INVITEs, by host."""
    stage.do("place", leg, SeatTarget("8001"), Party("1"), SDP)
    return {remote[0]: message for remote, message in stage.taken()}


@pytest.mark.parametrize("status", sorted(REFUSING))
def test_a_refused_protection_is_followed_by_a_plain_call(stage, status):
    """RFC 3261 §21.4.26.

    us                        phone
      |--- INVITE, RTP/SAVP --->|
      |<-------- 488 -----------|
      |--------- ACK ---------->|
      |--- INVITE, RTP/AVP ---->|
      |<-------- 200 -----------|
    """
    phone = seat(stage)
    first = call(stage)[phone.host]
    assert first.body == PROTECTED
    ack, second = [message for _, message in phone.respond(first, status)]
    assert (ack.method, second.method, second.body) == ("ACK", "INVITE", SDP)
    assert second.call_id != first.call_id
    assert stage.told() == []  # the call goes on
    phone.respond(second, 200, body=SDP)
    assert [type(event) for event in stage.told()] == [Answered]


def test_the_next_call_is_plain_at_once_and_after_an_hour_it_is_asked_again(stage):
    phone = seat(stage)
    _, second = [message for _, message in phone.respond(call(stage)[phone.host], 488)]
    phone.respond(second, 486)
    assert [(event.leg, event.status) for event in stage.told(Ended)] == [("L", 486)]
    again = call(stage, "M")[phone.host]
    assert again.body == SDP
    phone.respond(again, 486)
    stage.now += HOLD_SECONDS
    phone.register()
    stage.taken()
    assert call(stage, "N")[phone.host].body == PROTECTED


def test_a_plain_call_that_is_refused_too_has_ended(stage):
    phone = seat(stage)
    _, second = [message for _, message in phone.respond(call(stage)[phone.host], 488)]
    (ack,) = [message for _, message in phone.respond(second, 488)]
    assert ack.method == "ACK"
    assert [(event.leg, event.status) for event in stage.told(Ended)] == [("L", 488)]
    stage.wait(120)
    assert (stage.engine.legs, stage.engine.transactions) == (0, 0)


def test_where_protection_is_required_a_refusal_is_the_end(stage):
    stage.engine.protect = lambda leg, transport: None  # there is no choice
    phone = seat(stage)
    assert len(phone.respond(call(stage)[phone.host], 488)) == 1
    assert [event.status for event in stage.told(Ended)] == [488]


def test_one_phone_refuses_while_the_other_rings(stage):
    """Each phone has its own: what one refuses is not kept from the other."""
    old, new = seat(stage, "10.0.7.1"), seat(stage, "10.0.7.2")
    invites = call(stage)
    assert {invite.body for invite in invites.values()} == {PROTECTED}
    new.respond(invites[new.host], 180)
    stage.told()
    _, second = [message for _, message in old.respond(invites[old.host], 606)]
    assert second.body == SDP
    assert "ACK" in [m.method for _, m in new.respond(invites[new.host], 200, body=SDP)]
    cancelled = old.respond(second, 180)  # without which CANCEL has to wait
    assert [message.method for _, message in cancelled] == ["CANCEL"]
    old.respond(second, 487)
    stage.told()
    later = call(stage, "M")
    assert (later[new.host].body, later[old.host].body) == (PROTECTED, SDP)


def test_who_hangs_up_meanwhile_has_no_second_call(stage):
    phone = seat(stage)
    first = call(stage)[phone.host]
    phone.respond(first, 180)
    stage.do("hang_up", "L")
    stage.taken()
    assert [m.method for _, m in phone.respond(first, 488)] == ["ACK"]


def test_over_udp_nothing_is_protected(stage):
    phone = seat(stage, flow=Peer(stage, "10.0.7.1").flow)
    assert call(stage)[phone.host].body == SDP


def test_a_number_more_or_less_is_the_same_peer():
    """A trunk's Request-URI has the number in it, and the peer is who refused."""
    stage = Stage()
    stage.engine.protect = lambda leg, transport: PROTECTED
    trunk = Peer(stage, "10.0.0.1")
    stage.do("place", "L", TrunkTarget("ims", "055112345678"), Party("1"), SDP)
    (_, invite), *_ = stage.taken()
    assert invite.body == PROTECTED
    _, second = [message for _, message in trunk.respond(invite, 488)]
    assert second.body == SDP
    stage.do("place", "M", TrunkTarget("ims", "055100000000"), Party("1"), SDP)
    assert [message.body for _, message in stage.taken()] == [SDP]


def test_of_too_many_the_oldest_are_forgotten():
    refusals = Refusals()
    for number in range(MOST + 10):
        refusals.note(number, float(number))
    assert len(refusals) == MOST
    assert not refusals.hold(0, MOST + 10.0)
    assert refusals.hold(MOST + 9, MOST + 10.0)
