"""Bans: counted, expired, lifted, bounded; what counts and who is above them."""

import pytest

from callcore.call.bans import Ban, Bans
from callcore.call.events import Banned
from callcore.call.settings import AuthSettings, BanSettings, Trunk
from callcore.effects import Close
from callcore.flow import Flow
from callcore.message.digest import answer, parse_challenge
from tests.callcore.stage import UDP, Peer, Stage

SETTINGS = BanSettings(offences=3, window_seconds=60, seconds=600, remembered=5)
EAGER = {"auth": AuthSettings(failures=100), "bans": BanSettings(offences=3)}


def test_the_last_of_too_many_offences_bans_for_a_while():
    bans = Bans(SETTINGS)
    assert bans.offended("10.9.9.9", "wrong password", 0.0) is None
    assert bans.offended("10.9.9.9", "wrong password", 1.0) is None
    assert not bans.is_banned("10.9.9.9", 1.0)
    ban = Ban("10.9.9.9", "wrong password", 2.0, 602.0)
    assert bans.offended("10.9.9.9", "wrong password", 2.0) == ban
    assert bans.is_banned("10.9.9.9", 601.9)
    assert bans.listed(601.9) == (ban,)
    assert not bans.is_banned("10.9.9.9", 602.0)
    assert bans.listed(602.0) == ()


def test_offences_far_apart_do_not_add_up():
    bans = Bans(SETTINGS)
    for n in range(20):
        assert bans.offended("10.9.9.9", "wrong password", n * 40.0) is None


def test_a_ban_can_be_lifted_and_begins_from_nothing():
    bans = Bans(SETTINGS)
    for _ in range(3):
        bans.offended("10.9.9.9", "wrong password", 0.0)
    assert bans.lift("10.9.9.9", 1.0) == Ban("10.9.9.9", "wrong password", 0.0, 600.0)
    assert bans.lift("10.9.9.9", 1.0) is None
    assert bans.offended("10.9.9.9", "wrong password", 1.0) is None


def test_memory_is_bounded():
    bans = Bans(SETTINGS)
    for n in range(100):
        for _ in range(3):
            bans.offended(f"10.9.9.{n}", "wrong password", 0.0)
        bans.offended(f"10.8.8.{n}", "wrong password", 0.0)
    assert len(bans) == 5
    assert len(bans._offences) <= 5


def test_no_offences_is_never():
    bans = Bans(BanSettings(offences=0))
    assert not any(bans.offended("10.9.9.9", "wrong password", 0.0) for _ in range(1000))


def guess(peer, times, user="8001", password="guess"):
    return [peer.register(user, password=password) for _ in range(times)]


@pytest.fixture
def stage():
    return Stage(trunks=(Trunk("ims", peers=("10.0.0.1:5070",), probe_seconds=0),), **EAGER)


def test_a_host_that_keeps_guessing_is_not_heard_any_more_whatever_it_says(stage):
    thief = Peer(stage, "10.9.9.9", 40000)
    assert [answer.status for answer in guess(thief, 3)] == [401] * 3
    assert stage.told(Banned) == [Banned("10.9.9.9", "wrong password", 3600.0)]
    before = stage.engine.counters["in", "banned", 0]
    assert Peer(stage, "10.9.9.9", 40001).send("REGISTER", to="") == []
    assert thief.send("OPTIONS") == thief.send("BYE") == thief.send("ACK") == []
    assert stage.engine.counters["in", "banned", 0] == before + 4
    assert [ban.source for ban in stage.engine.gate.bans.listed(stage.now)] == ["10.9.9.9"]
    stage.wait(3601)
    assert thief.register().status == 200


def test_a_lifted_ban_lets_the_right_password_in(stage):
    thief = Peer(stage, "10.9.9.9")
    guess(thief, 3)
    assert stage.engine.gate.lift_ban("10.9.9.9", stage.now) is not None
    assert thief.register().status == 200


def test_a_bound_seat_behind_the_same_address_is_still_served(stage):
    seat, thief = Peer(stage, "10.9.9.9", 5060), Peer(stage, "10.9.9.9", 40000)
    assert seat.register().status == 200
    guess(thief, 3)
    assert thief.send("OPTIONS") == []
    assert seat.register().status == 200


def test_a_trunk_s_host_is_never_banned(stage):
    thief = Peer(stage, "10.0.0.1", 40000)
    guess(thief, 30)
    assert thief.send("OPTIONS")[0][1].status == 200
    assert stage.told(Banned) == []


def test_forged_sources_ban_and_block_nobody(stage):
    """Answers go where the datagram says that it is from: its forger cannot know the nonce."""
    victim, forger = Peer(stage, "10.0.7.1"), Peer(stage, "10.9.9.9")
    [(_, challenged)] = forger.send("REGISTER", to="")
    value = answer(
        parse_challenge(challenged.all("WWW-Authenticate")[0]),
        method="REGISTER",
        uri="sip:hotline.local",
        user="8001",
        password="guess",
        cnonce="c",
        nc=1,
    )
    for _ in range(50):
        victim.send("REGISTER", to="", headers=[("Authorization", value)])
    assert stage.told(Banned) == []
    assert victim.register().status == 200


def test_guesses_while_blocked_count_as_well():
    stage = Stage(auth=AuthSettings(failures=2), bans=BanSettings(offences=6))
    thief = Peer(stage, "10.9.9.9")
    [(_, challenged)] = thief.send("REGISTER", to="")
    challenge = parse_challenge(challenged.all("WWW-Authenticate")[0])
    statuses = []
    for count in range(1, 9):
        value = answer(
            challenge,
            method="REGISTER",
            uri="sip:hotline.local",
            user="8001",
            password="guess",
            cnonce="c",
            nc=count,
        )
        found = thief.send("REGISTER", to="", headers=[("Authorization", value)])
        statuses.append(found[0][1].status if found else None)
    assert statuses == [401, 401, 403, 403, 403, 403, None, None]


def test_the_connection_of_a_banned_host_is_closed(stage):
    guess(Peer(stage, "10.9.9.9"), 3)
    flow = Flow("tcp", UDP, ("10.9.9.9", 40000), 7)
    peer = Peer(stage, "10.9.9.9", 40000, flow=flow)
    assert peer.send("OPTIONS") == []
    assert stage.asked[-1] == Close(flow)


def test_seats_only_over_tls_are_not_even_challenged_elsewhere():
    stage = Stage(secure_seats=True)
    assert Peer(stage, "10.0.7.1").register().status == 403
    assert [m.status for _, m in Peer(stage, "10.0.7.1").send("INVITE")] == [403]
    flow = Flow("tls", UDP, ("10.0.7.1", 40000), 1)
    assert Peer(stage, "10.0.7.1", 40000, flow=flow).register().status == 200
    assert [m.status for _, m in Peer(stage, "10.0.0.1").invite()] == [100]


def test_the_requests_of_a_bound_seat_are_limited_too():
    stage = Stage()
    seat = Peer(stage, "10.0.7.1")
    assert seat.register().status == 200
    served = [len(seat.send("OPTIONS")) for _ in range(1000)]
    assert 390 < served.count(1) < 510
