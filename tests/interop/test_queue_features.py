"""What the queue does beyond order, on real phones: skills, mobiles, callbacks, hours, marks."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from phones.driver import Softphone, SoftphoneOptions
from phones.raw import RawEnd
from tests.interop.ears import packets_heard
from tests.interop.hotline import Hotline, eventually, on_duty

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]
MOBILE, MOBILE_HOST, MOBILE_PORT = "13800000009", "127.0.1.7", 5090
CONFIGURATION: dict[str, Any] = {
    "seats": 2,
    "trunks": {"peers": [f"{MOBILE_HOST}:{MOBILE_PORT}", "127.0.1.0/24"]},
    "outbound": {"allowed": ["mobile"]},
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


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def hotline(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hotline]:
    """8001 knows English, too; 8002 has a headset, and a mobile for when the seat is off."""
    one = Hotline(tmp_path_factory.mktemp("hotline"), **CONFIGURATION)
    one.document["seats"][0] |= {"skills": ["general", "english"]}
    one.document["seats"][1] |= {"mobile": MOBILE, "auto_answer": "answer-mode"}
    async with one:
        yield one


def abroad(hotline: Hotline, **changes: Any) -> SoftphoneOptions:
    """A phone where the trunk's calls go: a mobile, or a citizen who is called back."""
    given = {"address": MOBILE_HOST, "local_port": MOBILE_PORT, "auto_answer": "0.2"}
    return hotline.citizen(**(given | changes))


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
    async with (
        on_duty(hotline, hotline.seat("8001")) as (seat,),
        Softphone(hotline.citizen()) as first,
        Softphone(hotline.citizen()) as second,
        Softphone(abroad(hotline)) as citizen,
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
        await citizen.wait("media", status="active")
        await asyncio.gather(packets_heard(seat, 20), packets_heard(citizen, 20))
        citizen.send("hangup")

        async def over() -> dict[str, Any] | None:
            made: list[dict[str, Any]] = await hotline.get("/callbacks")
            return made[0] if made[0]["state"] == "over" else None

        kept = await eventually(over, 20) or {}
    assert (kept["number"], kept["result"], kept["attempts"]) == ("13900000002", "answered", 1)
    after = await hotline.queue()
    assert after["called_back"] == before["called_back"] + 1


async def test_a_predicted_miss_rings_a_mobile_over_the_trunk(hotline: Hotline) -> None:
    """8002's seat is off; its person takes the call at the mobile by pressing 1."""
    before = await hotline.queue()
    async with (
        on_duty(hotline, hotline.seat("8001")),
        Softphone(hotline.citizen()) as first,
        Softphone(hotline.citizen()) as second,
        Softphone(abroad(hotline)) as mobile,
    ):
        hotline.call(first, "13900000001")
        await hotline.until_state("8001", "talking")
        hotline.call(second, "13900000003")
        await mobile.wait("media", status="active")
        assert (await hotline.states())["8002"] == "ringing"

        async def confirmed() -> bool:
            mobile.send("dtmf", digits="1")
            await asyncio.sleep(0.3)
            return (await hotline.states())["8002"] == "talking"

        await eventually(confirmed, every_seconds=0.5)
        await asyncio.gather(packets_heard(mobile, 20), packets_heard(second, 20))
        second.send("hangup")
        await mobile.wait("ended")
        await hotline.until_state("8002", "offline")
        first.send("hangup")
        await hotline.until_state("8001", "ready")
    after = await hotline.queue()
    assert after["answered"] == before["answered"] + 2


async def test_a_headset_is_asked_to_answer_by_itself(hotline: Hotline) -> None:
    seat = RawEnd("8002", 0, 0)
    await seat.open()
    assert await seat.register(hotline.address, "hotline.local", "secret-8002") == 200
    await hotline.until_state("8002", "ready")
    async with Softphone(hotline.citizen()) as citizen:
        hotline.call(citizen)
        invite, _, _ = await seat.incoming.get()
        assert invite.get("answer-mode") == "Auto"
        citizen.send("hangup")
        await citizen.wait("ended")
    seat.close()


async def test_the_one_who_knows_less_is_asked_first(hotline: Hotline) -> None:
    """8001 is idle for longer, and stays free for those who need English."""
    async with (
        on_duty(hotline, hotline.seat("8001")),
        on_duty(hotline, hotline.seat("8002")) as (second,),
        Softphone(hotline.citizen()) as citizen,
    ):
        hotline.call(citizen)
        await second.wait("media", status="active")
        assert (await hotline.states())["8001"] == "ready"
        citizen.send("hangup")
        await second.wait("ended")
