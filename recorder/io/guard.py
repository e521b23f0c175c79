"""The daily proof: a recording taken at random is fetched, opened, hashed, decoded and measured."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import soundfile
import sqlalchemy as sa

from recorder.custody import Refused
from recorder.io.audit import retention
from recorder.io.custodian import Custodian
from recorder.io.index import Entry, Query
from recorder.io.objects import ObjectMissing, StoreError
from recorder.io.reader import fetch_manifest, plain
from recorder.io.search import RECORDINGS
from recorder.io.vault import Vault
from recorder.seal import RATE

HOUR_MS = 3_600_000
DECODED_FRAMES = 60 * RATE
LENGTH_MS = 40  # an empty recording is 20 ms of silence, and lossy forms round


@dataclass(frozen=True, slots=True)
class Checked:
    """`why` is empty for a recording that plays as it was sealed."""

    recording: str
    why: str = ""
    seconds: float = 0.0


def pick(vault: Vault, chance: Callable[[], float]) -> Entry | None:
    """A stored recording: the one before a moment at random between the oldest and now."""
    newest = vault.index.find(Query(state="stored", limit=1))
    if not newest:
        return None
    oldest_ms = _oldest_ms(vault)
    span_ms = newest[0].started_ms - oldest_ms
    # Whoever is followed by a long pause is taken more often; the newest is followed by an hour.
    at_ms = oldest_ms + int(chance() * (span_ms + min(span_ms // 2, HOUR_MS))) + 1
    found = vault.index.find(Query(state="stored", until_ms=at_ms, limit=1))
    return found[0] if found else newest[0]


def _oldest_ms(vault: Vault) -> int:
    oldest = sa.select(sa.func.min(RECORDINGS.c.started_ms)).where(RECORDINGS.c.state == "stored")
    with vault.index.database.begin(RECORDINGS) as connection:
        return int(connection.execute(oldest).scalar_one() or 0)


def check(vault: Vault, custodian: Custodian, entry: Entry, now_ms: int) -> Checked:
    """Blocks; raises StoreError when the store is away, and IndexFailed."""
    begun = time.monotonic()
    try:
        why = _trouble(vault, entry)
    except ObjectMissing as error:
        why = _gone(custodian, entry, now_ms, str(error))
    except StoreError as error:
        if error.store_away:
            raise
        why = str(error)
    return Checked(entry.recording, why, time.monotonic() - begun)


def _trouble(vault: Vault, entry: Entry) -> str:
    manifest = fetch_manifest(vault.store, entry.key)
    digest = hashlib.sha256()
    with tempfile.TemporaryFile() as file:
        for piece in plain(vault.store, vault.keys, manifest):
            digest.update(piece)
            file.write(piece)
        if digest.hexdigest() != entry.sha256:
            return f"has the hash {digest.hexdigest()}, not {entry.sha256}"
        file.seek(0)
        return _plays(file, entry) or next(retention(entry, vault.store), "")


def _plays(file: object, entry: Entry) -> str:
    try:
        with soundfile.SoundFile(cast("str", file)) as audio:
            frames = sum(len(block) for block in audio.blocks(DECODED_FRAMES, dtype="int16"))
    except soundfile.SoundFileError as error:
        return f"cannot be decoded: {error}"
    played_ms = frames * 1000 // RATE
    if abs(played_ms - entry.duration_ms) > LENGTH_MS:
        return f"plays for {played_ms} ms, not {entry.duration_ms}"
    return ""


def _gone(custodian: Custodian, entry: Entry, now_ms: int, why: str) -> str:
    """Taken by the store's own rule once its time was over: no loss, and noted as such."""
    if now_ms < entry.retain_until_ms:
        return why
    try:
        custodian.expired(entry, now_ms)
    except Refused as error:
        return f"{why}; {error}"
    return ""
