"""SIGTERM in the middle of a call: it may go on, no other begins, and the engine ends with 0."""

import signal
from pathlib import Path

import pytest

from phones.driver import Softphone
from phones.raw import RawEnd, RawRefused
from tests.interop.ears import packets_heard, sides, story
from tests.interop.hotline import AGENT_HZ, CALLER_HZ, NUMBER, TRUNK, Hotline, eventually, is_alive

pytestmark = pytest.mark.interop


async def draining(hotline: Hotline) -> bool:
    status, document = await hotline.ready()
    return status == 503 and any("draining" in reason for reason in document["reasons"])


async def test_a_running_call_goes_on_while_new_ones_get_503(tmp_path: Path) -> None:
    """
    citizen        engine (SIGTERM)      another
       |<== talk ==>|                      |
       |            |<------ INVITE -------|
       |            |------- 503 --------->|  Retry-After
       |<== talk ==>|
       |---- BYE -->|  exit 0
    """
    async with (
        Hotline(tmp_path, engine={"drain_seconds": 20}) as hotline,
        Softphone(hotline.seat("8001")) as seat,
        Softphone(hotline.citizen()) as citizen,
    ):
        await seat.wait("registered")
        hotline.call(citizen)
        await seat.wait("state", state="CONFIRMED")
        hotline.engine.process.send_signal(signal.SIGTERM)
        await eventually(lambda: draining(hotline))
        another = RawEnd("trunk", CALLER_HZ, AGENT_HZ)
        await another.open(TRUNK)
        with pytest.raises(RawRefused) as raised:
            await another.place(hotline.address, NUMBER, "13900000002")
        assert raised.value.answer.status == 503
        assert int(raised.value.answer.get("retry-after")) > 0
        another.close()
        await packets_heard(citizen, 50)
        await packets_heard(seat, 10)
        assert hotline.engine.process.returncode is None
        citizen.send("hangup")
        assert (await seat.wait("ended"))["by"] == "remote"
        assert await hotline.engine.process.wait() == 0
    (stored,) = (tmp_path / "recordings").rglob("*.flac")
    left, right, rate = sides(stored)
    assert (story(left, rate), story(right, rate)) == ([CALLER_HZ], [AGENT_HZ])


async def test_calls_that_outlast_the_drain_are_ended_in_order(tmp_path: Path) -> None:
    """Both phones get a BYE, the recording is stored, and nothing of the engine stays behind."""
    async with (
        Hotline(tmp_path, engine={"drain_seconds": 0.5}) as hotline,
        Softphone(hotline.seat("8001")) as seat,
        Softphone(hotline.citizen()) as citizen,
        Softphone(hotline.citizen()) as waiting,
    ):
        await seat.wait("registered")
        hotline.call(citizen)
        await seat.wait("state", state="CONFIRMED")
        hotline.call(waiting, "13900002222")
        await waiting.wait("media", status="active")
        await packets_heard(citizen, 50)
        workers = hotline.children()
        assert workers
        assert await hotline.stop() == 0
        for phone in (seat, citizen, waiting):
            assert (await phone.wait("ended"))["by"] == "remote"
        assert not any(map(is_alive, workers))
    assert len(list((tmp_path / "recordings").rglob("*.flac"))) == 1
    assert not list((tmp_path / "spool").glob("*.spool"))
