"""The keeper: from the spool to the store, and nothing leaves the spool before the store has it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from recorder.events import Event
from recorder.io.audit import Verification
from recorder.io.index import Entry, Query


@dataclass(frozen=True, slots=True)
class KeeperSettings:
    spool: str
    store: str = "file:recordings"  # or s3://bucket/prefix
    database_url: str = "sqlite:///callcore.db"
    retention_days: int = 366
    endpoint: str = ""
    region: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    workers: int = 2
    low_free_bytes: int = 2 << 30
    full_free_bytes: int = 64 << 20
    first_retry_seconds: float = 1.0
    last_retry_seconds: float = 60.0
    watch_seconds: float = 2.0
    orphan_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class KeeperStatus:
    spooled: int  # recordings in the spool, those that still grow included
    stored: int  # since start
    failed: int  # since start
    spool_bytes: int
    oldest_unstored_seconds: float
    store_ok: bool
    free_bytes: int
    space: str  # ok, low, full
    alerts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Playback:
    """A recording to be heard: `path` when it lies on this machine, `chunks` in any case."""

    recording: str
    content_type: str
    size: int
    path: Path | None
    chunks: Callable[[int, int | None], Iterator[bytes]]  # from byte, up to (not including) byte


class Keeper:
    def __init__(self, settings: KeeperSettings, on_event: Callable[[Event], None]) -> None: ...

    async def start(self) -> None:
        """Recovers what a killed engine left in the spool, then keeps what is finished."""

    def finish(self, recording: str, extra: dict[str, Any]) -> None:
        """The recording is closed; `extra` (ended_ms, agent, queue, ...) goes over its header."""

    def sink_failed(self, recording: str, why: str) -> None:
        """A media worker could not write: the alert stays until a write of the keeper succeeds."""

    def status(self) -> KeeperStatus: ...

    async def get(self, recording: str) -> Entry | None: ...

    async def find(self, query: Query) -> list[Entry]: ...

    async def read(self, recording: str, form: str = "flac") -> Playback | None:
        """`form` is "flac" or "wav"; what is still in the spool can be heard as well."""

    async def verify(self) -> Verification: ...

    async def stop(self) -> None:
        """Ends what runs within `stop_seconds`; the rest waits in the spool for the next start."""
