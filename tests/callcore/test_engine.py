"""The engine as a whole, without I/O: what strangers, seats and trunks get."""

import pytest

from callcore.call.events import (
    Answered,
    Arrived,
    Ended,
    Progressed,
    Refused,
    Registered,
    TrunkChanged,
    Unregistered,
)
from callcore.call.placement import Party, SeatTarget, TrunkTarget
from callcore.call.settings import AuthSettings, LimitSettings, Registration, Trunk
from callcore.effects import Close, Connect, Raw, Resolve
from callcore.flow import Flow
from tests.callcore.stage import SDP, UDP, Peer, Stage, only, udp

TCP = Flow("tcp", UDP, ("10.0.7.1", 40000), 1)


@pytest.fixture
def stage():
    stage = Stage()
    assert stage.told() == [TrunkChanged("ims", True, "not probed")]
    return stage


@pytest.fixture
def trunk(stage):
    return Peer(stage, "10.0.0.1")


@pytest.fixture
def seat(stage):
    return Peer(stage, "10.0.7.1")


def test_options_says_what_we_can(stage, seat):
    answer = only(seat.send("OPTIONS"))
    assert answer.status == 200
    assert "INVITE" in answer.get("Allow")
    assert answer.get("Accept") == "application/sdp"
    assert answer.get("Supported") is not None
    assert answer.via.rport == 5060
    assert stage.engine.transactions == 0


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


def test_a_seat_that_is_not_registered_is_480(stage):
    stage.do("place", "L", SeatTarget("8001"), Party("1"), SDP)
    assert [(e.leg, e.status) for e in stage.told()] == [("L", 480)]


def test_a_registered_seat_calls_after_proving_its_password(stage, seat):
    seat.register()
    stage.told()
    assert only(seat.invite(user="8001", to="8002")).status == 401
    assert stage.told() == []


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


def test_too_many_calls_a_second_and_too_many_calls_get_503_with_retry_after():
    stage = Stage(
        [Trunk("ims", peers=("10.0.0.1",), probe_seconds=0, max_calls=3, calls_per_second=2)]
    )
    trunk = Peer(stage, "10.0.0.1")
    statuses = []
    for _ in range(3):
        statuses.append([m.status for _, m in trunk.invite()][-1])
    assert statuses == [100, 100, 503]
    stage.wait(0.5)
    assert [m.status for _, m in trunk.invite()][-1] == 100
    stage.wait(2)
    refused = trunk.invite()[-1][1]
    assert refused.get("Retry-After") == "10"
    whys = [(r.status, r.why) for r in stage.told(Refused)]
    assert whys == [(503, "calls_per_second"), (503, "max_calls")]
    stage.do("place", "L", TrunkTarget("ims", "138"), Party(""), SDP)
    assert [(e.status, e.by) for e in stage.told(Ended)] == [(503, "local")]


def test_a_dead_peer_fails_over_to_the_next():
    stage = Stage(
        [Trunk("ims", peers=("10.0.0.1", "10.0.0.2"), probe_seconds=0, outbound_number="0551")]
    )
    first, second = Peer(stage, "10.0.0.1"), Peer(stage, "10.0.0.2")
    stage.do("place", "L", TrunkTarget("ims", "13800000001"), Party(""), SDP)
    remote, invite = stage.taken()[0]
    assert remote == ("10.0.0.1", 5060)
    assert invite.uri == "sip:13800000001@10.0.0.1:5060"
    assert invite.from_.uri.user == "0551"
    sent = first.respond(invite, 503)
    ack, again = [m for _, m in sent]
    assert (ack.method, again.method, sent[1][0]) == ("ACK", "INVITE", ("10.0.0.2", 5060))
    second.respond(again, 200, body=SDP)
    answered = stage.told()[-1]
    assert isinstance(answered, Answered)
    assert answered.leg == "L"
    stage.taken()
    stage.do("hang_up", "L")
    assert stage.statuses() == ["BYE"]
    assert [(e.leg, e.by) for e in stage.told()] == [("L", "local")]


def test_a_silent_peer_is_left_for_the_next_after_some_seconds():
    stage = Stage([Trunk("ims", peers=("10.0.0.1", "10.0.0.2"), probe_seconds=0, answer_seconds=6)])
    stage.told()
    stage.do("place", "L", TrunkTarget("ims", "138"), Party("1"), SDP)
    stage.wait(5.9)
    assert {remote for remote, _ in stage.taken()} == {("10.0.0.1", 5060)}
    stage.wait(0.2)
    assert stage.taken()[-1][0] == ("10.0.0.2", 5060)
    stage.do("hang_up", "L")
    stage.wait(300)
    assert [(e.leg, e.by) for e in stage.told(Ended)] == [("L", "local")]
    assert stage.engine.legs == 0
    # Next time the one that was silent comes last.
    stage.taken()
    stage.do("place", "M", TrunkTarget("ims", "138"), Party("1"), SDP)
    assert stage.taken()[0][0] == ("10.0.0.2", 5060)


def test_busy_is_not_tried_elsewhere():
    stage = Stage([Trunk("ims", peers=("10.0.0.1", "10.0.0.2"), probe_seconds=0)])
    stage.told()
    stage.do("place", "L", TrunkTarget("ims", "138"), Party("1"), SDP)
    invite = only(stage.taken())
    sent = Peer(stage, "10.0.0.1").respond(invite, 486)
    assert only(sent).method == "ACK"
    assert [(e.status, e.by) for e in stage.told()] == [(486, "remote")]


