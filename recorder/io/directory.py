"""A directory as the store: the embedded default, with the promises of the object store."""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
from pathlib import Path
from typing import BinaryIO

from recorder.io.objects import (
    COPY_BYTES,
    NO_TERMS,
    ObjectMissing,
    Stat,
    StoreError,
    Terms,
    WrongHash,
    sha256_of_file,
)
from recorder.io.spool import sync_folder

KEY = re.compile(r"[A-Za-z0-9._~@+-]+(/[A-Za-z0-9._~@+-]+)*")
NOTE = ".sha256"


class DirectoryStore:
    """Files appear whole and synced or not at all; the hash lies beside each in NAME.sha256."""

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
        try:
            self._make_folder(target.parent)
            self._place(path, target, sha256)
            self._place_text(f"{sha256}  {target.name}\n", target.with_name(target.name + NOTE))
            sync_folder(target.parent)
        except OSError as error:
            raise self._error("write", key, error) from error

    def open(self, key: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        try:
            file = open(self._file(key), "rb")  # noqa: SIM115 (the caller's to close)
        except FileNotFoundError as error:
            raise ObjectMissing(f"{self.url}: there is no {key}") from error
        except OSError as error:
            raise self._error("read", key, error) from error
        file.seek(start)
        if stop is None:
            return file
        with file:
            return io.BytesIO(file.read(max(0, stop - start)))

    def stat(self, key: str) -> Stat | None:
        file = self._file(key)
        try:
            size = file.stat().st_size
            note = file.with_name(file.name + NOTE).read_text("ascii", "replace")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._error("look at", key, error) from error
        return Stat(size, note.partition(" ")[0])

    def local_path(self, key: str) -> Path | None:
        return self._file(key)

    def probe(self) -> None:
        probe = self.path / f".probe-{secrets.token_hex(4)}"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe.write_bytes(b"callcore")
            probe.unlink()
        except OSError as error:
            raise self._error("write", "a probe", error) from error

    def _file(self, key: str) -> Path:
        if not KEY.fullmatch(key) or ".." in key.split("/"):
            raise StoreError(f"{self.url}: {key!r} is no key", store_away=False)
        return self.path / key

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
            os.replace(part, target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                part.unlink()

    def _place_text(self, text: str, target: Path) -> None:
        part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        with open(part, "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, target)

    def _error(self, verb: str, key: str, error: OSError) -> StoreError:
        reason = error.strerror or str(error)
        return StoreError(
            f"{self.url}: cannot {verb} {key}: {reason}; check the folder's disk and its rights, "
            "or set recordings.store"
        )


def _copy(source: str | Path, target: Path) -> None:
    """Synced, then dropped from the page cache, so that reading back asks the disk."""
    with open(source, "rb") as reader, open(target, "xb") as writer:
        while data := reader.read(COPY_BYTES):
            writer.write(data)
        writer.flush()
        os.fsync(writer.fileno())
        os.posix_fadvise(writer.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
