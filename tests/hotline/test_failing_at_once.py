"""What fails while it is being asked for: no port, no way out; and what was to follow in order."""

from media import events as media
from tests.hotline.days import Days, fire, hotline_of, let_pass, timers_of
from tests.hotline.house import House


def state(house: House, user: str) -> str:
    return next(one.state for one in house.desk.agents() if one.user == user)


async def test_a_click_whose_leg_fails_at_once_leaves_its_agent_free(house: House) -> None:
    """Ports are used up: the call is over before it rings, and 8001 is on no phone."""
    house.seat("8001")
    house.plane.full = True
    record = house.desk.place("8001", "13800000009")
    assert (record.state, record.result) == ("ended", "failed")
    assert house.conductor.visits == {}
    assert state(house, "8001") == "ready"
    assert timers_of(house) == {}
    house.plane.full = False
    house.call()
    assert ("place", "v2-a1", "8001", "13800138000") in house.sip.done


async def test_a_leg_that_has_no_port_is_no_leg_to_sum_up(house: House) -> None:
    house.seat("8001")
    house.plane.full = True
    house.desk.place("8001", "13800000009")
    assert house.conductor.performer.closing == {}


async def test_an_offer_that_fails_at_once_leaves_no_timer() -> None:
    """The wrap-up's timer gives 8001 the next caller, whose leg has no port: it is not rung."""
    days = Days(hotline_of(2))
    house = days.begin()
    house.seat("8001")
    house.call("c1")
    house.answered("v1-a1")
    house.call("c2")
    house.ended("c1")
    assert state(house, "8001") == "wrap_up"
    house.plane.full = True
    days.clock.seconds += 5.0
    fire(house, "agent/8001")
    assert state(house, "8001") == "not_ready"
    armed = {name for name in timers_of(house) if isinstance(name, str)}
    assert armed == set(house.conductor.parts.queueing.core.timers())
    assert "agent/8001" in armed
    house.close()


async def test_a_leg_that_finds_no_port_after_its_worker_died_is_hung_up(house: House) -> None:
    """Nobody stays in a call that is silent for ever."""
    house.call()
    house.plane.full = True
    house.conductor.on_media(media.WorkerLost(0, ("c",), ()))
    assert ("hang_up", "c") in house.sip.done
    assert house.conductor.visits == {}


async def test_a_seat_that_leaves_a_message_is_on_the_phone_until_it_hangs_up() -> None:
    """8001 calls its own queue, waits in vain, and is asked for a message: no call rings there."""
    days = Days(hotline_of(3))
    house = days.begin()
    house.seat("8001")
    house.dials("s", "8001", "12345")
    core = house.conductor.parts.queueing.core
    let_pass(days, house, 600.0)
    assert house.desk.call("v1").state == "message"
    assert state(house, "8001") == "talking"
    house.call("c")
    call = core.call("v2")
    assert call is not None
    assert call.state == "waiting"
    house.ended("s")
    call = core.call("v2")
    assert call is not None
    assert (call.state, call.agent) == ("ringing", "8001")
    house.close()
