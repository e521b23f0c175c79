"""Where recordings go: S3, a store that is away for a while, a disk that is full."""

import asyncio
import base64
import hashlib
import json
import resource
from pathlib import Path
from typing import Any

import pytest

from phones.driver import Softphone
from tests.interop.ears import heard, longest_gap_seconds, packets_heard, sides, story
from tests.interop.hotline import AGENT_HZ, CALLER_HZ, Hotline, eventually
from tests.interop.live import Live
from tests.interop.s3 import S3
from tests.interop.test_restart import callcore

pytestmark = pytest.mark.interop

FULL_BYTES = 30_000  # a recording's second takes 16,000


async def a_call(hotline: Hotline, seat: Softphone, citizen: Softphone) -> dict[str, Any]:
    """A second's talk; the call's record."""
    hotline.call(citizen)
    await seat.wait("state", state="CONFIRMED")
    await asyncio.gather(packets_heard(seat, 50), packets_heard(citizen, 50))
    citizen.send("hangup")
    await seat.wait("ended")
    return await hotline.last_call("ended")


async def assert_stored(store: S3, entry: dict[str, Any], folder: Path) -> None:
    """The object is there, is what the index says, and holds both voices."""
    objects = await store.objects()
    (key,) = [key for key in objects if key.endswith(f"{entry['recording']}.flac")]
    assert key.startswith("calls/")
    assert hashlib.sha256(objects[key]).hexdigest() == entry["sha256"]
    assert len(objects[key]) == entry["size"]
    path = folder / "fetched.flac"
    path.write_bytes(objects[key])
    left, right, rate = sides(path)
    assert (story(left, rate), story(right, rate)) == ([CALLER_HZ], [AGENT_HZ])


async def test_recordings_go_encrypted_to_an_s3_store_and_are_played_from_there(
    tmp_path: Path,
) -> None:
    key = base64.b64encode(bytes(range(32))).decode()
    async with (
        S3() as store,
        Hotline(tmp_path, recordings={**store.recordings, "key": key}) as hotline,
        Softphone(hotline.seat("8001")) as seat,
        Softphone(hotline.citizen()) as citizen,
    ):
        await seat.wait("registered")
        call = await a_call(hotline, seat, citizen)
        # The keeping process has the lowest priority of all: on a busy machine it takes its time.
        (entry,) = await hotline.recordings(call["call_id"], timeout_seconds=40)
        objects = await store.objects()
        (sealed,) = [key for key in objects if key.endswith(f"{entry['recording']}.flac.enc")]
        assert not any(b"fLaC" in data for data in objects.values())
        manifest = json.loads(objects[sealed.replace(".flac.enc", ".json")])
        assert (
            hashlib.sha256(objects[sealed]).hexdigest() == manifest["encryption"]["stored_sha256"]
        )
        path = f"/api/v1/recordings/{entry['recording']}/audio"
        status, sound = await hotline.request(path)
        assert (status, hashlib.sha256(sound).hexdigest()) == (200, entry["sha256"])
        (tmp_path / "heard.flac").write_bytes(sound)
        left, right, rate = sides(tmp_path / "heard.flac")
        assert (story(left, rate), story(right, rate)) == ([CALLER_HZ], [AGENT_HZ])
        assert not list((tmp_path / "spool").glob("*.spool"))
        assert (await callcore("recordings", "verify", "--config", str(hotline.path)))[0] == 0
        # moto's bucket was not set up: that is said, and is no reason to stay away.
        status, document = await hotline.ready()
        assert (status, "locks nothing" in str(document["warnings"])) == (200, True)
        assert await hotline.metric("callcore_recording_store_ability", ability="object_lock") == 0
        assert "secret" not in hotline.log()
        assert key not in hotline.log()