def test_a_tcp_trunk_is_connected_to_and_the_connection_used_again():
    stage = Stage([Trunk("ims", peers=("tcp://10.0.0.1:5070",), probe_seconds=0)])
    stage.told()
    for leg in ("L", "M"):
        stage.do("place", leg, TrunkTarget("ims", "138"), Party("1"), SDP)
    assert stage.asked[0] == Connect("tcp", ("10.0.0.1", 5070))
    assert stage.taken() == []
    flow = Flow("tcp", ("127.0.0.1", 50000), ("10.0.0.1", 5070), 3)
    stage.engine.connected(flow, stage.now)
    stage.collect()
    invites = [m for _, m in stage.taken()]
    assert [m.method for m in invites] == ["INVITE", "INVITE"]
    assert "transport=tcp" in invites[0].get("Contact")
    assert invites[0].via.transport == "TCP"
    asked = len(stage.asked)
    stage.do("place", "N", TrunkTarget("ims", "138"), Party("1"), SDP)
    assert len(stage.asked) == asked
    stage.engine.flow_closed(flow, stage.now)
    stage.collect()
    assert sorted((e.leg, e.by) for e in stage.told(Ended)) == [
        ("L", "transport"),
        ("M", "transport"),
        ("N", "transport"),
    ]


def test_a_connection_that_cannot_be_opened_fails_over_or_ends():
    stage = Stage([Trunk("ims", peers=("tcp://10.0.0.1", "10.0.0.2"), probe_seconds=0)])
    stage.do("place", "L", TrunkTarget("ims", "138"), Party("1"), SDP)
    stage.engine.connect_failed("tcp", ("10.0.0.1", 5060), "refused", stage.now)
    stage.collect()
    assert stage.taken()[0][0] == ("10.0.0.2", 5060)
    stage = Stage([Trunk("ims", peers=("tcp://10.0.0.1",), probe_seconds=0)])
    stage.do("place", "L", TrunkTarget("ims", "138"), Party("1"), SDP)
    stage.engine.connect_failed("tcp", ("10.0.0.1", 5060), "refused", stage.now)
    stage.collect()
    assert [(e.leg, e.status) for e in stage.told(Ended)] == [("L", 503)]


def test_static_peers_are_probed_and_go_down_and_up_with_hysteresis():
    stage = Stage([Trunk("ims", peers=("10.0.0.1",), probe_seconds=30)])
    peer = Peer(stage, "10.0.0.1")
    stage.wait(0.6)
    options = only(stage.taken())
    assert options.method == "OPTIONS"
    peer.respond(options, 404)
    assert stage.told() == [TrunkChanged("ims", True, "answered 404")]
    stage.wait(70)  # one probe, lost after 32 s
    assert stage.told() == []
    assert stage.engine.trunk_up("ims")
    stage.wait(60)
    assert stage.told() == [TrunkChanged("ims", False, "timeout")]
    stage.taken()
    ups = []
    for _ in range(40):
        stage.wait(1)
        for _, message in stage.taken():
            peer.respond(message, 200)
            ups += stage.told()
    assert ups == [TrunkChanged("ims", True, "answered 200")]


def test_a_registering_trunk_registers_calls_by_service_route_and_leaves():
    registration = Registration(
        "impi", "pw", "sip:+86551@ims.example", "ims.example", "10.0.0.9:5080"
    )
    stage = Stage([Trunk("ims", registration=registration)])
    proxy = Peer(stage, "10.0.0.9", 5080)
    remote, register = stage.taken()[0]
    assert (remote, register.uri) == (("10.0.0.9", 5080), "sip:ims.example")
    route = ("Service-Route", "<sip:orig@10.0.0.9:5080;lr>")
    proxy.respond(register, 200, headers=[route, ("Expires", "600")])
    assert stage.told() == [TrunkChanged("ims", True, "registered")]
    assert stage.engine.trunk_up("ims")
    stage.do("place", "L", TrunkTarget("ims", "138"), Party("8001", "Hotline"), SDP)
    remote, invite = stage.taken()[0]
    assert remote == ("10.0.0.9", 5080)
    assert invite.uri == "sip:138@ims.example"
    assert invite.get("Route") == "<sip:orig@10.0.0.9:5080;lr>"
    assert str(invite.from_.uri) == "sip:+86551@ims.example"
    challenge = 'Digest realm="ims.example", nonce="n", algorithm=MD5, qop="auth"'
    sent = proxy.respond(invite, 407, headers=[("Proxy-Authenticate", challenge)])
    assert 'username="impi"' in sent[-1][1].get("Proxy-Authorization")
    stage.taken()
    assert only(proxy.invite()).status == 100
    stage.engine.stop(stage.now)
    stage.collect()
    leaving = stage.taken()[-1][1]
    assert (leaving.method, leaving.expires) == ("REGISTER", 0)
    proxy.respond(leaving, 200)
    assert stage.engine.is_stopped


def test_a_peer_by_name_is_resolved_first():
    stage = Stage([Trunk("ims", peers=("sbc.example",), probe_seconds=0)])
    assert stage.asked == [Resolve("sbc.example")]
    peer = Peer(stage, "192.0.2.5")
    assert only(peer.invite()).status == 403
    stage.engine.resolved("sbc.example", ("192.0.2.5",), stage.now)
    assert only(peer.invite()).status == 100


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
