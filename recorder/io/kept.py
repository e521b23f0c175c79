"""A second copy, for a while: objects that the store has and that this machine has still.

They are links to what was uploaded, byte by byte the same (encrypted, if it is), in the folder
`kept` of the spool. Playback reads them first. They are the first to go, the oldest of them before
the others, when room is needed: what is not sealed and stored yet is never let go.
"""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from recorder.io.folders import space
from recorder.io.objects import Store

FOLDER = "kept"


@dataclass(frozen=True, slots=True)
class Kept:
    folders: tuple[Path, ...]  # the spool's
    hours: float  # 0: nothing is kept

    def add(self, key: str, path: str) -> None:
        """The store has confirmed what lies at `path`; as good as it goes."""
        if not self.hours or path.startswith("/proc/"):
            return
        folder = next((one for one in self.folders if Path(path).is_relative_to(one)), None)
        if folder is None:
            return
        target = folder / FOLDER / key
        with contextlib.suppress(OSError):
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            os.link(path, target)

    def find(self, key: str) -> Path | None:
        """The copy, if there is one."""
        places = (folder / FOLDER / key for folder in self.folders) if self.hours else ()
        return next((path for path in places if path.is_file()), None)

    def let_go(self, now_s: float, low_bytes: int) -> int:
        """Those that are too old, and the oldest while less than `low_bytes` is free; how many."""
        gone = 0
        for folder in self.folders:
            with contextlib.suppress(OSError):
                gone += self._let_go(folder, now_s - self.hours * 3600, low_bytes)
        return gone

    def _let_go(self, folder: Path, oldest_s: float, low_bytes: int) -> int:
        gone = 0
        for stored_s, path in _by_age(folder / FOLDER):
            if stored_s >= oldest_s and space(folder).free_bytes >= low_bytes:
                break
            path.unlink(missing_ok=True)
            _tidy(path.parent, folder)
            gone += 1
        return gone


def _tidy(inner: Path, folder: Path) -> None:
    """Takes folders of days, months and years away that are empty now."""
    with contextlib.suppress(OSError):
        while inner != folder:
            inner.rmdir()
            inner = inner.parent


def _by_age(folder: Path) -> list[tuple[float, Path]]:
    if not folder.is_dir():
        return []
    return sorted((path.stat().st_mtime, path) for path in folder.rglob("*") if path.is_file())


@dataclass(frozen=True, slots=True)
class Nearest:
    """What whoever listens needs of a store; what this machine still has is not fetched."""

    store: Store
    kept: Kept

    @property
    def url(self) -> str:
        return self.store.url

    def open(self, key: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        path = self.kept.find(key)
        if path is not None:
            with contextlib.suppress(OSError):  # let go in this very moment
                return _stretch(path, start, stop)
        return self.store.open(key, start, stop)

    def local_path(self, key: str) -> Path | None:
        return self.store.local_path(key) or self.kept.find(key)


def _stretch(path: Path, start: int, stop: int | None) -> BinaryIO:
    file = open(path, "rb")  # noqa: SIM115 (the caller's to close)
    file.seek(start)
    if stop is None:
        return file
    with file:
        return io.BytesIO(file.read(max(0, stop - start)))
