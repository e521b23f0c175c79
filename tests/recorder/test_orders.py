"""A work order's number that comes when the recording is sealed already, or being sealed."""

from __future__ import annotations

import base64
import os
import threading
import time

import pytest
from spooled_call import spool_call

from recorder.approvers import Approvers, password_hash
from recorder.events import Amended, Delayed, Stored, StoreLost
from recorder.io.custodian import Custodian, Person
from recorder.io.database import Database
from recorder.io.index import Query
from recorder.io.inventory import reindex
from recorder.io.kms import KeySettings, open_keys
from recorder.io.objects import NO_TERMS
from recorder.io.reader import fetch_manifest
from recorder.io.rotation import rotate
from recorder.io.store import DirectoryStore, StoreError
from recorder.io.turns import turn
from recorder.io.vault import Vault

LI = Person("li", "correct horse")
APPROVERS = Approvers({"li": password_hash(LI.password, b"salt of 16 bytes")})
OLD, NEW = (base64.b64encode(one * 32).decode() for one in (b"o", b"n"))
NOW_MS = int(time.time() * 1000)


async def stored(house, *names: str, store=None, **options):
    keeper = house.keeper(store, guard_per_day=0, **options)
    await keeper.start()
    for name in names:
        spool_call(house.spool, name, 50)
        keeper.finish(name, {"order": ""})
    await house.wait(Stored, len(names))
    return keeper


def found(keeper, order: str) -> list[str]:
    return [entry.recording for entry in keeper.vault.index.find(Query(order=order))]


def order_in_the_store(keeper, recording: str) -> str:
    return fetch_manifest(keeper.vault.store, keeper.vault.index.get(recording).key).order


async def test_a_number_that_comes_after_the_sealing_is_in_index_and_manifest(house):
    keeper = await stored(house, "r1", "r2")
    before = keeper.vault.index.get("r1")
    for order in ("W-1", "W-2"):
        keeper.finish("r1", {"order": order})
        await house.until(lambda order=order: Amended("r1", order) in house.told)
        assert found(keeper, order) == ["r1"]
        assert order_in_the_store(keeper, "r1") == order
    assert found(keeper, "W-1") == []
    after = keeper.vault.index.get("r1")
    assert (after.sha256, after.retain_until_ms, after.call_id, after.parts) == (
        before.sha256,
        before.retain_until_ms,
        before.call_id,
        before.parts,
    )
    assert keeper.status().stored == 2
    assert keeper._spooled.noted() == []
    assert (await keeper.verify()).ok
    with keeper.vault.index.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM recordings")
    assert reindex(keeper.vault).recordings == 2
    assert found(keeper, "W-2") == ["r1"]


class Slow(DirectoryStore):
    """Waits with the first audio until it is told to go on."""

    def __init__(self, path) -> None:
        super().__init__(path)
        self.begun, self.go_on = threading.Event(), threading.Event()

    def put(self, key, path, sha256, content_type, terms=NO_TERMS):
        self.begun.set()
        self.go_on.wait(10)
        super().put(key, path, sha256, content_type, terms)


async def test_a_number_that_comes_while_it_is_stored_is_not_lost(house):
    store = Slow(house.store)
    keeper = house.keeper(store, guard_per_day=0)
    await keeper.start()
    spool_call(house.spool, "r1", 50)
    keeper.finish("r1", {"agent": "8001", "order": ""})
    await house.until(store.begun.is_set)
    keeper.finish("r1", {"order": "W-1"})
    store.go_on.set()
    await house.wait(Amended)
    assert found(keeper, "W-1") == ["r1"]
    assert order_in_the_store(keeper, "r1") == "W-1"
    assert keeper.vault.index.get("r1").agent == "8001"
    assert [type(event) for event in house.told] == [Stored, Amended]


async def test_what_waits_for_the_store_is_found_by_its_number_meanwhile(house):
    house.store.write_text("in the way")
    keeper = house.keeper(guard_per_day=0)
    await keeper.start()
    spool_call(house.spool, "r1", 50)
    await house.wait(StoreLost)
    keeper.finish("r1", {"order": ""})
    await house.until(lambda: keeper.vault.index.get("r1") is not None)
    keeper.finish("r1", {"order": "W-1"})
    await house.until(lambda: found(keeper, "W-1") == ["r1"])
    assert keeper.vault.index.get("r1").state == "spooled"
    house.store.unlink()
    await house.wait(Stored)
    assert order_in_the_store(keeper, "r1") == "W-1"


async def test_a_number_outlives_a_kill_and_an_outage(house, monkeypatch):
    keeper = await stored(house, "r1")
    await keeper.stop()
    keeper.vault.spooled.write_note("r1", {"order": "W-1"})
    opened = DirectoryStore.open

    def away(*_):
        raise StoreError("the store: it does not answer")

    monkeypatch.setattr(DirectoryStore, "open", away)
    again = house.keeper(guard_per_day=0)
    await again.start()
    await house.wait(Delayed)
    monkeypatch.setattr(DirectoryStore, "open", opened)
    await house.wait(Amended)
    assert order_in_the_store(again, "r1") == "W-1"


