"""The engine as a whole, without I/O: what strangers, seats and trunks get."""

import pytest

from callcore.call.events import (
    Answered,
    Arrived,
    Ended,
    Progressed,
    Refused,
    Registered,
    Unregistered,
)
from callcore.call.placement import Party, SeatTarget
from callcore.call.settings import AuthSettings, LimitSettings
from callcore.effects import Close, Raw
from callcore.flow import Flow
from callcore.message.digest import answer, parse_challenge
from tests.callcore.stage import SDP, UDP, Peer, Stage, only, udp

TCP = Flow("tcp", UDP, ("10.0.7.1", 40000), 1)


def test_options_says_what_we_can(stage, seat):
    answer = only(seat.send("OPTIONS"))
    assert answer.status == 200
    assert "INVITE" in answer.get("Allow")
    assert answer.get("Accept") == "application/sdp"
    assert answer.get("Supported") is not None
    assert answer.via.rport == 5060
    assert stage.engine.transactions == 0


def test_options_is_answered_as_a_call_would_be(stage, trunk):
    """RFC 3261 §11.2: an operator who probes a node that follows, or drains, sends it no calls."""
    stage.engine.reception.takes_calls = lambda: False
    answer = only(trunk.send("OPTIONS"))
    assert answer.status == 503
    assert answer.get("Retry-After") is not None
    stage.engine.reception.takes_calls = lambda: True
    assert only(trunk.send("OPTIONS")).status == 200


@pytest.mark.parametrize(("method", "status"), [("MESSAGE", 405), ("FROBNICATE", 501)])
def test_methods_that_we_do_not_serve(trunk, method, status):
    answer = only(trunk.send(method))
    assert answer.status == status
    assert "INVITE" in answer.get("Allow")


def test_an_extension_that_we_lack_is_420(trunk):
    answer = only(trunk.invite(headers=[("Require", "precondition")]))
    assert (answer.status, answer.get("Unsupported")) == (420, "precondition")


def test_a_call_of_a_trunk_arrives_and_is_answered(stage, trunk):
    """
    trunk            engine
      |---- INVITE --->|  Arrived
      |<----- 100 -----|
      |<----- 180 -----|  progress
      |<----- 200 -----|  answer
      |----- ACK ----->|  Confirmed
      |<----- BYE -----|  hang_up: Ended
    """
    sent = trunk.invite(user="0551", headers=[("P-Asserted-Identity", "<sip:+86551@ims>")])
    assert [m.status for _, m in sent] == [100]
    arrived = stage.told()[0]
    assert isinstance(arrived, Arrived)
    assert (arrived.source, arrived.kind, arrived.caller, arrived.called) == (
        "ims",
        "trunk",
        "+86551",
        "12345",
    )
    assert stage.engine.trunk_calls("ims") == 1
    stage.do("progress", arrived.leg)
    stage.do("answer", arrived.leg, SDP)
    ringing, ok = [m for _, m in stage.taken()]
    assert (ringing.status, ok.status) == (180, 200)
    assert ok.get("Contact").startswith("<sip:")
    assert "127.0.0.1:5060" in ok.get("Contact")
    trunk.send("ACK", cseq=1, call_id="10.0.0.1-5060-1", to_tag=ok.to.tag, branch="ack")
    stage.do("hang_up", arrived.leg)
    assert stage.statuses() == ["BYE"]
    ended = stage.told(Ended)
    assert [e.by for e in ended] == ["local"]
    assert stage.engine.trunk_calls("ims") == 0


def test_an_unknown_peer_gets_403_and_is_counted(stage):
    stranger = Peer(stage, "192.0.2.66")
    answer = only(stranger.invite())
    assert answer.status == 403
    assert stage.told() == [Refused("192.0.2.66", "INVITE", 403, "unknown peer")]
    assert stage.engine.transactions == 0
    for n in range(100):
        stage.receive(
            stranger.request("INVITE", body=SDP, from_host="x", branch=f"x{n}"), stranger.flow
        )
    assert stage.engine.counters["refused", "unknown peer", 403] == 101
    assert len(stage.told(Refused)) < 60


