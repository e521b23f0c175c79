"""The recorder's database: what is missing is made, what is there is left alone."""

from __future__ import annotations

import dataclasses

import pytest
import sqlalchemy as sa

from recorder.chain import Access
from recorder.io import database as databases
from recorder.io.access_log import ACCESSES, AccessLog
from recorder.io.database import Database, IndexFailed
from recorder.io.index import Entry, Index, fitted
from recorder.io.search import RECORDINGS

LINE = Access(1, "li", "listened", "r1")


def opened(tmp_path) -> Database:
    return Database(f"sqlite:///{tmp_path}/index.db")


def drop(database: Database, *statements: str) -> None:
    with database.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def test_a_guard_that_somebody_took_away_is_put_back_at_the_next_start(tmp_path):
    database = opened(tmp_path)
    AccessLog(database).append([LINE])
    drop(
        database,
        "DROP TRIGGER recording_accesses_no_DELETE",
        "DROP INDEX ix_recording_accesses_who",
    )
    again = opened(tmp_path)
    AccessLog(again).append([LINE])
    with pytest.raises(IndexFailed, match="append-only"), again.begin(ACCESSES) as connection:
        connection.execute(ACCESSES.delete())
    names = {one["name"] for one in sa.inspect(again.engine).get_indexes(ACCESSES.name)}
    assert "ix_recording_accesses_who" in names


def test_a_guard_that_cannot_be_made_is_no_silence(tmp_path, monkeypatch):
    """Before, any table that was there was good enough."""
    database = opened(tmp_path)
    AccessLog(database).append([LINE])
    drop(database, "DROP TRIGGER recording_accesses_no_UPDATE")
    monkeypatch.setattr(databases, "SQLITE_GUARD", ("CREATE TRIGGER nonsense",))
    with pytest.raises(IndexFailed, match="incomplete input"):
        AccessLog(opened(tmp_path)).append([LINE])


def test_where_nothing_is_missing_nothing_is_made(tmp_path, monkeypatch):
    """Who may only use the tables need not own them."""
    Index(f"sqlite:///{tmp_path}/index.db").put(Entry("r1"))
    monkeypatch.setattr(databases, "CreateTable", lambda *_, **__: pytest.fail("was made again"))
    assert Index(f"sqlite:///{tmp_path}/index.db").get("r1") is not None


def test_a_name_that_no_database_would_take_does_not_keep_a_recording_from_the_index(tmp_path):
    index = Index(f"sqlite:///{tmp_path}/index.db")
    index.put(Entry("r1", caller="13\0" + "9" * 400, agent="\ud800", order="W" * 100))
    found = index.get("r1")
    assert found is not None
    assert (len(found.caller), len(found.order)) == (255, 64)
    assert found.caller.startswith("13\ufffd99")
    assert found.agent == "?"
    plain = Entry("r2", caller="13900000001", key="2026/01/01/r2.flac")
    index.put(plain)
    assert index.get("r2") == dataclasses.replace(plain, parts=())
    assert fitted("张三", 64) == "张三"


def test_a_connection_to_a_machine_that_has_gone_does_not_hang_for_a_quarter_of_an_hour():
    url = sa.make_url("postgresql+psycopg://u:p@db.example/callcore?connect_timeout=30")
    given = databases._arguments(url)
    assert given["tcp_user_timeout"] <= 20_000
    assert given["keepalives_idle"] <= 10
    assert "connect_timeout" not in given, "what the url says counts"
    assert RECORDINGS.name == "recordings"
