"""Wrap-up and its extension, agents who do not answer, and a closed day, on real phones."""

import datetime
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from phones.driver import Softphone
from tests.interop.hotline import Hotline, eventually, on_duty
from tests.interop.live import Live

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]
SHUT = "12346"
EXTEND = "/api/v1/agents/8001/wrap-up/extension"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hotline(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hotline]:
    """12345 is always open; the queue of 12346 is shut yesterday, today and tomorrow."""
    one = Hotline(
        tmp_path_factory.mktemp("hotline"),
        seats=2,
        queues={"wrap_up_seconds": 60, "ring_seconds": 1},
        agents={"no_answer_limit": 2, "rest_seconds": 0.2},
    )
    queue = one.document["queues"][0]
    one.document["queues"].append({**queue, "name": SHUT})
    one.document["routes"].append({"number": SHUT, "queue": SHUT})
    today, day = datetime.datetime.now().astimezone().date(), datetime.timedelta(days=1)
    one.document["calendar"] = [
        {
            "name": "spring festival",
            "begins": str(today - day),
            "ends": str(today + day),
            "queues": [SHUT],
            "closed": True,
        }
    ]
    async with one:
        yield one


async def test_a_wrap_up_is_extended_once_and_ended_by_the_agent(hotline: Hotline) -> None:
    async with (
        on_duty(hotline, hotline.seat("8001")) as (seat,),
        Softphone(hotline.citizen()) as citizen,
    ):
        hotline.call(citizen)
        await seat.wait("state", state="CONFIRMED")
        await hotline.until_state("8001", "talking")
        assert (await hotline.request(EXTEND, "POST"))[0] == 409
        citizen.send("hangup")
        await seat.wait("ended")
        await hotline.until_state("8001", "wrap_up")
        assert (await hotline.request(EXTEND, "POST"))[0] in (200, 204)
        assert (await hotline.request(EXTEND, "POST"))[0] == 409  # once only
        assert (await hotline.states())["8001"] == "wrap_up"
        await hotline.set_state("8001", "ready")


async def test_an_agent_who_does_not_answer_is_made_not_ready_and_that_is_told(
    hotline: Hotline,
) -> None:
    """After the second call in a row; the caller is not lost for it."""
    async with (
        on_duty(hotline, hotline.seat("8001", no_answer=True)) as (seat,),
        Live(hotline) as live,
        Softphone(hotline.citizen()) as citizen,
    ):
        hotline.call(citizen)
        for _ in range(2):
            await seat.wait("incoming")
        told = await live.event(event="alert", name="no_answer")
        assert "8001" in told["text"]

        async def why() -> bool:
            agents = {agent["user"]: agent for agent in await hotline.get("/agents")}
            return (agents["8001"]["state"], agents["8001"]["reason"]) == ("not_ready", "no_answer")

        await eventually(why)
        assert (await hotline.last_call())["state"] == "waiting"
        async with Softphone(hotline.seat("8002")) as willing:
            await willing.wait("state", state="CONFIRMED")
            assert (await hotline.last_call())["agent"] == "8002"
            citizen.send("hangup")
            await willing.wait("ended")


async def test_a_caller_on_a_holiday_hears_so_and_is_not_queued(hotline: Hotline) -> None:
    async with (
        on_duty(hotline, hotline.seat("8001")) as (seat,),
        Softphone(hotline.citizen()) as citizen,
    ):
        uri = "sip:13900002222@127.0.1.1"
        citizen.call(f"sip:{SHUT}@{hotline.listener()}", **{"from": uri, "asserted": uri})
        assert (await citizen.wait("ended", 20))["by"] == "remote"
        call = await hotline.last_call("ended")
        assert (call["queue"], call["agent"], call["result"]) == (SHUT, None, "overflowed")
        assert not [event for event in seat.events if event.name == "incoming"]
