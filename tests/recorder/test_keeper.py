"""The keeper: nothing leaves the spool before the store has it."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import time
from pathlib import Path

import pytest
from keeper_house import FaultyStore
from spooled_call import STARTED_MS, assert_tones, frames_of, header, read_flac, spool_call

from recorder import manifest as manifests
from recorder.events import Failed, Stored
from recorder.io.index import Query
from recorder.io.keeper import KeeperError
from recorder.io.objects import sha256_of_file
from recorder.io.segments import scan
from recorder.io.spool import SpoolSink
from recorder.io.spooled import Spooled
from recorder.io.store import StoreError
from recorder.manifest import DAY_MS, RetentionError


async def test_a_call_is_kept(house):
    keeper = house.keeper()
    await keeper.start()
    spool_call(house.spool, "r1", 150)
    keeper.finish("r1", {"agent": "8002", "ended_ms": STARTED_MS + 3100, "result": "answered"})
    [stored] = await house.wait(Stored)
    assert stored.key == "2025/06/15/r1.flac"
    data = (house.store / stored.key).read_bytes()
    assert_tones(read_flac(data))
    assert sha256_of_file(house.store / stored.key) == stored.sha256
    entry = await keeper.get("r1")
    assert (entry.state, entry.agent, entry.caller) == ("stored", "8002", "13900000001")
    assert (entry.started_ms, entry.duration_ms) == (STARTED_MS, 3000)
    assert entry.ended_ms == STARTED_MS + 3100
    assert entry.retain_until_ms >= entry.ended_ms + 366 * DAY_MS
    assert not entry.recovered
    manifest = manifests.decode((house.store / "2025/06/15/r1.json").read_bytes())
    assert (manifest.sha256, manifest.size) == (entry.sha256, entry.size)
    assert (manifest.result, manifest.extra) == ("answered", {})
    assert scan(house.spool) == {}
    assert not list(house.spool.glob("*.json"))
    assert await keeper.find(Query(agent="8002")) == [entry]
    status = keeper.status()
    assert (status.stored, status.spooled, status.store_ok, status.alerts) == (1, 0, True, ())


async def test_opus_by_configuration_and_the_order_on_the_call(house):
    keeper = house.keeper(format="opus")
    await keeper.start()
    spool_call(house.spool, "r1-2", 150, part=2, kind="transfer")
    keeper.finish("r1-2", {})
    [stored] = await house.wait(Stored)
    assert stored.key == "2025/06/15/r1-2.opus"
    manifest = manifests.decode((house.store / manifests.manifest_key(stored.key)).read_bytes())
    assert (manifest.codec.name, manifest.part, manifest.kind) == ("opus", 2, "transfer")
    heard = await keeper.read("r1-2")
    assert (heard.content_type, heard.size) == ("audio/ogg", stored.size)
    wav = await keeper.read("r1-2", "wav")
    assert len(b"".join(await asyncio.to_thread(lambda: list(wav.chunks(0, None))))) == wav.size


async def test_two_segments_become_one_recording(house):
    spool_call(house.spool, "r1", 50)
    spool_call(house.spool, "r1", 50, started_ms=STARTED_MS + 1500)
    keeper = house.keeper()
    await keeper.start()
    await house.wait(Stored)
    entry = await keeper.get("r1")
    assert entry.duration_ms == 2500
    assert [part["at_ms"] for part in entry.parts] == [0, 1500]


async def test_silence_on_purpose_is_told_in_the_manifest(house):
    """Blocks that the tap left out for privacy, over two segments."""
    sink = SpoolSink(str(house.spool))
    for started_ms in (STARTED_MS, STARTED_MS + 4000):
        handle = sink.open("r1", header(started_ms=started_ms))
        for first, private in ((0, 0), (25, 3), (50, 3), (75, 1), (100, 0)):
            sink.write(handle, first, frames_of(25), private)
        sink.close(handle)
    keeper = house.keeper()
    await keeper.start()
    await house.wait(Stored)
    entry = await keeper.get("r1")
    manifest = manifests.decode((house.store / manifests.manifest_key(entry.key)).read_bytes())
    told = [(gap.at_ms, gap.duration_ms, gap.sides, gap.why) for gap in manifest.gaps]
    once = [(500, 1000, ("left", "right"), "privacy"), (1500, 500, ("left",), "privacy")]
    assert told == once + [(at + 4000, *rest) for at, *rest in once]
    assert manifest.gaps[0].started == manifests.iso(STARTED_MS + 500)
    assert manifest.gaps[0].ended == manifests.iso(STARTED_MS + 1500)


async def test_a_recording_in_progress_is_left_alone(house):
    sink = SpoolSink(str(house.spool))
    handle = sink.open("growing", header())
    sink.write(handle, 0, frames_of(50))
    keeper = house.keeper()
    await keeper.start()
    keeper.finish("growing", {})  # the worker is a little behind
    await asyncio.sleep(0.3)
    assert not house.told
    assert keeper.status().spooled == 1
    sink.close(handle)
    [stored] = await house.wait(Stored)
    assert stored.duration_ms == 1000


async def test_a_worker_that_outlives_its_engine_is_waited_for(house):
    sink = SpoolSink(str(house.spool))
    handle = sink.open("outlived", header())
    keeper = house.keeper()
    await keeper.start()
    sink.write(handle, 0, frames_of(50))
    await asyncio.sleep(0.2)
    assert not house.told
    sink.close(handle)
    [stored] = await house.wait(Stored)
    assert (stored.duration_ms, stored.recovered) == (1000, True)


async def test_one_recording_is_never_uploaded_twice_at_once(house):
    store = FaultyStore(house.store)
    for number in range(4):
        spool_call(house.spool, f"r{number}", 25)
    keeper = house.keeper(store, workers=4, orphan_seconds=0.0, watch_seconds=0.005)
    await keeper.start()
    for number in range(4):
        keeper.finish(f"r{number}", {})
        keeper.finish(f"r{number}", {"agent": "8009"})
    await house.wait(Stored, 4)
    assert store.most_at_once == 1


async def test_audio_that_comes_after_its_recording_was_stored_is_kept_beside_it(house):
    keeper = house.keeper()
    await keeper.start()
    for frames in (100, 50, 25):
        spool_call(house.spool, "r1", frames)
        keeper.finish("r1", {})
        await house.until(lambda: not scan(house.spool))
        await house.until(lambda: not keeper.status().spooled)
    found = {entry.recording: entry.duration_ms for entry in await keeper.find(Query())}
    assert found == {"r1": 2000, "r1~2": 1000, "r1~3": 500}
    assert (await keeper.verify()).ok


async def test_a_recording_that_nobody_finishes_is_kept_after_a_while(house):
    keeper = house.keeper(orphan_seconds=0.2)
    await keeper.start()
    spool_call(house.spool, "orphan")
    [stored] = await house.wait(Stored)
    assert stored.recovered


async def test_a_recording_is_heard_that_is_stored_while_it_is_looked_for(house, monkeypatch):
    keeper = house.keeper()
    spool_call(house.spool, "r1", 50)
    found = Spooled.segments

    def segments(spooled, recording):
        there = found(spooled, recording)
        monkeypatch.setattr(Spooled, "segments", found)
        keeper.vault.keep("r1", {})
        return there

    monkeypatch.setattr(Spooled, "segments", segments)
    playback = await keeper.read("r1")
    assert b"".join(playback.chunks(0, 4)) == b"fLaC"
    assert (await keeper.get("r1")).state == "stored"
    assert await keeper.read("nobody") is None


async def test_a_recording_whose_end_nobody_told_is_told_by_its_age(house):
    """It is kept after an hour; whoever watches the spool knows of it long before."""
    keeper = house.keeper()
    await keeper.start()
    assert keeper.status().oldest_unstored_seconds == 0
    spool_call(house.spool, "orphan")
    for path in house.spool.glob("orphan.*"):
        os.utime(path, (time.time() - 700,) * 2)
    await house.until(lambda: keeper.status().oldest_unstored_seconds >= 700)
    keeper.finish("orphan", {})
    await house.wait(Stored)
    assert keeper.status().oldest_unstored_seconds == 0


async def test_a_finished_recording_without_audio_is_told(house):
    keeper = house.keeper()
    await keeper.start()
    keeper.finish("ghost", {"caller": "139", "started_ms": STARTED_MS})
    [failed] = await house.wait(Failed)
    assert "no audio" in failed.why
    assert (await keeper.get("ghost")).state == "failed"


async def test_two_keepers_never_share_a_spool(house):
    first, second = house.keeper(), house.keeper()
    await first.start()
    with pytest.raises(KeeperError, match="another process"):
        await second.start()


async def test_less_than_a_year_is_refused(house):
    with pytest.raises(RetentionError, match="at least 365"):
        house.keeper(retention_days=364)


async def test_recordings_are_heard_from_store_and_spool(house):
    store = FaultyStore(house.store)
    keeper = house.keeper(store)
    await keeper.start()
    sink = SpoolSink(str(house.spool))
    handle = sink.open("r1", header())
    sink.write(handle, 0, frames_of(100))
    live = await keeper.read("r1")
    assert live.path is None
    assert_tones(read_flac(b"".join(live.chunks(0, None))))
    sink.close(handle)
    keeper.finish("r1", {})
    [stored] = await house.wait(Stored)
    flac = await keeper.read("r1")
    assert flac.content_type == "audio/flac"
    assert flac.path == house.store / stored.key
    assert flac.size == stored.size == len(b"".join(flac.chunks(0, None)))
    wav = await keeper.read("r1", "wav")
    whole = b"".join(wav.chunks(0, None))
    assert whole[:4] == b"RIFF"
    assert wav.size == len(whole) == 44 + 16000 * 4
    assert b"".join(wav.chunks(1000, 2000)) == whole[1000:2000]
    assert await keeper.read("unknown") is None
    with pytest.raises(ValueError, match="flac or wav"):
        await keeper.read("r1", "mp3")
    (house.store / stored.key).unlink()
    with pytest.raises(StoreError, match="is gone"):
        await keeper.read("r1")


class TestVerifyNamesEachProblem:
    @pytest.fixture
    async def kept(self, house):
        keeper = house.keeper()
        await keeper.start()
        for name in ("r1", "r2"):
            spool_call(house.spool, name, 25)
            keeper.finish(name, {})
        await house.wait(Stored, 2)
        assert (await keeper.verify()).checked == 2
        return keeper

    @staticmethod
    def file(house, name: str) -> Path:
        return house.store / "2025/06/15" / name

    async def test_audio_that_is_gone(self, house, kept):
        self.file(house, "r1.flac").unlink()
        assert "not in the store" in self.only(await kept.verify())

    async def test_audio_that_was_changed(self, house, kept):
        file = self.file(house, "r1.flac")
        file.write_bytes(file.read_bytes()[:-1] + b"X")
        assert "has the hash" in self.only(await kept.verify())

    async def test_a_manifest_that_is_gone(self, house, kept):
        self.file(house, "r1.json").unlink()
        assert "manifest is not in the store" in self.only(await kept.verify())

    async def test_a_manifest_that_cannot_be_read(self, house, kept):
        self.file(house, "r1.json").write_bytes(b"{")
        assert "cannot be read" in self.only(await kept.verify())

    async def test_a_retention_that_was_shortened(self, house, kept):
        entry = await kept.get("r1")
        shorter = dataclasses.replace(entry, retain_until_ms=entry.ended_ms + 364 * DAY_MS)
        kept._vault.index.put(shorter)
        report = await kept.verify()
        assert "retention ends before 365 days" in report.problems[0].why

    @staticmethod
    def only(report) -> str:
        [problem] = report.problems
        assert problem.recording == "r1"
        return problem.why
