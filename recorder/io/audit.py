"""Proof that every recording of the index is in the store, whole, and kept long enough."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass

from recorder.custody import State
from recorder.io.custody import CustodyBook
from recorder.io.index import Entry, Index
from recorder.io.objects import ObjectMissing, Store, StoreError, sha256_of
from recorder.io.reader import Unreadable, fetch_manifest, plain
from recorder.keys import NO_KEYS, KeyRing
from recorder.manifest import DAY_MS, ENCRYPTED, MIN_RETENTION_DAYS, Manifest


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


def verify(
    index: Index, store: Store, keys: KeyRing = NO_KEYS, entries: Iterable[Entry] | None = None
) -> Verification:
    """Reads every stored recording, or those given; blocks.

    Raises StoreError when the store itself is away.
    """
    checked = 0
    book = CustodyBook(index.database, store)
    problems: list[Problem] = []
    for entry in index.all() if entries is None else entries:
        checked += 1
        whys = _problems(entry, store, keys, book)
        problems += [Problem(entry.recording, entry.key, why) for why in whys]
    return Verification(checked, tuple(problems))


def _problems(entry: Entry, store: Store, keys: KeyRing, book: CustodyBook) -> Iterator[str]:
    if entry.state == "failed":
        yield f"could not be stored: {entry.note}"
    if entry.state != "stored":
        return  # in the spool: the keeper's to report, and no loss; or deleted as it should be
    if entry.retain_until_ms < entry.ended_ms + MIN_RETENTION_DAYS * DAY_MS:
        yield f"retention ends before {MIN_RETENTION_DAYS} days are over"
    try:
        is_over = entry.retain_until_ms < time.time() * 1000 and store.stat(entry.key) is None
        if is_over and book.of(entry).state is not State.HELD:
            return  # the store's rule has taken it
        manifest = yield from _manifest(entry, store)
        yield from _audio(entry, store, keys, manifest)
        yield from retention(entry, store)
    except StoreError as error:
        if error.store_away:
            raise
        yield str(error)


def retention(entry: Entry, store: Store) -> Iterator[str]:
    """What the store itself goes by: its lock, and our note of the date beside the object."""
    protection = store.protection(entry.key)
    if protection is None:
        return
    second = entry.retain_until_ms // 1000  # a lock knows no more
    if protection.noted_until_ms and protection.noted_until_ms // 1000 < second:
        yield "the store's ledger lets it go before its date"
    if protection.locked_until_ms // 1000 < second and store.locks():
        yield "is not locked until its date"


def _audio(entry: Entry, store: Store, keys: KeyRing, manifest: Manifest | None) -> Iterator[str]:
    """What was sealed must come out again, decrypted where it is encrypted."""
    if store.stat(entry.key) is None:
        yield "is not in the store"
        return
    if manifest is None and entry.key.endswith(ENCRYPTED):
        return  # said already: its key went with the manifest
    digest = hashlib.sha256()
    if manifest is None or manifest.encryption is None:
        with store.open(entry.key) as file:
            found = sha256_of(file)
    else:
        for piece in plain(store, keys, manifest):
            digest.update(piece)
        found = digest.hexdigest()
    if found != entry.sha256:
        yield f"has the hash {found}, not {entry.sha256}"


def _manifest(entry: Entry, store: Store) -> Generator[str, None, Manifest | None]:
    try:
        manifest = fetch_manifest(store, entry.key)
    except ObjectMissing:
        yield "its manifest is not in the store"
        return None
    except Unreadable as error:
        yield str(error)
        return None
    if _says(manifest) != (entry.recording, entry.sha256, entry.retain_until_ms):
        yield "its manifest does not say what the index says"
    return manifest


def _says(manifest: Manifest) -> tuple[str, str, int]:
    return manifest.recording, manifest.sha256, manifest.retain_until_ms
