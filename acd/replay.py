"""The core's state is a fold over its events."""

from __future__ import annotations

from collections.abc import Iterable

from acd.core import Core
from acd.events import Event
from acd.settings import AcdSettings


def replay(events: Iterable[Event], settings: AcdSettings | None = None) -> Core:
    """The core after these events; a journal that begins with Configured needs no settings."""
    core = Core(settings or AcdSettings())
    for event in events:
        core.step(event)
    return core
