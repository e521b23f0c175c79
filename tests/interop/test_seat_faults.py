"""Phones that vanish: while they ring, while they talk, with and without a connection."""

import asyncio
from pathlib import Path

import pytest

from phones.driver import Softphone
from tests.interop.ears import heard, packets_heard, sides, story
from tests.interop.hotline import AGENT_HZ, CALLER_HZ, MUSIC_HZ, WELCOME_HZ, Hotline, on_duty

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

RING_SECONDS, RTP_TIMEOUT_SECONDS = 1.5, 1.5
NEXT_AGENT_HZ = 1500
CONFIGURATION = {
    "seats": 9,  # a phone that is killed leaves its binding behind: each test has its own seats
    "queues": {"ring_seconds": RING_SECONDS},
    "media": {"rtp_timeout_seconds": RTP_TIMEOUT_SECONDS},
}


async def kill(phone: Softphone) -> None:
    """Signal 9 to the phone's process: nobody is told.

    A binding over UDP outlives it: sooner or later its seat is rung again, unless it gets a break.
    """
    phone.process.kill()
    await phone.process.wait()


async def test_a_seat_that_dies_ringing_loses_the_call_to_the_next_agent(
    hotline: Hotline,
) -> None:
    """Over UDP nothing tells of the death but the ring time: the call goes on waiting."""
    before = await hotline.queue()
    options = hotline.seat("8001", no_answer=True), hotline.seat("8002")
    async with (
        on_duty(hotline, *options) as (first, second),
        Softphone(hotline.citizen()) as citizen,
    ):
        hotline.call(citizen)
        await first.wait("incoming")
        call = await hotline.last_call()
        await kill(first)
        await second.wait("state", RING_SECONDS + 1, state="CONFIRMED")
        talking = await hotline.last_call("talking")
        assert (talking["agent"], talking["queued"]) == ("8002", call["queued"])
        assert (await hotline.states())["8001"] == "not_ready"
        await hotline.set_state("8001", "not_ready")
        await packets_heard(citizen, 20)
        citizen.send("hangup")
        await second.wait("ended")
    after = await hotline.queue()
    assert (after["offered"], after["answered"]) == (before["offered"] + 1, before["answered"] + 1)


async def test_a_seat_that_dies_on_a_connection_is_missed_at_once(hotline: Hotline) -> None:
    """The connection's end ends the binding and the leg: the next phone rings without delay."""
    options = hotline.seat("8003", no_answer=True, transport="tcp"), hotline.seat("8002")
    async with (
        on_duty(hotline, *options) as (first, second),
        Softphone(hotline.citizen()) as citizen,
    ):
        hotline.call(citizen)
        await first.wait("incoming")
        await kill(first)
        await second.wait("state", 1, state="CONFIRMED")
        await hotline.until_state("8003", "offline", timeout_seconds=1)
        citizen.send("hangup")
        await second.wait("ended")


async def test_a_seat_that_unregisters_while_it_rings_is_not_waited_for(hotline: Hotline) -> None:
    options = hotline.seat("8004", no_answer=True), hotline.seat("8002")
    async with (
        on_duty(hotline, *options) as (first, second),
        Softphone(hotline.citizen()) as citizen,
    ):
        hotline.call(citizen)
        await first.wait("incoming")
        first.send("unregister")
        await second.wait("state", 1, state="CONFIRMED")
        assert (await first.wait("ended"))["by"] == "remote"
        citizen.send("hangup")
        await second.wait("ended")


async def test_the_citizen_of_a_seat_that_dies_talking_gets_another_agent(
    hotline: Hotline, tmp_path: Path
) -> None:
    """After the RTP time-out music again, then the next agent; both talks are recorded."""
    before = await hotline.queue()
    async with (
        on_duty(hotline, hotline.seat("8005")) as (first,),
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        hotline.call(citizen)
        await first.wait("state", state="CONFIRMED")
        await packets_heard(citizen, 40)
        call = await hotline.last_call("talking")
        await kill(first)
        waiting = await hotline.last_call("waiting", RTP_TIMEOUT_SECONDS + 1)
        assert (waiting["call_id"], waiting["queued"]) == (call["call_id"], call["queued"])
        await packets_heard(citizen, 20)
        await hotline.set_state("8005", "not_ready")
        async with Softphone(hotline.seat("8006", tone=NEXT_AGENT_HZ)) as second:
            await second.wait("state", state="CONFIRMED")
            await asyncio.gather(packets_heard(citizen, 40), packets_heard(second, 40))
            citizen.send("hangup")
            assert (await second.wait("ended"))["by"] == "remote"
        ended = await hotline.last_call("ended")
    assert (ended["result"], ended["agent"], len(ended["recordings"])) == ("answered", "8006", 2)
    after = await hotline.queue()
    assert (after["offered"], after["answered"]) == (before["offered"] + 1, before["answered"] + 1)
    tones = (WELCOME_HZ, MUSIC_HZ, AGENT_HZ, NEXT_AGENT_HZ)
    assert heard(tmp_path / "caller.wav", tones)[-3:] == [AGENT_HZ, MUSIC_HZ, NEXT_AGENT_HZ]
    parts = await hotline.recordings(call["call_id"], count=2)
    assert [part["agent"] for part in parts] == ["8005", "8006"]
    for part, agents_hz in zip(parts, (AGENT_HZ, NEXT_AGENT_HZ), strict=True):
        (stored,) = (hotline.folder / "recordings").rglob(f"{part['recording']}.flac")
        left, right, rate = sides(stored)
        assert story(left, rate, (CALLER_HZ, *tones)) == [CALLER_HZ]
        assert story(right, rate, (CALLER_HZ, *tones)) == [agents_hz]


async def test_a_call_whose_citizen_dies_is_ended(hotline: Hotline) -> None:
    """The agent is free again after the RTP time-out, whether it talked or rang."""
    async with on_duty(hotline, hotline.seat("8002")) as (seat,):
        async with Softphone(hotline.citizen()) as citizen:
            hotline.call(citizen)
            await seat.wait("state", state="CONFIRMED")
            await packets_heard(seat, 20)
            await kill(citizen)
        assert (await seat.wait("ended", RTP_TIMEOUT_SECONDS + 2))["by"] == "remote"
        assert (await hotline.last_call("ended"))["result"] == "answered"
        assert (await hotline.states())["8002"] == "ready"


async def test_a_citizen_who_dies_waiting_leaves_the_queue(hotline: Hotline) -> None:
    async with Softphone(hotline.citizen()) as citizen:
        hotline.call(citizen)
        await citizen.wait("media", status="active")
        await packets_heard(citizen, 20)
        assert (await hotline.queue())["waiting"] == 1
        await kill(citizen)
    call = await hotline.last_call("ended", RTP_TIMEOUT_SECONDS + 2)
    assert call["answered"] is None
    assert (await hotline.queue())["waiting"] == 0


async def test_a_phone_that_comes_back_from_another_port_is_called_there(
    hotline: Hotline,
) -> None:
    """The old binding is dead but not expired: both are called, the living one answers."""
    async with Softphone(hotline.seat("8007")) as first:
        await first.wait("registered")
        await kill(first)
    async with (
        Softphone(hotline.seat("8007")) as second,
        Softphone(hotline.citizen()) as citizen,
    ):
        await second.wait("registered")
        hotline.call(citizen)
        await second.wait("state", 3, state="CONFIRMED")
        await packets_heard(citizen, 20)
        assert (await hotline.last_call("talking"))["agent"] == "8007"
        citizen.send("hangup")
        await second.wait("ended")
