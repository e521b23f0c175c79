"""The engine and its trunks: limits, fail-over, connections, probes, registrations."""

from callcore.call.events import (
    Answered,
    AnsweredInVain,
    Arrived,
    Ended,
    Presented,
    Refused,
    TrunkChanged,
)
from callcore.call.locate import Way
from callcore.call.placement import Party, SeatTarget, TrunkTarget
from callcore.call.profile import Profile
from callcore.call.settings import Trunk
from callcore.effects import Connect, Resolve
from callcore.flow import Flow
from callcore.message.digest import answer, parse_challenge
from callcore.sdp import parse_sdp
from tests.callcore.stage import SDP, Peer, Stage, only


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
    stage.taken()
    stage.do("place", "M", TrunkTarget("ims", "119", urgent=True), Party(""), SDP)
    assert only(stage.taken()).method == "INVITE"  # an emergency passes


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


def test_an_answer_that_crosses_our_cancel_is_told_for_it_is_charged():
    """RFC 3261 §9.1, §15: CANCEL meets the 200; also of a peer that was left for the next.

    us              first            second
     |---- INVITE ---->|                |
     |---- INVITE (6 s of silence) ---->|
     |<----- 200 ------|                |   AnsweredInVain
     |-- ACK, BYE ---->|                |
     |---- CANCEL (hung up) ----------->|
     |<-------------- 200 --------------|   AnsweredInVain, after Ended
    """
    stage = Stage([Trunk("ims", peers=("10.0.0.1", "10.0.0.2"), probe_seconds=0, answer_seconds=6)])
    first, second = Peer(stage, "10.0.0.1"), Peer(stage, "10.0.0.2")
    stage.do("place", "L", TrunkTarget("ims", "138"), Party("1"), SDP)
    early = stage.taken()[0][1]
    stage.wait(6.1)
    late = stage.taken()[-1][1]
    first.respond(early, 200, body=SDP)
    assert stage.told(AnsweredInVain) == [AnsweredInVain("L")]
    second.respond(late, 180)
    stage.taken()
    stage.do("hang_up", "L")
    assert [(e.leg, e.by) for e in stage.told(Ended)] == [("L", "local")]
    second.respond(late, 200, body=SDP)
    assert [type(one) for one in stage.told()] == [AnsweredInVain]


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
    stage.engine.connected(stage.asked[0], flow, stage.now)
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
    stage.engine.connect_failed(Connect("tcp", ("10.0.0.1", 5060)), "refused", stage.now)
    stage.collect()
    assert stage.taken()[0][0] == ("10.0.0.2", 5060)
    stage = Stage([Trunk("ims", peers=("tcp://10.0.0.1",), probe_seconds=0)])
    stage.do("place", "L", TrunkTarget("ims", "138"), Party("1"), SDP)
    stage.engine.connect_failed(Connect("tcp", ("10.0.0.1", 5060)), "refused", stage.now)
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
    stage.wait(45)  # one probe, given up after 6 s; the next comes sooner
    assert stage.told() == []
    assert stage.engine.trunk_up("ims")
    stage.wait(10)
    assert stage.told() == [TrunkChanged("ims", False, "no answer")]
    stage.taken()
    ups = []
    for _ in range(40):
        stage.wait(1)
        for _, message in stage.taken():
            peer.respond(message, 200)
            ups += stage.told()
    assert ups == [TrunkChanged("ims", True, "answered 200")]


def test_a_peer_by_name_is_resolved_first():
    stage = Stage([Trunk("ims", peers=("sbc.example",), probe_seconds=0)])
    assert stage.asked == [Resolve("sbc.example")]
    peer = Peer(stage, "192.0.2.5")
    assert only(peer.invite()).status == 403
    stage.engine.resolved(Resolve("sbc.example"), (Way("udp", "192.0.2.5", 5060),), stage.now)
    assert only(peer.invite()).status == 100


