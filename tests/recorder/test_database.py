"""The recorder's database: what is missing is made, what is there is left alone."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from recorder.chain import Access
from recorder.io import database as databases
from recorder.io.access_log import AccessLog
from recorder.io.database import Database, IndexFailed
from recorder.io.index import Entry, Index, fitted

LINE = Access(1, "li", "listened", "r1")


def opened(tmp_path) -> Database:
    return Database(f"sqlite:///{tmp_path}/index.db")


def drop(database: Database, *statements: str) -> None:
    with database.engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


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


def test_what_is_no_name_is_made_one():
    assert fitted("13\0" + "9" * 400, 255).startswith("13\ufffd99")
    assert len(fitted("9" * 400, 255)) == 255
    assert fitted("\ud800", 64) == "?"
    assert fitted("张三", 64) == "张三"


def test_a_connection_to_a_machine_that_has_gone_does_not_hang_for_a_quarter_of_an_hour():
    url = sa.make_url("postgresql+psycopg://u:p@db.example/callcore?connect_timeout=30")
    given = databases._arguments(url)
    assert given["tcp_user_timeout"] <= 20_000
    assert given["keepalives_idle"] <= 10
    assert "connect_timeout" not in given, "what the url says counts"
