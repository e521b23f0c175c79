"""The journal as the engine starts with it."""

import time

import pytest
from structlog.testing import capture_logs

from acd import events as e
from acd.io.archive import archive
from acd.io.files import segments
from acd.io.journal import Journal
from acd.io.recovery import recover, save
from config.loader import loads
from service.journal import Store

CONFIG = """
[[seats]]
user = "8001"
password = "secret"
[[queues]]
name = "12345"
[engine]
journal = "journal"
journal_file_mib = 0.01
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return loads(CONFIG, environ={})


def gone_on(store, count):
    """So many callers more, who hang up at once."""
    at_ms = store.core.now_ms
    for number in range(count):
        call = f"c{store.journal.sequence}"
        for event in (e.Arrived(at_ms + number, call, "12345"), e.HungUp(at_ms + number, call)):
            store.journal.append(event)
            store.core.step(event)


def begun(config):
    """A journal of a core that has its settings, and ten callers."""
    store = Store(config)
    configured = e.Configured(int(time.time() * 1000), store._settings)
    store.journal.append(configured)
    store.core.step(configured)
    gone_on(store, 10)
    return store


def test_a_snapshot_that_reaches_further_than_the_files_is_gone_on_from(config):
    """Killed when a leader's snapshot was there, and the journal did not say so yet."""
    store = begun(config)
    store.close()
    ahead = recover(store._folder).core
    for number in range(40, 45):
        ahead.step(e.Arrived(ahead.now_ms, f"elsewhere {number}", "12345"))
    save(store._folder, ahead, 45, epoch=3)
    store = Store(config)
    assert (store.journal.sequence, store.journal.epoch) == (45, 3)
    gone_on(store, 5)
    store.close()
    again = Store(config)
    assert again.journal.sequence == 55
    assert again.core.snapshot() == store.core.snapshot()
    assert again.core.queue("12345").total.offered == 20
    again.close()


def test_what_the_disk_never_took_is_said_at_the_end(config, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    store = begun(config)
    assert store.journal.flush()
    monkeypatch.setattr(Journal, "_write", refuse)
    gone_on(store, 2)
    monkeypatch.setattr(store.journal.close.__func__, "__defaults__", (0.05,))
    with capture_logs() as told:
        store.close()
    ends = [one for one in told if "ends without" in one["event"]]
    assert [one["missing"] for one in ends] == [4]


def test_a_start_behind_an_archived_journal_is_the_same_state(config):
    store = begun(config)
    for _ in range(30):
        gone_on(store, 20)
        store.journal.flush()
    store.close()
    store._archivist.wait()
    archive(store._folder, 366, time.time())
    assert any(file.suffix == ".gz" for file in segments(store._folder))
    again = Store(config)
    assert again.core.snapshot() == store.core.snapshot()
    again.close()


def test_a_journal_that_is_in_use_is_named(config):
    store = Store(config)
    with pytest.raises(OSError, match="another engine writes the journal in journal: stop it"):
        Store(config)
    store.close()
