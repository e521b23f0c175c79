"""The keeper's side of the spool: its folders' locks, what lies in them, and notes beside it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recorder.io import segments as files
from recorder.io.folders import Space, space
from recorder.io.segments import Segment

NOTE = ".finish.json"
PROBE_BYTES = 4096


class KeeperError(Exception):
    """The keeper cannot start; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The spool at one moment; `idle` are recordings that nobody writes, by their age."""

    names: frozenset[str]
    spool_bytes: int
    free_bytes: int
    idle: dict[str, float]
    trouble: tuple[str, ...] = ()  # folders that do not answer
    unreadable: tuple[str, ...] = ()  # a line for each recording with a file that does not open


@dataclass(frozen=True, slots=True)
class Spooled:
    """Folders in the order of their use; one that does not answer is no reason to stop."""

    folders: tuple[Path, ...]

    @property
    def paths(self) -> list[str | Path]:
        return list(self.folders)

    def lock(self) -> list[int]:
        """Makes the folders and takes them for this process; raises KeeperError."""
        taken: list[int] = []
        failure: OSError | None = None
        for folder in self.folders:
            try:
                taken.append(_lock(folder))
            except KeeperError:
                for descriptor in taken:
                    os.close(descriptor)
                raise
            except OSError as error:
                failure = failure or error
        if failure is not None and not taken:
            raise KeeperError(
                f"the spool folder {self.folders[0]}: {failure.strerror}; "
                "make it, or correct its rights"
            ) from failure
        return taken

    def snapshot(self) -> Snapshot:
        """Raises OSError when no folder answers."""
        size = 0
        idle: dict[str, float] = {}
        unreadable = []
        found = files.scan(self.paths)
        for recording, segments in found.items():
            age = float("inf")
            try:
                for segment in segments:
                    size += segment.size()
                    age = min(age, time.time() - segment.modified_ms() / 1000)
                if not any(segment.is_open() for segment in segments):
                    idle[recording] = max(0.0, age)
            except FileNotFoundError:  # stored in this very moment
                continue
            except OSError as error:  # no reason to leave the others where they are
                unreadable.append(f"recording {recording}: {error.filename}: {error.strerror}")
        room = self.space()
        names = frozenset(found)
        return Snapshot(names, size, room.free_bytes, idle, room.trouble, tuple(unreadable))

    def space(self) -> Space:
        """Raises OSError when no folder answers."""
        return space(self.paths)

    def segments(self, recording: str) -> list[Segment]:
        """Raises OSError where some of them may be in a folder that does not answer."""
        found = files.segments_of(self.paths, recording)
        numbers = {segment.number for segment in found}
        if numbers != set(range(len(numbers))) or not numbers:
            for folder in self.folders:
                os.stat(folder)
        return found

    def trouble(self) -> tuple[str, ...]:
        """A line for each folder that cannot be written to, which costs a sync each."""
        lines = []
        for folder in self.folders:
            try:
                _write_synced(folder / ".writable", bytes(PROBE_BYTES))
            except OSError as error:
                lines.append(f"{folder}: {error.strerror or error}")
            finally:
                with contextlib.suppress(OSError):
                    (folder / ".writable").unlink(missing_ok=True)
        return tuple(lines)

    def roomiest(self) -> Path:
        """Where something large is made; raises OSError when no folder answers."""
        rooms = []
        for folder in self.folders:
            with contextlib.suppress(OSError):
                rooms.append((space(folder).free_bytes, folder))
        if not rooms:
            os.stat(self.folders[0])
        return max(rooms)[1] if rooms else self.folders[0]

    def write_note(self, recording: str, extra: dict[str, Any]) -> None:
        """What is known at the end of the call; survives a kill between here and the store."""
        data = json.dumps(extra, default=str).encode()
        self._first(lambda folder: _write_note(folder / f"{recording}{NOTE}", data))

    def read_note(self, recording: str) -> dict[str, Any] | None:
        """Later folders' words go over earlier ones': they were written when those failed."""
        known: dict[str, Any] | None = None
        for folder in self.folders:
            try:
                note = json.loads((folder / f"{recording}{NOTE}").read_bytes())
            except (OSError, ValueError):
                continue
            if isinstance(note, dict):
                known = {**(known or {}), **note}
        return known

    def drop_note(self, recording: str) -> None:
        for folder in self.folders:
            with contextlib.suppress(OSError):
                (folder / f"{recording}{NOTE}").unlink(missing_ok=True)

    def noted(self) -> list[str]:
        """Recordings that were finished but whose note still lies here."""
        found = set()
        for folder in self.folders:
            with contextlib.suppress(OSError):
                found |= {path.name.removesuffix(NOTE) for path in folder.glob(f"*{NOTE}")}
        return sorted(found)

    def set_aside(self, segments: list[Segment]) -> None:
        """Kept for a human, out of the way of the next start."""
        for segment in segments:
            path = Path(segment.path)
            aside = path.parent / "damaged"
            aside.mkdir(exist_ok=True)
            os.replace(path, aside / path.name)

    def _first(self, work: Callable[[Path], None]) -> None:
        """In the first folder that it succeeds in; raises the last one's OSError."""
        failure: OSError | None = None
        for folder in self.folders:
            try:
                work(folder)
                return
            except OSError as error:
                failure = error
        assert failure is not None
        raise failure


def _lock(folder: Path) -> int:
    sealing = folder / "sealing"
    sealing.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder / ".keeper", os.O_CREAT | os.O_RDWR, 0o640)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise KeeperError(
            f"another process keeps the recordings of {folder}: stop it, "
            "or give this one a spool folder of its own"
        ) from error
    for left in sealing.iterdir():  # and no sooner: until then it is another's work
        left.unlink()
    files.tidy(folder)
    return descriptor


def _write_note(note: Path, data: bytes) -> None:
    part = note.with_name(note.name + ".part")
    _write_synced(part, data)
    os.replace(part, note)
    files.sync_folder(note.parent)


def _write_synced(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
