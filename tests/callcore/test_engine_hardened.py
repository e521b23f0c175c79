"""What once lost a call, or kept something for ever: each a flow of its own."""

from dataclasses import replace

import msgspec
import pytest

from callcore.call.events import Answered, Arrived, Ended
from callcore.call.placement import Party, SeatTarget, TrunkTarget
from callcore.call.records import follow_target
from callcore.flow import Flow
from callcore.message import parse_uri
from tests.callcore.stage import IMS, SDP, UDP, Peer, Stage, only, udp

TCP = Flow("tcp", UDP, ("10.0.7.1", 40000), 1)


def test_a_phone_is_not_rung_before_it_has_let_the_last_call_go(stage, seat):
    """The caller gives up and the next one comes at once, while the phone is slow."""
    seat.register()
    stage.told()
    stage.do("place", "A", SeatTarget("8001"), Party("1"), SDP)
    first = only(stage.taken())
    seat.respond(first, 180)
    stage.do("hang_up", "A")
    assert stage.statuses() == ["CANCEL"]
    stage.do("place", "B", SeatTarget("8001"), Party("2"), SDP)
    assert stage.statuses() == []
    sent = seat.respond(first, 487)
    assert [m.method for _, m in sent] == ["ACK", "INVITE"]
    seat.respond(sent[-1][1], 200, body=SDP)
    assert [e.leg for e in stage.told(Answered)] == ["B"]
    stage.do("hang_up", "B")
    bye = only(stage.taken())
    stage.do("place", "C", SeatTarget("8001"), Party("3"), SDP)
    assert stage.statuses() == []
    assert [m.method for _, m in seat.respond(bye, 200)] == ["INVITE"]


def test_a_phone_that_does_not_let_go_is_rung_all_the_same_after_a_second(stage, seat):
    seat.register()
    stage.told()
    stage.do("place", "A", SeatTarget("8001"), Party("1"), SDP)
    stage.do("hang_up", "A")
    stage.taken()
    stage.wait(0.4)
    stage.do("place", "B", SeatTarget("8001"), Party("2"), SDP)
    stage.wait(0.5)
    assert "B" not in {m.from_.uri.user for _, m in stage.taken()}
    stage.do("hang_up", "B")
    assert [(e.leg, e.status) for e in stage.told(Ended)] == [("A", 487), ("B", 487)]
    stage.do("place", "C", SeatTarget("8001"), Party("3"), SDP)
    stage.wait(0.2)
    assert [m.from_.uri.user for _, m in stage.taken() if m.method == "INVITE"][-1] == "3"
    stage.do("hang_up", "C")
    stage.wait(100)
    assert stage.engine.legs == 0


def test_a_phone_that_registers_anew_meanwhile_is_rung_where_it_is_now(stage):
    """A browser is loaded again while it still has our CANCEL; its old connection is gone."""
    old = Peer(stage, "10.0.7.1", flow=TCP)
    old.register()
    stage.told()
    stage.do("place", "A", SeatTarget("8001"), Party("1"), SDP)
    first = only(stage.taken())
    old.respond(first, 180)
    stage.do("hang_up", "A")
    stage.do("place", "B", SeatTarget("8001"), Party("2"), SDP)
    stage.taken()
    new = Peer(stage, "10.0.7.2", flow=TCP._replace(serial=2))
    new.register()
    stage.engine.flow_closed(TCP, stage.now)
    stage.collect()
    stage.wait(1.1)
    invites = [(flow, m) for flow, m in stage.sent if getattr(m, "method", "") == "INVITE"]
    assert [flow.serial for flow, _ in invites] == [2]
    assert "B" not in [e.leg for e in stage.told(Ended)]


def test_a_phone_that_is_gone_meanwhile_is_480(stage, seat):
    seat.register()
    stage.told()
    stage.do("place", "A", SeatTarget("8001"), Party("1"), SDP)
    seat.respond(only(stage.taken()), 180)
    stage.do("hang_up", "A")
    stage.do("place", "B", SeatTarget("8001"), Party("2"), SDP)
    seat.register(headers=[("Expires", "0")])
    stage.wait(1.1)
    assert [(e.leg, e.status) for e in stage.told(Ended)] == [("A", 487), ("B", 480)]
    stage.wait(100)
    assert (stage.engine.legs, stage.engine.transactions) == (0, 0)


def test_a_phone_whose_call_ended_by_our_timer_is_waited_for_as_well(stage, seat):
    """Timer C: the CANCEL is ours, though nobody hung up."""
    seat.register(headers=[("Expires", "3600")])
    stage.told()
    stage.do("place", "A", SeatTarget("8001"), Party("1"), SDP)
    first = only(stage.taken())
    seat.respond(first, 180)
    while not (ended := stage.told(Ended)):
        stage.wait(1)
    assert [(e.leg, e.status) for e in ended] == [("A", 408)]
    stage.taken()
    stage.do("place", "B", SeatTarget("8001"), Party("2"), SDP)
    assert stage.statuses() == []
    assert "INVITE" in [m.method for _, m in seat.respond(first, 487)]


