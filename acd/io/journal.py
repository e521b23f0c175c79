"""The append-only journal on disk: one writer, group commit off the caller's thread, rotation."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from acd.events import Event
from acd.frames import MAGIC, frame, parse


class JournalDamaged(Exception):
    """A file that is not the last one cannot be read to its end: an operator has to look."""


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """Where the journal is and how it commits."""

    folder: Path
    commit_seconds: float = 0.005  # no event waits longer for its fdatasync to begin
    commit_events: int = 64  # as many waiting events begin it at once
    rotate_bytes: int = 64 << 20
    most_pending: int = 200_000  # with the disk away: events kept in memory before any is lost
    retry_seconds: float = 0.5


def segments(folder: Path) -> list[Path]:
    """The journal's files, oldest first."""
    return sorted(folder.glob("journal-*.log"))


def read(folder: Path) -> Iterator[Event]:
    """All events, oldest first; a torn tail of the last file is left out (JournalDamaged else)."""
    files = segments(folder)
    for file in files:
        segment = parse(file.read_bytes())
        if segment.damage and file != files[-1]:
            raise JournalDamaged(f"{file}: {segment.damage} at byte {segment.good_bytes}")
        yield from segment.events


def repair(folder: Path) -> Path | None:
    """Cuts a torn tail off the last file, kept beside it with the suffix .torn; what was cut."""
    files = segments(folder)
    if not files:
        return None
    data = files[-1].read_bytes()
    segment = parse(data)
    if segment.damage == "not a journal" or segment.damage.startswith("unknown event"):
        raise JournalDamaged(f"{files[-1]}: {segment.damage} at byte {segment.good_bytes}")
    if not segment.damage:
        return None
    torn = files[-1].with_suffix(".torn")
    torn.write_bytes(data[segment.good_bytes :])
    with files[-1].open("r+b") as file:
        file.truncate(segment.good_bytes)
        os.fsync(file.fileno())
    return torn


class Journal:
    """Appends events; `append` only encodes and queues, a thread writes and syncs.

    `on_error` is called on that thread with each OSError; the events are kept and tried again.
    Raises BlockingIOError when another process writes this journal, JournalDamaged, OSError.
    """

    def __init__(self, settings: JournalSettings, on_error: Callable[[OSError], None]) -> None:
        self.appended = 0
        self.durable = 0  # events on the disk, synced
        self.lost = 0  # events not kept because the disk was away for too long
        self.syncs = 0
        self._settings = settings
        self._on_error = on_error
        self._pending: deque[bytes] = deque()
        self._wake, self._full = threading.Event(), threading.Event()
        self._closing = False
        settings.folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(settings.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.repaired = repair(settings.folder)
            files = segments(settings.folder)
            self._number = int(files[-1].stem.split("-")[1]) if files else 1
            self._file, self._size = self._open()
        except BaseException:
            os.close(self._lock)
            raise
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    def append(self, event: Event) -> bool:
        """Queues one event, never waits; False when it could not be kept."""
        pending = self._pending
        if len(pending) >= self._settings.most_pending:
            self.lost += 1
            return False
        pending.append(frame(event))
        self.appended += 1
        if not self._wake.is_set():
            self._wake.set()
        if len(pending) >= self._settings.commit_events and not self._full.is_set():
            self._full.set()
        return True

    def flush(self, timeout_seconds: float = 5.0) -> bool:
        """Waits until everything appended so far is durable; for shutting down and tests."""
        wanted, deadline = self.appended, time.monotonic() + timeout_seconds
        while self.durable < wanted and time.monotonic() < deadline:
            self._full.set()
            time.sleep(0.001)
        return self.durable >= wanted

    def close(self, timeout_seconds: float = 5.0) -> bool:
        """Writes what is pending and stops; False when the disk did not take all of it."""
        done = self.flush(timeout_seconds)
        self._closing = True
        self._wake.set()
        self._full.set()
        self._thread.join(timeout_seconds)
        if not self._thread.is_alive():
            os.close(self._file)
            os.close(self._lock)
        return done

    def _run(self) -> None:
        held: list[bytes] = []
        while True:
            if not held:
                self._wake.wait()
                self._wake.clear()
            if not self._closing:
                self._full.wait(self._settings.commit_seconds)
            self._full.clear()
            if not held:  # else the disk has failed: what is new stays bounded in `append`
                for _ in range(len(self._pending)):
                    held.append(self._pending.popleft())
            if held and self._commit(held):
                held = []
            elif held and not self._closing:
                time.sleep(self._settings.retry_seconds)
            if self._closing and not self._pending:
                return

    def _commit(self, frames: list[bytes]) -> bool:
        try:
            if self._size >= max(self._settings.rotate_bytes, len(MAGIC) + 1):
                self._rotate()
            data = memoryview(b"".join(frames))
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written:])
            os.fdatasync(self._file)
        except OSError as error:
            with contextlib.suppress(OSError):  # no half frame before the next try's
                os.ftruncate(self._file, self._size)
            self._on_error(error)
            return False
        self._size += written
        self.syncs += 1
        self.durable += len(frames)
        return True

    def _rotate(self) -> None:
        self._number += 1
        try:
            file, size = self._open()
        except OSError:
            self._number -= 1
            raise
        os.close(self._file)
        self._file, self._size = file, size

    def _open(self) -> tuple[int, int]:
        path = self._settings.folder / f"journal-{self._number:08d}.log"
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(file).st_size
            if size < len(MAGIC):
                os.ftruncate(file, 0)
                os.write(file, MAGIC)
                size = len(MAGIC)
            os.fsync(file)
            folder = os.open(self._settings.folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError:
            os.close(file)
            raise
        return file, size
