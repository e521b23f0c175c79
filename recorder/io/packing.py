"""From the sealed file to the object as it is uploaded: the same, or encrypted.

What was chosen for a recording (its data key, wrapped) is noted in the spool until the store has
it: an upload that was broken off goes on with the very same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from recorder.cipher import Cipher, Tampered
from recorder.io.reader import cipher_of, new_encryption, pieces
from recorder.io.sealing import memory_file
from recorder.keys import KeyLost, KeyRing
from recorder.manifest import ENCRYPTED, Encryption, Manifest

NOTE = ".pack.json"
PROGRESS = ".parts.json"


class Chosen(msgspec.Struct, frozen=True):
    """What a recording is encrypted with; good for the audio of this hash alone."""

    sha256: str
    key_id: str
    encryption: Encryption


@dataclass(frozen=True, slots=True)
class Packed:
    """The object's manifest and file."""

    manifest: Manifest
    path: str


@dataclass(frozen=True, slots=True)
class Packer:
    """`folder` is where it takes notes of what is under way."""

    folder: Path
    keys: KeyRing

    @contextlib.contextmanager
    def packed(self, manifest: Manifest, path: str) -> Iterator[Packed]:
        """The sealed file at `path` as an object; raises StoreError (a key service) or OSError."""
        if self.keys.current is None:
            yield Packed(manifest, path)
            return
        cipher, chosen = self._choose(manifest)
        with _beside(path) as target:
            size, sha256 = _encrypt(path, target, cipher)
            encryption = msgspec.structs.replace(
                chosen.encryption, stored_size=size, stored_sha256=sha256
            )
            packed = msgspec.structs.replace(
                manifest,
                key=manifest.key + ENCRYPTED,
                key_id=chosen.key_id,
                encryption=encryption,
            )
            yield Packed(packed, target)

    def progress(self, recording: str) -> Path:
        """Where the store notes which parts it has."""
        return self.folder / f"{recording}{PROGRESS}"

    def forget(self, recording: str) -> None:
        """The store has it."""
        for note in (self._note(recording), self.progress(recording)):
            note.unlink(missing_ok=True)

    def _choose(self, manifest: Manifest) -> tuple[Cipher, Chosen]:
        """The key of the last attempt, if there was one at this audio."""
        recording = manifest.recording
        with contextlib.suppress(OSError, ValueError, KeyLost, Tampered):
            chosen = msgspec.json.decode(self._note(recording).read_bytes(), type=Chosen)
            if chosen.sha256 == manifest.sha256:
                return cipher_of(recording, chosen.key_id, chosen.encryption, self.keys), chosen
        master = self.keys.current
        assert master is not None
        fresh = Chosen(manifest.sha256, master.key_id, new_encryption(master, recording))
        # A full disk is no reason to keep a recording on it. Without the note an upload that is
        # broken off begins anew: the parts of other bytes are not gone on with.
        with contextlib.suppress(OSError):
            self.forget(recording)
            self.folder.mkdir(exist_ok=True)
            replace_file(self._note(recording), msgspec.json.encode(fresh))
        return cipher_of(recording, fresh.key_id, fresh.encryption, self.keys), fresh

    def _note(self, recording: str) -> Path:
        return self.folder / f"{recording}{NOTE}"


def replace_file(path: Path, data: bytes) -> None:
    """The file whole, or as it was before."""
    part = path.with_name(path.name + ".part")
    with open(part, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)


@contextlib.contextmanager
def _beside(path: str) -> Iterator[str]:
    """On disk beside a file on disk, in memory beside one in memory."""
    if path.startswith("/proc/"):
        with memory_file("packed") as memory:
            yield memory
        return
    target = path + ENCRYPTED
    try:
        yield target
    finally:
        Path(target).unlink(missing_ok=True)


def _encrypt(source: str, target: str, cipher: Cipher) -> tuple[int, str]:
    digest = hashlib.sha256()
    size = 0
    with open(source, "rb") as plain, open(target, "wb") as sealed:
        for piece in cipher.sealed(pieces(plain)):
            sealed.write(piece)
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()
