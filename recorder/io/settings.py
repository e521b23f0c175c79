"""What a keeper is told, and the vault that is opened by it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from recorder.io.encoding import FORMATS
from recorder.io.folders import every
from recorder.io.index import Index
from recorder.io.kms import KeySettings, open_keys
from recorder.io.spooled import Spooled
from recorder.io.store import S3Options, Store, open_store
from recorder.io.vault import Vault
from recorder.manifest import check_retention


@dataclass(frozen=True, slots=True)
class KeeperSettings:
    spool: str | tuple[str, ...]  # folders in the order of their use
    store: str = "file:recordings"  # or s3://bucket/prefix
    database_url: str = "sqlite:///callcore.db"
    retention_days: int = 366
    format: str = "flac"  # or "opus"
    endpoint: str = ""
    region: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    keys: KeySettings = field(default_factory=KeySettings)
    s3: S3Options = field(default_factory=S3Options)
    approvers: tuple[tuple[str, str], ...] = ()  # names and hashes of passwords; of accounts
    guard_per_day: float = 4.0  # recordings that are fetched and played; 0 = none
    workers: int = 2
    low_free_bytes: int = 2 << 30
    full_free_bytes: int = 64 << 20
    keep_hours: float = 0.0  # what is stored stays here as well, while there is room
    first_retry_seconds: float = 1.0
    last_retry_seconds: float = 60.0
    watch_seconds: float = 2.0
    orphan_seconds: float = 3600.0
    stop_seconds: float = 10.0
    answer_seconds: float = 45.0  # whoever takes longer to say that it is there is not there
    apart: bool = False  # the work on recordings is done by a process of its own (hands.py)


def open_vault(settings: KeeperSettings, store: Store | None = None) -> Vault:
    """Store, index and spool of these settings; connects to nothing yet. Raises ValueError."""
    check_retention(settings.retention_days)
    if store is None:
        keys = {"access_key": settings.access_key, "secret_key": settings.secret_key}
        where = {"endpoint": settings.endpoint, "region": settings.region}
        chosen = {one.name: getattr(settings.s3, one.name) for one in fields(settings.s3)}
        options = {**where, **keys, **chosen} if settings.store.startswith("s3:") else {}
        store = open_store(settings.store, **options)
    return Vault(
        Spooled(tuple(map(Path, every(settings.spool)))),
        store,
        Index(settings.database_url),
        settings.retention_days,
        settings.low_free_bytes,
        FORMATS[settings.format],
        open_keys(settings.keys),
        settings.keep_hours,
    )
