"""What holds of a whole hotline after each step, and when everybody has hung up."""

from collections import Counter

from acd.agents import REST
from callcore.call import events as sip
from hotline.parties import Party, Stage
from hotline.visit_state import Phase
from tests.hotline.days import let_pass, timers_of
from tests.hotline.world import World

AT_REST = ("ready", "not_ready", "offline")


def check(world: World) -> None:
    """Each live leg is one call's party, and each party is a live leg."""
    conductor = world.house.conductor
    visits = conductor.visits
    parties = Counter(party.leg for visit in visits.values() for party in visit.parties)
    assert set(parties) == set(world.alive)
    assert not parties or max(parties.values()) == 1
    assert set(conductor.performer.call_of_leg) == set(world.alive)
    meter = conductor.parts.accounts.meter
    assert meter.running <= len(world.alive)
    assert all(count == 1 for count in world.ended.values())
    assert world.house.faults == 0
    nothing_of_the_gone_is_kept(world)
    nobody_is_lost(world)
    offers_ring(world)
    agents_are_where_they_are_said_to_be(world)


def nothing_of_the_gone_is_kept(world: World) -> None:
    conductor = world.house.conductor
    performer, core = conductor.performer, conductor.parts.queueing.core
    assert set(performer._sides) <= set(world.alive)
    assert set(conductor.keypads._keys) <= set(world.alive)
    assert conductor.callback_offers._offered <= set(conductor.visits)
    assert performer.sound.private <= set(conductor.visits)
    assert {one[0] for one in performer._timers} <= set(conductor.visits)
    armed = {name for name in timers_of(world.house) if isinstance(name, str)}
    assert armed == set(core.timers())


def nobody_is_lost(world: World) -> None:
    """Who waits is known to the queue, and what the queue knows is a call that is there."""
    conductor = world.house.conductor
    core = conductor.parts.queueing.core
    for visit in conductor.visits.values():
        call = core.call(visit.call_id)
        assert (call is not None) == visit.in_queue, (call, visit)
        if visit.phase is Phase.QUEUED and call is not None:
            assert call.state in ("waiting", "ringing"), (call, visit)
    for call in core.calls:
        assert call.call in conductor.visits, call


def offers_ring(world: World) -> None:
    """Every offer of the queue has a leg, and every leg that rings for the queue an offer."""
    conductor = world.house.conductor
    core = conductor.parts.queueing.core
    live = {one.token: one for one in core.reserves()}
    rung = {p.token: (v, p) for v in conductor.visits.values() for p in v.parties if p.token}
    for token, reserve in live.items():
        assert token in rung, (reserve, conductor.visits)
        visit, party = rung[token]
        assert visit.call_id == reserve.call
        assert party.counts, (reserve, visit)
    for token, (visit, party) in rung.items():
        if party.is_coming:
            assert token in live, (party, visit)


def agents_are_where_they_are_said_to_be(world: World) -> None:
    """Nobody who is on the phone is free to the queue, or rung by it; nobody else is busy."""
    conductor = world.house.conductor
    core = conductor.parts.queueing.core
    for visit in conductor.visits.values():
        for party in visit.where(Stage.UP):
            agent = core.agent(party.target.name) if party.target.is_seat else None
            if agent is not None and not (agent.state == "ringing" and agent.mobile):
                assert agent.state not in ("ready", "ringing"), (agent, visit)
    for agent in core.agents():
        if agent.state in ("talking", "held"):
            talk = conductor.visits.get(agent.call or "")
            assert talk is not None, agent
            assert any(is_there(party, agent.user) for party in talk.parties), (agent, talk)
        if agent.state == "ready" and core._matcher.takes_calls(agent.user):
            for call in core.calls:
                waits = call.state == "waiting" and core.is_held_for(call.call) is None
                assert not (waits and core.is_able(agent.user, call.call)), (agent, call)


def is_there(party: Party, user: str) -> bool:
    return party.target.name == user and party.stage not in (Stage.LEAVING, Stage.LINGERING)


def all_over(world: World) -> None:
    """Everybody hangs up, and time passes: nothing is left."""
    house = world.house
    conductor, desk = house.conductor, house.desk
    let_go(world)
    performer, core = conductor.performer, conductor.parts.queueing.core
    assert conductor.visits == {}
    assert performer.call_of_leg == performer._sides == conductor.keypads._keys == {}
    assert conductor._results == {}
    assert performer.closing == {}
    assert performer.sound.open_recordings == {}
    assert conductor.parts.accounts.meter.running == 0
    assert core.calls == []
    assert core.reserves() == []
    assert core._beside == core._owed == core._favourites == {}
    assert all(one.state in AT_REST and one.reason != REST for one in core.agents())
    assert all(isinstance(name, str) and name[:6] == "agent/" for name in timers_of(house))
    the_books_are_closed(world)
    records = desk.calls(1000)
    charged = sum(record.billed_seconds for record in records)
    assert charged == round(conductor.parts.accounts.used_minutes("ims") * 60)
    assert world.days.journal.replayed().snapshot() == core.snapshot()


def let_go(world: World) -> None:
    """Phones, callbacks that are promised, and what the media plane has yet to say."""
    house = world.house
    house.conductor.draining = True
    while world.alive:
        world.tell(sip.Ended(next(iter(world.alive)), 200, "", "remote"))
    for one in house.desk.callbacks():
        if one.state not in ("talking", "over"):
            house.desk.cancel_callback(one.callback)
    let_pass(world.days, house, 60.0)
    while world.unsaid:
        world.closes()


def the_books_are_closed(world: World) -> None:
    """Every call has an end and a result, every recording one end; every port is given back."""
    done = Counter((one[0], one[1]) for one in world.house.plane.done if len(one) > 1)
    for what, name in list(done):
        if what == "record":
            assert done["stop_record", name] == 1, name
        if what == "open":
            assert done["close", name] >= 1, name
    finished = Counter(world.house.keeper.finished)
    recorded = {name for what, name in done if what == "record"}
    assert set(finished) == recorded
    assert all(count == 1 for count in finished.values()), finished
    for record in world.house.desk.calls(1000):
        assert record.ended, record
        assert record.result, record
        assert all(part.until for part in record.segments), record
