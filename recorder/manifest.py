"""The manifest: a JSON object beside each recording, from which the index can be made again."""

from __future__ import annotations

import datetime
from typing import Any

import msgspec

MIN_RETENTION_DAYS = 365
DAY_MS = 86_400_000
ENCRYPTED = ".enc"  # after the suffix of the audio's format


class RetentionError(ValueError):
    """A retention that the contract does not allow."""


class Codec(msgspec.Struct, frozen=True, kw_only=True):
    name: str = "flac"
    rate: int = 8000
    channels: tuple[str, ...] = ("caller", "agent")
    source: str = "PCMA"  # what the spool holds; see `sides` for what came


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """One channel: what it came in as, and how much of it never came. `loss` is a ratio."""

    name: str
    source: str = "PCMA"
    lost_ms: int = 0
    loss: float = 0.0
    drift_ppm: float = 0.0  # the sender's clock against ours, corrected in the audio


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One segment of the spool as it went into the recording."""

    number: int
    started_ms: int
    size: int
    follows: bool = False  # goes on with the frames of the one before it, in another folder
    frames: int
    missing_frames: int = 0
    repeated_frames: int = 0
    damaged_bytes: int = 0
    torn: bool = False
    at_ms: int = 0
    shifted_ms: int = 0


class Gap(msgspec.Struct, frozen=True, kw_only=True):
    """Silence on purpose: card numbers, identity. `at_ms` counts from the recording's start."""

    at_ms: int
    duration_ms: int
    started: str
    ended: str
    sides: tuple[str, ...]
    why: str = "privacy"


class Encryption(msgspec.Struct, frozen=True, kw_only=True):
    """How the object in the store was made of the sealed file (recorder/cipher.py)."""

    scheme: str
    chunk_bytes: int
    nonce_prefix: str  # base64
    wrapped_key: str  # the recording's own key, wrapped by `key_id` for it; base64
    stored_size: int = 0
    stored_sha256: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that must still be known when nothing but the store is left."""

    version: int = 1
    recording: str
    call_id: str = ""
    caller: str = ""
    called: str = ""
    agent: str = ""
    queue: str = ""
    order: str = ""
    result: str = ""
    started_ms: int
    ended_ms: int
    duration_ms: int
    started: str = ""
    key: str
    size: int
    sha256: str
    codec: Codec = Codec()
    part: int = 1  # its order among the recordings of the call: transfers and conferences follow
    kind: str = ""  # whom the citizen talks with: agent, transfer, conference, message ...
    sides: tuple[Side, ...] = ()
    segments: tuple[Part, ...] = ()
    gaps: tuple[Gap, ...] = ()
    recovered: bool = False
    key_id: str = ""  # of the encryption key; empty: as the store encrypts it
    encryption: Encryption | None = None  # None: `size` and `sha256` are the object's own
    retention_days: int
    retain_until_ms: int
    retain_until: str
    extra: dict[str, Any] = {}

    @property
    def stored_size(self) -> int:
        """Bytes of the object in the store."""
        return self.size if self.encryption is None else self.encryption.stored_size

    @property
    def stored_sha256(self) -> str:
        """Hash of the object in the store; `sha256` is that of the sealed audio."""
        return self.sha256 if self.encryption is None else self.encryption.stored_sha256


def check_retention(days: int) -> int:
    """The contract keeps recordings for at least one year; raises RetentionError."""
    if days < MIN_RETENTION_DAYS:
        raise RetentionError(f"retention_days is {days}; at least {MIN_RETENTION_DAYS} are allowed")
    return days


def retain_until_ms(ended_ms: int, days: int) -> int:
    return ended_ms + check_retention(days) * DAY_MS


def iso(at_ms: int) -> str:
    """UTC, to the millisecond."""
    at = datetime.datetime.fromtimestamp(at_ms / 1000, datetime.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def key_of(recording: str, started_ms: int, suffix: str) -> str:
    """Where a recording lies in the store: by its day in UTC."""
    day = datetime.datetime.fromtimestamp(started_ms / 1000, datetime.UTC)
    return f"{day:%Y/%m/%d}/{recording}{suffix}"


def manifest_key(key: str) -> str:
    """The manifest lies beside the audio, encrypted or not."""
    return key.removesuffix(ENCRYPTED).rpartition(".")[0] + ".json"


def encode(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def decode(data: bytes) -> Manifest:
    """Raises msgspec.ValidationError or DecodeError (both ValueError) for anything else."""
    return msgspec.json.decode(data, type=Manifest)
