"""A conductor and the queue's core agree on every call, whoever moved it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from acd.events import CallbackAsked, Configured
from acd.settings import AcdSettings, AgentSettings, CallbackSettings, OverflowStep, QueueSettings
from callcore.call import events as sip
from hotline.commands import CallAction, NotAllowed, Unavailable, WrongState
from tests.hotline.house import House


@pytest.fixture
async def house() -> AsyncIterator[House]:
    made = House()
    made.seat("8001")
    yield made
    made.close()


def queue_of(house: House, **settings: object) -> None:
    """Other settings of the one queue."""
    queue = QueueSettings("12345", skills=("general",), wrap_up_seconds=0, **settings)  # type: ignore[arg-type]
    agents = tuple(
        AgentSettings(one.user, one.skills) for one in house.conductor.parts.config.seats
    )
    now_ms = house.conductor.parts.clock.wall_ms()
    house.conductor.parts.queueing.tell(Configured(now_ms, AcdSettings((queue,), agents)))


def state(house: House, user: str = "8001") -> str:
    return next(one.state for one in house.desk.agents() if one.user == user)


def placed(house: House) -> list[str]:
    """Whom we have called."""
    return [one[2] for one in house.sip.done if one[0] == "place"]


async def test_a_call_of_ours_that_is_sent_to_the_queue_is_queued(house: House) -> None:
    """8001 calls a citizen by click and transfers it to 12345: 8002 has it next."""
    house.desk.place("8001", "13800000009")
    house.answered("v1-a1")
    house.answered("v1-a2")
    house.desk.act("v1", CallAction("transfer", "queue:12345"))
    house.ended("v1-a1")
    house.seat("8002")
    core = house.conductor.parts.queueing.core.call("v1")
    assert core is not None
    assert core.state == "ringing"
    assert core.caller == "13800000009"


async def a_callback(house: House) -> str:
    """A citizen asked to be called back, and talks with 8001; the attempt's call."""
    queue_of(house, callback=CallbackSettings())
    house.call()
    house.ended("v1-a1", 486)
    house.conductor.parts.queueing.tell(CallbackAsked(house.conductor.parts.clock.wall_ms(), "v1"))
    house.ended("c")
    house.seat("8002")
    (attempt,) = [one for one in house.conductor.visits if one.startswith("callback-")]
    house.answered(f"{attempt}-a1")
    house.answered(f"{attempt}-a2")
    assert state(house, "8002") == "talking"
    return attempt


async def test_a_citizen_who_was_called_back_outlives_the_agent_s_phone(house: House) -> None:
    attempt = await a_callback(house)
    house.ended(f"{attempt}-a1", 408, "timeout")
    core = house.conductor.parts.queueing.core.call(attempt)
    assert core is not None
    assert core.state in ("waiting", "ringing")


async def test_a_citizen_who_was_called_back_can_be_sent_to_the_queue(house: House) -> None:
    attempt = await a_callback(house)
    house.desk.act(attempt, CallAction("transfer", "queue:12345"))
    core = house.conductor.parts.queueing.core.call(attempt)
    assert core is not None
    assert core.state in ("waiting", "ringing")
    assert house.desk.callbacks()[0].state == "talking"
    house.ended(f"{attempt}-a2")
    assert house.desk.callbacks()[0].result == "answered"


async def rung_city(house: House) -> None:
    """A citizen calls, and the city's platform is dialled at once."""
    dialled, place = asyncio.Event(), house.sip.place

    def placing(*call: Any, **more: Any) -> None:
        place(*call, **more)
        dialled.set()

    house.sip.place = placing  # type: ignore[method-assign]
    house.call()
    async with asyncio.timeout(30):
        await dialled.wait()


async def test_what_the_city_answers_is_overflowed_on_the_record_too() -> None:
    house = House()
    queue_of(house, overflow=(OverflowStep("city", 0.001, address="055160012345"),))
    await rung_city(house)
    house.answered("v1-a1")
    house.seat("8001")
    assert house.desk.queue("12345").overflowed == 1
    assert house.desk.call("v1").answered is None
    waited = house.desk.call("v1").wait_ms
    house.desk.act("v1", CallAction("transfer", "8001"))  # its agent gives the citizen to ours
    house.answered("v1-a2")
    house.ended("v1-a1")
    assert state(house) == "talking"
    house.ended("c")
    record = house.desk.call("v1")
    assert (record.result, record.wait_ms) == ("overflowed", waited)
    assert state(house) == "ready"
    house.close()


