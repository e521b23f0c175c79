"""The spool's folders in order: which of them takes recordings now, and how much room there is."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recorder.io.disk import Disk

Folders = str | Path | Sequence[str | Path]

REST_SECONDS = 5.0  # before a folder that failed is tried again
LOOK_SECONDS = 1.0


def every(folders: Folders) -> list[str | Path]:
    """One folder is a list of one."""
    return [folders] if isinstance(folders, str | Path) else list(folders)


class Folder:
    """One spool folder as a sink sees it; after a failure it rests, and then it is used again."""

    def __init__(self, path: str, reserve_bytes: int, disk: Disk) -> None:
        self.path = path
        self.names = 0  # that were added
        self.synced = 0  # of them, so many survive a power loss
        self._reserve_bytes = reserve_bytes
        self._disk = disk
        self._rests_until = float("-inf")
        self._looked = float("-inf")
        self._has_room = True
        with contextlib.suppress(OSError):  # told when a recording cannot be written
            os.makedirs(path, exist_ok=True)

    @property
    def rests(self) -> bool:
        return time.monotonic() < self._rests_until

    def rest(self) -> None:
        self._rests_until = time.monotonic() + REST_SECONDS

    @property
    def has_room(self) -> bool:
        """More than the reserve is free, or was a second ago."""
        now = time.monotonic()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            try:
                self._has_room = self._disk.free_bytes(self.path) >= self._reserve_bytes
            except OSError:
                self._has_room = False
        return self._has_room

    def sync_names(self) -> None:
        """Those that were added until now; raises OSError."""
        names = self.names
        if self.synced < names:
            self._disk.sync_folder(self.path)
            self.synced = max(self.synced, names)

    def make(self) -> None:
        """The folder on a file system that was not mounted when we began; raises OSError."""
        with contextlib.suppress(FileExistsError):
            os.mkdir(self.path)


@dataclass(frozen=True, slots=True)
class Space:
    """Free bytes of file systems, as an ordinary user may take them; each is counted once.

    `trouble` has a line for each folder that does not answer.
    """

    free_bytes: int
    total_bytes: int
    trouble: tuple[str, ...] = ()


def space(folders: Folders) -> Space:
    """Raises OSError when no folder answers."""
    free_bytes = total_bytes = 0
    trouble = []
    failure: OSError | None = None
    seen = set()
    for folder in every(folders):
        try:
            device, stat = os.stat(folder).st_dev, os.statvfs(folder)
        except OSError as error:
            trouble.append(f"{folder}: {error.strerror or error}")
            failure = error
            continue
        if device not in seen:
            seen.add(device)
            free_bytes += stat.f_bavail * stat.f_frsize
            total_bytes += stat.f_blocks * stat.f_frsize
    if not seen and failure is not None:
        raise failure
    return Space(free_bytes, total_bytes, tuple(trouble))
