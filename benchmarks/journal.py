#!/usr/bin/env python3
"""Events a second through the journal, beside a raw write + fdatasync and SQLite of the same bytes.

All three commit in groups of 64 at least; the journal encodes the events and commits off the
caller's thread, the peers get ready-made bytes. How long an event waits until it is on the disk is
measured at 500 events/s, as a busy hotline has them. A start is measured with a full file behind
its snapshot.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from acd import events as e
from acd.core import Core
from acd.frames import frame
from acd.io.archive import archive
from acd.io.journal import Journal, JournalSettings
from acd.io.recovery import recover
from acd.settings import AcdSettings, AgentSettings, QueueSettings
from benchmarks.outcome import Outcome, parser, percentile, say

GROUP = 64
BAR = 50_000
BAR_START_SECONDS = 3.0
SETTINGS = AcdSettings(
    queues=(QueueSettings("12345", wrap_up_seconds=0),),
    agents=tuple(AgentSettings(f"a{index}") for index in range(100)),
)


def day(count: int) -> list[e.Event]:
    """What a core is told, about `count` events: arrivals answered at once, and their ends."""
    core = Core(SETTINGS)
    told: list[e.Event] = [e.Configured(0, SETTINGS)]
    told += [e.AgentReady(0, one.user) for one in SETTINGS.agents]
    for event in told:
        core.step(event)
    number = 0
    while len(told) < count:
        number += 1
        now_ms, call = number * 1000, f"{number:016x}"
        arrived = e.Arrived(now_ms, call, "12345", caller="13900001111")
        (offer,) = (one for one in core.step(arrived) if isinstance(one, e.Offer))
        rest = [
            e.Accepted(now_ms + 10, offer.token),
            e.Bridged(now_ms + 12, call),
            e.HungUp(now_ms + 900, call),
        ]
        for event in rest:
            core.step(event)
        told += [arrived, *rest]
    return told


def opened(folder: Path) -> Journal:
    """A journal that must not fail."""
    return Journal(JournalSettings(folder), lambda error: sys.exit(f"disk: {error}"))


def through_the_journal(folder: Path, events: list[e.Event]) -> tuple[float, float]:
    """Events a second until all are durable, and how many a group had."""
    journal = opened(folder)
    begun = time.perf_counter()
    for event in events:
        if not journal.append(event):
            sys.exit("an event was not kept")
    if not journal.flush(120):
        sys.exit("not durable")
    took = time.perf_counter() - begun
    journal.close()
    return len(events) / took, len(events) / journal.syncs


def raw(folder: Path, frames: list[bytes]) -> float:
    """The limit: bytes that are ready, written and synced by one thread in groups."""
    file = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    begun = time.perf_counter()
    for at in range(0, len(frames), GROUP):
        os.write(file, b"".join(frames[at : at + GROUP]))
        os.fdatasync(file)
    took = time.perf_counter() - begun
    os.close(file)
    return len(frames) / took


def sqlite(folder: Path, frames: list[bytes]) -> float:
    """The usual way to be durable: a write-ahead log, each commit synced."""
    database = sqlite3.connect(folder / "events.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, frame BLOB)")
    begun = time.perf_counter()
    for at in range(0, len(frames), GROUP):
        database.execute("BEGIN")
        database.executemany(
            "INSERT INTO events (frame) VALUES (?)", [(one,) for one in frames[at : at + GROUP]]
        )
        database.execute("COMMIT")
    took = time.perf_counter() - begun
    database.close()
    return len(frames) / took


def until_durable(folder: Path, events: list[e.Event], seconds: float) -> list[float]:
    """Milliseconds from append to disk at 500 events/s."""
    journal = opened(folder)
    waits: list[float] = []
    begun = time.perf_counter()
    for number, event in enumerate(events[: int(seconds * 500)]):
        while time.perf_counter() < begun + number / 500:
            time.sleep(0.0002)
        at = time.perf_counter()
        journal.append(event)
        if number % 10 == 0:
            while journal.durable <= number:
                time.sleep(0.0001)
            waits.append((time.perf_counter() - at) * 1000)
    journal.close()
    return waits


def start_seconds(folder: Path) -> tuple[float, int]:
    """A start with as many events behind the snapshot as a file holds."""
    archive(folder, 366, time.time())
    begun = time.perf_counter()
    recovered = recover(folder)
    return time.perf_counter() - begun, recovered.replayed


def main() -> None:
    """The command line."""
    given = parser("journal", __doc__).parse_args()
    events = day(30_000 if given.quick else 280_000)
    frames = [frame(one) for one in events]
    peers = frames[: 15_000 if given.quick else 60_000]
    outcome = Outcome("journal")
    figures = outcome.figures
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        say(f"{len(events)} events through the journal ...")
        rate, group = through_the_journal(folder / "journal", events)
        say("the same bytes, raw ...")
        raw_rate = raw(folder, peers)
        say("the same bytes, SQLite ...")
        sqlite_rate = sqlite(folder, peers)
        say("one at a time ...")
        waits = until_durable(folder / "slow", events, 2 if given.quick else 6)
        say("a start ...")
        seconds, replayed = start_seconds(folder / "journal")
    figures["events_per_second"] = round(rate)
    figures["events_a_sync"] = round(group, 1)
    figures["bytes_an_event"] = round(sum(map(len, frames)) / len(frames), 1)
    figures["raw_groups_of_64_per_second"] = round(raw_rate)
    figures["sqlite_wal_groups_of_64_per_second"] = round(sqlite_rate)
    figures["times_sqlite"] = round(rate / sqlite_rate, 1)
    figures["durable_after_ms_p50"] = round(percentile(waits, 0.5), 2)
    figures["durable_after_ms_p99"] = round(percentile(waits, 0.99), 2)
    figures["start_seconds"] = round(seconds, 2)
    figures["start_replayed_events"] = replayed
    outcome.bar("events_per_second", {"at_least": BAR}, rate >= BAR)
    outcome.bar("start_seconds", {"at_most": BAR_START_SECONDS}, seconds <= BAR_START_SECONDS)
    outcome.finish()


if __name__ == "__main__":
    main()
