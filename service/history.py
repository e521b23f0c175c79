"""Call history as arrivals: from the queue's journal, from saved call records, or from a table.

Read are: a journal (its folder, or one file); JSON as `GET /api/v1/calls` answers, or one record a
line; CSV with a column `queued` or `arrived` (a call a line; `answered`, `ended` where known), or
`start` and `calls` (an interval a line). A column or field `queue` is heeded where it is there.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from acd.core import Core
from acd.events import Finished
from acd.io.files import ARCHIVED, LOG
from acd.settings import AcdSettings
from acd.staffing.arrivals import (
    Arrivals,
    Handling,
    from_counts,
    from_times,
    local_ms,
    patience,
)
from service.replay import JournalUnreadable, events_of


@dataclass(frozen=True, slots=True)
class Source:
    """Where the history is, and how it is to be read."""

    path: Path
    minutes: int = 30
    utc_offset_minutes: int = 480
    queue: str = ""  # "" = all


@dataclass
class Calls:
    """What was read: a time a call, or counts of intervals, and the sums behind the means."""

    times_ms: list[int] = field(default_factory=list)
    counts: list[tuple[int, float]] = field(default_factory=list)
    waited_ms: list[int] = field(default_factory=list)
    talked_ms: list[int] = field(default_factory=list)
    abandoned: int = 0

    def call(self, queued_ms: int, answered_ms: int | None, ended_ms: int | None) -> None:
        """One call; an end without an answer is one that gave up."""
        self.times_ms.append(queued_ms)
        if answered_ms is not None:
            self.waited_ms.append(answered_ms - queued_ms)
            if ended_ms is not None:
                self.talked_ms.append(ended_ms - answered_ms)
        elif ended_ms is not None:
            self.waited_ms.append(ended_ms - queued_ms)
            self.abandoned += 1

    def handling(self) -> Handling:
        """Mean talk and patience of the same calls."""
        talk = sum(self.talked_ms) / 1000 / len(self.talked_ms) if self.talked_ms else None
        return Handling(talk, patience(self.waited_ms, self.abandoned))


def read_history(source: Source) -> tuple[Arrivals, Handling]:
    """Arrivals by interval; ValueError for what is no history, with its line; OSError."""
    path = source.path
    if path.is_dir() or path.name.endswith((LOG, ARCHIVED)):
        calls = _from_journal(source)
    else:
        text = path.read_text(encoding="utf-8-sig")
        is_json = text.lstrip()[:1] in ("[", "{")
        calls = (_from_json if is_json else _from_csv)(source, text)
    offset = source.utc_offset_minutes
    try:
        if calls.counts:
            found = from_counts(calls.counts, source.minutes, offset, whole=True)
        else:
            found = from_times(calls.times_ms, source.minutes, offset)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return found, calls.handling()


def _from_journal(source: Source) -> Calls:
    """The core folds over the journal, so that a call counts here as it does on the desk."""
    core, calls = Core(AcdSettings()), Calls()
    try:
        for event in events_of(source.path):
            for effect in core.step(event):
                if isinstance(effect, Finished) and effect.result != "rejected":
                    record = core.ended[-1]
                    if source.queue in ("", record.queue):
                        calls.call(record.queued_ms, record.bridged_ms, record.ended_ms)
    except JournalUnreadable as error:
        raise ValueError(str(error)) from None
    return calls


def _from_json(source: Source, text: str) -> Calls:
    try:
        found = json.loads(text)
        records = found if isinstance(found, list) else [found]
    except ValueError:
        try:
            records = [json.loads(line) for line in text.splitlines() if line.strip()]
        except ValueError as error:
            raise ValueError(f"{source.path}: is no JSON: {error}") from None
    if not all(isinstance(one, dict) for one in records):
        raise ValueError(f"{source.path}: a list of call records is wanted")
    return _gathered(source, enumerate(records, 1))


def _from_csv(source: Source, text: str) -> Calls:
    reader = csv.DictReader(text.splitlines())
    columns = set(reader.fieldnames or ())
    if {"start", "calls"} <= columns:
        return _counted(source, enumerate(reader, 2))
    if not columns & {"queued", "arrived"}:
        raise ValueError(
            f"{source.path}: the first line names the columns: queued (or arrived), answered, "
            "ended, queue; or start, calls"
        )
    return _gathered(source, enumerate(reader, 2))


def _wanted(source: Source, row: dict[str, Any]) -> bool:
    return source.queue in ("", row.get("queue") or source.queue)


def _counted(source: Source, rows: Iterable[tuple[int, dict[str, Any]]]) -> Calls:
    calls = Calls()
    for line, row in rows:
        if _wanted(source, row):
            try:
                count = float(row["calls"])
                start_ms = local_ms(row["start"], source.utc_offset_minutes)
            except (TypeError, ValueError) as error:
                raise ValueError(f"{source.path}: line {line}: {error}") from None
            if not 0 <= count < 1e9:
                raise ValueError(f"{source.path}: line {line}: calls are at least 0")
            calls.counts.append((start_ms, count))
    return calls


def _gathered(source: Source, rows: Iterable[tuple[int, dict[str, Any]]]) -> Calls:
    calls = Calls()
    for line, row in rows:
        if not _wanted(source, row):
            continue
        try:
            times = list(_times(source, row))
        except ValueError as error:
            raise ValueError(f"{source.path}: line {line}: {error}") from None
        queued, arrived, answered, ended = times
        began = arrived if queued is None else queued
        if began is not None:  # a call that never came to the queue has no time
            calls.call(began, answered, ended)
    return calls


def _times(source: Source, row: dict[str, Any]) -> Iterator[int | None]:
    for name in ("queued", "arrived", "answered", "ended"):
        text = row.get(name)
        yield None if text in (None, "") else local_ms(str(text), source.utc_offset_minutes)
