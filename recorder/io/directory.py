"""A directory as the store: the embedded default, with the promises of the object store.

Beside each NAME lie NAME.sha256, the hash that it was given with, and NAME.kept.json, the ledger:
until when it is kept and whether it is held. What is replaced before its date goes to `.versions`.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from recorder.io.objects import (
    COPY_BYTES,
    NO_TERMS,
    Abilities,
    LocalFile,
    ObjectMissing,
    Protection,
    Stat,
    StoreError,
    Terms,
    WrongHash,
    at_hand,
    sha256_of_file,
)
from recorder.io.segments import sync_folder

KEY = re.compile(r"[A-Za-z0-9._~@+-]+(/[A-Za-z0-9._~@+-]+)*")
NOTE = ".sha256"
LEDGER = ".kept.json"
VERSIONS = ".versions"
FULL = (errno.ENOSPC, errno.EDQUOT)


class Kept(msgspec.Struct, frozen=True):
    """An object's line in the ledger."""

    retain_until_ms: int = 0
    held: bool = False


class DirectoryStore:
    """Files appear whole and synced or not at all, and cannot be written any more."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.url = f"file:{self.path}"

    def __repr__(self) -> str:
        return f"DirectoryStore({str(self.path)!r})"

    def put(
        self,
        key: str,
        path: str | Path,
        sha256: str,
        content_type: str,
        terms: Terms = NO_TERMS,
    ) -> None:
        target = self._file(key)
        with self._doing("write", key):
            self._make_folder(target.parent)
            kept = self._kept(target)
            until_ms = max(terms.retain_until_ms, kept.retain_until_ms)
            if until_ms != kept.retain_until_ms:  # first the ledger: nothing is there unkept
                self._write_kept(target, Kept(until_ms, kept.held))
            self._place(path, target, sha256)
            self._place_text(f"{sha256}  {target.name}\n", _beside(target, NOTE))
            sync_folder(target.parent)

    def holds(self, key: str, path: str | Path, sha256: str) -> bool:
        """Reads all of it: the note alone proves nothing.

        Raises OSError where it is `path` that cannot be read: that is none of the store's.
        """
        size = os.stat(path).st_size
        if self.stat(key) != Stat(size, sha256):
            return False
        with self._doing("read", key):
            return sha256_of_file(self._file(key)) == sha256

    def open(self, key: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        with self._doing("read", key):
            try:
                file = io.BufferedReader(
                    LocalFile(self._file(key), f"{self.url}: cannot read {key}")
                )
            except FileNotFoundError as error:
                raise ObjectMissing(f"{self.url}: there is no {key}") from error
        file.seek(start)
        if stop is None:
            return file
        with file:
            return io.BytesIO(file.read(max(0, stop - start)))

    def stat(self, key: str) -> Stat | None:
        file = self._file(key)
        with self._doing("look at", key):
            try:
                size = file.stat().st_size
                note = _beside(file, NOTE).read_text("ascii", "replace")
            except FileNotFoundError:
                return None
        return Stat(size, note.partition(" ")[0])

    def local_path(self, key: str) -> Path | None:
        return self._file(key)

    def probe(self) -> None:
        try:
            self._try_out()
        except OSError as error:
            raise self._error("write", "a probe", error, away=True) from error

    def _try_out(self) -> None:
        """To the disk: what only the page cache takes says nothing of it."""
        probe = self.path / f".probe-{secrets.token_hex(4)}"
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            with open(probe, "wb") as file:
                file.write(b"callcore")
                file.flush()
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)

    def listed(self, prefix: str = "") -> Iterator[str]:
        """Folder by folder; what begins with a dot is ours."""
        for folder, folders, files in os.walk(self.path, onerror=self._not_listed):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                key = (Path(folder) / name).relative_to(self.path).as_posix()
                ours = name.startswith(".") or name.endswith((NOTE, LEDGER))
                if not ours and key.startswith(prefix):
                    yield key

    def _not_listed(self, error: OSError) -> None:
        """Names that are not seen would be recordings that are missing."""
        if not isinstance(error, FileNotFoundError):
            raise self._error("list", str(error.filename), error, self._is_away(error)) from error

    def protection(self, key: str) -> Protection | None:
        file = self._file(key)
        with self._doing("read the ledger of", key):
            if not file.exists():
                return None
            kept = self._kept(file)
        return Protection(noted_until_ms=kept.retain_until_ms, held=kept.held)

    def locks(self) -> bool:
        return False

    def hold(self, key: str, held: bool) -> bool:
        file = self._file(key)
        with self._doing("hold", key):
            self._write_kept(file, msgspec.structs.replace(self._kept(file), held=held))
        return True

    def delete(self, key: str, now_ms: int) -> None:
        file = self._file(key)
        protection = self.protection(key)
        if protection is None:
            return
        protection.check(f"{self.url}: {key}", now_ms)
        with self._doing("delete", key):
            for old in self._versions(key):
                old.unlink()
            for one in (file, _beside(file, NOTE), _beside(file, LEDGER)):
                one.unlink(missing_ok=True)
            sync_folder(file.parent)

    def abilities(self) -> Abilities:
        """Our own ledger does all of it, for whoever goes through us."""
        return Abilities(ours=True)

    def _file(self, key: str) -> Path:
        if not KEY.fullmatch(key) or ".." in key.split("/"):
            raise StoreError(f"{self.url}: {key!r} is no key", store_away=False)
        return self.path / key

    def _kept(self, file: Path) -> Kept:
        try:
            return msgspec.json.decode(_beside(file, LEDGER).read_bytes(), type=Kept)
        except FileNotFoundError:
            return Kept()
        except ValueError as error:
            raise StoreError(
                f"{self.url}: the ledger of {file.name} cannot be read ({error}): nothing is done "
                "to it; write it anew from its manifest",
                store_away=False,
            ) from None

    def _write_kept(self, file: Path, kept: Kept) -> None:
        self._place_text(msgspec.json.encode(kept).decode(), _beside(file, LEDGER))
        sync_folder(file.parent)

    def _versions(self, key: str) -> list[Path]:
        target = self.path / VERSIONS / key
        return sorted(target.parent.glob(f"{target.name}.*"))

    def _make_folder(self, folder: Path) -> None:
        """Each new folder's name is synced too: a power loss must not take the whole day."""
        missing = []
        while not folder.exists():
            missing.append(folder)
            folder = folder.parent
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            sync_folder(folder.parent)

    def _place(self, source: str | Path, target: Path, sha256: str) -> None:
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        try:
            _copy(source, part)
            found = sha256_of_file(part)
            if found != sha256:
                raise WrongHash(f"{self.url}: {target.name} read back as {found}, not {sha256}")
            self._set_aside(target, sha256)
            os.replace(part, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                part.unlink()

    def _set_aside(self, target: Path, sha256: str) -> None:
        """The old version of an object that is kept stays: to replace it is no way to delete it."""
        if not target.exists() or not self._kept(target).retain_until_ms:
            return
        found = sha256_of_file(target)
        if found != sha256:
            key = target.relative_to(self.path)
            old = self.path / VERSIONS / key.with_name(f"{key.name}.{found[:12]}")
            self._make_folder(old.parent)
            with contextlib.suppress(FileExistsError):
                os.link(target, old)
            sync_folder(old.parent)

    def _place_text(self, text: str, target: Path) -> None:
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        with open(part, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)

    @contextlib.contextmanager
    def _doing(self, verb: str, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._error(verb, key, error, self._is_away(error)) from error

    def _is_away(self, error: OSError) -> bool:
        """A full disk takes nothing; else a folder that can be written to has one bad object."""
        if error.errno in FULL:
            return True
        try:
            self._try_out()
        except OSError:
            return True
        return False

    def _error(self, verb: str, key: str, error: OSError, away: bool) -> StoreError:
        reason = error.strerror or str(error)
        return StoreError(
            f"{self.url}: cannot {verb} {key}: {reason}; check the folder's disk and its rights, "
            "or set recordings.store",
            store_away=away,
        )


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)


def _copy(source: str | Path, target: Path) -> None:
    """Synced, then dropped from the page cache, so that reading back asks the disk."""
    with at_hand(source) as reader, open(target, "xb") as writer:
        while data := reader.read(COPY_BYTES):
            writer.write(data)
        os.fchmod(writer.fileno(), 0o440)
        writer.flush()
        os.fsync(writer.fileno())
        os.posix_fadvise(writer.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
