"""A store, a database or a file that does not behave, and what the keeper says and does of it."""

from __future__ import annotations

import threading

import pytest
from keeper_house import FaultyStore
from spooled_call import spool_call

from recorder.due import Look
from recorder.events import Amended, Delayed, StoreBack, Stored, StoreLost
from recorder.io import health, warden
from recorder.io.index import Index
from recorder.io.segments import Segment, scan
from recorder.io.spooled import KeeperError
from recorder.io.store import StoreError


class Refusing(FaultyStore):
    """It answers, and takes nothing: rights, a quota, or the key service behind it."""

    refuses = True

    def put(self, key, *rest, **terms):
        if self.refuses:
            raise StoreError("the store: access denied")
        super().put(key, *rest, **terms)


class Hanging(FaultyStore):
    """As a folder on a server that has gone."""

    def __init__(self, path) -> None:
        super().__init__(path)
        self.answers = threading.Event()
        self.asked = 0

    def probe(self):
        self.asked += 1
        self.answers.wait()
        super().probe()


@pytest.fixture
def impatient(monkeypatch):
    """Asks a store that is away all the time."""
    monkeypatch.setattr(health, "AWAY_PROBE_SECONDS", 0.01)
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.05)


async def test_a_store_that_answers_and_takes_nothing_is_away_until_it_takes_one(house, impatient):
    store = Refusing(house.store)
    keeper = house.keeper(store)
    await keeper.start()
    for number in range(4):
        spool_call(house.spool, f"r{number}", 25)
        keeper.finish(f"r{number}", {})
    await house.wait(StoreLost)
    await house.wait(Delayed, 6)
    assert [type(one) for one in house.told].count(StoreBack) == 0
    status = keeper.status()
    assert (status.store_ok, status.alert_names) == (False, ("store",))
    assert "access denied" in status.alerts[0]
    store.refuses = False
    await house.wait(Stored, 4)
    await house.wait(StoreBack)
    kinds = [type(one) for one in house.told]
    assert (kinds.count(StoreLost), kinds.count(StoreBack)) == (1, 1)
    assert scan(house.spool) == {}


async def test_a_store_that_hangs_is_away_and_the_spool_is_watched_all_the_same(house, impatient):
    store = Hanging(house.store)
    keeper = house.keeper(store, answer_seconds=0.5)
    await keeper.start()
    [lost] = await house.wait(StoreLost)
    assert "has not answered for 0.5 s" in lost.why
    spool_call(house.spool, "r1", 25)
    await house.until(lambda: keeper.status().spool_bytes > 25 * 320)
    await house.until(lambda: keeper.status().database_ok)
    assert store.asked == 1, "what hangs is not asked again and again"
    store.answers.set()
    await house.wait(StoreBack)
    keeper.finish("r1", {})
    await house.wait(Stored)


async def test_a_database_that_hangs_is_not_ready(house, impatient, monkeypatch):
    answers = threading.Event()
    prepare = Index.prepare

    def slowly(index: Index) -> None:
        answers.wait()
        prepare(index)

    monkeypatch.setattr(Index, "prepare", slowly)
    keeper = house.keeper(answer_seconds=0.05)
    await keeper.start()
    await house.until(lambda: "database" in keeper.status().alert_names)
    assert not keeper.status().database_ok
    answers.set()
    await house.until(lambda: keeper.status().database_ok)


async def test_a_file_that_does_not_open_keeps_no_other_recording_back(house, monkeypatch):
    """Another user's, or on a bad block: it has an alert of its own, and the others are stored."""
    for recording in ("bad", "good"):
        spool_call(house.spool, recording, 25)
    is_open = Segment.is_open

    def opened(segment: Segment) -> bool:
        if segment.recording == "bad":
            raise PermissionError(13, "Permission denied", segment.path)
        return is_open(segment)

    with monkeypatch.context() as patch:
        patch.setattr(Segment, "is_open", opened)
        keeper = house.keeper()
        await keeper.start()
        [stored] = await house.wait(Stored)
        assert stored.recording == "good"
        await house.until(lambda: "unreadable" in keeper.status().alert_names)
        status = keeper.status()
        assert (status.space, status.spooled) == ("ok", 1)
        assert any("bad" in alert and "Permission denied" in alert for alert in status.alerts)
    await house.until(lambda: keeper.status().alerts == ())


async def test_what_was_recorded_since_the_start_is_a_number_that_never_falls(house):
    """A counter that falls is taken for a restart, and all of it for new."""
    keeper = house.keeper()
    await keeper.start()
    counted = []

    def count() -> None:
        status = keeper.status()
        counted.append(status.spooled + status.stored + status.failed)

    for number in range(3):
        spool_call(house.spool, f"r{number}", 25)
        keeper.finish(f"r{number}", {"ended_ms": 1})
        count()
    await house.wait(Stored, 3)
    count()
    for number in range(3):
        keeper.finish(f"r{number}", {"order": f"W{number}"})
        count()
    await house.wait(Amended, 3)
    count()
    assert counted == sorted(counted)
    assert counted[-1] == 3


async def test_who_is_refused_the_spool_has_touched_nothing_in_it(house):
    await house.keeper().start()
    sealing = house.spool / "sealing" / "r1.flac"
    sealing.write_bytes(b"half of it")
    with pytest.raises(KeeperError, match="another process"):
        await house.keeper().start()
    assert sealing.exists()


class Asked(FaultyStore):
    """By which threads it was asked what it can do."""

    def __init__(self, path) -> None:
        super().__init__(path)
        self.threads: list[int] = []

    def abilities(self):
        self.threads.append(threading.get_ident())
        if self.away:
            raise StoreError("the store: it does not answer")
        return super().abilities()


async def test_what_the_store_can_do_is_asked_in_a_thread_and_unknown_until_it_was_told(
    house, impatient, monkeypatch
):
    monkeypatch.setattr(warden, "ASK_AGAIN_SECONDS", 0.01)
    store = Asked(house.store)
    store.away = True
    keeper = house.keeper(store)
    await keeper.start()
    await house.wait(StoreLost)
    assert keeper.warden.abilities is None
    store.away = False
    spool_call(house.spool, "r1", 25)
    keeper.finish("r1", {})
    await house.until(lambda: keeper.warden.abilities is not None)
    await keeper.warden.expire_due(Look(0, 0.0))
    assert len(store.threads) >= 2
    assert threading.get_ident() not in store.threads
