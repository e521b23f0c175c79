"""The keeper when it, the store, the disk or the database is taken away."""

from __future__ import annotations

import asyncio
import errno
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest
from keeper_house import FaultyStore
from moto.server import ThreadedMotoServer
from spooled_call import STARTED_MS, assert_tones, read_flac, spool_call

from recorder.events import Delayed, Failed, SpaceChanged, StoreBack, Stored, StoreLost
from recorder.io import spooled
from recorder.io import vault as vaults
from recorder.io.folders import Space
from recorder.io.index import Query
from recorder.io.segments import scan, segments_of


def tear(path: str) -> None:
    with open(path, "ab") as file:
        file.write(b"\xc0AB\x01half a block")


async def test_what_a_killed_engine_left_is_recovered(house):
    spool_call(house.spool, "killed", 100)
    [segment] = segments_of(house.spool, "killed")
    tear(segment.path)
    keeper = house.keeper()
    await keeper.start()
    [stored] = await house.wait(Stored)
    assert stored.recovered
    entry = await keeper.get("killed")
    assert (entry.duration_ms, entry.recovered) == (2000, True)
    assert entry.parts[0]["torn"]
    assert_tones(read_flac((house.store / entry.key).read_bytes()))
    assert scan(house.spool) == {}


async def test_what_was_finished_before_the_kill_keeps_its_facts(house):
    spool_call(house.spool, "r1")
    (house.spool / "r1.finish.json").write_text(json.dumps({"agent": "8007"}))
    keeper = house.keeper()
    await keeper.start()
    [stored] = await house.wait(Stored)
    assert not stored.recovered
    assert (await keeper.get("r1")).agent == "8007"


async def test_the_store_away_loses_nothing(house):
    store = FaultyStore(house.store)
    store.away = True
    keeper = house.keeper(store)
    await keeper.start()
    for number in range(6):
        spool_call(house.spool, f"r{number}", 50)
        keeper.finish(f"r{number}", {"agent": f"800{number}"})
    await house.wait(StoreLost)
    await house.until(lambda: keeper.status().spool_bytes > 6 * 50 * 320)
    await house.until(lambda: keeper.status().oldest_unstored_seconds > 0.2)
    status = keeper.status()
    assert (status.store_ok, status.stored, status.spooled) == (False, 0, 6)
    assert any("does not answer" in alert for alert in status.alerts)
    assert len(scan(house.spool)) == 6
    async with asyncio.timeout(15):
        while (announced := await keeper.get("r3")) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.005)
    assert announced.state == "spooled"
    store.away = False
    await house.wait(Stored, 6)
    assert len(await house.wait(StoreBack)) == 1
    assert len([event for event in house.told if isinstance(event, StoreLost)]) == 1
    assert keeper.status().alerts == ()
    assert scan(house.spool) == {}
    assert (await keeper.verify()).ok
    assert (await keeper.get("r3")).agent == "8003"


async def test_a_kill_while_the_store_is_away_loses_not_even_the_facts(house):
    store = FaultyStore(house.store)
    store.away = True
    keeper = house.keeper(store, stop_seconds=0.1)
    await keeper.start()
    for number in range(5):
        spool_call(house.spool, f"r{number}", 25)
        keeper.finish(f"r{number}", {"agent": f"800{number}"})
    await house.wait(StoreLost)
    await keeper.stop()
    assert not [event for event in house.told if isinstance(event, Stored)]
    second = house.keeper()
    await second.start()
    await house.wait(Stored, 5)
    assert {entry.agent for entry in await second.find(Query())} == {f"800{n}" for n in range(5)}


