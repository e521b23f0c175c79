"""Trunks that register with a proxy: registrations, silent proxies, connections lost."""

from callcore.call.events import Ended, TrunkChanged
from callcore.call.locate import Way
from callcore.call.placement import Party, TrunkTarget
from callcore.call.settings import Registration, Trunk
from callcore.effects import Connect, Resolve
from callcore.flow import Flow
from tests.callcore.stage import SDP, Peer, Stage, only

IMS_PROXIES = Trunk(
    "ims",
    peers=("10.0.0.8:5080",),
    registration=Registration(
        "impi", "pw", "sip:+86551@ims.example", "ims.example", "10.0.0.9:5080", expires_seconds=600
    ),
    answer_seconds=2,
    probe_seconds=30,
)


def registered_by(stage, peer):
    """Let a proxy answer the REGISTER that came to it last."""
    registers = [m for remote, m in stage.taken() if m.method == "REGISTER"]
    peer.respond(registers[-1], 200, headers=[("Service-Route", "<sip:orig@core.example;lr>")])
    return registers[-1]


def attend(stage, peer, seconds):
    """Let time pass while one proxy answers what comes to it; what went elsewhere."""
    elsewhere = []
    for _ in range(seconds):
        stage.wait(1)
        for remote, message in stage.taken():
            if remote == peer.flow.remote:
                peer.respond(message, 200)
            else:
                elsewhere.append(message)
    return elsewhere


def by_name(name):
    return Trunk(
        name,
        registration=Registration(
            "impi", "pw", f"sip:{name}@ims.example", "ims.example", "proxy.example", transport="tcp"
        ),
        probe_seconds=0,
    )


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


def test_a_silent_proxy_is_left_for_the_next_and_the_one_that_works_is_stayed_with():
    stage = Stage([IMS_PROXIES])
    second = Peer(stage, "10.0.0.8", 5080)
    assert stage.taken()[0][0] == ("10.0.0.9", 5080)
    stage.wait(2.1)
    register = registered_by(stage, second)
    assert register.get("Route") == "<sip:10.0.0.8:5080;transport=udp;lr>"
    assert [e.why for e in stage.told()] == ["no answer from the registrar", "registered"]
    # The first REGISTER is still repeated, and fails later, which changes nothing.
    assert {m.cseq.number for m in attend(stage, second, 60)} == {1}
    assert stage.told() == []
    assert stage.engine.trunk_up("ims")
    stage.do("place", "L", TrunkTarget("ims", "138"), Party(""), SDP)
    remote, invite = stage.taken()[0]
    assert remote == ("10.0.0.8", 5080)
    assert invite.all("Route") == [
        "<sip:10.0.0.8:5080;transport=udp;lr>",
        "<sip:orig@core.example;lr>",
    ]


def test_a_proxy_that_no_longer_answers_is_found_out_by_probes():
    stage = Stage([IMS_PROXIES])
    first, second = Peer(stage, "10.0.0.9", 5080), Peer(stage, "10.0.0.8", 5080)
    registered_by(stage, first)
    assert attend(stage, first, 100) == []
    assert [e.why for e in stage.told()] == ["registered"]
    assert {m.method for m in attend(stage, second, 60)} == {"OPTIONS"}
    assert stage.told() == []  # it was up all the time: no call had been refused
    stage.do("place", "L", TrunkTarget("ims", "138"), Party(""), SDP)
    assert [remote for remote, m in stage.taken() if m.method == "INVITE"] == [("10.0.0.8", 5080)]


def test_when_every_proxy_was_tried_the_trunk_waits_before_it_begins_anew():
    stage = Stage([IMS_PROXIES])
    stage.wait(4.1)
    asked = {remote for remote, m in stage.taken() if m.method == "REGISTER"}
    assert asked == {("10.0.0.9", 5080), ("10.0.0.8", 5080)}
    stage.wait(3)
    assert {m.cseq.number for _, m in stage.taken()} <= {1, 2}
    stage.wait(2)
    assert 3 in {m.cseq.number for _, m in stage.taken()}
    stage.do("place", "L", TrunkTarget("ims", "138"), Party(""), SDP)
    assert [e.status for e in stage.told(Ended)] == [503]


def test_a_connection_lost_while_the_proxy_has_no_address_takes_every_trunk_down():
    """Two trunks by one proxy: its name is gone from the DNS, and then its connection."""
    stage = Stage([by_name("ims"), by_name("spare")])
    name = only_asked(stage, Resolve)
    ways = (Way("tcp", "192.0.2.5", 5060),)
    stage.engine.resolved(name, ways, stage.now)
    stage.collect()
    flow = Flow("tcp", ("127.0.0.1", 50000), ("192.0.2.5", 5060), 3)
    stage.engine.connected(only_asked(stage, Connect), flow, stage.now)
    stage.collect()
    proxy = Peer(stage, "192.0.2.5", flow=flow)
    for _, register in stage.taken():
        proxy.respond(register, 200)
    stage.told()
    stage.engine.resolved(name, (), stage.now)
    stage.engine.flow_closed(flow, stage.now)
    stage.collect()
    assert [(e.trunk, e.up) for e in stage.told(TrunkChanged)] == [("ims", False), ("spare", False)]
    assert not stage.engine.trunk_up("ims")
    stage.engine.resolved(name, ways, stage.now)  # it has an address again: at once
    stage.collect()
    assert only_asked(stage, Connect).remote == ("192.0.2.5", 5060)


def only_asked(stage, kind):
    """The one effect of this kind since it was last asked; the name is resolved once for all."""
    found = [one for one in stage.asked if isinstance(one, kind)]
    stage.asked.clear()
    assert len(set(found)) == 1, found
    return found[0]


def test_a_node_that_leads_again_within_two_seconds_registers_again():
    """
    us                    proxy
     |-- REGISTER, 0 ------>|   another node leads
     |   (we lead again)    |
     |<-------- 200 --------|
     |-- REGISTER, 600 ---->|
     |<-------- 200 --------|
    """
    stage = Stage([IMS_PROXIES])
    proxy = Peer(stage, "10.0.0.9", 5080)
    registered_by(stage, proxy)
    stage.do("deregister")
    leaving = only(stage.taken())
    stage.wait(0.4)
    stage.do("register")
    assert stage.taken() == []
    back = only(proxy.respond(leaving, 200))
    assert (leaving.expires, back.expires) == (0, 600)
    proxy.respond(back, 200)
    assert stage.engine.trunk_up("ims")
    assert [e.up for e in stage.told(TrunkChanged)] == [True, False, True]


def test_an_engine_that_was_called_back_can_still_be_stopped():
    stage = Stage([IMS_PROXIES])
    proxy = Peer(stage, "10.0.0.9", 5080)
    registered_by(stage, proxy)
    stage.do("deregister")
    leaving = only(stage.taken())
    stage.do("register")
    stage.do("stop")
    assert not stage.engine.is_stopped
    assert proxy.respond(leaving, 200) == []
    assert stage.engine.is_stopped
