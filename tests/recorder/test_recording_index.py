"""The index, on SQLite and on a real PostgreSQL where one is installed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from recorder.io.index import Entry, Index, IndexFailed, Query, entry_of
from recorder.manifest import Manifest, Part


def entry(number: int, **facts) -> Entry:
    return Entry(
        f"r{number:04}",
        **{
            "call_id": f"call-{number}",
            "caller": f"139{number % 3}",
            "agent": f"800{number % 2}",
            "queue": "12345",
            "started_ms": 1000 * number,
            "state": "stored",
            "parts": ({"number": 0, "size": 9},),
            **facts,
        },
    )


def postgres_folder() -> Path | None:
    found = shutil.which("initdb")
    places = [Path(found).parent] if found else sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    return next((place for place in places if (place / "initdb").exists()), None)


@pytest.fixture(scope="module")
def postgresql():
    tools = postgres_folder()
    if tools is None:
        pytest.skip("no PostgreSQL here: install Debian's package postgresql")
    base = Path(tempfile.mkdtemp(prefix="callcore-postgres-"))
    who: dict = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        shutil.chown(base, "nobody")
        who = {"user": "nobody"}
    data = str(base / "data")
    command = [str(tools / "initdb"), "-D", data, "-U", "callcore", "-A", "trust", "--no-sync"]
    subprocess.run(command, check=True, capture_output=True, cwd=base, **who)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    options = ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-k", str(base)]
    server = subprocess.Popen(
        [str(tools / "postgres"), "-D", data, "-p", str(port), *options],
        stderr=subprocess.DEVNULL,
        cwd=base,
        **who,
    )
    url = f"postgresql://callcore@127.0.0.1:{port}/postgres"
    index = Index(url)
    for _ in range(100):
        try:
            index.prepare()
            break
        except IndexFailed:
            assert server.poll() is None
            time.sleep(0.1)
    index.close()
    yield url
    server.send_signal(signal.SIGINT)
    server.wait(30)
    shutil.rmtree(base)


@pytest.fixture(params=["sqlite", "postgresql"])
def index(request, tmp_path):
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/index.db"
    else:
        url = request.getfixturevalue("postgresql")
    index = Index(url)
    with index._connection() as connection:
        connection.exec_driver_sql("DELETE FROM recordings")
    yield index
    index.close()


def test_putting_twice_is_putting_once(index):
    index.put(entry(1))
    index.put(entry(1))
    assert index.find(Query()) == [entry(1)]
    later = entry(1, agent="8009", size=7)
    index.put(later)
    assert index.get("r0001") == later


def test_adding_never_touches_what_is_there(index):
    index.add(entry(1, state="spooled"))
    index.put(entry(1))
    index.add(entry(1, state="spooled"))
    assert index.get("r0001").state == "stored"
    assert index.get("r0002") is None


def test_many_may_be_the_first_at_once(index):
    with index._connection() as connection:
        connection.exec_driver_sql("DROP TABLE recordings")
    url = index._engine.url.render_as_string(hide_password=False)
    others = [Index(url) for _ in range(6)]
    with ThreadPoolExecutor(12) as pool:
        done = [pool.submit(other.put, entry(at)) for at, other in enumerate(others * 2)]
        for future in done:
            future.result()
    assert len(index.find(Query())) == 12
    for other in others:
        other.close()


def test_search_by_time_caller_and_agent(index):
    for number in range(10):
        index.put(entry(number))

    def names(**wanted) -> list[int]:
        return [int(found.recording[1:]) for found in index.find(Query(**wanted))]

    assert names() == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]
    assert names(since_ms=3000, until_ms=6000) == [5, 4, 3]
    assert names(caller="1391") == [7, 4, 1]
    assert names(agent="8001", since_ms=5000) == [9, 7, 5]
    assert names(caller="1391", agent="8000") == [4]
    assert names(call_id="call-3") == [3]
    assert names(state="failed") == []
    assert names(limit=2, offset=3) == [6, 5]


def test_all_come_in_pages(index):
    for number in range(7):
        index.put(entry(number, state="stored" if number % 2 else "failed"))
    assert [found.recording for found in index.all(page=2)] == [f"r{n:04}" for n in range(7)]
    assert [found.recording for found in index.all("failed", page=2)] == [
        "r0000",
        "r0002",
        "r0004",
        "r0006",
    ]


def test_a_row_can_be_made_from_the_manifest_alone(index):
    manifest = Manifest(
        recording="r1",
        caller="1390",
        started_ms=5,
        ended_ms=6,
        duration_ms=1,
        key="k.flac",
        size=3,
        sha256="ab",
        segments=(Part(number=0, started_ms=5, size=9, frames=1),),
        recovered=True,
        retention_days=366,
        retain_until_ms=7,
        retain_until="",
    )
    made = entry_of(manifest)
    index.put(made)
    assert index.get("r1") == made
    assert (made.state, made.recovered, made.retain_until_ms) == ("stored", True, 7)


def test_sqlite_is_read_while_it_is_written(tmp_path):
    index = Index(f"sqlite:///{tmp_path}/index.db")
    index.put(entry(1))
    with index._connection() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    index.close()


def test_what_cannot_be_opened_is_said_without_the_password(tmp_path):
    index = Index(f"sqlite:///{tmp_path}/no/folder/index.db")
    with pytest.raises(IndexFailed, match=r"unable to open.*check database\.url"):
        index.get("r1")
    index.close()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    away = Index(f"postgresql://who:hidden-word@127.0.0.1:{port}/x")
    with pytest.raises(IndexFailed) as caught:
        away.get("r1")
    assert "hidden-word" not in str(caught.value)
    away.close()


@pytest.mark.parametrize("url", ["", "nonsense", "oracle9://x"])
def test_other_urls_are_refused(url):
    with pytest.raises(ValueError, match=r"database\.url"):
        Index(url)
