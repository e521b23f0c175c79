"""A directory store in trouble: with one object of it, or with all of it; and neither is silent."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest
from spooled_call import spool_call

from recorder.events import Stored, StoreLost
from recorder.io import directory
from recorder.io.inventory import inventory
from recorder.io.s3_client import Errors, S3Settings
from recorder.io.s3_upload import Upload, Uploader
from recorder.io.store import DirectoryStore, StoreError

UNREADABLE = "/proc/self/mem"  # at 0 there is nothing to be read: EIO
KEY = "2026/01/02/r1.flac"


def failing(number: int):
    def fail(*_, **__):
        raise OSError(number, os.strerror(number))

    return fail


@pytest.fixture
def store(tmp_path) -> DirectoryStore:
    """With one object."""
    store = DirectoryStore(tmp_path / "store")
    put(store, KEY, source(tmp_path))
    return store


def source(tmp_path: Path) -> Path:
    path = tmp_path / "source"
    path.write_bytes(b"what was said")
    return path


def put(store: DirectoryStore, key: str, path: Path) -> None:
    store.put(key, path, sha256(path), "audio/flac")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def trouble(work) -> StoreError:
    with pytest.raises(StoreError, match="Input/output error") as caught:
        work()
    return caught.value


def test_a_ledger_that_cannot_be_read_is_trouble_with_its_object_alone(store, tmp_path):
    ledger = store.path / f"{KEY}.kept.json"
    ledger.unlink(missing_ok=True)
    ledger.symlink_to(UNREADABLE)
    path = source(tmp_path)
    for work in (
        lambda: store.protection(KEY),
        lambda: store.hold(KEY, True),
        lambda: store.delete(KEY, 1 << 50),
        lambda: put(store, KEY, path),
    ):
        error = trouble(work)
        assert KEY in str(error)
        assert not error.store_away
    put(store, "2026/01/02/r2.flac", path)
    assert store.holds("2026/01/02/r2.flac", path, sha256(path))


def test_bytes_that_cannot_be_read_are_not_the_store_being_away(store, tmp_path, monkeypatch):
    path = source(tmp_path)
    monkeypatch.setattr(directory, "sha256_of_file", failing(errno.EIO))
    assert not trouble(lambda: store.holds(KEY, path, sha256(path))).store_away
    assert not trouble(lambda: put(store, "new.flac", path)).store_away  # reading back


def test_a_disk_that_takes_nothing_is_the_store_being_away(store, tmp_path, monkeypatch):
    monkeypatch.setattr(directory.os, "fsync", failing(errno.EIO))
    assert trouble(lambda: put(store, "new.flac", source(tmp_path))).store_away
    assert trouble(store.probe).store_away
    assert not list(store.path.glob(".probe*"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_the_store_being_away_whatever_small_it_still_takes(
    store, tmp_path, monkeypatch, number
):
    monkeypatch.setattr(directory, "_copy", failing(number))
    with pytest.raises(StoreError, match=os.strerror(number)) as caught:
        put(store, "new.flac", source(tmp_path))
    assert caught.value.store_away


def test_what_cannot_be_read_here_is_no_trouble_of_any_store(store, tmp_path):
    unreadable = tmp_path / "unreadable"
    unreadable.symlink_to(UNREADABLE)
    s3 = Uploader(None, S3Settings("bucket"), Errors("s3://bucket"))
    for path in (unreadable, tmp_path / "gone"):
        for send in (
            lambda path=path: store.put("new.flac", path, "0" * 64, "audio/flac"),
            lambda path=path: s3.send(Upload("new.flac", path, "0" * 64)),
        ):
            with pytest.raises(StoreError, match="which is to be stored") as caught:
                send()
            assert str(path) in str(caught.value)
            assert not caught.value.store_away


async def test_one_bad_recording_neither_stops_the_others_nor_hides_from_verify(house):
    keeper = house.keeper()
    await keeper.start()
    spool_call(house.spool, "bad", 50)
    keeper.finish("bad", {})
    (bad,) = await house.wait(Stored)
    ledger = house.store / f"{bad.key}.kept.json"
    ledger.unlink()
    ledger.symlink_to(UNREADABLE)
    spool_call(house.spool, "good", 50)
    keeper.finish("good", {})
    await house.wait(Stored, 2)
    verification = await keeper.verify()
    assert verification.checked == 2
    assert {problem.recording for problem in verification.problems} == {"bad"}
    assert "Input/output error" in verification.problems[0].why
    assert not [event for event in house.told if isinstance(event, StoreLost)]


async def test_names_that_cannot_be_listed_are_no_missing_recordings(house, monkeypatch):
    keeper = house.keeper()
    await keeper.start()
    spool_call(house.spool, "r1", 50)
    keeper.finish("r1", {})
    await house.wait(Stored)
    assert not inventory(keeper.vault).problems
    with monkeypatch.context() as patch:
        patch.setattr(directory.os, "scandir", failing(errno.EIO))
        trouble(lambda: inventory(keeper.vault))
