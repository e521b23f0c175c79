"""`callcore journal replay`: what the queue's core knew at the journal's end."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from acd.core import Core
from acd.events import Configured, Event
from acd.frames import parse
from acd.io.journal import JournalDamaged, read, segments
from acd.service_level import levels
from acd.settings import AcdSettings


class JournalUnreadable(Exception):
    """There is no journal, or it is damaged; the text says where."""


def rebuilt(path: Path) -> dict[str, Any]:
    """State and service level after the last event. Raises JournalUnreadable, OSError."""
    settings = AcdSettings()
    core = Core(settings)
    count = last_ms = 0
    for event in events_of(path):
        core.step(event)
        count, last_ms = count + 1, event.at_ms
        if isinstance(event, Configured):
            settings = event.settings
    return {
        "events": count,
        "last_ms": last_ms,
        "queues": [_queue(core, queue.name, last_ms) for queue in settings.queues],
        "agents": [msgspec.to_builtins(agent) for agent in core.agents()],
    }


def _queue(core: Core, name: str, now_ms: int) -> dict[str, Any]:
    """One queue: today's counts as the desk shows them, and all of the journal's."""
    view = core.queue(name)
    document: dict[str, Any] = msgspec.to_builtins(view)
    document["longest_wait_seconds"] = view.longest_wait_seconds(now_ms)
    document["total"]["service_level"] = msgspec.to_builtins(levels(view.total))
    return document


def events_of(path: Path) -> Iterator[Event]:
    """Of a folder all files in order, of a file what it holds; a torn end is left out."""
    if path.is_dir():
        if not segments(path):
            raise JournalUnreadable(f"{path} holds no journal; name [engine] journal's folder")
        try:
            yield from read(path)
        except JournalDamaged as error:
            raise JournalUnreadable(str(error)) from None
        return
    segment = parse(path.read_bytes())
    if segment.damage and not segment.damage.startswith("torn"):
        raise JournalUnreadable(f"{path}: {segment.damage} at byte {segment.good_bytes}")
    yield from segment.events
