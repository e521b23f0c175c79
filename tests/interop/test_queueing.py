"""Who is answered when: order, seats that do not answer, callers who give up."""

import asyncio

import pytest

from phones.driver import Softphone
from phones.sipp import Sipp, SippOptions
from phones.staff import Staff
from tests.interop.hotline import TRUNK, Hotline, eventually, on_duty
from tests.interop.live import Live

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

RING_SECONDS = 1.5
CONFIGURATION = {"seats": 5, "queues": {"ring_seconds": RING_SECONDS}}


async def test_thirty_calls_at_five_a_second_are_answered_in_the_order_they_came(
    hotline: Hotline,
) -> None:
    """Five agents who talk for 1.5 s each can take no more than 3.4 calls/s: most have to wait."""
    before = await hotline.queue()
    seats = [hotline.seat(str(8001 + n), tone=None, talk="1.5,0") for n in range(5)]
    options = SippOptions(
        "uac_waits", hotline.listener(), calls=30, rate=5, address=TRUNK, timeout_seconds=30
    )
    async with Live(hotline) as live, Staff(seats) as staff:
        async with Sipp(options) as citizens:
            result = await citizens.wait()
        assert (result.ok, result.successful) == (True, 30), result
        after = await eventually(lambda: answered(hotline, before["answered"] + 30))
        assert len(staff.offers) == 30
    calls = [event for event in live.events if event["event"] == "call"]
    arrived = [event["call_id"] for event in calls if event["state"] == "waiting"]
    rang = [event["call_id"] for event in calls if event["state"] == "ringing"]
    assert len(arrived) == 30
    assert rang == arrived
    assert after["abandoned"] == before["abandoned"]
    records = {call["call_id"]: call for call in await hotline.get("/calls?limit=30")}
    waits = [records[call_id]["wait_ms"] for call_id in arrived]
    assert max(waits) > 500  # there was a queue
    assert (after["waiting"], after["longest_wait_seconds"]) == (0, 0)
    assert {offer.user for offer in staff.offers} == {seat.user for seat in seats}
    assert not any(offer.live_before for offer in staff.offers)


async def answered(hotline: Hotline, count: int) -> dict[str, object] | None:
    queue = await hotline.queue()
    return queue if queue["answered"] == count else None


@pytest.mark.parametrize(
    ("unwilling", "least_wait_ms"),
    [
        ({"refuse": 486}, 0),
        ({"refuse": 603}, 0),
        ({"refuse": 488}, 0),
        ({"no_answer": True}, RING_SECONDS * 1000),
    ],
    ids=["busy", "declines", "has no codec of ours", "does not answer"],
)
async def test_a_seat_that_does_not_take_the_call_is_followed_by_the_next(
    hotline: Hotline, unwilling: dict[str, object], least_wait_ms: float
) -> None:
    """The call keeps the time at which it entered the queue, and is counted once."""
    before = await hotline.queue()
    options = hotline.seat("8001", **unwilling), hotline.seat("8002")
    async with (
        on_duty(hotline, *options) as (first, second),
        Live(hotline) as live,
        Softphone(hotline.citizen()) as citizen,
    ):
        hotline.call(citizen)
        await first.wait("incoming")
        call = await hotline.last_call()
        await second.wait("state", state="CONFIRMED")
        assert (await first.wait("ended"))["by"] == ("local" if "refuse" in unwilling else "remote")
        talking = await hotline.last_call("talking")
        assert (talking["call_id"], talking["queued"]) == (call["call_id"], call["queued"])
        assert talking["agent"] == "8002"
        assert talking["wait_ms"] >= least_wait_ms
        assert (await hotline.states())["8001"] == "not_ready"  # a rest, so that others are rung
        citizen.send("hangup")
        await second.wait("ended")
        after = await hotline.queue()
        assert after["offered"] == before["offered"] + 1
        assert after["answered"] == before["answered"] + 1
        await live.event(event="call", state="ended")
        told = live.states(call["call_id"])
        assert told[:5] == ["waiting", "ringing", "waiting", "ringing", "talking"]


async def test_a_caller_who_gives_up_waiting_is_counted_as_abandoned(hotline: Hotline) -> None:
    before = await hotline.queue()
    async with Softphone(hotline.citizen()) as citizen:
        hotline.call(citizen)
        await citizen.wait("media", status="active")
        assert (await hotline.queue())["waiting"] == 1
        citizen.send("hangup")
        await citizen.wait("ended")
        call = await hotline.last_call("ended")
    assert (call["result"], call["answered"], call["recording"]) == ("abandoned", None, None)
    after = await hotline.queue()
    assert (after["abandoned"], after["waiting"]) == (before["abandoned"] + 1, 0)


async def test_a_caller_who_gives_up_while_it_rings_cancels_the_seats_call(
    hotline: Hotline,
) -> None:
    """RFC 3261 §9.1: the seat answers the INVITE with 487 and is ready again at once."""
    before = await hotline.queue()
    async with (
        on_duty(hotline, hotline.seat("8001", no_answer=True)) as (seat,),
        Softphone(hotline.citizen()) as citizen,
    ):
        hotline.call(citizen)
        await seat.wait("incoming")
        await citizen.wait("media", status="active")
        citizen.send("hangup")
        ended = await seat.wait("ended", 2)
        assert (ended["by"], ended["code"]) == ("remote", 487)
        call = await hotline.last_call("ended")
        assert call["result"] == "abandoned"
        assert (await hotline.states())["8001"] == "ready"
    assert (await hotline.queue())["abandoned"] == before["abandoned"] + 1


async def test_a_call_waits_for_the_first_agent_who_comes(hotline: Hotline) -> None:
    async with Softphone(hotline.citizen()) as citizen:
        hotline.call(citizen)
        await hotline.last_call("waiting")
        async with Softphone(hotline.seat("8003")) as seat:
            await seat.wait("state", state="CONFIRMED")
            call = await hotline.last_call("talking")
            assert call["agent"] == "8003"
            seat.send("hangup")
            assert (await citizen.wait("ended"))["by"] == "remote"


async def test_an_agent_on_a_break_is_not_rung(hotline: Hotline) -> None:
    async with (
        on_duty(hotline, hotline.seat("8001"), hotline.seat("8002")) as (first, second),
        Softphone(hotline.citizen()) as citizen,
    ):
        await hotline.set_state("8001", "not_ready")
        hotline.call(citizen)
        await second.wait("state", state="CONFIRMED")
        assert not [event for event in first.events if event.name == "incoming"]
        citizen.send("hangup")
        await second.wait("ended")
        await hotline.set_state("8001", "ready")
        assert (await hotline.states())["8001"] == "ready"


async def test_an_agents_call_can_be_ended_by_the_api(hotline: Hotline) -> None:
    async with (
        on_duty(hotline, hotline.seat("8001")) as (seat,),
        Softphone(hotline.citizen()) as citizen,
    ):
        hotline.call(citizen)
        await seat.wait("state", state="CONFIRMED")
        call = await hotline.last_call("talking")
        status, _ = await hotline.request(f"/api/v1/calls/{call['call_id']}", "DELETE")
        assert status == 200
        ended = await asyncio.gather(seat.wait("ended"), citizen.wait("ended"))
        assert [event["by"] for event in ended] == ["remote", "remote"]
        assert (await hotline.last_call("ended"))["result"] == "answered"
