"""The recorder against a real object store: Ceph's radosgw, started by the project's own script."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import numpy as np
import pytest
import soundfile
from botocore.exceptions import ClientError

from recorder.alaw import LINEAR
from recorder.events import StoreBack, Stored, StoreLost
from recorder.io.keeper import Keeper, KeeperSettings
from recorder.io.objects import Terms
from recorder.io.s3_rules import Wanted
from recorder.io.segments import scan
from recorder.io.spool import SpoolSink
from recorder.io.store import S3Settings, S3Store, StillKept, StoreError
from recorder.manifest import DAY_MS
from tests.peers.fault_proxy import FaultProxy

pytestmark = [pytest.mark.interop, pytest.mark.timeout(300)]

SCRIPT = Path(__file__).parents[2] / "scripts" / "radosgw.py"
DAEMONS = ("ceph-mon", "ceph-mgr", "ceph-osd", "radosgw", "radosgw-admin", "ceph")
PORTS = 40
DAY_SECONDS = 2  # of the lifecycle rules
PART = 5 << 20


def free_ports() -> int:
    """The first of forty ports in a row that nobody listens on."""
    for first in range(21000, 32000, PORTS):
        sockets = []
        try:
            for port in range(first, first + PORTS):
                sockets.append(socket.create_server(("127.0.0.1", port)))
            return first
        except OSError:
            continue
        finally:
            for each in sockets:
                each.close()
    raise RuntimeError("no forty free ports in a row")


def script(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, str(SCRIPT), *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    missing = [name for name in DAEMONS if shutil.which(name) is None]
    if missing:
        said = (
            f"no {', '.join(missing)} here: apt-get install ceph-mon ceph-mgr ceph-osd radosgw "
            "ceph-common"
        )
        if os.environ.get("CALLCORE_REQUIRE_INTEROP") == "1":
            pytest.fail(said)
        pytest.skip(said)
    folder = tmp_path_factory.mktemp("radosgw")
    try:
        port = str(free_ports())
        lines = script("up", str(folder), "--port", port, "--day", str(DAY_SECONDS)).splitlines()
        yield {"folder": str(folder), **dict(line.split("=", 1) for line in lines)}
    finally:
        script("down", str(folder))
        shutil.rmtree(folder)


@pytest.fixture
def bucket(gateway, request):
    name = "b" + hashlib.sha256(request.node.name.encode()).hexdigest()[:16]
    client = boto3.client(
        "s3",
        endpoint_url=gateway["endpoint"],
        region_name="us-east-1",
        aws_access_key_id=gateway["access_key"],
        aws_secret_access_key=gateway["secret_key"],
    )
    client.create_bucket(Bucket=name)
    yield name
    client.close()


def keys_of(gateway) -> dict[str, str]:
    return {name: gateway[name] for name in ("endpoint", "access_key", "secret_key")}


def store_of(gateway, bucket: str, **options) -> S3Store:
    return S3Store(S3Settings(bucket, **{"prefix": "hotline", **keys_of(gateway), **options}))


def spool_tones(folder: Path, recording: str, seconds: int) -> None:
    """440 Hz left, 1000 Hz right, to the nearest A-law code."""
    at = np.arange(seconds * 8000) / 8000
    order = np.argsort(LINEAR)
    sides = []
    for hertz in (440, 1000):
        found = np.searchsorted(LINEAR[order], 8000 * np.sin(2 * np.pi * hertz * at))
        sides.append(order[found].astype(np.uint8).reshape(-1, 160))
    sink = SpoolSink(str(folder))
    handle = sink.open(recording, {"call_id": recording, "started_ms": 1_750_000_000_000})
    sink.write(handle, 0, np.stack(sides, axis=1).tobytes())
    sink.close(handle)


def assert_tones(samples) -> None:
    for side, hertz in ((0, 440), (1, 1000)):
        spectrum = np.abs(np.fft.rfft(samples[:, side]))
        assert abs(np.argmax(spectrum) * 8000 / len(samples) - hertz) < 5


@pytest.mark.parametrize("size", [0, 1000, (11 << 20) + 7])
def test_objects_come_back_whole(gateway, bucket, tmp_path, size):
    store = store_of(gateway, bucket, part_bytes=5 << 20)
    store.probe()
    data = os.urandom(size)
    sha256 = hashlib.sha256(data).hexdigest()
    (tmp_path / "object").write_bytes(data)
    store.put("2026/01/r1.flac", tmp_path / "object", sha256, "audio/flac")
    stat = store.stat("2026/01/r1.flac")
    assert (stat.size, stat.sha256) == (size, sha256)
    with store.open("2026/01/r1.flac") as file:
        assert file.read() == data
    with store.open("2026/01/r1.flac", 10, 500) as file:
        assert file.read() == data[10:500]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"secret_key": "wrong"}, "check"),
        ({"access_key": "nobody"}, "check"),
        ({}, "there is no such bucket"),
    ],
)
def test_refusals_say_what_to_do_and_no_key(gateway, bucket, tmp_path, wrong, says):
    store = store_of(gateway, bucket if wrong else "no-such-bucket", attempts=1, **wrong)
    (tmp_path / "object").write_bytes(b"x")
    with pytest.raises(StoreError, match=says) as caught:
        store.put("k", tmp_path / "object", hashlib.sha256(b"x").hexdigest(), "audio/flac")
    with pytest.raises(StoreError, match=says):
        store.probe()
    assert gateway["secret_key"] not in str(caught.value)
    assert gateway["endpoint"] in str(caught.value)


def versions(store: S3Store, key: str) -> list[str]:
    """Version ids of what is really there, markers of deletion apart."""
    found = store._client.list_object_versions(
        Bucket=store.settings.bucket, Prefix=f"{store.prefix}/{key}"
    )
    return [one["VersionId"] for one in found.get("Versions", [])]


def wait_until(condition, seconds: float = 90) -> None:
    """For what the gateway does when it likes: its lifecycle tells nobody."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.5)


