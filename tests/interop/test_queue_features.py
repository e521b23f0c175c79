"""What the queue does beyond order, on real phones: skills, mobiles, callbacks, hours, marks."""

import asyncio
from typing import Any

import pytest

from phones.driver import Softphone
from tests.interop.hotline import Hotline, eventually, on_duty

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]
MOBILE, MOBILE_HOST = "13800000009", "127.0.1.7"
PAIR = {"skills": ["general"]}
CONFIGURATION = {
    "seats": 3,
    "queues": {
        "policy": "skills",
        "target_seconds": 2,
        "overflow_mobile_after_seconds": 1,
        "handle_seconds": 30,
        "overflow": [{"target": "callback", "after_seconds": 1}],
        "callback": {"hours": "00:00-24:00", "retry_seconds": 1, "attempts": 2},
    },
    "callers": [{"number": "13666666666", "kind": "blocked"}],
}


async def test_a_blocked_number_is_turned_away_and_counted(hotline: Hotline) -> None:
    before = await hotline.queue()
    async with Softphone(hotline.citizen()) as citizen:
        hotline.call(citizen, "13666666666")
        assert (await citizen.wait("ended"))["code"] == 603
    after = await hotline.queue()
    assert after["rejected"] == before["rejected"] + 1
    assert after["offered"] == before["offered"] + 1


async def test_an_agents_nuisance_mark_blocks_after_the_review(hotline: Hotline) -> None:
    path, number = "/api/v1/callers/13777777777/mark", "13777777777"
    mark = {"kind": "nuisance", "by": "8001", "note": "sings"}
    assert (await hotline.request(path, "PUT", mark))[0] == 200
    review = {"keep": True, "by": "8003"}
    assert (await hotline.request(f"{path}/review", "POST", review))[0] == 200
    async with Softphone(hotline.citizen()) as citizen:
        hotline.call(citizen, number)
        assert (await citizen.wait("ended"))["code"] == 603
    assert (await hotline.request(path, "DELETE"))[0] == 204


async def test_the_supervisor_forces_a_break_and_ends_it(hotline: Hotline) -> None:
    path = "/api/v1/agents/8001/state"
    async with on_duty(hotline, hotline.seat("8001")):
        forced = {"state": "not_ready", "reason": "training", "by": "8003"}
        assert (await hotline.request(path, "POST", forced))[0] == 200
        assert (await hotline.request(path, "POST", {"state": "ready"}))[0] == 409
        assert (await hotline.states())["8001"] == "not_ready"
        assert (await hotline.request(path, "POST", {"state": "ready", "by": "8003"}))[0] == 200
        assert (await hotline.states())["8001"] == "ready"
        extend = "/api/v1/agents/8001/wrap-up/extension"
        assert (await hotline.request(extend, "POST"))[0] == 409


async def test_a_taken_callback_is_kept_when_the_agent_is_idle(hotline: Hotline) -> None:
    """The caller waits, presses 1 and leaves; 8001 is rung first, then the citizen."""
    before = await hotline.queue()
    async with on_duty(hotline, hotline.seat("8001")) as (seat,):
        async with (
            Softphone(hotline.citizen()) as first,
            Softphone(hotline.citizen()) as second,
        ):
            hotline.call(first, "13900000001")
            await hotline.until_state("8001", "talking")
            hotline.call(second, "13900000002")
            await second.wait("media", status="active")

            async def promised() -> bool:
                second.send("dtmf", digits="1")
                await asyncio.sleep(0.3)
                return bool(await hotline.get("/callbacks"))

            await eventually(promised, every_seconds=0.5)
            await second.wait("ended")
            record = await hotline.last_call("ended")
            assert record["result"] == "called_back"
            first.send("hangup")
            await seat.wait("ended")
        await seat.wait("incoming")

        async def over() -> list[dict[str, Any]] | None:
            kept = await hotline.get("/callbacks")
            return kept if kept[0]["attempts"] else None

        kept = (await eventually(over, 20))[0]
    assert kept["number"] == "13900000002"
    after = await hotline.queue()
    assert after["called_back"] == before["called_back"] + 1