def test_a_seat_registers_and_is_called_by_its_flow(stage, seat):
    assert seat.register().status == 200
    assert isinstance(stage.told()[0], Registered)
    stage.do("place", "L", SeatTarget("8001"), Party("0551", "Caller"), SDP)
    remote, invite = stage.taken()[0]
    assert remote == seat.flow.remote
    assert invite.uri == "sip:8001@10.0.7.1:5060"
    assert invite.from_.uri.user == "0551"
    seat.respond(invite, 180)
    seat.respond(invite, 200, body=SDP)
    assert [type(e) for e in stage.told()] == [Progressed, Answered]


def test_each_phone_of_a_seat_is_offered_what_its_transport_speaks(stage):
    """A desk phone over UDP and a browser over WebSocket: one call, two descriptions."""
    web = Flow("ws", ("127.0.0.1", 5066), ("10.0.7.2", 40000), 1)
    phone, browser = Peer(stage, "10.0.7.1"), Peer(stage, "10.0.7.2", flow=web)
    for one in (phone, browser):
        one.register()
    stage.taken()
    stage.engine.describe = lambda leg, transport, offer: offer + f"a={leg} {transport}".encode()
    stage.do("place", "L", SeatTarget("8001"), Party("1"), SDP)
    bodies = {remote: invite.body for remote, invite in stage.taken()}
    assert bodies == {
        phone.flow.remote: SDP + b"a=L udp",
        browser.flow.remote: SDP + b"a=L ws",
    }


def test_a_contact_behind_nat_is_reached_by_the_source_address(stage):
    seat = Peer(stage, "192.168.1.5", flow=udp("203.0.113.9", 33333))
    seat.register()
    stage.told()
    stage.do("place", "L", SeatTarget("8001"), Party("1"), SDP)
    assert [remote for remote, _ in stage.taken()] == [("203.0.113.9", 33333)]


def test_all_bindings_of_a_seat_ring_and_the_first_answer_wins(stage):
    phones = [Peer(stage, "10.0.7.1"), Peer(stage, "10.0.7.2")]
    for phone in phones:
        phone.register()
    stage.told()
    stage.do("place", "L", SeatTarget("8001"), Party("1"), SDP)
    invites = dict(stage.taken())
    for phone in phones:
        phone.respond(invites[phone.flow.remote], 180)
    assert [e.leg for e in stage.told(Progressed)] == ["L", "L"]
    sent = phones[0].respond(invites[phones[0].flow.remote], 200, body=SDP)
    assert sorted((remote[0], m.method) for remote, m in sent) == [
        ("10.0.7.1", "ACK"),
        ("10.0.7.2", "CANCEL"),
    ]
    assert [e.leg for e in stage.told()] == ["L"]
    phones[1].respond(invites[phones[1].flow.remote], 487)
    stage.do("hang_up", "L")
    assert [m.method for r, m in stage.taken() if r[0] == "10.0.7.1"] == ["BYE"]
    assert [(e.leg, e.by) for e in stage.told()] == [("L", "local")]
    stage.wait(120)
    assert stage.told(Ended) == []
    assert stage.engine.legs == 0
    assert stage.engine.transactions == 0


def test_hanging_up_while_several_phones_ring_ends_once(stage):
    phones = [Peer(stage, "10.0.7.1"), Peer(stage, "10.0.7.2")]
    for phone in phones:
        phone.register()
    stage.told()
    stage.do("place", "L", SeatTarget("8001"), Party("1"), SDP)
    for remote, invite in stage.taken():
        next(p for p in phones if p.flow.remote == remote).respond(invite, 180)
    stage.told()
    stage.do("hang_up", "L")
    assert stage.statuses() == ["CANCEL", "CANCEL"]
    assert [(e.leg, e.by) for e in stage.told()] == [("L", "local")]


