"""The engine is killed by signal 9 in the middle of its work; the next start picks up."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from phones.driver import Softphone
from phones.engine import ROOT
from tests.interop.ears import packets_heard, sides, story
from tests.interop.hotline import AGENT_HZ, CALLER_HZ, NUMBER, Hotline, eventually, is_alive

pytestmark = pytest.mark.interop

PACKET_SECONDS = 0.02
TORN_SECONDS = 1.0  # what may be missing at a recording's end


async def callcore(*arguments: str) -> tuple[int, str]:
    """The command line: exit code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "service.cli", *arguments, stdout=asyncio.subprocess.PIPE, cwd=ROOT
    )
    out, _ = await process.communicate()
    return int(process.returncode or 0), out.decode()


async def replayed(hotline: Hotline) -> dict[str, Any]:
    """The queue's counts as the journal has them."""
    code, out = await callcore("journal", "replay", str(hotline.folder / "journal"))
    assert code == 0, out
    total: dict[str, Any] = json.loads(out)["queues"][0]["total"]
    return total


async def test_a_killed_engine_loses_neither_recording_nor_counts(tmp_path: Path) -> None:
    """One citizen talks and one waits when it dies; afterwards a call is as good as ever."""
    async with (
        Hotline(tmp_path) as hotline,
        Softphone(hotline.seat("8001")) as seat,
        Softphone(hotline.citizen()) as citizen,
        Softphone(hotline.citizen()) as waiting,
    ):
        await seat.wait("registered")
        hotline.call(citizen)
        await seat.wait("state", state="CONFIRMED")
        call = await hotline.last_call("talking")
        hotline.call(waiting, "13900002222")
        await waiting.wait("media", status="active")
        talked_seconds = 2.0
        packets = round(talked_seconds / PACKET_SECONDS)
        await asyncio.gather(packets_heard(seat, packets), packets_heard(citizen, packets))
        workers = hotline.children()
        await hotline.kill()
        await eventually(lambda: gone(workers), 5)  # they write what they hold, and end

        await hotline.start()
        (entry,) = await hotline.recordings(call["call_id"])
        assert entry["duration_ms"] / 1000 >= talked_seconds - TORN_SECONDS
        (stored,) = (tmp_path / "recordings").rglob(f"{entry['recording']}.flac")
        left, right, rate = sides(stored)
        assert (story(left, rate), story(right, rate)) == ([CALLER_HZ], [AGENT_HZ])
        queue = await hotline.queue()
        assert (queue["offered"], queue["answered"], queue["waiting"]) == (2, 1, 0)

        for phone in (seat, citizen, waiting):
            phone.send("hangup")  # of a dialog that the engine no longer knows: 481
            await phone.wait("ended")
        seat.send("register")
        await hotline.until_state("8001", "ready")
        hotline.call(citizen, "13900003333")
        await seat.wait("state", state="CONFIRMED")
        await packets_heard(citizen, 20)
        citizen.send("hangup")
        await seat.wait("ended")
        again = await hotline.last_call("ended")
        assert (again["caller"], again["result"]) == ("13900003333", "answered")
    total, verified = await asyncio.gather(
        replayed(hotline), callcore("recordings", "verify", "--config", str(hotline.path))
    )
    counted = {name: total[name] for name in ("offered", "answered", "failed", "abandoned")}
    assert counted == {"offered": 3, "answered": 2, "failed": 1, "abandoned": 0}
    assert total["service_level"]["A"] == 1.0
    assert verified[0] == 0, verified


async def gone(workers: list[int]) -> bool:
    return not any(map(is_alive, workers))


async def test_an_engine_whose_media_worker_died_with_it_recovers_what_was_written(
    tmp_path: Path,
) -> None:
    """Power off: nobody had the time to close a file."""
    async with (
        Hotline(tmp_path) as hotline,
        Softphone(hotline.seat("8001")) as seat,
        Softphone(hotline.citizen()) as citizen,
    ):
        await seat.wait("registered")
        hotline.call(citizen)
        await seat.wait("state", state="CONFIRMED")
        call = await hotline.last_call("talking")
        talked_seconds = 1.5
        await packets_heard(citizen, round(talked_seconds / PACKET_SECONDS))
        await hotline.kill_all()
        await hotline.start()
        (entry,) = await hotline.recordings(call["call_id"])
        assert entry["duration_ms"] / 1000 >= talked_seconds - TORN_SECONDS
        assert (await hotline.get(f"/queues/{NUMBER}"))["answered"] == 1
        assert not list((tmp_path / "spool").glob("*.spool"))