def test_the_lock_refuses_and_the_lifecycle_deletes(gateway, bucket, tmp_path):
    """Days are shortened by the gateway's debug interval; the lock's date is a real one.

    Another hotline of the same bucket has rules of its own, before and behind ours.
    """
    store = store_of(gateway, f"{bucket}-locked")
    court = store_of(gateway, f"{bucket}-locked", prefix="court")
    assert [step for step in court.bucket.set_up(Wanted(4)) if step.outcome == "cannot"] == []
    steps = list(store.bucket.set_up(Wanted(3)))
    assert [step for step in steps if step.outcome == "cannot"] == []
    assert {step.outcome for step in store.bucket.set_up(Wanted(3))} == {"was so"}
    assert {step.outcome for step in court.bucket.set_up(Wanted(4))} == {"was so"}
    assert store.abilities().warnings(3) == ()
    assert (store.abilities().expires_after_days, court.abilities().expires_after_days) == (3, 4)
    data = os.urandom(1000)
    (tmp_path / "object").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    now_ms = int(time.time() * 1000)
    for key, kept_seconds in (("due", 4), ("kept", 3600), ("held", 4)):
        terms = Terms(now_ms + kept_seconds * 1000)
        store.put(f"{key}.flac", tmp_path / "object", sha256, "audio/flac", terms)
    court.put("due.flac", tmp_path / "object", sha256, "audio/flac", Terms(now_ms + 4000))
    assert store.hold("held.flac", True)
    # Neither we, whatever our clock says, nor anybody with the keys.
    for ours_ms in (now_ms, now_ms + 10 * 366 * DAY_MS):
        with pytest.raises(StillKept, match="is kept until"):
            store.delete("kept.flac", ours_ms)
    (version,) = versions(store, "kept.flac")
    named = {"Bucket": store.settings.bucket, "Key": f"{store.prefix}/kept.flac"}
    with pytest.raises(ClientError, match="object lock"):
        store._client.delete_object(VersionId=version, **named)
    sooner = {
        "Mode": "COMPLIANCE",
        "RetainUntilDate": datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=5),
    }
    with pytest.raises(ClientError, match="shortens"):
        store._client.put_object_retention(VersionId=version, Retention=sooner, **named)
    wait_until(lambda: versions(store, "due.flac") == versions(court, "due.flac") == [])
    assert versions(store, "kept.flac") == [version]
    with store.open("held.flac") as file:  # no rule has touched it
        assert file.read() == data
    with pytest.raises(StillKept, match="legal hold"):
        store.delete("held.flac", now_ms + 10 * 366 * DAY_MS)
    assert store.hold("held.flac", False)
    store.delete("held.flac", now_ms + 10 * 366 * DAY_MS)
    assert versions(store, "held.flac") == []


