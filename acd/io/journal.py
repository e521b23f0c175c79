"""The append-only journal on disk: one writer, group commit off the caller's thread, rotation."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from acd.events import Configured, Event
from acd.frames import Head, begin, frame
from acd.io.files import (
    LOG,
    JournalDamaged,
    end_of,
    head_of,
    number_of,
    read,
    repair,
    segments,
    sync_folder,
)
from acd.settings import AcdSettings

__all__ = ["Journal", "JournalDamaged", "JournalSettings", "read", "repair", "segments"]


@dataclass(frozen=True, slots=True)
class JournalSettings:
    """Where the journal is and how it commits."""

    folder: Path
    commit_seconds: float = 0.005  # no event waits longer for its fdatasync to begin
    commit_events: int = 64  # as many waiting events begin it at once
    rotate_bytes: int = 4 << 20
    most_pending: int = 200_000  # with the disk away: events kept in memory before any is lost
    retry_seconds: float = 0.5


@dataclass(frozen=True, slots=True)
class Turn:
    """Between two frames: the next file begins here, for a new leader or because some were lost."""

    first: int
    epoch: int
    lost: int = 0


class Journal:
    """Appends events; `append` only encodes and queues, a thread writes and syncs.

    `on_error` is called on that thread with each OSError; the events are kept and tried again.
    `on_rotated` is called on it when a file is full. Raises BlockingIOError when another process
    writes this journal, JournalDamaged, OSError.
    """

    def __init__(
        self,
        settings: JournalSettings,
        on_error: Callable[[OSError], None],
        on_rotated: Callable[[], None] = lambda: None,
    ) -> None:
        self.appended = 0
        self.durable = 0  # events on the disk, synced
        self.lost = 0  # events not kept because the disk was away for too long
        self.syncs = 0
        self.trouble = ""  # why the disk takes nothing now
        self._settings = settings
        self._on_error, self._on_rotated = on_error, on_rotated
        self._pending: deque[bytes | Turn] = deque()
        self._configured: deque[tuple[int, AcdSettings]] = deque()
        self._wake, self._full = threading.Event(), threading.Event()
        self._closing = self._must_turn = False
        self._lost_now = 0  # since the last event that was kept
        self._file, self._number, self._size, self._head_size = -1, 0, 0, 0
        settings.folder.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(settings.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.repaired = repair(settings.folder)
            end = end_of(settings.folder)
            self.sequence = self._written = end.sequence  # of the last event appended; written
            self.epoch = self._file_epoch = end.epoch
            self._begin()
        except BaseException:
            os.close(self._lock)
            raise
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def folder(self) -> Path:
        """Where it is."""
        return self._settings.folder

    @property
    def pending(self) -> int:
        """Events that are not on the disk yet."""
        return self.appended - self.durable

    def append(self, event: Event, written: bytes = b"") -> bool:
        """Queues one event, never waits; False when it could not be kept.

        `written` is its frame as another node encoded it: fields that are unknown here stay.
        """
        pending = self._pending
        self.sequence += 1
        if len(pending) >= self._settings.most_pending:
            self.lost += 1
            self._lost_now += 1
            return False
        if self._lost_now:
            pending.append(Turn(self.sequence, self.epoch, self._lost_now))
            self._lost_now = 0
        if event.__class__ is Configured:
            self._configured.append((self.sequence, event.settings))
        pending.append(written or frame(event))
        self.appended += 1
        if not self._wake.is_set():
            self._wake.set()
        if len(pending) >= self._settings.commit_events and not self._full.is_set():
            self._full.set()
        return True

    def begin_epoch(self, epoch: int) -> None:
        """What is appended from now on is written under this leadership, in a file of its own."""
        if epoch != self.epoch:
            self.epoch = epoch
            self._pending.append(Turn(self.sequence + 1, epoch))
            self._wake.set()

    def begin_at(self, sequence: int, epoch: int) -> None:
        """Goes on behind `sequence`: all up to it came as a snapshot and not as events."""
        self._pending.append(Turn(sequence + 1, epoch, sequence - self.sequence))
        self.sequence, self.epoch = sequence, epoch
        self._wake.set()

    def flush(self, timeout_seconds: float = 5.0) -> bool:
        """Waits until everything appended so far is durable; for shutting down and tests."""
        wanted, deadline = self.appended, time.monotonic() + timeout_seconds
        while self.durable < wanted and time.monotonic() < deadline:
            self._full.set()
            time.sleep(0.001)
        return self.durable >= wanted

    def close(self, timeout_seconds: float = 5.0) -> bool:
        """Writes what is pending and stops; False when the disk did not take all of it.

        Again and again: who could not go on behind it closes it once more.
        """
        done = self.flush(timeout_seconds)
        self._closing = True
        self._wake.set()
        self._full.set()
        self._thread.join(timeout_seconds)
        if not self._thread.is_alive() and self._lock >= 0:
            os.close(self._file)
            os.close(self._lock)
            self._lock = -1
        return done

    # The writer's thread ------------------------------------------------------------------------

    def _run(self) -> None:
        held: list[bytes] = []
        turn: Turn | None = None
        while True:
            if not held and turn is None:
                self._wake.wait()
                self._wake.clear()
            if not self._closing:
                self._full.wait(self._settings.commit_seconds)
            self._full.clear()
            if not held and turn is None:  # else the disk has failed: `append` bounds what is new
                turn = self._collect(held)
            if self._commit(held, turn):
                held, turn = [], None
                if self._pending:
                    self._wake.set()
            elif not self._closing:
                time.sleep(self._settings.retry_seconds)
            if self._closing and (not self._pending or held or turn is not None):
                return

    def _collect(self, held: list[bytes]) -> Turn | None:
        """What waits, up to where a new file has to begin."""
        for _ in range(len(self._pending)):
            one = self._pending.popleft()
            if isinstance(one, Turn):
                return one
            held.append(one)
        return None

    def _commit(self, frames: list[bytes], turn: Turn | None) -> bool:
        """Writes and syncs; behind it a new file, if its turn has come."""
        try:
            if frames:
                self._write(frames)
                frames.clear()
            if turn is not None:
                self._written, self._file_epoch = turn.first - 1, turn.epoch
                self._rotate(turn.lost)
        except OSError as error:
            self.trouble = error.strerror or str(error)
            self._on_error(error)
            return False
        self.trouble = ""
        return True

    def _write(self, frames: list[bytes]) -> None:
        if self._must_turn or self._size >= max(self._settings.rotate_bytes, self._head_size + 1):
            self._rotate()
        data = b"".join(frames)
        try:
            write_all(self._file, data)
            os.fdatasync(self._file)
        except OSError:
            # A page that could not be written may be dropped and called clean (fsync(2)): what
            # is not known to be on the disk goes to another file, and here no half frame stays.
            self._must_turn = True
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._size)
            raise
        self._size += len(data)
        self.syncs += 1
        self._written += len(frames)
        self.durable += len(frames)

    def _rotate(self, lost: int = 0) -> None:
        old = self._file
        self._number += 1
        try:
            self._open(self._head(lost))
        except OSError:
            self._number -= 1
            raise
        self._must_turn = False
        os.close(old)
        self._on_rotated()

    def _head(self, lost: int = 0) -> Head:
        """What the file that begins behind the last event written says of itself."""
        while len(self._configured) > 1 and self._configured[1][0] <= self._written:
            self._configured.popleft()
        known = [one for at, one in self._configured if at <= self._written]
        return Head(self._written + 1, self._file_epoch, known[-1] if known else None, lost)

    def _begin(self) -> None:
        """Goes on with the last file, or begins the first."""
        files = segments(self._settings.folder)
        self._number = number_of(files[-1]) if files else 0
        head = head_of(files[-1]) if files else None
        if head is None or not files[-1].name.endswith(LOG):
            # None yet, of the first version, torn in its head, or packed: begin another.
            if files and files[-1].stat().st_size == 0:
                files[-1].unlink()
            self._number += 1
            self._open(self._head())
            return
        if head.settings is not None:
            self._configured.append((head.first - 1, head.settings))
        self._file = os.open(files[-1], os.O_RDWR | os.O_APPEND)
        self._size, self._head_size = os.fstat(self._file).st_size, len(begin(head))

    def _open(self, head: Head) -> None:
        path = self._settings.folder / f"journal-{self._number:08d}{LOG}"
        start = begin(head)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.ftruncate(file, 0)  # left by a try that failed: nothing in it was confirmed
            write_all(file, start)
            os.fsync(file)
            sync_folder(self._settings.folder)
        except OSError:
            os.close(file)
            raise
        self._file, self._size, self._head_size = file, len(start), len(start)


def write_all(file: int, data: bytes) -> None:
    """All of it, however the system cuts it; OSError."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
