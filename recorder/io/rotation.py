"""A new master key: data keys are wrapped anew, manifest by manifest; no audio is touched."""

from __future__ import annotations

import base64
from collections import Counter
from dataclasses import dataclass, field

import msgspec

from recorder.cipher import Tampered
from recorder.io.audit import Problem
from recorder.io.objects import StoreError
from recorder.io.reader import fetch_manifest
from recorder.io.vault import Vault
from recorder.keys import KeyLost
from recorder.manifest import ENCRYPTED

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
    for entry in vault.index.all("stored"):
        if not entry.key.endswith(ENCRYPTED):
            done.keys[CLEAR] += 1
            continue
        try:
            manifest = fetch_manifest(vault.store, entry.key)
            encryption = manifest.encryption
            if encryption is None:
                continue
            if master is not None and manifest.key_id != master.key_id and not only_count:
                wrapped = base64.b64decode(encryption.wrapped_key)
                key = vault.keys.unwrap(manifest.key_id, wrapped, manifest.recording)
                rewrapped = base64.b64encode(master.wrap(key, manifest.recording)).decode()
                manifest = msgspec.structs.replace(
                    manifest,
                    key_id=master.key_id,
                    encryption=msgspec.structs.replace(encryption, wrapped_key=rewrapped),
                )
                vault.store_manifest(manifest)
                done.rewrapped += 1
            done.keys[manifest.key_id] += 1
        except (KeyLost, Tampered, StoreError) as error:
            if isinstance(error, StoreError) and error.store_away:
                raise
            done.problems.append(Problem(entry.recording, entry.key, str(error)))
    return done