def test_a_bucket_without_a_lock_says_so_and_our_ledger_refuses(gateway, bucket, tmp_path):
    store = store_of(gateway, bucket)
    cannot = {step.what: step.why for step in store.bucket.set_up(Wanted(366))}
    assert "refuses" in cannot["object lock, compliance, 366 days"]
    (lack,) = store.abilities().warnings(366)
    assert "only our own ledger refuses early deletion" in lack
    (tmp_path / "object").write_bytes(b"x")
    sha256 = hashlib.sha256(b"x").hexdigest()
    until_ms = int(time.time() * 1000) + 366 * DAY_MS
    store.put("r1.flac", tmp_path / "object", sha256, "audio/flac", Terms(until_ms))
    with pytest.raises(StillKept, match="is kept until"):
        store.delete("r1.flac", until_ms + DAY_MS)  # our clock may say so; the gateway's does not
    assert store.stat("r1.flac") is not None


def test_a_long_upload_goes_on_where_the_network_was_cut(gateway, bucket, tmp_path):
    data = os.urandom(3 * PART + 1000)
    (tmp_path / "long").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    terms = Terms(progress=tmp_path / "r1.parts.json")
    with FaultProxy(urlsplit(gateway["endpoint"]).port) as proxy:
        options = {"endpoint": proxy.endpoint, "part_bytes": PART, "attempts": 1}
        proxy.cut_after = PART + PART // 2
        with pytest.raises(StoreError):
            store_of(gateway, bucket, **options).put(
                "long.flac", tmp_path / "long", sha256, "audio/flac", terms
            )
        proxy.heal()
        before = proxy.bytes_up
        store = store_of(gateway, bucket, **options)
        store.put("long.flac", tmp_path / "long", sha256, "audio/flac", terms)
        assert 2 * PART < proxy.bytes_up - before < 2 * PART + 200_000
        with store.open("long.flac") as file:
            assert file.read() == data
        assert "Uploads" not in store._client.list_multipart_uploads(Bucket=bucket)


async def test_the_gateway_away_for_a_while_loses_nothing(gateway, bucket, tmp_path):
    told: list = []
    settings = KeeperSettings(
        str(tmp_path / "spool"),
        f"s3://{bucket}/calls",
        f"sqlite:///{tmp_path}/index.db",
        region="us-east-1",
        first_retry_seconds=0.2,
        last_retry_seconds=1.0,
        **keys_of(gateway),
    )
    keeper = Keeper(settings, told.append)
    await keeper.start()

    async def wait(kind: type, count: int) -> None:
        async with asyncio.timeout(90):
            while sum(isinstance(event, kind) for event in told) < count:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    try:
        spool_tones(tmp_path / "spool", "before", 2)
        keeper.finish("before", {})
        await wait(Stored, 1)
        await asyncio.to_thread(script, "pause", gateway["folder"])
        for number in range(5):
            spool_tones(tmp_path / "spool", f"away{number}", 3)
            keeper.finish(f"away{number}", {"agent": "8001"})
        await wait(StoreLost, 1)
        assert not keeper.status().store_ok
        assert len(scan(tmp_path / "spool")) == 5
        await asyncio.to_thread(script, "resume", gateway["folder"])
        await wait(Stored, 6)
        assert sum(isinstance(event, StoreBack) for event in told) >= 1
        assert scan(tmp_path / "spool") == {}
        report = await keeper.verify()
        assert (report.checked, report.problems) == (6, ())
        entry = await keeper.get("away3")
        playback = await keeper.read("away3")
        data = b"".join(await asyncio.to_thread(lambda: list(playback.chunks(0, None))))
        assert hashlib.sha256(data).hexdigest() == entry.sha256
        (tmp_path / "heard.flac").write_bytes(data)
        samples, _ = soundfile.read(tmp_path / "heard.flac", dtype="int16")
        assert len(samples) == 24_000
        assert_tones(samples)
    finally:
        await keeper.stop()