async def test_the_city_gives_a_citizen_back_to_the_queue() -> None:
    house = House()
    queue_of(house, overflow=(OverflowStep("city", 0.001, address="055160012345"),))
    await rung_city(house)
    house.answered("v1-a1")
    house.desk.act("v1", CallAction("transfer", "queue:12345"))
    house.seat("8001")
    house.answered("v1-a2")
    queue = house.desk.queue("12345")
    assert (queue.offered, queue.answered, queue.overflowed) == (1, 1, 0)
    house.ended("c")
    assert house.desk.call("v1").result == "answered"
    house.close()


async def test_agents_of_two_calls_that_become_one_are_busy_until_that_is_over(
    house: House,
) -> None:
    """The city's platform joins two citizens' calls by REFER: 8001 talks with 8002."""
    house.call("c1")
    house.answered("v1-a1")
    house.seat("8002")
    house.call("c2")
    house.answered("v2-a1")
    house.conductor.on_sip(sip.Referred("c1", "sip:12345@h", "x", "c2"))
    house.ended("c1")
    house.ended("c2")
    assert house.desk.call("v2").ended
    assert (state(house, "8001"), state(house, "8002")) == ("talking", "talking")
    house.ended("v2-a1")
    assert (state(house, "8001"), state(house, "8002")) == ("ready", "ready")


async def test_a_registration_that_lapses_in_a_talk_costs_no_agent(house: House) -> None:
    house.call()
    house.answered("v1-a1")
    house.conductor.on_sip(sip.Unregistered("8001", "expired"))
    house.seat("8001")
    house.ended("c")
    assert state(house) == "ready"


async def test_an_agent_on_two_calls_is_free_when_both_are_over(house: House) -> None:
    """8001 asks 8002 by its phone's second line; the citizen hangs up meanwhile."""
    house.seat("8002")
    house.call()
    house.answered("v1-a1")
    house.dials("s", "8001", "8002")
    house.answered("v2-a1")
    house.ended("c")
    assert [state(house), state(house, "8002")] == ["talking", "talking"]
    house.call("c2")
    assert house.desk.call("v3").state == "waiting"
    house.ended("s")
    assert "ringing" in (state(house), state(house, "8002"))


async def test_who_is_given_a_call_of_ours_is_not_free_when_the_consultation_ends(
    house: House,
) -> None:
    """8001 called a citizen by click, asks 8002, and hands over by REFER with Replaces."""
    house.seat("8002")
    house.desk.place("8001", "13800000009")
    house.answered("v1-a1")
    house.answered("v1-a2")
    house.dials("s", "8001", "8002")
    house.answered("v2-a1")
    house.conductor.on_sip(sip.Referred("v1-a1", "sip:8002@h", "x", "s"))
    house.ended("v1-a1")
    house.ended("s")
    assert [state(house), state(house, "8002")] == ["ready", "talking"]
    house.ended("v1-a2")
    assert state(house, "8002") == "ready"


async def test_an_agent_of_the_queue_s_who_is_given_another_citizen_is_not_free(
    house: House,
) -> None:
    """8001's phone calls 12345 on its second line, 8002 answers, and 8001 transfers to it."""
    house.call()
    house.answered("v1-a1")
    house.seat("8002")
    house.dials("s", "8001", "12345")
    house.answered("v2-a1")
    house.conductor.on_sip(sip.Referred("v1-a1", "sip:8002@h", "x", "s"))
    house.ended("v1-a1")
    house.ended("s")
    assert [state(house), state(house, "8002")] == ["ready", "talking"]
    house.ended("v2-a1", 408, "timeout")  # its phone dies: the citizen waits for another
    core = house.conductor.parts.queueing.core.call("v1")
    assert core is not None
    assert (core.state, core.agent) == ("ringing", "8001")


