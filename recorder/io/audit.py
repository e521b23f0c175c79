"""Proof that every recording of the index is in the store, whole, and kept long enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from recorder.io.index import Entry, Index
from recorder.io.objects import ObjectMissing, Store, StoreError, sha256_of
from recorder.manifest import DAY_MS, MIN_RETENTION_DAYS, Manifest, decode, manifest_key


@dataclass(frozen=True, slots=True)
class Problem:
    recording: str
    key: str
    why: str


@dataclass(frozen=True, slots=True)
class Verification:
    checked: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


def verify(index: Index, store: Store) -> Verification:
    """Reads every stored recording; blocks. Raises StoreError when the store itself is away."""
    checked = 0
    problems: list[Problem] = []
    for entry in index.all():
        checked += 1
        problems += [Problem(entry.recording, entry.key, why) for why in _problems(entry, store)]
    return Verification(checked, tuple(problems))


def _problems(entry: Entry, store: Store) -> Iterator[str]:
    if entry.state == "failed":
        yield f"could not be stored: {entry.note}"
    if entry.state != "stored":
        return  # still in the spool: the keeper's to report, and no loss
    if entry.retain_until_ms < entry.ended_ms + MIN_RETENTION_DAYS * DAY_MS:
        yield f"retention ends before {MIN_RETENTION_DAYS} days are over"
    try:
        yield from _audio(entry, store)
        yield from _manifest(entry, store)
    except StoreError as error:
        if error.store_away:
            raise
        yield str(error)


def _audio(entry: Entry, store: Store) -> Iterator[str]:
    try:
        with store.open(entry.key) as file:
            found = sha256_of(file)
    except ObjectMissing:
        yield "is not in the store"
        return
    if found != entry.sha256:
        yield f"has the hash {found}, not {entry.sha256}"


def _manifest(entry: Entry, store: Store) -> Iterator[str]:
    try:
        with store.open(manifest_key(entry.key)) as file:
            manifest = decode(file.read())
    except ObjectMissing:
        yield "its manifest is not in the store"
        return
    except ValueError as error:
        yield f"its manifest cannot be read: {error}"
        return
    if _says(manifest) != (entry.recording, entry.sha256, entry.retain_until_ms):
        yield "its manifest does not say what the index says"


def _says(manifest: Manifest) -> tuple[str, str, int]:
    return manifest.recording, manifest.sha256, manifest.retain_until_ms
