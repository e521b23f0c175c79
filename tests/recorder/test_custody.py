"""Holds and deletion: never by one, never before the date, never under a hold, never untold."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spooled_call import spool_call

from recorder.approvers import Approvers, NotAllowed, password_hash
from recorder.custody import ASKED_DAYS, Custody, Event, Refused, State, step
from recorder.events import Stored
from recorder.io import audit
from recorder.io.custodian import Custodian, Person, UnknownRecording
from recorder.io.custody import CustodyBook
from recorder.io.figures import _known, figures
from recorder.io.inventory import inventory, reindex
from recorder.io.objects import StillKept, StoreError
from recorder.io.store import DirectoryStore
from recorder.manifest import DAY_MS, manifest_key

UNTIL = 1_800_000_000_000
AFTER = UNTIL + DAY_MS
PASSWORDS = {"li": "correct horse battery", "wang": "staple staple staple"}
APPROVERS = Approvers(
    {name: password_hash(word, name.encode()) for name, word in PASSWORDS.items()}
)
LI, WANG = (Person(name, word) for name, word in PASSWORDS.items())

KINDS = ["hold", "lift", "ask", "approve", "withdraw", "deleted", "expired"]
event = st.builds(
    Event,
    st.sampled_from(KINDS),
    st.sampled_from(["li", "wang", ""]),
    st.sampled_from([UNTIL - 1, UNTIL, AFTER]),
    st.sampled_from(["", "because"]),
)


def kept() -> Custody:
    return Custody(recording="r1", retain_until_ms=UNTIL)


@given(st.lists(event, max_size=12))
@settings(max_examples=150)
def test_whatever_is_tried_only_two_people_delete_and_only_after_the_date(tried):
    custody = kept()
    for one in tried:
        try:
            custody = step(custody, one)
        except Refused:
            continue
    kinds = [one.kind for one in custody.events]
    if custody.state is not State.DELETED:
        return
    assert kinds[-1] in ("deleted", "expired")
    assert custody.events[-1].at_ms >= UNTIL
    assert kinds.count("hold") == kinds.count("lift")
    if kinds[-1] == "deleted":
        asked, approved = custody.events[-3:-1]
        assert (asked.kind, approved.kind) == ("ask", "approve")
        assert asked.by != approved.by
        assert asked.at_ms >= UNTIL


@pytest.mark.parametrize(
    ("events", "refused", "says"),
    [
        ([], Event("ask", "li", UNTIL - 1, "old"), "is kept until 2027-01-15T08:00:00.000Z"),
        ([], Event("ask", "li", AFTER), "a reason must be given"),
        ([], Event("approve", "li", AFTER), "only a deletion that was asked for"),
        ([Event("ask", "li", AFTER, "old")], Event("approve", "LI", AFTER), "somebody else"),
        (
            [Event("ask", "li", AFTER, "old")],
            Event("approve", "wang", AFTER + ASKED_DAYS * DAY_MS + 1),
            "withdraw it",
        ),
        ([Event("hold", "li", 1, "court")], Event("ask", "wang", AFTER, "old"), "is held (by li"),
        ([Event("hold", "li", 1, "court")], Event("expired", "rule", AFTER), "does not expire"),
        ([Event("hold", "li", 1, "court")], Event("hold", "wang", 2, "too"), "once"),
    ],
)
def test_each_refusal_says_why(events, refused, says):
    custody = kept()
    for one in events:
        custody = step(custody, one)
    with pytest.raises(Refused) as caught:
        step(custody, refused)
    assert says in str(caught.value)


def test_a_password_is_asked_of_each_and_says_nothing_else():
    APPROVERS.check("li", PASSWORDS["li"])
    for name, word in [("li", PASSWORDS["wang"]), ("nobody", PASSWORDS["li"]), ("", "")]:
        with pytest.raises(NotAllowed, match="is no approver with that password"):
            APPROVERS.check(name, word)
    with pytest.raises(ValueError, match="at least 10"):
        password_hash("short", os.urandom(16))


@pytest.fixture
async def custodian(house):
    """A house with two stored recordings, and who may delete them."""
    keeper = house.keeper()
    await keeper.start()
    for name in ("r1", "r2"):
        spool_call(house.spool, name, 50)
        keeper.finish(name, {})
    await house.wait(Stored, 2)
    return Custodian(keeper._vault, APPROVERS)


async def test_two_people_delete_what_is_past_its_date_and_a_tombstone_stays(house, custodian):
    entry = custodian.vault.index.get("r1")
    after = entry.retain_until_ms + 1
    with pytest.raises(Refused, match="nobody may delete it before"):
        custodian.ask_deletion("r1", LI, "old", after - 2)
    assert figures(custodian.vault, "r1") is not None
    custodian.ask_deletion("r1", LI, "its time is over", after)
    with pytest.raises(Refused, match="somebody else"):
        custodian.approve_deletion("r1", LI, after)
    with pytest.raises(NotAllowed):
        custodian.approve_deletion("r1", Person("wang", "guess"), after)
    custody = custodian.approve_deletion("r1", WANG, after)
    assert custody.state is State.DELETED
    assert not list(house.store.rglob("r1.flac*"))
    assert not list(house.store.glob("2*/**/r1.json*"))
    gone = custodian.vault.index.get("r1")
    assert (gone.state, gone.caller, gone.sha256) == ("deleted", "", entry.sha256)
    assert "by wang" in gone.note
    assert _known(custodian.vault.index.database, "r1") is None, "nor is its picture left"
    assert inventory(custodian.vault).problems == ()
    # The index is lost: manifests bring the living back, custody brings back the dead.
    vault = custodian.vault
    with vault.index.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM recordings")
        connection.exec_driver_sql("DELETE FROM recording_custody")
    assert (reindex(vault).recordings, reindex(vault).custodies) == (1, 1)
    assert vault.index.get("r1").state == "deleted"
    assert vault.index.get("r2").state == "stored"
    with pytest.raises(Refused, match="was deleted"):
        custodian.hold("r1", LI, "too late", after)
    with pytest.raises(UnknownRecording):
        custodian.custody("r3")


async def test_a_hold_outlasts_the_date_and_a_lost_database(house, custodian):
    vault = custodian.vault
    after = vault.index.get("r1").retain_until_ms + 1
    custodian.hold("r1", LI, "court order 17", after)
    with vault.index.database.begin() as connection:
        connection.exec_driver_sql("DELETE FROM recording_custody")
    with pytest.raises(Refused, match="is held"):
        custodian.ask_deletion("r1", WANG, "old", after)
    with pytest.raises(StillKept, match="legal hold"):
        vault.store.delete(vault.index.get("r1").key, after)
    assert [one.recording for one in reindex(vault) and custodian.book.all("held")] == ["r1"]
    custodian.lift("r1", WANG, "the case is closed", after)
    custodian.ask_deletion("r1", LI, "old", after)
    assert custodian.approve_deletion("r1", WANG, after).state is State.DELETED


async def test_a_hold_that_is_refused_leaves_the_store_alone(custodian):
    key = custodian.vault.index.get("r1").key
    with pytest.raises(Refused, match="a reason must be given"):
        custodian.hold("r1", LI, " ", UNTIL)
    assert custodian.custody("r1").events == ()
    assert not custodian.vault.store.protection(key).held


async def test_a_hold_that_the_store_cannot_keep_is_said_and_can_be_put_again(
    custodian, monkeypatch
):
    entry = custodian.vault.index.get("r1")
    hold = DirectoryStore.hold
    for cannot in (entry.key, manifest_key(entry.key)):  # one of the two is not enough
        with monkeypatch.context() as patch:
            patch.setattr(
                DirectoryStore, "hold", lambda store, *a, no=cannot: a[0] != no and hold(store, *a)
            )
            with pytest.raises(StoreError, match="is held in our book alone") as caught:
                custodian.hold("r1", LI, "court order 17", UNTIL)
        assert not caught.value.store_away
        assert custodian.custody("r1").state is State.HELD
    with pytest.raises(Refused, match="can be held, and once"):
        custodian.hold("r1", LI, "court order 17", UNTIL)
    assert custodian.vault.store.protection(entry.key).held
    assert custodian.vault.store.protection(manifest_key(entry.key)).held
    assert len(custodian.custody("r1").events) == 1


async def test_what_is_held_and_gone_is_missing_whatever_its_date(house, custodian, monkeypatch):
    vault = custodian.vault
    custodian.hold("r1", LI, "court order 17", UNTIL)
    for name in ("r1", "r2"):
        (house.store / vault.index.get(name).key).unlink()
    after_s = vault.index.get("r2").retain_until_ms / 1000 + 1
    monkeypatch.setattr(audit, "time", SimpleNamespace(time=lambda: after_s))
    problems = audit.verify(vault.index, vault.store).problems
    assert [(one.recording, one.why) for one in problems] == [("r1", "is not in the store")]


async def test_a_store_that_fails_in_the_middle_of_a_deletion_is_asked_again(
    house, custodian, monkeypatch
):
    after = custodian.vault.index.get("r1").retain_until_ms + 1
    custodian.ask_deletion("r1", LI, "old", after)

    def away(*_):
        raise StoreError("the store: it does not answer")

    with monkeypatch.context() as patch:
        patch.setattr(DirectoryStore, "delete", away)
        with pytest.raises(StoreError):
            custodian.approve_deletion("r1", WANG, after)
    assert custodian.custody("r1").state is State.APPROVED
    assert custodian.approve_deletion("r1", WANG, after).state is State.DELETED


async def test_inventory_names_what_does_not_fit(house, custodian):
    assert inventory(custodian.vault).problems == ()
    (house.store / "2025/06/15/r2.flac").unlink()
    (house.store / "2025/06/15/stray.flac").write_bytes(b"x")
    problems = {(one.recording, one.key): one.why for one in inventory(custodian.vault).problems}
    assert "not in the store" in problems["r2", "2025/06/15/r2.flac"]
    assert "no recording of it" in problems["", "2025/06/15/stray.flac"]
    assert len(problems) == 2


async def test_a_directory_keeps_what_is_replaced_and_refuses_to_delete(house, custodian, tmp_path):
    store = custodian.vault.store
    key = custodian.vault.index.get("r1").key
    old = (house.store / key).read_bytes()
    (tmp_path / "other").write_bytes(b"other")
    sha256 = "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa"
    store.put(key, tmp_path / "other", sha256, "audio/flac")
    (version,) = (house.store / ".versions").rglob("r1.flac.*")
    assert version.read_bytes() == old
    assert store.protection(key).noted_until_ms == custodian.vault.index.get("r1").retain_until_ms
    with pytest.raises(StillKept, match="is kept until"):
        store.delete(key, UNTIL - 10 * 366 * DAY_MS)
    assert (house.store / key).stat().st_mode & 0o222 == 0


async def test_a_hold_stops_a_deletion_that_looked_at_the_book_just_before(
    house, custodian, monkeypatch
):
    """Expiry reads the book, then asks the store: in between the hold may have come."""
    entry = custodian.vault.index.get("r1")
    after = entry.retain_until_ms + 1
    record = CustodyBook.record
    refused = []

    def recorded(book, before, event):
        done = record(book, before, event)
        with pytest.raises(StillKept) as why:
            custodian.vault.store.delete(entry.key, after)
        refused.append(str(why.value))
        return done

    monkeypatch.setattr(CustodyBook, "record", recorded)
    assert custodian.hold("r1", LI, "court order 17", after).state is State.HELD
    assert "is under a legal hold" in refused[0]
    assert list(house.store.rglob("r1.flac"))


async def test_a_hold_while_the_store_is_away_stands_in_the_book(house, custodian, monkeypatch):
    def away(store, key, held):
        raise StoreError("the store: it does not answer")

    after = custodian.vault.index.get("r1").retain_until_ms + 1
    with monkeypatch.context() as patch:
        patch.setattr(DirectoryStore, "hold", away)
        with pytest.raises(StoreError, match="does not answer"):
            custodian.hold("r1", LI, "court order 17", after)
    assert custodian.custody("r1").state is State.HELD
    with pytest.raises(Refused, match="what is held does not expire"):
        custodian.expire(custodian.vault.index.get("r1"), after)