async def test_a_hold_stays_on_what_is_written_again(house):
    keeper = await stored(house, "r1")
    Custodian(keeper.vault, APPROVERS).hold("r1", LI, "court order 17", NOW_MS)
    store, key = keeper.vault.store, keeper.vault.index.get("r1").key.replace(".flac", ".json")
    forgets = store.hold(key, False)  # as a new version of an object in S3 does
    keeper.finish("r1", {"order": "W-1"})
    await house.wait(Amended)
    assert forgets
    assert store.protection(key).held


@pytest.mark.parametrize("state", ["deleted", "failed"])
async def test_what_is_gone_stays_gone(house, state):
    keeper = await stored(house, "r1")
    entry = keeper.vault.index.get("r1")
    for path in house.store.rglob("r1.*"):
        path.unlink()
    keeper.vault.index.put(type(entry)(entry.recording, state=state, note="as it was told"))
    keeper.finish("r1", {"order": "W-1"})
    await house.wait(Amended)
    gone = keeper.vault.index.get("r1")
    assert (gone.state, gone.note, gone.order) == (state, "as it was told", "")
    assert not list(house.store.rglob("r1.*"))


async def test_a_number_given_at_another_node_waits_in_the_index(house, tmp_path):
    """The spool that the recording is in is not ours: it is no failure, and is not lost."""
    house.store.write_text("in the way")
    keeper = house.keeper(guard_per_day=0)
    await keeper.start()
    await house.wait(StoreLost)
    spool_call(house.spool, "r1", 50)
    keeper.finish("r1", {"order": "W-0"})
    await house.until(lambda: found(keeper, "W-0") == ["r1"])
    away = DirectoryStore(tmp_path / "elsewhere")
    other = house.keeper(away, spool=str(tmp_path / "spool-2"), guard_per_day=0)
    await other.start()
    other.finish("r1", {"order": "W-1"})
    await house.wait(Amended)
    assert other.status().failed == 0
    house.store.unlink()
    await house.wait(Stored)
    assert found(keeper, "W-1") == ["r1"]
    assert order_in_the_store(keeper, "r1") == "W-1"


def while_a_manifest_is_put(monkeypatch, other: threading.Thread) -> None:
    """It was read already when `other` begins, which goes as far as it comes by itself."""
    put = Vault.store_manifest

    def meanwhile(vault, manifest):
        if other.ident is None:
            other.start()
            other.join(0.3)
        put(vault, manifest)

    monkeypatch.setattr(Vault, "store_manifest", meanwhile)


async def test_a_number_and_a_new_key_that_come_at_once_are_both_in_the_manifest(
    house, monkeypatch
):
    """`callcore recordings rotate` has read the manifest when the number is given."""
    keeper = await stored(house, "r1", keys=KeySettings(OLD))
    amending = threading.Thread(target=keeper.vault.keep, args=("r1", {"order": "W-1"}))
    while_a_manifest_is_put(monkeypatch, amending)
    assert rotate(house.keeper(keys=KeySettings(NEW, (OLD,))).vault).rewrapped == 1
    amending.join()
    manifest = fetch_manifest(keeper.vault.store, keeper.vault.index.get("r1").key)
    assert (manifest.order, manifest.key_id) == ("W-1", open_keys(KeySettings(NEW)).current.key_id)
    assert found(keeper, "W-1") == ["r1"]


async def test_a_number_given_at_another_node_while_it_is_stored_is_not_lost(house, tmp_path):
    store = Slow(house.store)
    keeper = house.keeper(store, guard_per_day=0)
    await keeper.start()
    spool_call(house.spool, "r1", 50)
    keeper.finish("r1", {"order": ""})
    await house.until(lambda: store.begun.is_set() and keeper.vault.index.get("r1"))
    other = house.keeper(spool=str(tmp_path / "spool-2")).vault
    other.spool.mkdir()
    other.keep("r1", {"order": "W-1"})
    store.go_on.set()
    await house.wait(Stored)
    assert found(keeper, "W-1") == ["r1"]
    assert order_in_the_store(keeper, "r1") == "W-1"


async def test_a_number_that_comes_while_it_is_deleted_does_not_bring_it_back(house, monkeypatch):
    keeper = await stored(house, "r1")
    custodian = Custodian(keeper.vault, APPROVERS)
    entry = keeper.vault.index.get("r1")
    late_ms = entry.retain_until_ms + 1
    deleting = threading.Thread(target=custodian.expire, args=(entry, late_ms))
    while_a_manifest_is_put(monkeypatch, deleting)
    keeper.finish("r1", {"order": "W-1"})
    await house.wait(Amended)
    deleting.join()
    assert keeper.vault.index.get("r1").state == "deleted"
    assert not list(house.store.glob("20*/**/r1.*"))  # but for its tombstone, in `custody`


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_command_that_root_runs_does_not_shut_the_engine_out(tmp_path):
    index = tmp_path / "index.db"
    database = Database(f"sqlite:///{index}")
    index.touch()
    os.chown(index, 1234, 1234)
    with turn(database, "r1"):
        left = index.with_name("index.db.turns").stat()
    assert (left.st_uid, left.st_gid) == (1234, 1234)