def test_busy_on_one_phone_leaves_the_other_ringing(stage):
    phones = [Peer(stage, "10.0.7.1"), Peer(stage, "10.0.7.2")]
    for phone in phones:
        phone.register()
    stage.told()
    stage.do("place", "L", SeatTarget("8001"), Party("1"), SDP)
    invites = dict(stage.taken())
    phones[0].respond(invites[phones[0].flow.remote], 486)
    assert stage.told() == []
    phones[1].respond(invites[phones[1].flow.remote], 480)
    assert [(e.leg, e.status) for e in stage.told()] == [("L", 480)]


def test_a_phone_that_crashed_does_not_hide_that_the_other_declined(stage):
    phones = [Peer(stage, "10.0.7.1"), Peer(stage, "10.0.7.2")]
    for phone in phones:
        phone.register()
    stage.told()
    stage.do("place", "L", SeatTarget("8001"), Party("1"), SDP)
    invites = dict(stage.taken())
    phones[0].respond(invites[phones[0].flow.remote], 486)
    stage.wait(0.9)
    assert stage.told() == []
    stage.wait(0.2)
    assert [(e.leg, e.status, e.by) for e in stage.told()] == [("L", 486, "remote")]
    stage.wait(100)
    assert stage.told() == []
    assert stage.engine.legs == 0


def test_a_seat_that_is_not_registered_is_480(stage):
    stage.do("place", "L", SeatTarget("8001"), Party("1"), SDP)
    assert [(e.leg, e.status) for e in stage.told()] == [("L", 480)]


def test_a_registered_seat_calls_after_proving_its_password(stage, seat):
    seat.register()
    stage.told()
    assert only(seat.invite(user="8001", to="8002")).status == 401
    assert stage.told() == []


def test_a_seat_calls_after_proving_its_password_and_only_as_itself(stage, seat):
    seat.register()
    stage.told()
    challenged = only(seat.invite(user="8001", to="8002"))
    challenge = parse_challenge(challenged.all("WWW-Authenticate")[0])
    uri = "sip:8002@hotline.local"

    def proof(nc):
        value = answer(
            challenge,
            method="INVITE",
            uri=uri,
            user="8001",
            password="secret-8001",
            cnonce="c",
            nc=nc,
        )
        return [("Authorization", value)]

    assert only(seat.invite(user="8001", to="8002", headers=proof(1))).status == 100
    arrived = stage.told()[0]
    assert (arrived.kind, arrived.source, arrived.caller, arrived.called) == (
        "seat",
        "8001",
        "8001",
        "8002",
    )
    assert seat.invite(user="8002", to="8002", headers=proof(2))[-1][1].status == 403
    assert stage.told() == [Refused("10.0.7.1", "INVITE", 403, "another user")]


def test_wrong_passwords_get_401_then_403_and_the_right_one_too_for_a_while():
    stage = Stage(auth=AuthSettings(failures=3, block_seconds=30))
    thief, owner = Peer(stage, "192.0.2.66"), Peer(stage, "10.0.7.1")
    assert owner.register().status == 200
    statuses = [thief.register(password="guess").status for _ in range(4)]
    assert statuses == [401, 401, 401, 403]
    assert thief.register().status == 403
    refused = stage.told(Refused)
    assert [(r.status, r.why) for r in refused[:4]] == [
        (401, "wrong password"),
        (401, "wrong password"),
        (401, "wrong password"),
        (403, "blocked"),
    ]
    assert owner.register().status == 200
    stage.wait(31)
    assert thief.register().status == 200


def test_an_unknown_user_is_told_apart_by_nothing(stage):
    wrong = Peer(stage, "192.0.2.1").register("8001", password="x")
    nobody = Peer(stage, "192.0.2.2").register("7777", password="x")
    assert wrong.status == nobody.status == 401
    assert [n for n, _ in wrong.headers] == [n for n, _ in nobody.headers]