async def test_a_store_that_is_away_gets_everything_once_it_is_back(tmp_path: Path) -> None:
    """Calls go on meanwhile, /readyz and an alert say why, and the spool keeps the recording."""
    store = S3()
    async with (
        Hotline(tmp_path, recordings=store.recordings) as hotline,
        Live(hotline, since=0) as live,
        Softphone(hotline.seat("8001")) as seat,
        Softphone(hotline.citizen()) as citizen,
    ):
        await seat.wait("registered")
        alert = await live.event(event="alert", name="store")
        assert store.endpoint in alert["text"]
        call = await a_call(hotline, seat, citizen)
        assert call["result"] == "answered"
        status, document = await hotline.ready()
        assert status == 503
        assert any("store is away" in reason for reason in document["reasons"])
        assert list((tmp_path / "spool").glob("*.spool"))
        await eventually(lambda: waits(hotline))
        assert await hotline.metric("callcore_recordings_total", state="stored") == 0
        async with store:
            (entry,) = await hotline.recordings(call["call_id"], timeout_seconds=20)
            await assert_stored(store, entry, tmp_path)
            await live.event(event="alert", name="store", text="back")
            assert (await hotline.ready())[0] == 200
            assert not list((tmp_path / "spool").glob("*.spool"))
            assert await hotline.metric("callcore_recording_oldest_unstored_seconds") == 0


async def waits(hotline: Hotline) -> bool:
    """A recording is in the spool and its age is shown."""
    return (
        await hotline.metric("callcore_recording_spool_bytes") > 0
        and await hotline.metric("callcore_recording_oldest_unstored_seconds") > 0
        and await hotline.metric("callcore_recording_store_up") == 0
    )


async def test_a_disk_that_was_full_for_a_while_costs_neither_the_call_nor_its_recording(
    tmp_path: Path,
) -> None:
    """The media worker may not write beyond a size for a while, as on a disk that is full."""
    async with (
        Hotline(tmp_path) as hotline,
        Live(hotline) as live,
        Softphone(hotline.seat("8001", record=tmp_path / "agent.wav")) as seat,
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        await seat.wait("registered")
        (worker,) = hotline.media_workers()
        unlimited = resource.prlimit(worker, resource.RLIMIT_FSIZE)
        resource.prlimit(worker, resource.RLIMIT_FSIZE, (FULL_BYTES, unlimited[1]))
        hotline.call(citizen)
        await seat.wait("state", state="CONFIRMED")
        call = await hotline.last_call("talking")
        alert = await live.event(event="alert", name="recording")
        assert call["recording"] in alert["text"]
        assert await hotline.metric("callcore_recording_write_failures_total") >= 1
        await live.until(lambda told: any(e.get("name") == "spool" for e in told))
        await asyncio.gather(packets_heard(seat, 50), packets_heard(citizen, 50))
        assert (await hotline.last_call())["state"] == "talking"
        resource.prlimit(worker, resource.RLIMIT_FSIZE, unlimited)
        await asyncio.gather(packets_heard(seat, 60), packets_heard(citizen, 60))
        citizen.send("hangup")
        await seat.wait("ended")
        (entry,) = await hotline.recordings(call["call_id"])
        assert (await hotline.last_call("ended"))["result"] == "answered"
        await eventually(lambda: no_warnings(hotline))
    assert heard(tmp_path / "agent.wav") == [CALLER_HZ]
    assert heard(tmp_path / "caller.wav")[-1] == AGENT_HZ
    (stored,) = (tmp_path / "recordings").rglob(f"{entry['recording']}.flac")
    left, right, rate = sides(stored)
    for side, tone in ((left, CALLER_HZ), (right, AGENT_HZ)):
        assert story(side[:rate], rate) == story(side[-rate // 2 :], rate) == [tone]
        assert longest_gap_seconds(side, rate, tone) < 0.4  # what could not be written waited
    assert entry["duration_ms"] > 3000


async def no_warnings(hotline: Hotline) -> bool:
    status, document = await hotline.ready()
    return status == 200 and not document["warnings"]
