"""Holds and deletion over HTTP, down to the files of a directory store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi.testclient import TestClient

from config.schema import Config
from desk.app import create_app
from desk.tries import OF_A_NAME
from hotline import custodies
from hotline.archive import Archive
from hotline.clock import Clock
from hotline.custodies import Custodies
from hotline.meters import Meters
from recorder.alaw import LINEAR
from recorder.approvers import password_hash
from recorder.io.keeper import Keeper, KeeperSettings
from recorder.io.spool import SpoolSink

WORDS = {"li": "correct horse battery", "wang": "staple staple staple"}
AFTER = 4_000_000_000.0


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def desk(tmp_path: Path, store: Path) -> Iterator[TestClient]:
    """The desk over a keeper with one stored recording."""
    settings = KeeperSettings(
        f"{tmp_path}/spool",
        f"file:{store}",
        f"sqlite:///{tmp_path}/index.db",
        approvers=tuple((name, password_hash(word, b"salt")) for name, word in WORDS.items()),
    )
    keeper = Keeper(settings, lambda event: None)
    vault = keeper.custodian.vault
    (tmp_path / "spool" / "sealing").mkdir(parents=True)
    sink = SpoolSink(settings.spool)
    handle = sink.open("r1", {"caller": "13900000001", "started_ms": 1_750_000_000_000})
    sink.write(handle, 0, bytes([int(LINEAR.argmin())]) * 320 * 50)
    sink.close(handle)
    vault.keep("r1", {})
    hotline = object.__new__(Custodies)
    hotline._parts = SimpleNamespace(keeper=keeper)  # type: ignore[assignment]
    archive = Archive(keeper, Clock(), Meters(), Config())
    with TestClient(create_app(hotline, archive)) as client:
        yield client
    vault.index.close()


def ask(desk: TestClient, what: str, by: str, reason: str = "", word: str = "") -> tuple[int, str]:
    wish = {"by": by, "password": word or WORDS[by]} | ({"reason": reason} if reason else {})
    answer = desk.post(f"/api/v1/recordings/r1/{what}", json=wish)
    return answer.status_code, answer.json().get("detail") or answer.json()["state"]


def test_a_hold_is_set_and_lifted_by_people_with_a_reason(desk: TestClient) -> None:
    assert desk.get("/api/v1/recordings/r9/custody").status_code == 404
    assert desk.get("/api/v1/recordings/r1/custody").json()["state"] == "kept"
    assert ask(desk, "hold", "li", "court order", "guess")[0] == 403
    assert desk.post("/api/v1/recordings/r1/hold", json={"by": "li"}).status_code == 422
    assert ask(desk, "hold", "li", "court order") == (200, "held")
    status, why = ask(desk, "hold", "wang", "again")
    assert (status, "is held (by li" in why) == (409, True)
    assert ask(desk, "hold/lift", "wang", "the case is closed") == (200, "kept")
    steps = desk.get("/api/v1/recordings/r1/custody").json()["steps"]
    assert [(one["kind"], one["by"], one["reason"]) for one in steps] == [
        ("hold", "li", "court order"),
        ("lift", "wang", "the case is closed"),
    ]


def test_a_wrong_password_for_a_hold_is_counted_and_written_down(desk: TestClient) -> None:
    for _ in range(OF_A_NAME):
        assert ask(desk, "hold", "li", "court order", "guess")[0] == 403
    assert ask(desk, "hold", "li", "court order")[0] == 429
    assert ask(desk, "hold", "wang", "court order") == (200, "held")
    lines = desk.get("/api/v1/accesses?action=refused").json()
    assert len(lines) == OF_A_NAME
    assert {(line["who"], line["recording"]) for line in lines} == {("li", "")}


def test_deletion_takes_two_people_and_the_date(
    desk: TestClient, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, why = ask(desk, "deletion", "li", "its time is over")
    assert (status, "nobody may delete it before" in why) == (409, True)
    monkeypatch.setattr(custodies.time, "time", lambda: AFTER)
    assert ask(desk, "deletion", "li", "its time is over") == (200, "asked")
    assert ask(desk, "deletion/withdrawal", "wang") == (200, "kept")
    assert ask(desk, "deletion", "li", "its time is over") == (200, "asked")
    assert ask(desk, "deletion/approval", "li")[0] == 409
    assert list(store.rglob("r1.flac"))
    assert ask(desk, "deletion/approval", "wang") == (200, "deleted")
    assert not list(store.rglob("r1.flac"))
    assert [path.name for path in store.rglob("r1.json")] == ["r1.json"]  # the tombstone
    assert "13900000001" not in next(store.rglob("r1.json")).read_text()
