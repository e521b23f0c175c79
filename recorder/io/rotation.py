"""A new master key: data keys are wrapped anew, manifest by manifest; no audio is touched."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass, field

import msgspec

from recorder.cipher import Tampered
from recorder.custody import Custody, State
from recorder.io.audit import Problem
from recorder.io.custody import CustodyBook
from recorder.io.objects import StoreError
from recorder.io.reader import fetch_manifest
from recorder.io.turns import turn
from recorder.io.vault import Vault
from recorder.keys import KeyLost, KeyRing, MasterKey
from recorder.manifest import ENCRYPTED, Encryption, Manifest, manifest_key

CLEAR = "not encrypted by us"


class NoKey(Exception):
    """There is no key to wrap anything with."""


@dataclass(slots=True)
class Rotation:
    """What came of it; `keys` counts the recordings by the key that wraps them now."""

    rewrapped: int = 0
    problems: list[Problem] = field(default_factory=list)
    keys: Counter[str] = field(default_factory=Counter)


def rotate(vault: Vault, only_count: bool = False) -> Rotation:
    """Again and again with the same result; blocks. Raises NoKey, StoreError, IndexFailed."""
    master = vault.keys.current
    if master is None and not only_count:
        raise NoKey("recordings.key is empty: give the new key there, and the old in old_keys")
    done = Rotation()
    book = CustodyBook(vault.index.database, vault.store)
    # All of these, once more: a rotation may have ended between a manifest and its hold.
    held = set() if only_count else {one.recording for one in book.all(State.HELD.value)}
    for entry in vault.index.all("stored"):
        if not entry.key.endswith(ENCRYPTED):
            done.keys[CLEAR] += 1
            continue
        try:
            if only_count:
                done.keys[fetch_manifest(vault.store, entry.key).key_id or CLEAR] += 1
                continue
            with turn(vault.index.database, entry.recording):
                is_new = _rotate(vault, entry.key, done)
                if is_new or entry.recording in held:
                    _hold(vault, book.of(entry), done)
        except (KeyLost, Tampered, StoreError) as error:
            if isinstance(error, StoreError) and error.store_away:
                raise
            done.problems.append(Problem(entry.recording, entry.key, str(error)))
    return done


def _rotate(vault: Vault, key: str, done: Rotation) -> bool:
    """Whether the manifest was put again."""
    manifest = fetch_manifest(vault.store, key)
    master = vault.keys.current
    if manifest.encryption is None or master is None:
        return False
    is_old = manifest.key_id != master.key_id
    if is_old:
        manifest = _rewrapped(manifest, manifest.encryption, vault.keys, master)
        vault.store_manifest(manifest)
        done.rewrapped += 1
    done.keys[manifest.key_id] += 1
    return is_old


def _rewrapped(
    manifest: Manifest, encryption: Encryption, keys: KeyRing, master: MasterKey
) -> Manifest:
    """With the same data key under the new master key; raises KeyLost or Tampered."""
    wrapped = base64.b64decode(encryption.wrapped_key)
    key = keys.unwrap(manifest.key_id, wrapped, manifest.recording)
    rewrapped = base64.b64encode(master.wrap(key, manifest.recording)).decode()
    encryption = msgspec.structs.replace(encryption, wrapped_key=rewrapped)
    return msgspec.structs.replace(manifest, key_id=master.key_id, encryption=encryption)


def _hold(vault: Vault, custody: Custody, done: Rotation) -> None:
    """A manifest that was put again is a new object: the hold of the old one is not on it."""
    key = manifest_key(custody.key)
    if custody.state is State.HELD and not vault.store.hold(key, True):
        why = f"is held, and {vault.store.url} can neither lock its manifest nor spare it"
        done.problems.append(Problem(custody.recording, key, why))