async def test_an_s3_server_that_comes_late_gets_everything(house):
    """A real server on a real port, which is closed at first."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    server.stop()
    where = {"endpoint": f"http://{host}:{port}", "region": "us-east-1"}
    keys = {"access_key": "who", "secret_key": "hidden"}
    house.options["store"] = "s3://bucket/calls"
    keeper = house.keeper(**where, **keys)
    await keeper.start()
    spool_call(house.spool, "r1", 200)
    keeper.finish("r1", {})
    [lost] = await house.wait(StoreLost)
    assert "s3://bucket/calls" in lost.why
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    try:
        client = boto3.client(
            "s3",
            endpoint_url=where["endpoint"],
            region_name="us-east-1",
            aws_access_key_id="who",
            aws_secret_access_key="hidden",
        )
        client.create_bucket(Bucket="bucket")
        [stored] = await house.wait(Stored)
        body = client.get_object(Bucket="bucket", Key=f"calls/{stored.key}")["Body"].read()
        client.close()
        assert_tones(read_flac(body))
        assert (await keeper.verify()).ok
        wav = await keeper.read("r1", "wav")
        heard = b"".join(await asyncio.to_thread(lambda: list(wav.chunks(0, None))))
        assert len(heard) == wav.size
        flac = await keeper.read("r1")
        assert flac.path is None
        assert b"".join(await asyncio.to_thread(lambda: list(flac.chunks(5, 99)))) == body[5:99]
        assert scan(house.spool) == {}
    finally:
        server.stop()


async def test_a_wrong_hash_frees_nothing_and_is_tried_again(house):
    store = FaultyStore(house.store)
    store.wrong = 3
    keeper = house.keeper(store, first_retry_seconds=0.1)
    await keeper.start()
    spool_call(house.spool, "r1")
    keeper.finish("r1", {})
    [delayed] = await house.wait(Delayed)
    assert "read back as beef" in delayed.why
    assert len(scan(house.spool)) == 1
    await house.wait(Stored)
    assert len([event for event in house.told if isinstance(event, Delayed)]) == 3
    assert not [event for event in house.told if isinstance(event, StoreLost)]
    assert (await keeper.verify()).ok


async def test_the_database_away_frees_nothing(house, tmp_path):
    url = f"sqlite:///{tmp_path}/later/index.db"
    keeper = house.keeper(database_url=url)
    await keeper.start()
    spool_call(house.spool, "r1")
    keeper.finish("r1", {})
    await house.wait(Delayed, 2)
    assert len(scan(house.spool)) == 1
    assert any("database.url" in alert for alert in keeper.status().alerts)
    assert (keeper.status().database_ok, keeper.status().alert_names) == (False, ("database",))
    (tmp_path / "later").mkdir()
    await house.wait(Stored)
    assert keeper.status().alerts == ()


async def test_the_database_is_usable_once_it_was_looked_at(house):
    keeper = house.keeper()
    assert not keeper.status().database_ok
    await keeper.start()
    await house.until(lambda: keeper.status().database_ok)


async def test_killed_between_the_index_and_the_spool_stores_nothing_twice(house, tmp_path):
    keeper = house.keeper()
    await keeper.start()
    spool_call(house.spool, "r1")
    [segment] = segments_of(house.spool, "r1")
    copy = shutil.copy(segment.path, tmp_path / "copy")
    keeper.finish("r1", {})
    [stored] = await house.wait(Stored)
    await keeper.stop()
    before = (house.store / stored.key).stat().st_mtime_ns
    shutil.copy(copy, segment.path)  # as if it had not been freed yet
    second = house.keeper()
    await second.start()
    await house.wait(Stored, 2)
    assert (house.store / stored.key).stat().st_mtime_ns == before
    assert scan(house.spool) == {}
    assert len(await second.find(Query())) == 1


async def test_killed_while_it_frees_the_spool_stores_nothing_twice(house, tmp_path):
    for number in range(3):
        spool_call(house.spool, "r1", 50, started_ms=STARTED_MS + number * 1000)
    first = segments_of(house.spool, "r1")[0]
    copy = shutil.copy(first.path, tmp_path / "copy")
    keeper = house.keeper()
    await keeper.start()
    keeper.finish("r1", {})
    await house.wait(Stored)
    shutil.copy(copy, first.path)  # the last one to be freed
    keeper.finish("r1", {})
    again = (await house.wait(Stored, 2))[1]
    assert (again.recording, again.duration_ms) == ("r1", 3000)
    assert scan(house.spool) == {}
    assert len(await keeper.find(Query())) == 1
    assert (await keeper.verify()).ok


async def test_another_segment_of_the_same_length_is_not_the_stored_one(house):
    keeper = house.keeper()
    await keeper.start()
    for seconds in (0, 60):
        spool_call(house.spool, "r1", 50, started_ms=STARTED_MS + seconds * 1000)
        keeper.finish("r1", {})
        await house.until(lambda: not keeper.status().spooled)
    await house.wait(Stored, 2)
    found = {entry.recording: entry.started_ms for entry in await keeper.find(Query())}
    assert found == {"r1": STARTED_MS, "r1~2": STARTED_MS + 60_000}


async def test_rubbish_is_set_aside_and_told(house):
    (house.spool / "rubbish.0.spool").write_bytes(bytes(5000))
    keeper = house.keeper()
    await keeper.start()
    [failed] = await house.wait(Failed)
    assert failed.recording == "rubbish"
    assert (house.spool / "damaged" / "rubbish.0.spool").stat().st_size == 5000
    assert keeper.status().failed == 1
    report = await keeper.verify()
    assert [problem.recording for problem in report.problems] == ["rubbish"]


async def test_a_full_disk_is_an_alert_and_sealing_goes_through_memory(house, monkeypatch):
    keeper = house.keeper()
    await keeper.start()
    await house.until(lambda: keeper.status().free_bytes > 0)

    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(spooled, "_write_synced", full)
        for module in (vaults, spooled):
            patch.setattr(module, "space", lambda folder: Space(1000, 1 << 40))
        keeper.sink_failed("r1", "No space left on device")
        [changed] = await house.wait(SpaceChanged)
        assert changed.state == "full"
        await house.until(lambda: keeper.status().free_bytes == 1000)
        assert any("No space left" in alert for alert in keeper.status().alerts)
        spool_call(house.spool, "r1")
        keeper.finish("r1", {})
        await house.wait(Stored)
        assert not list((house.spool / "sealing").iterdir())
        assert keeper.status().space == "full"
    await house.until(lambda: keeper.status().space == "ok")
    assert keeper.status().alerts == ()
    assert [event.state for event in await house.wait(SpaceChanged, 2)] == ["full", "ok"]


async def test_a_disk_that_fills_up_warns_early(house, monkeypatch):
    free = 10 << 30
    monkeypatch.setattr(spooled, "space", lambda folder: Space(free, 1 << 40))
    keeper = house.keeper()
    await keeper.start()
    for free, state in [(1 << 30, "low"), (2 << 30, "low"), (1 << 20, "full"), (9 << 30, "ok")]:
        await house.until(lambda f=free: keeper.status().free_bytes == f)
        assert keeper.status().space == state
        assert bool(keeper.status().alerts) == (state != "ok")


ENGINE = """
import asyncio, sys
from recorder.io.keeper import Keeper, KeeperSettings
from recorder.io.spool import SpoolSink
folder = sys.argv[1]