async def test_a_supervisor_takes_over_from_listening(house: House) -> None:
    house.seat("9001")
    house.call()
    house.answered("v1-a1")
    house.desk.act("v1", CallAction("monitor", by="9001"))
    house.answered("v1-a2")
    house.desk.act("v1", CallAction("take_over", by="9001"))
    house.ended("v1-a1")
    assert house.desk.call("v1").ended is None
    assert house.desk.call("v1").state == "talking"
    assert state(house) == "ready"
    with pytest.raises(WrongState, match="no agent"):
        house.desk.act("v1", CallAction("take_over", by="9001"))


async def test_who_only_listens_ends_no_call_by_keys(house: House) -> None:
    house.seat("9001")
    house.call()
    house.answered("v1-a1")
    house.desk.act("v1", CallAction("monitor", by="9001"))
    house.answered("v1-a2")
    for keys in ("*7", "*5", "*18002#"):
        house.types("v1-a2", keys)
        assert house.desk.call("v1").state == "talking"


async def test_a_command_that_is_refused_leaves_no_order_behind(house: House) -> None:
    house.call()
    house.answered("v1-a1")
    with pytest.raises(NotAllowed):
        house.desk.act("v1", CallAction("transfer", "999999", order="HF-1"))
    with pytest.raises(WrongState):
        house.desk.act("v1", CallAction("complete", order="HF-1"))
    assert house.desk.call("v1").order == ""


async def test_a_drain_begins_no_call_by_click(house: House) -> None:
    house.conductor.draining = True
    with pytest.raises(Unavailable, match="draining"):
        house.desk.place("8001", "13800000009")


async def test_a_drain_calls_nobody_back(house: House) -> None:
    house.call()
    house.ended("v1-a1", 486)
    house.conductor.draining = True
    now_ms = house.conductor.parts.clock.wall_ms()
    house.conductor.parts.queueing.tell(CallbackAsked(now_ms, "v1"))
    house.ended("c")
    house.seat("8002")
    assert placed(house) == ["8001"]
    assert (house.desk.callbacks()[0].state, state(house, "8002")) == ("resting", "ready")


async def test_a_fault_in_one_effect_does_not_cost_the_others(house: House) -> None:
    house.call()
    house.answered("v1-a1")

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a fault of ours")

    house.plane.stop_record = broken  # type: ignore[method-assign]
    house.ended("c")
    assert ("hang_up", "v1-a1") in house.sip.done
    assert house.conductor.visits == {}
    assert house.faults == 1
    house.conductor.parts.meters.faults.reset()


async def test_a_200_that_crosses_our_cancel_is_charged(house: House) -> None:
    """RFC 3261 §9.1: ACK and BYE at once, and the carrier charges a started unit."""
    house.call()
    house.answered("v1-a1")
    house.desk.act("v1", CallAction("transfer", "13800000009"))
    house.desk.act("v1", CallAction("remove", party="v1-a2"))
    house.conductor.on_sip(sip.AnsweredInVain("v1-a2"))
    assert house.desk.call("v1").billed_seconds == 60
    (month,) = house.desk.minutes()
    assert month.by_use == {"transfer": 1.0}
    assert month.calls == 1
    house.conductor.on_sip(sip.AnsweredInVain("v1-a1"))  # a seat's phone costs nothing
    (after,) = house.desk.minutes()
    assert (after.used_minutes, after.by_use, after.calls) == (1.0, month.by_use, 1)


async def test_who_waits_too_long_is_overflowed_on_the_record_too() -> None:
    """Our BYE ends the call at once: how it ended is known before it is forgotten."""
    house = House()
    queue_of(house, max_wait_seconds=0.001)
    over, hang_up = asyncio.Event(), house.sip.hang_up

    def hanging_up(leg: str, reason: str | None = None) -> None:
        hang_up(leg, reason)
        house.ended(leg, 200, "local")
        over.set()

    house.sip.hang_up = hanging_up  # type: ignore[method-assign]
    house.call()
    async with asyncio.timeout(30):
        await over.wait()
    assert house.desk.call("v1").result == "overflowed"
    assert house.desk.queue("12345").overflowed == 1
    house.close()
