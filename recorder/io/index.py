"""The index of all recordings: one table in SQLite or PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording; times are milliseconds since the epoch."""

    recording: str
    call_id: str = ""
    caller: str = ""
    called: str = ""
    agent: str = ""
    queue: str = ""
    started_ms: int = 0
    ended_ms: int = 0
    duration_ms: int = 0
    key: str = ""
    sha256: str = ""
    size: int = 0
    state: str = "spooled"  # spooled, stored, failed
    recovered: bool = False
    retain_until_ms: int = 0
    parts: tuple[dict[str, Any], ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; None and "" mean any.  Newest first."""

    since_ms: int | None = None
    until_ms: int | None = None
    caller: str = ""
    called: str = ""
    agent: str = ""
    queue: str = ""
    call_id: str = ""
    state: str = ""
    limit: int = 100
    offset: int = 0
