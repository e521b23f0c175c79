"""The index, on SQLite and on a real PostgreSQL where one is installed."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from recorder.io.index import Entry, Index, IndexFailed, Query, entry_of
from recorder.io.search import LENGTHS, length_class
from recorder.io.turns import turn
from recorder.manifest import Manifest, Part
from scripts.postgresql import cluster, tools


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


@pytest.fixture(scope="module")
def postgresql():
    if tools() is None:
        pytest.skip("no PostgreSQL here: install Debian's package postgresql")
    with cluster() as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.interop)])
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


def test_a_name_that_a_database_would_refuse_does_not_keep_a_recording_from_the_index(index):
    """A caller may call himself anything: PostgreSQL refuses what is too long, and NUL."""
    index.put(entry(1, caller="13\0" + "9" * 400, agent="\ud800", order="W" * 100))
    found = index.get("r0001")
    assert (len(found.caller), found.caller[:4], len(found.order)) == (255, "13\ufffd9", 64)
    assert index.find(Query(order="W" * 64)) == [found]


def test_who_may_only_use_the_tables_need_not_own_them(index):
    """Where nothing is missing nothing is made: not even what would change nothing."""
    index.put(entry(1))
    url = index.database.engine.url.render_as_string(hide_password=False)
    made = []
    again = Index(url)
    sa.event.listen(
        again.database.engine,
        "before_cursor_execute",
        lambda _, __, statement, *___: made.append(statement.split()[0].upper()),
    )
    assert again.get("r0001") == entry(1)
    assert "CREATE" not in made
    again.close()


def test_many_may_be_the_first_at_once(index):
    with index._connection() as connection:
        connection.exec_driver_sql("DROP TABLE recordings")
    url = index.database.engine.url.render_as_string(hide_password=False)
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
    assert names(limit=2, after=(7000, "r0007")) == [6, 5]


def test_search_by_number_order_result_and_length(index):
    for number in range(10):
        facts = {"called": "1390" if number == 8 else "12345", "duration_ms": 1000 * 3**number}
        result = "overflowed" if number in (2, 4) else "answered"
        index.put(entry(number, **facts, order=f"W{number % 4}", result=result))

    def names(**wanted) -> list[int]:
        return [int(found.recording[1:]) for found in index.find(Query(**wanted))]

    assert names(number="1390") == [9, 8, 6, 3, 0]
    assert names(number="1390", limit=2) == [9, 8]
    assert names(order="W1") == [9, 5, 1]
    assert names(result="overflowed") == [4, 2]
    assert names(min_ms=27_000, max_ms=729_000) == [6, 5, 4, 3]
    assert names(min_ms=28_000) == [9, 8, 7, 6, 5, 4]
    assert names(max_ms=500) == []
    assert names(min_ms=9_000, max_ms=3_000) == []
    assert names(min_ms=27_000, agent="8001", limit=2) == [9, 7]
    assert names(min_ms=81_000, queue="12345", after=(8000, "r0008")) == [7, 6, 5, 4]


def test_pages_by_key_give_each_row_once_also_where_many_began_at_once(index):
    for number in range(23):
        index.put(entry(number, started_ms=1000 * (number // 7), duration_ms=5000 * number))
    for wanted in ({}, {"number": "1390"}, {"min_ms": 1}, {"agent": "8000"}):
        whole = index.find(Query(**wanted))
        pages, after = [], None
        while page := index.find(Query(**wanted, limit=4, after=after)):
            pages += page
            after = (page[-1].started_ms, page[-1].recording)
        assert pages == whole
        assert len({one.recording for one in whole}) == len(whole)


def test_a_table_of_an_older_version_gets_its_new_columns(tmp_path):
    index = Index(f"sqlite:///{tmp_path}/index.db")
    index.put(entry(1, duration_ms=70_000))
    with index._connection() as connection:
        for name in ("order", "result", "length"):
            connection.exec_driver_sql(f"DROP INDEX ix_recordings_{name}_started")
            for index_name in ("queue_length_started", "queue_result_started", "agent_more"):
                connection.exec_driver_sql(f"DROP INDEX IF EXISTS ix_recordings_{index_name}")
            connection.exec_driver_sql(f'ALTER TABLE recordings DROP COLUMN "{name}"')
    index.close()
    again = Index(f"sqlite:///{tmp_path}/index.db")
    assert again.find(Query(min_ms=65_000)) == [entry(1, duration_ms=70_000)]
    again.close()


@given(st.integers(0, 1 << 40), st.integers(0, 1 << 40))
def test_longer_recordings_are_of_no_lower_class(one, other):
    """The branches of a search for a range of lengths cover it."""
    shorter, longer = sorted((one, other))
    assert 0 <= length_class(shorter) <= length_class(longer) < LENGTHS


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


def test_who_waits_for_a_manifest_s_turn_waits_for_that_recording_alone(index):
    had: list[str] = []

    def take(recording: str) -> None:
        with turn(index.database, recording):
            had.append(recording)

    threads = [threading.Thread(target=take, args=(name,)) for name in ("r1", "r2")]
    with turn(index.database, "r1"):
        for thread in threads:
            thread.start()
        threads[1].join()
        assert had == ["r2"]
    threads[0].join()
    assert had == ["r2", "r1"]
