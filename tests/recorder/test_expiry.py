"""Recordings past their date in a directory: gone as by a lifecycle rule, and none before."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from spooled_call import spool_call

from recorder.approvers import password_hash
from recorder.custody import State
from recorder.due import JUMP_MS, Look, believed
from recorder.events import Expired, Stored
from recorder.io.audit import Problem
from recorder.io.custodian import Person
from recorder.io.expiry import expire
from recorder.io.inventory import inventory, reindex
from recorder.io.objects import Abilities
from recorder.io.store import DirectoryStore, StoreError
from recorder.manifest import DAY_MS

LI = Person("li", "correct horse")
APPROVERS = (("li", password_hash(LI.password, b"salt of 16 bytes")),)
DAY = DAY_MS // 1000
START = 1_800_000_000_000


@given(
    st.lists(
        st.tuples(st.integers(1, 2 * DAY), st.sampled_from([0, 0, 0, 400 * DAY, -DAY, 600])),
        max_size=40,
    )
)
def test_only_a_time_that_two_clocks_have_counted_for_a_day_is_over(steps):
    """Whenever our clock is set, a year ahead too, it is not believed for a day."""
    first, steady, offset_s = None, 0, 0
    agreed_since = 0  # steady seconds: of the first look after our clock was set last
    for seconds, jump in steps:
        steady += seconds
        offset_s += jump
        if jump:
            agreed_since = steady
        now = Look(START + (steady + offset_s) * 1000, float(steady))
        first, until_ms = believed(first, now)
        if until_ms is not None:
            assert until_ms <= now.wall_ms - DAY_MS + JUMP_MS
            assert steady - agreed_since >= DAY


def test_a_day_of_a_clock_that_is_corrected_a_little_is_a_day():
    first, none = believed(None, Look(START, 5.0))
    assert none is None
    assert believed(first, Look(START + DAY_MS // 2, 5.0 + DAY / 2)) == (first, None)
    later = Look(START + DAY_MS + 2000, 5.0 + DAY)
    assert believed(first, later) == (later, START)


@pytest.fixture
async def keeper(house):
    """With r1, r2 and r3 stored."""
    keeper = house.keeper(guard_per_day=0, approvers=APPROVERS)
    await keeper.start()
    for name in ("r1", "r2", "r3"):
        spool_call(house.spool, name, 50)
        keeper.finish(name, {"caller": "13800000001"})
    await house.wait(Stored, 3)
    return keeper


def past(keeper) -> int:
    return max(one.retain_until_ms for one in keeper.vault.index.all()) + 1


def expired(keeper, until_ms: int) -> list[str]:
    return sorted(one.recording for one in expire(keeper.vault, keeper.custodian, until_ms))


def audio(house) -> list[str]:
    return sorted(path.name for path in house.store.rglob("r?.flac"))


async def test_what_is_past_its_date_goes_and_what_is_held_stays(house, keeper):
    vault, custodian = keeper.vault, keeper.custodian
    until_ms = past(keeper)
    custodian.hold("r2", LI, "court order 17", until_ms)
    assert expired(keeper, until_ms - DAY_MS) == []
    assert audio(house) == ["r1.flac", "r2.flac", "r3.flac"]
    assert expired(keeper, until_ms) == ["r1", "r3"]
    assert audio(house) == ["r2.flac"]
    assert not list(house.store.glob("2*/**/r1.*"))
    gone = vault.index.get("r1")
    assert (gone.state, gone.caller) == ("deleted", "")
    assert (await keeper.verify()).ok
    assert inventory(vault).problems == ()
    tombstone = custodian.custody("r1")
    assert tombstone.state is State.DELETED
    assert (tombstone.last.kind, tombstone.last.by) == ("expired", "callcore's rule of expiry")
    with vault.index.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM recordings")
        connection.exec_driver_sql("DELETE FROM recording_custody")
    assert reindex(vault).problems == ()
    assert vault.index.get("r3").state == "deleted"
    assert expired(keeper, until_ms + DAY_MS) == []
    custodian.lift("r2", LI, "the case is closed", until_ms)
    assert expired(keeper, until_ms) == ["r2"]


async def test_an_index_that_says_less_than_the_ledger_deletes_nothing(house, keeper):
    entry = keeper.vault.index.get("r1")
    until_ms = past(keeper)
    shortened = {"started_ms": 0, "retain_until_ms": 1}
    keeper.vault.index.put(type(entry)(**{**dict(fields_of(entry)), **shortened}))
    assert expired(keeper, until_ms - DAY_MS) == []
    assert audio(house) == ["r1.flac", "r2.flac", "r3.flac"]


def fields_of(entry):
    return ((name, getattr(entry, name)) for name in entry.__slots__)


async def test_one_that_fails_is_named_and_done_the_next_time(house, keeper, monkeypatch):
    until_ms = past(keeper)
    delete = DirectoryStore.delete

    def broken(store, key, now_ms):
        if key.endswith("r2.json"):
            raise StoreError("cannot delete r2", store_away=False)
        delete(store, key, now_ms)

    with monkeypatch.context() as patch:
        patch.setattr(DirectoryStore, "delete", broken)
        found = list(expire(keeper.vault, keeper.custodian, until_ms))
    (problem,) = (one for one in found if isinstance(one, Problem))
    assert (problem.recording, problem.why) == ("r2", "cannot delete r2")
    assert keeper.vault.index.get("r2").state == "stored"
    assert expired(keeper, until_ms) == ["r2"]  # half of it was gone: that is no error


async def test_the_daily_guard_expires_when_its_clocks_agree_for_a_day(house, keeper):
    until_ms = past(keeper)
    await keeper.warden.expire_due(Look(until_ms - 400 * DAY_MS, 0.0))
    await keeper.warden.expire_due(Look(until_ms, 60.0))  # a clock that was set
    await keeper.warden.expire_due(Look(until_ms + DAY_MS // 2, 60.0 + DAY / 2))
    assert len(audio(house)) == 3
    await keeper.warden.expire_due(Look(until_ms + DAY_MS, 60.0 + DAY))
    told = await house.wait(Expired, 3)
    assert {one.recording for one in told} == {"r1", "r2", "r3"}
    assert audio(house) == []


async def test_a_store_with_rules_of_its_own_is_left_to_them(house, keeper, monkeypatch):
    monkeypatch.setattr(DirectoryStore, "abilities", lambda store: Abilities())
    until_ms = past(keeper)
    await keeper.warden.expire_due(Look(until_ms, 0.0))
    await keeper.warden.expire_due(Look(until_ms + DAY_MS, float(DAY)))
    assert len(audio(house)) == 3
