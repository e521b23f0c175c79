"""`callcore journal replay`: what the queue's core knew at the journal's end."""

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from acd.core import Core
from acd.events import Configured, Event
from acd.frames import Head, parse
from acd.io.files import Entry, JournalDamaged, content, entries, head_of, segments
from acd.io.recovery import newest_snapshot, recover
from acd.service_level import levels
from acd.settings import AcdSettings


class JournalUnreadable(Exception):
    """There is no journal, or it is damaged; the text says where."""


def rebuilt(path: Path) -> dict[str, Any]:
    """State and service level after the last event. Raises JournalUnreadable, OSError.

    Of a folder the state is folded twice if there is a snapshot: from the oldest event on, and
    from the snapshot; `snapshot.equal` says whether the two are the same to the last field.
    """
    try:
        return _rebuilt(path)
    except JournalDamaged as error:
        raise JournalUnreadable(str(error)) from None


def _rebuilt(path: Path) -> dict[str, Any]:
    head = _head(path)
    settings = (head and head.settings) or AcdSettings()
    core = Core(settings)
    count = last_ms = last = 0
    for entry in _entries(path):
        core.step(entry.event)
        count, last_ms, last = count + 1, max(last_ms, entry.event.at_ms), entry.sequence
        if isinstance(entry.event, Configured):
            settings = entry.event.settings
    return {
        "events": count,
        "sequence": last,
        "epoch": _epoch(path),
        "last_ms": last_ms,
        "state": digest(core),
        "snapshot": _compared(path, core, head),
        "queues": [_queue(core, queue.name, last_ms) for queue in settings.queues],
        "agents": [msgspec.to_builtins(agent) for agent in core.agents()],
    }


def digest(core: Core) -> str:
    """The same for equal states: of two nodes, or of a fold and a snapshot."""
    document = msgspec.json.encode(core.snapshot(), order="deterministic")
    return hashlib.sha256(document).hexdigest()


def _compared(path: Path, core: Core, head: Head | None) -> dict[str, Any] | None:
    """The fold from the newest snapshot beside that from the oldest event, if both can be had."""
    found = newest_snapshot(path) if path.is_dir() else None
    if found is None or (head is not None and head.first > 1):
        return None
    return {"sequence": found.sequence, "equal": digest(recover(path).core) == digest(core)}


def _head(path: Path) -> Head | None:
    if not path.is_dir():
        return _head_of_file(path)
    files = segments(path)
    if not files:
        raise JournalUnreadable(f"{path} holds no journal; name [engine] journal's folder")
    return head_of(files[0])


def _head_of_file(path: Path) -> Head | None:
    if not path.exists():  # else the name of its archive would be told, which nobody typed
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    segment = parse(content(path))
    if segment.head is None and not segment.events:
        raise JournalUnreadable(f"{path} is no journal: it holds no event")
    return segment.head


def _epoch(path: Path) -> int:
    head = head_of(segments(path)[-1] if path.is_dir() else path)
    return head.epoch if head else 0


def _queue(core: Core, name: str, now_ms: int) -> dict[str, Any]:
    """One queue: today's counts as the desk shows them, and all of the journal's."""
    view = core.queue(name)
    document: dict[str, Any] = msgspec.to_builtins(view)
    document["longest_wait_seconds"] = view.longest_wait_seconds(now_ms)
    document["total"]["service_level"] = msgspec.to_builtins(levels(view.total))
    return document


def events_of(path: Path) -> Iterator[Event]:
    """The events alone. Raises JournalUnreadable, OSError."""
    try:
        _head(path)
        for entry in _entries(path):
            yield entry.event
    except JournalDamaged as error:
        raise JournalUnreadable(str(error)) from None


def _entries(path: Path) -> Iterator[Entry]:
    """Of a folder all files in order, of a file what it holds; a torn end is left out."""
    if path.is_dir():
        yield from entries(path)
        return
    segment = parse(content(path))
    if segment.damage and not segment.damage.startswith("torn"):
        raise JournalDamaged(f"{path}: {segment.damage} at byte {segment.good_bytes}")
    first = segment.head.first if segment.head else 1
    for index, event in enumerate(segment.events):
        yield Entry(first + index, event, segment.frames[index])