def test_nothing_is_left_of_calls_that_are_over():
    stage = Stage([Trunk("ims", peers=("10.0.0.1", "10.0.0.2"), probe_seconds=0)])
    peers = {p.flow.remote: p for p in (Peer(stage, "10.0.0.1"), Peer(stage, "10.0.0.2"))}
    for n in range(20):
        stage.do("place", f"L{n}", TrunkTarget("ims", "138"), Party("1"), SDP)
        remote, invite = stage.taken()[0]
        status = (200, 486, 503, 180)[n % 4]
        sent = peers[remote].respond(invite, status, body=SDP if status == 200 else b"")
        for remote, message in sent:
            if message.method == "INVITE":
                peers[remote].respond(message, 404)
        stage.do("hang_up", f"L{n}")
        for remote, message in stage.taken():
            if message.method in ("BYE", "CANCEL"):
                peers[remote].respond(message, 200)
    stage.wait(400)
    assert sorted(e.leg for e in stage.told(Ended)) == sorted(f"L{n}" for n in range(20))
    outgoing = vars(stage.engine._outgoing)
    assert {name: kept for name, kept in outgoing.items() if name != "_carrier" and kept} == {}
    assert stage.engine._trunk_of == {}
    assert stage.engine.trunk_calls("ims") == stage.engine.legs == stage.engine.transactions == 0


def test_a_seat_is_who_it_proved_to_be_and_hears_no_identities():
    """RFC 3325 §7: what a seat asserts goes nowhere, and nothing asserted goes to it."""
    stage = Stage()
    seat, trunk = Peer(stage, "10.0.1.1"), Peer(stage, "10.0.0.1")
    assert seat.register().status == 200
    asserted = [("P-Asserted-Identity", "<sip:boss@x>"), ("Privacy", "id"), ("Subject", "s")]
    challenge = seat.invite(user="8001", from_host="hotline.local", headers=asserted)[-1][1]
    value = answer(
        parse_challenge(challenge.all("WWW-Authenticate")[0]),
        method="INVITE",
        uri="sip:12345@hotline.local",
        user="8001",
        password="secret-8001",
        cnonce="c",
        nc=1,
    )
    seat.invite(
        user="8001", from_host="hotline.local", headers=[*asserted, ("Authorization", value)]
    )
    (arrived,) = stage.told(Arrived)
    assert (arrived.caller, arrived.presented) == ("8001", Presented())
    more = (("P-Asserted-Identity", "<sip:138@x>"), ("Diversion", "<sip:1@x>"), ("Subject", "s"))
    stage.do("place", "L", SeatTarget("8001"), Party("138", "W", withheld=True), SDP, more)
    invite = stage.taken()[-1][1]
    assert invite.get("From").startswith("<sip:anonymous@hotline.local>")
    assert [name for name, _ in invite.headers if name in ("Subject", *dict(more))] == ["Subject"]
    trunk.invite(headers=asserted)
    (arrived,) = stage.told(Arrived)
    assert (arrived.caller, arrived.presented.withheld) == ("anonymous", True)
    assert arrived.presented.headers == (("Subject", "s"),)


def test_a_seat_behind_a_proxy_is_called_by_its_path():
    """RFC 3327 §5.3: the registrar keeps Path, says so, and calls by it."""
    stage = Stage()
    edge = Peer(stage, "10.0.2.1")
    path = "<sip:seat@10.0.2.1;lr;ob>"
    answered = edge.register(headers=[("Path", path), ("Supported", "path")])
    assert answered.get("Path") == path
    stage.do("place", "L", SeatTarget("8001"), Party("138"), SDP)
    remote, invite = stage.taken()[-1]
    assert remote == ("10.0.2.1", 5060)
    assert invite.all("Route") == [path]
    assert invite.uri == "sip:8001@10.0.2.1:5060"


def test_a_codec_that_the_profile_does_not_list_is_neither_heard_nor_said():
    stage = Stage(
        [Trunk("ims", peers=("10.0.0.1",), probe_seconds=0, profile=Profile(codecs=("PCMU",)))]
    )
    peer = Peer(stage, "10.0.0.1")
    peer.invite()
    (arrived,) = stage.told(Arrived)
    assert arrived.offer.media[0].formats == ("0",)
    stage.taken()
    stage.do("place", "L", TrunkTarget("ims", "138"), Party(""), SDP)
    assert parse_sdp(only(stage.taken()).body).media[0].formats == ("0",)