def test_a_connection_with_a_call_on_it_is_kept_however_silent():
    """A trunk that calls by TCP from a port of its own: nothing else vouches for its connection."""
    stage = Stage((replace(IMS, peers=("tcp://10.0.0.1:5080",)),))
    flow = TCP._replace(remote=("10.0.0.1", 40000))
    assert not stage.engine.keeps(flow)
    peer = Peer(stage, "10.0.0.1", 5080, flow=flow)
    peer.invite(user="139", to="12345")
    (arrived,) = stage.told(Arrived)
    stage.do("answer", arrived.leg, SDP)
    assert stage.engine.keeps(flow)
    stage.do("hang_up", arrived.leg)
    stage.wait(120)
    assert stage.engine.legs == 0


def test_a_datagram_that_cannot_be_sent_ends_nothing_but_what_it_was_to_start(stage):
    """Three calls ring at one peer; the fourth INVITE is refused by the system."""
    peer = Peer(stage, "10.0.0.1")
    for leg in "ABC":
        stage.do("place", leg, TrunkTarget("ims", "139"), Party("1"), SDP)
        peer.respond(only(stage.taken()), 180)
    stage.do("place", "D", TrunkTarget("ims", "139"), Party("1"), SDP)
    lost = only(stage.taken())
    stage.told()
    stage.engine.transport_failed(udp("10.0.0.1"), stage.now, lost)
    stage.collect()
    assert [(e.leg, e.status, e.by) for e in stage.told(Ended)] == [("D", 503, "transport")]
    assert stage.engine.legs == 3


def test_a_bye_that_cannot_be_sent_is_sent_again(stage, trunk):
    stage.do("place", "A", TrunkTarget("ims", "139"), Party("1"), SDP)
    trunk.respond(only(stage.taken()), 200, body=SDP)
    stage.taken()
    stage.do("hang_up", "A")
    bye = only(stage.taken())
    stage.engine.transport_failed(udp("10.0.0.1"), stage.now, bye)
    stage.collect()
    stage.wait(0.6)
    assert stage.statuses() == ["BYE"]


@pytest.mark.parametrize("method", ["BYE", "CANCEL", "INFO", "UPDATE", "PRACK", "INVITE"])
def test_requests_within_dialogs_that_nobody_has_leave_nothing_behind(stage, method):
    stranger = Peer(stage, "192.0.2.66")
    for number in range(50):
        more = {} if method == "CANCEL" else {"to_tag": f"t{number}"}
        sent = stranger.send(method, **more)
        assert [m.status for _, m in sent] == [481]
    assert stage.engine.transactions == 0


def test_byes_of_strangers_are_limited(stage):
    stranger = Peer(stage, "192.0.2.66")
    answered = sum(len(stranger.send("BYE", to_tag="t")) for _ in range(2000))
    assert answered < 1000
    assert stage.engine.counters["in", "dropped", 503] > 500


def test_an_identity_that_cannot_be_read_costs_neither_the_call_nor_a_transaction(stage, trunk):
    for name in ("P-Asserted-Identity", "Diversion", "History-Info"):
        broken = (name, '"Li <sip:1@h>, <sip:2@h>')
        sent = trunk.invite(user="139", to="12345", headers=[broken])
        assert [m.status for _, m in sent] == [100]
    for arrived in stage.told(Arrived):
        stage.do("refuse", arrived.leg, 486)
    stage.wait(100)
    assert (stage.engine.legs, stage.engine.transactions) == (0, 0)


def test_a_reason_in_gbk_is_told_in_characters(stage, trunk):
    """Lone surrogates in a call's record could not be written to any client."""
    stage.do("place", "A", TrunkTarget("ims", "139"), Party("1"), SDP)
    invite = only(stage.taken())
    trunk.respond(invite, 200, body=SDP)
    reason = 'Reason: Q.850;cause=16;text="正常"'.encode("gbk")
    bye = (
        trunk.request(
            "BYE",
            call_id=invite.call_id,
            to_tag=invite.from_.tag,
            headers=[("X-Put", "here")],
        )
        .replace(b"tag=peer", b"tag=far")
        .replace(b"X-Put: here", reason)
    )
    stage.receive(bye, trunk.flow)
    (ended,) = stage.told(Ended)
    assert "正常" in ended.reason
    assert [one.text for one in ended.reasons] == ["正常"]
    msgspec.json.encode(ended.reason)


def test_a_contact_whose_name_begins_with_a_digit_is_not_looked_up():
    flow = udp("10.0.0.1")
    assert follow_target(parse_uri("sip:x@3gpp-sbc.example.cn"), flow, "trunk") == flow
    assert follow_target(parse_uri("sip:x@10.0.0.9:5070"), flow, "trunk") == udp("10.0.0.9", 5070)


def test_a_late_2xx_of_a_seat_behind_nat_is_ended_by_the_way_that_it_came(stage):
    seat = Peer(stage, "192.168.1.5", flow=udp("203.0.113.9", 33333))
    seat.register()
    stage.told()
    stage.do("place", "A", SeatTarget("8001"), Party("1"), SDP)
    invite = only(stage.taken())
    seat.respond(invite, 200, body=SDP)
    stage.do("hang_up", "A")
    bye = only(stage.taken())
    seat.respond(bye, 200)
    again = seat.respond(invite, 200, body=SDP)
    assert {remote for remote, _ in again} <= {("203.0.113.9", 33333)}
