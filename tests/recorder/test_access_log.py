"""The audit log: a chain in which nothing can be changed without it showing."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from recorder.chain import START, Access, Line, check, next_line
from recorder.io.access_log import ACCESSES, AccessLog, AccessQuery
from recorder.io.database import Database, IndexFailed
from scripts.postgresql import cluster, tools

ACCESS = Access(1000, "qa1", "listened", "r1", "抽检", "192.0.2.1", "")
TEXT = st.text(max_size=20)


def chain(*accesses: Access) -> list[Line]:
    lines: list[Line] = []
    for access in accesses:
        lines.append(next_line(lines[-1] if lines else None, access))
    return lines


@given(st.lists(st.builds(Access, st.integers(0, 1 << 42), TEXT, TEXT, TEXT, TEXT, TEXT, TEXT)))
def test_a_chain_as_it_was_written_is_whole(accesses):
    lines = chain(*accesses)
    found = check(lines)
    assert (found.lines, found.why) == (len(lines), "")
    assert found.head == (lines[-1].digest if lines else START)


@given(st.integers(0, 5), st.sampled_from(["who", "reason", "recording", "at_ms"]))
def test_whatever_is_changed_shows(at, name):
    lines = chain(*(replace(ACCESS, at_ms=1000 + n) for n in range(6)))
    value = 7 if name == "at_ms" else "somebody else"
    changed = replace(lines[at], access=replace(lines[at].access, **{name: value}))
    assert f"line {at + 1} was changed" in check([*lines[:at], changed, *lines[at + 1 :]]).why
    # Whoever makes the hash anew as well breaks the link to the next line.
    forged = next_line(lines[at - 1] if at else None, changed.access)
    found = check([*lines[:at], forged, *lines[at + 1 :]], head=lines[-1].digest)
    assert found.why


def test_what_is_taken_out_shows_and_so_does_a_cut_end():
    lines = chain(*(replace(ACCESS, at_ms=n) for n in range(5)))
    assert check([*lines[:2], *lines[3:]]).why == "line 3 is missing"
    assert check(lines[1:]).why == "line 1 is missing"
    assert check(lines[:3]).why == ""
    assert "cut off" in check(lines[:3], head=lines[4].digest).why


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.interop)], scope="module"
)
def url(request, tmp_path_factory):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('log')}/index.db"
        return
    if tools() is None:
        pytest.skip("no PostgreSQL here: install Debian's package postgresql")
    with cluster() as found:
        yield found


def test_two_processes_write_one_chain_that_nobody_can_change(url):
    """And a row is neither changed nor deleted while the trigger stands."""
    databases = [Database(url) for _ in range(2)]
    logs = [AccessLog(database) for database in databases]
    with ThreadPoolExecutor(8) as pool:
        jobs = [
            pool.submit(logs[n % 2].append, [replace(ACCESS, at_ms=n, who=f"who{n % 3}")])
            for n in range(40)
        ]
        for job in jobs:
            job.result()
    logs[0].append([ACCESS, replace(ACCESS, action="downloaded")])
    found = logs[1].check()
    assert (found.lines, found.why) == (42, "")
    newest = logs[1].find(AccessQuery(limit=2))
    assert [line.sequence for line in newest] == [42, 41]
    assert newest[0].digest == found.head
    before = logs[1].find(AccessQuery(who="who1", before=20))
    assert before
    assert all(line.sequence < 20 and line.access.who == "who1" for line in before)
    for statement in (
        "UPDATE recording_accesses SET who = 'x' WHERE sequence = 3",
        "DELETE FROM recording_accesses WHERE sequence = 42",
    ):
        with (
            pytest.raises(IndexFailed, match="append-only"),
            databases[0].begin(ACCESSES) as connection,
        ):
            connection.exec_driver_sql(statement)
    assert logs[0].check() == found
    for database in databases:
        database.close()


def test_a_guard_or_an_index_that_somebody_took_away_is_put_back_at_the_next_start(url):
    first = Database(url)
    AccessLog(first).append([ACCESS])
    on = "" if first.is_sqlite else " ON recording_accesses"
    guard = "no_delete" if first.is_sqlite else "no_change"
    with first.engine.begin() as connection:
        connection.exec_driver_sql(f"DROP TRIGGER recording_accesses_{guard}{on}")
        connection.exec_driver_sql("DROP INDEX ix_recording_accesses_who")
    first.close()
    again = Database(url)
    AccessLog(again).append([ACCESS])
    with (
        pytest.raises(IndexFailed, match="append-only"),
        again.begin(ACCESSES) as connection,
    ):
        connection.execute(ACCESSES.delete())
    names = {one["name"] for one in sa.inspect(again.engine).get_indexes(ACCESSES.name)}
    assert "ix_recording_accesses_who" in names
    again.close()
