"""Index against store: what one has and the other has not, and the index made again from it."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from recorder.custody import Custody, State
from recorder.io.audit import Problem
from recorder.io.custody import FOLDER, CustodyBook
from recorder.io.index import Entry, entry_of
from recorder.io.objects import StoreError
from recorder.io.reader import fetch_manifest
from recorder.io.vault import Vault
from recorder.manifest import Manifest, manifest_key


@dataclass(frozen=True, slots=True)
class Inventory:
    """What was counted, and what does not fit."""

    objects: int
    recordings: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Reindexed:
    """What came back from the manifests, and which could not be read."""

    recordings: int
    custodies: int
    problems: tuple[Problem, ...]


def inventory(vault: Vault) -> Inventory:
    """By names alone: no recording is read. Blocks; raises StoreError and IndexFailed."""
    known = {_mark(key) for entry in vault.index.all("stored") for key in _keys(entry.key)}
    recordings = len(known) // 2
    problems = []
    objects = 0
    for key in vault.store.listed():
        if key.startswith(FOLDER):
            continue
        objects += 1
        mark = _mark(key)
        if mark in known:
            known.remove(mark)
        else:
            problems.append(
                Problem("", key, "is in the store, and the index has no recording of it")
            )
    if known:  # what is left over is missing: a second pass names it, without a list of all
        for entry in vault.index.all("stored"):
            problems += [
                Problem(entry.recording, key, "is in the index and not in the store")
                for key in _keys(entry.key)
                if _mark(key) in known
            ]
    return Inventory(objects, recordings, tuple(problems))


def reindex(vault: Vault) -> Reindexed:
    """Every manifest of the store becomes a row again; tombstones and holds come back too."""
    problems: list[Problem] = []
    recordings = 0
    for manifest in _manifests(vault, problems):
        vault.index.put(entry_of(manifest))
        recordings += 1
    custodies = 0
    for custody in CustodyBook(vault.index.database, vault.store).restore():
        custodies += 1
        if custody.state is State.DELETED:
            entry = vault.index.get(custody.recording) or _tombstone(custody)
            vault.index.put(dataclasses.replace(entry, state="deleted", caller="", called=""))
    return Reindexed(recordings, custodies, tuple(problems))


def _tombstone(custody: Custody) -> Entry:
    """The row of a recording of which nothing else is left."""
    return Entry(
        custody.recording,
        call_id=custody.call_id,
        key=custody.key,
        sha256=custody.sha256,
        started_ms=custody.started_ms,
        retain_until_ms=custody.retain_until_ms,
    )


def _manifests(vault: Vault, problems: list[Problem]) -> Iterator[Manifest]:
    for key in vault.store.listed():
        if key.startswith(FOLDER) or not key.endswith(".json"):
            continue
        try:
            manifest = fetch_manifest(vault.store, key)
        except StoreError as error:
            if error.store_away:
                raise
            problems.append(Problem("", key, str(error)))
            continue
        if manifest_key(manifest.key) != key:
            problems.append(Problem(manifest.recording, key, f"is the manifest of {manifest.key}"))
            continue
        yield manifest


def _keys(key: str) -> tuple[str, str]:
    return key, manifest_key(key)


def _mark(key: str) -> int:
    """64 bits of a name: a million of them take as many megabytes as they should."""
    return int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
