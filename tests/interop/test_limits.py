"""The ends of what there is: the longest wait, the ports for voices, who takes no calls."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from phones.driver import Softphone
from phones.raw import RawCall, RawEnd, RawRefused
from tests.interop.hotline import CALLER_HZ, NUMBER, TRUNK, Hotline, eventually

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

MAX_WAIT_SECONDS = 1.5
PORTS = 3


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hotline(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hotline]:
    """One seat is a supervisor's; three voices have room."""
    one = Hotline(
        tmp_path_factory.mktemp("hotline"),
        queues={"max_wait_seconds": MAX_WAIT_SECONDS},
    )
    seat = {"user": "8009", "password": "secret-8009", "role": "supervisor"}
    one.document["seats"].append(seat)
    first = int(one.document["media"]["ports"].partition("-")[0])
    one.document["media"]["ports"] = f"{first}-{first + 2 * PORTS - 1}"
    async with one:
        yield one


async def test_a_call_that_nobody_takes_in_time_is_ended_and_counted(hotline: Hotline) -> None:
    async with Softphone(hotline.citizen()) as citizen:
        hotline.call(citizen)
        await citizen.wait("media", status="active")
        ended = await citizen.wait("ended")
        assert ended["by"] == "remote"
    call = await hotline.last_call("ended")
    assert call["result"] == "overflowed"
    assert call["wait_ms"] >= MAX_WAIT_SECONDS * 1000
    assert await hotline.metric("callcore_queue_overflowed_total") == 1
    assert (await hotline.queue())["waiting"] == 0


async def test_a_supervisor_is_not_rung_even_when_ready(hotline: Hotline) -> None:
    async with (
        Softphone(hotline.seat("8009")) as supervisor,
        Softphone(hotline.citizen()) as citizen,
    ):
        await supervisor.wait("registered")
        await hotline.until_state("8009", "ready")
        hotline.call(citizen)
        await citizen.wait("ended")
        assert not [event for event in supervisor.events if event.name == "incoming"]


async def test_a_call_that_finds_no_port_gets_503_until_one_has_rested(hotline: Hotline) -> None:
    """Packets meant for a port's last call may still be on the way: it rests for two seconds."""
    caller = RawEnd("trunk", CALLER_HZ, CALLER_HZ)
    await caller.open(TRUNK)

    async def placed() -> RawCall | None:
        try:
            return await caller.place(hotline.address, NUMBER, "13900000001")
        except RawRefused:
            return None

    calls = [await eventually(placed) for _ in range(PORTS)]
    with pytest.raises(RawRefused) as raised:
        await caller.place(hotline.address, NUMBER, "13900000009")
    assert raised.value.answer.status == 503
    assert int(raised.value.answer.get("retry-after")) > 0
    for call in calls:
        assert call is not None
        await caller.hang_up(call)
    again = await eventually(placed)
    assert again is not None
    await caller.hang_up(again)
    caller.close()
