"""A media worker is killed: its calls go on over the next one, by re-INVITE."""

import asyncio
import os
import signal
from datetime import datetime
from pathlib import Path

import pytest

from phones.driver import Softphone
from phones.tones import read_wav
from phones.waiting import until
from tests.interop.ears import heard, longest_gap_seconds, packets_heard, sides, story
from tests.interop.hotline import AGENT_HZ, CALLER_HZ, MUSIC_HZ, Hotline, eventually, on_duty
from tests.interop.live import Live

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

SILENT_SECONDS = 5.0  # for a busy machine: media_reanchor.py measures how long it takes


async def kill_worker(hotline: Hotline) -> None:
    """Signal 9 to the only media worker."""
    (worker,) = hotline.media_workers()
    os.kill(worker, signal.SIGKILL)


async def test_a_talk_goes_on_when_its_media_worker_dies(hotline: Hotline, tmp_path: Path) -> None:
    """
    citizen              engine              seat
       |<==== talk ====>X worker dies X<=== talk ===>|
       |<--- re-INVITE ---|--- re-INVITE ----------->|
       |<================== talk ===================>|
    """
    lost = await hotline.metric("callcore_media_workers_lost_total")
    async with (
        Live(hotline) as live,
        Softphone(hotline.seat("8001", record=tmp_path / "agent.wav")) as seat,
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        await seat.wait("registered")
        hotline.call(citizen)
        ports = [
            (await phone.wait("media", status="active"))["remote"] for phone in (seat, citizen)
        ]
        await asyncio.gather(packets_heard(seat, 50), packets_heard(citizen, 50))
        await kill_worker(hotline)
        again = [await phone.wait("media", 5, status="active") for phone in (seat, citizen)]
        assert not {event["remote"] for event in again} & set(ports)
        await asyncio.gather(packets_heard(seat, 75), packets_heard(citizen, 75))
        assert await hotline.metric("callcore_media_workers_lost_total") == lost + 1
        await live.event(event="alert", name="media worker")
        assert (await hotline.ready())[0] == 200
        citizen.send("hangup")
        await seat.wait("ended")
        call = await hotline.last_call("ended")
    for name, tone in (("agent", CALLER_HZ), ("caller", AGENT_HZ)):
        assert heard(tmp_path / f"{name}.wav")[-1] == tone
        assert longest_gap_seconds(*read_wav(tmp_path / f"{name}.wav"), tone) < SILENT_SECONDS
    (entry,) = await hotline.recordings(call["call_id"])
    (stored,) = (hotline.folder / "recordings").rglob(f"{entry['recording']}.flac")
    left, right, rate = sides(stored)
    for side, tone in ((left, CALLER_HZ), (right, AGENT_HZ)):
        assert story(side, rate) == [tone]
        assert story(side[: rate // 2], rate) == story(side[-rate // 2 :], rate) == [tone]
        assert longest_gap_seconds(side, rate, tone) < SILENT_SECONDS
    answered, ended = (datetime.fromisoformat(call[name]) for name in ("answered", "ended"))
    talked_seconds = (ended - answered).total_seconds()
    assert entry["duration_ms"] / 1000 == pytest.approx(talked_seconds, abs=1)


async def test_a_waiting_citizen_hears_music_again_and_is_answered(
    hotline: Hotline, tmp_path: Path
) -> None:
    """The phone that rang when the worker died is rung anew, or the next one is."""
    async with (
        Softphone(hotline.seat("8002", no_answer=True)) as first,
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        await first.wait("registered")
        hotline.call(citizen)
        await first.wait("incoming")
        await packets_heard(citizen, 75)
        await kill_worker(hotline)
        await citizen.wait("media", status="active")
        assert (await citizen.wait("media", 5, status="active"))["remote"]
        await packets_heard(citizen, 50)
        async with Softphone(hotline.seat("8003")) as second:
            await second.wait("state", 15, state="CONFIRMED")
            await packets_heard(citizen, 40)
            citizen.send("hangup")
            await second.wait("ended")
    assert heard(tmp_path / "caller.wav")[-2:] == [MUSIC_HZ, AGENT_HZ]
    await eventually(lambda: nothing_left(hotline))


async def nothing_left(hotline: Hotline) -> bool:
    names = ("callcore_media_legs", "callcore_sip_legs")
    return not any([await hotline.metric(name) for name in names])


async def test_of_two_workers_one_may_die_and_the_others_call_does_not_notice(
    tmp_path: Path,
) -> None:
    """Both legs of a call are one worker's; the two calls are not."""
    async with (
        Hotline(tmp_path, media={"workers": 2}) as hotline,
        on_duty(hotline, hotline.seat("8001"), hotline.seat("8002")) as seats,
        Softphone(hotline.citizen()) as citizen,
        Softphone(hotline.citizen()) as other,
    ):
        for phone, seat in zip((citizen, other), seats, strict=True):
            hotline.call(phone)
            await seat.wait("media", status="active")
            await phone.wait("media", status="active")
        await asyncio.gather(*(packets_heard(phone, 25) for phone in (citizen, other)))
        os.kill(hotline.media_workers()[0], signal.SIGKILL)
        await until(lambda: anchorings(citizen) + anchorings(other) == 3)
        await asyncio.gather(*(packets_heard(phone, 50) for phone in (citizen, other, *seats)))
        assert sorted(map(anchorings, (citizen, other))) == [1, 2]
        assert sorted(map(anchorings, seats)) == [1, 2]
        for phone, seat in zip((citizen, other), seats, strict=True):
            phone.send("hangup")
            assert (await seat.wait("ended"))["by"] == "remote"


async def test_a_spare_takes_the_place_of_a_worker_that_dies(tmp_path: Path) -> None:
    """As every engine is set up that says nothing else; the next spare is started after it."""
    async with (
        Hotline(tmp_path, media={"spare": True}) as hotline,
        on_duty(hotline, hotline.seat("8001")) as (seat,),
        Softphone(hotline.citizen()) as citizen,
    ):

        async def spare_is_up() -> bool:
            return await hotline.metric("callcore_media_spare_workers") == 1

        await eventually(spare_is_up)
        serving, spare = hotline.media_workers()
        hotline.call(citizen)
        await seat.wait("media", status="active")
        await asyncio.gather(packets_heard(seat, 25), packets_heard(citizen, 25))
        os.kill(serving, signal.SIGKILL)
        await until(lambda: anchorings(citizen) == anchorings(seat) == 2)
        await asyncio.gather(packets_heard(seat, 50), packets_heard(citizen, 50))
        await eventually(spare_is_up)
        assert spare in hotline.media_workers()
        citizen.send("hangup")
        assert (await seat.wait("ended"))["by"] == "remote"


def anchorings(phone: Softphone) -> int:
    """How often a phone was told where its voice goes."""
    return len([event for event in phone.events if event.name == "media"])