def test_a_binding_expires_by_the_one_timer(stage, seat):
    seat.register(headers=[("Expires", "60")])
    assert stage.engine.registrations == 1
    stage.told()
    stage.wait(61)
    assert stage.told() == [Unregistered("8001", "expired")]


def test_a_flood_of_registers_is_bounded_and_registered_seats_are_served():
    stage = Stage(limits=LimitSettings(strangers=50, strangers_burst=100, remembered=100))
    seat = Peer(stage, "10.0.7.1")
    assert seat.register().status == 200
    for n in range(3000):
        flooder = Peer(stage, f"198.51.{n >> 8}.{n & 255}")
        flooder.send("REGISTER", user=f"u{n}", to="")
    counters = stage.engine.counters
    assert counters["in", "dropped", 503] > 2800
    assert stage.engine.transactions < 10
    assert seat.register(cseq=50).status == 200
    assert only(Peer(stage, "10.0.0.1").invite()).status == 100


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"\r\n",
        b"\x00\x00\x00\x00",
        b"",
        b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"t" * 12,
    ],
)
def test_keep_alives_and_stun_are_passed_over_in_silence(stage, data):
    stage.receive(data, udp("192.0.2.1"))
    assert stage.engine.counters["in", "keep-alive", 0] == 1
    assert stage.taken() == stage.asked == stage.told(Refused) == []


def test_malformed_requests_are_answered_400_where_that_is_possible(stage, trunk):
    good = trunk.request("INVITE", body=SDP)
    bad = good.replace(b"CSeq: 1 INVITE", b"CSeq: x")
    stage.receive(bad, trunk.flow)
    raw = stage.asked.pop()
    assert isinstance(raw, Raw)
    assert raw.data.startswith(b"SIP/2.0 400 ")
    stage.receive(good.replace(b"Content-Length: ", b"Content-Length: 9"), trunk.flow)
    assert stage.asked.pop().data.startswith(b"SIP/2.0 400 ")
    stage.receive(good.replace(b"CSeq: 1 INVITE", b"CSeq: 1 BYE"), trunk.flow)
    assert stage.asked.pop().data.startswith(b"SIP/2.0 400 ")
    assert stage.engine.counters["in", "malformed", 400] == 3
    stage.receive(b"garbage\r\n\r\n", trunk.flow)
    stage.receive(b"SIP/2.0 200 OK\r\n\r\n", trunk.flow)
    assert stage.engine.counters["in", "malformed", 400] == 5
    assert stage.asked == []


def test_a_stream_is_framed_pinged_and_closed_when_it_breaks(stage):
    seat = Peer(stage, "10.0.7.1", flow=TCP)
    data = seat.request("OPTIONS")
    for at in range(0, len(data), 7):
        stage.receive(data[at : at + 7], TCP)
    assert stage.statuses() == [200]
    stage.receive(b"\r\n\r\n", TCP)
    assert stage.asked.pop() == Raw(TCP, b"\r\n")
    stage.receive(data.replace(b"Content-Length: 0", b"Content-Length: zero"), TCP)
    assert stage.asked.pop() == Close(TCP)


def test_a_tcp_seat_is_gone_with_its_connection(stage):
    seat = Peer(stage, "10.0.7.1", flow=TCP)
    assert seat.register().status == 200
    assert stage.engine.keeps(TCP)
    stage.told()
    stage.engine.flow_closed(TCP, stage.now)
    stage.collect()
    assert stage.told() == [Unregistered("8001", "flow closed")]
    assert not stage.engine.keeps(TCP)


def test_the_advertised_address_is_what_we_write():
    stage = Stage(advertised={"udp": "hotline.example"})
    Peer(stage, "10.0.7.1").register()
    stage.do("place", "L", SeatTarget("8001"), Party("1"), SDP)
    invite = stage.taken()[-1][1]
    assert (invite.via.host, invite.via.port) == ("hotline.example", 5060)
    assert "hotline.example:5060" in invite.get("Contact")