async def main():
    keeper = Keeper(KeeperSettings(f"{folder}/spool", f"file:{folder}/store",
                    f"sqlite:///{folder}/index.db"), lambda event: None)
    await keeper.start()
    sink = SpoolSink(f"{folder}/spool")
    number = 0
    while True:
        name = f"r{number}"
        handle = sink.open(name, {"call_id": name, "started_ms": 1750000000000})
        for first in range(0, 50, 25):
            sink.write(handle, first, bytes([number % 251]) * 320 * 25)
        sink.close(handle)
        print(name, flush=True)
        keeper.finish(name, {})
        number += 1
        await asyncio.sleep(0.01)

asyncio.run(main())
"""


def run_and_kill(folder: Path, after_seconds: float) -> list[str]:
    """The recordings that the engine had finished, or was about to finish, when it was killed."""
    with subprocess.Popen(
        [sys.executable, "-c", ENGINE, str(folder)], stdout=subprocess.PIPE, text=True
    ) as engine:
        names = [engine.stdout.readline()]
        time.sleep(after_seconds)
        engine.kill()
        names += engine.stdout.readlines()
    return [name.strip() for name in names]


@pytest.mark.parametrize("after_seconds", [0.15, 0.4, 0.7])
async def test_an_engine_killed_while_it_stores_loses_nothing(house, tmp_path, after_seconds):
    names = await asyncio.to_thread(run_and_kill, tmp_path, after_seconds)
    keeper = house.keeper()
    await keeper.start()
    await house.until(lambda: keeper.status().spooled == 0)
    found = {entry.recording: entry for entry in await keeper.find(Query(limit=10_000))}
    assert names
    for name in names:
        assert (found[name].state, found[name].duration_ms) == ("stored", 1000)
    assert (await keeper.verify()).ok
