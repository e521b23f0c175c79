"""What the keeper tells the rest of the house."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stored:
    """The store confirmed the hash, the index is committed and the spool is free again."""

    recording: str
    key: str
    sha256: str
    size: int
    duration_ms: int
    recovered: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing that can be heard could be made of the recording; its files are kept aside."""

    recording: str
    why: str


@dataclass(frozen=True, slots=True)
class Amended:
    """A stored recording's manifest and index row have the order's number that came afterwards."""

    recording: str
    order: str


Outcome = Stored | Failed | Amended


@dataclass(frozen=True, slots=True)
class Delayed:
    """An attempt to store the recording failed; it stays in the spool and is tried again."""

    recording: str
    why: str
    retry_seconds: float


@dataclass(frozen=True, slots=True)
class StoreLost:
    why: str


@dataclass(frozen=True, slots=True)
class StoreBack:
    away_seconds: float


@dataclass(frozen=True, slots=True)
class SpaceChanged:
    """The spool folder's free space: "ok", "low" (alert) or "full" (recordings are being lost)."""

    state: str
    free_bytes: int
    why: str


@dataclass(frozen=True, slots=True)
class StoreLimits:
    """What the store does not do by itself, or nothing any more; our own ledger stands in."""

    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GuardChecked:
    """The daily proof took a recording at random; `why` is empty when it played as sealed."""

    recording: str
    why: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Expired:
    """Past its date, held by nobody, and in a store without a rule for that: we deleted it."""

    recording: str
    kept_until_ms: int


Event = (
    Outcome | Delayed | StoreLost | StoreBack | SpaceChanged | StoreLimits | GuardChecked | Expired
)
