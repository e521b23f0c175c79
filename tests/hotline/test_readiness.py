"""What `/readyz` says: each reason with a code, and none of them forgotten."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from hotline.collected import PartsCollector
from hotline.commands import Code
from recorder.io.keeper import KeeperStatus
from tests.hotline.house import House

SOUND = KeeperStatus(
    spooled=0,
    stored=0,
    failed=0,
    spool_bytes=0,
    oldest_unstored_seconds=0.0,
    store_ok=True,
    database_ok=True,
    free_bytes=1 << 40,
    space="ok",
    alerts=(),
    alert_names=(),
)


@pytest.fixture
def house(monkeypatch):
    made = House()
    made.status = SOUND  # type: ignore[attr-defined]
    monkeypatch.setattr(made.keeper, "status", lambda: made.status, raising=False)
    monkeypatch.setattr(made.plane, "stats", lambda: SimpleNamespace(pids=(1,)), raising=False)
    yield made
    made.close()


def test_all_is_well(house):
    found = house.desk.readiness()
    assert (found.ready, found.reasons, found.warnings) == (True, (), ())


def test_the_database_is_wanted_as_the_store_is(house):
    house.status = replace(SOUND, database_ok=False, store_ok=False, spooled=3)
    found = house.desk.readiness()
    assert not found.ready
    assert found.reason_codes == (Code("store_away", "3"), Code("database_away"))
    assert "the database does not answer" in found.reasons[1]


def test_what_the_keeper_complains_of_is_a_warning(house):
    house.status = replace(SOUND, alerts=("no lock",), alert_names=("abilities",))
    found = house.desk.readiness()
    assert (found.ready, found.warnings) == (True, ("no lock",))
    assert found.warning_codes == (Code("recordings_abilities", "no lock"),)


def test_without_media_workers_or_trunks_no_call_should_come(house, monkeypatch):
    monkeypatch.setattr(house.plane, "stats", lambda: SimpleNamespace(pids=()), raising=False)
    monkeypatch.setattr(house.sip.engine, "trunk_up", lambda name: False, raising=False)
    found = house.desk.readiness()
    assert [one.code for one in found.reason_codes] == ["trunk_down", "no_media"]


def test_a_journal_that_no_disk_takes_is_a_warning_and_is_counted(house):
    journal = SimpleNamespace(trouble="No space left on device", pending=12, lost=3, sequence=40)
    parts = house.conductor.parts
    parts.queueing._kept = journal
    found = house.desk.readiness()
    assert (found.ready, found.warning_codes) == (True, (Code("journal", journal.trouble),))
    assert found.warnings == (
        "the journal is not written: No space left on device; 12 events wait",
    )
    figures = {one.name: one.samples[0].value for one in PartsCollector(parts)._journal()}
    assert figures == {"callcore_journal_pending_events": 12, "callcore_journal_lost_events": 3}
    (last,) = (one for one in PartsCollector(parts)._cluster() if one.name.endswith("sequence"))
    assert last.samples[0].value == 40
    journal.trouble = ""
    assert house.desk.readiness().warnings == ()
