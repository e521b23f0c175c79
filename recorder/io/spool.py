"""The spool folder: what media workers append to, and what the keeper finds there.

Loaded inside every media worker, so it imports nothing but the standard library and the codec.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recorder.spool import MAX_HEADER_BYTES, block_head, decode_header, encode_header, split

SUFFIX = ".spool"
OPENING = ".opening"
OPENING_SECONDS = 60.0
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~@+-]{0,179}")
SEGMENT = re.compile(r"(?P<recording>.+)\.(?P<number>\d+)\.spool")
READ_BYTES = 1 << 18
# fdatasync may take at most this share of the writer thread, however slow the disk is.
SYNC_SHARE = 0.2
LATEST_START_MS = 60_000  # a start told longer ago is from another clock


class SpoolError(OSError):
    """The spool cannot take this recording; the call goes on without it."""


class Handle:
    """One open segment of one recording; only the sink that opened it may use it."""

    __slots__ = ("descriptor", "dirty", "path", "size", "synced")

    def __init__(self, descriptor: int, path: str, now: float) -> None:
        self.descriptor = descriptor
        self.path = path
        self.size = 0
        self.dirty = False
        self.synced = now


class SpoolSink:
    """Appends blocks to segment files in `folder`; safe for several workers on one folder.

    Every segment is locked (flock) while it is written: the kernel lets go of the lock when the
    writer dies, so that the keeper knows a torn segment from one that is still growing.
    """

    def __init__(self, folder: str, sync_seconds: float = 1.0) -> None:
        self.folder = folder
        self.sync_seconds = sync_seconds
        self._paid = time.monotonic()
        self._credit_seconds = SYNC_SHARE  # of syncing that is allowed now, a second's at most
        self._open: dict[Handle, None] = {}  # the one synced longest ago first
        os.makedirs(folder, exist_ok=True)

    def open(self, recording: str, header: Mapping[str, Any]) -> Handle:
        """Starts the recording's next segment; raises SpoolError or OSError.

        The file gets its name only with its lock and its header in it: a kill in the middle
        leaves no segment that would look damaged.
        """
        if not NAME.fullmatch(recording):
            raise SpoolError(errno.EINVAL, f"{recording!r} cannot name a file of the spool")
        later = self._later_start(recording, header)
        line = encode_header({**header, **later, "recording": recording})
        opening = os.path.join(self.folder, f".{os.getpid()}-{time.monotonic_ns()}{OPENING}")
        flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND
        handle = Handle(os.open(opening, flags, 0o640), opening, time.monotonic())
        try:
            fcntl.flock(handle.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._append(handle, [line])
            handle.path = self._name(opening, recording)
        except OSError:
            os.close(handle.descriptor)
            raise
        finally:
            os.unlink(opening)
        self._open[handle] = None
        return handle

    def write(self, handle: Handle, first_frame: int, frames: bytes, private: int = 0) -> None:
        """Appends n x 320 bytes; after an OSError the file ends with the last whole block."""
        for first, part in split(first_frame, frames):
            self._append(handle, [block_head(first, part, private), part])
        self._sync(time.monotonic())

    def close(self, handle: Handle) -> None:
        del self._open[handle]
        try:
            os.fdatasync(handle.descriptor)
        finally:
            os.close(handle.descriptor)

    def _later_start(self, recording: str, header: Mapping[str, Any]) -> dict[str, int]:
        """A segment that continues a recording begins now, not when it was asked for.

        The worker that replaces a dead one needs about a second to start; what was said meanwhile
        is silence in the recording, and must be as long as it was.
        """
        asked_ms, now_ms = header.get("started_ms"), time.time_ns() // 1_000_000
        if not isinstance(asked_ms, int) or not 0 <= now_ms - asked_ms <= LATEST_START_MS:
            return {}
        return {"started_ms": now_ms} if segments_of(self.folder, recording) else {}

    def _name(self, opening: str, recording: str) -> str:
        number = max((found.number for found in segments_of(self.folder, recording)), default=-1)
        while True:
            number += 1
            path = os.path.join(self.folder, f"{recording}.{number}{SUFFIX}")
            try:
                os.link(opening, path)
            except FileExistsError:
                continue  # another worker took this number
            return path

    def _append(self, handle: Handle, parts: list[bytes]) -> None:
        """All or nothing: half a block on a full disk is cut off again."""
        want = sum(map(len, parts))
        try:
            done = os.writev(handle.descriptor, parts)
            if done < want:
                rest = b"".join(parts)
                while done < want:
                    done += os.write(handle.descriptor, rest[done:])
        except OSError:
            os.ftruncate(handle.descriptor, handle.size)
            raise
        handle.size += want
        handle.dirty = True

    def _sync(self, now: float) -> None:
        """At most once in `sync_seconds` a file, and never more than a fifth of the time in all.

        The file that waits longest comes first, so that a slow disk starves none of them.
        """
        earned = (now - self._paid) * SYNC_SHARE
        self._credit_seconds = min(SYNC_SHARE, self._credit_seconds + earned)
        self._paid = now
        if self._credit_seconds <= 0:
            return
        handle = next(iter(self._open))
        if now - handle.synced < self.sync_seconds:
            return
        if handle.dirty:
            os.fdatasync(handle.descriptor)
        handle.synced = done = time.monotonic()
        handle.dirty = False
        del self._open[handle]
        self._open[handle] = None
        self._credit_seconds -= done - now


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One segment file as the folder's listing shows it."""

    recording: str
    number: int
    path: str

    def size(self) -> int:
        return os.stat(self.path).st_size

    def modified_ms(self) -> int:
        return os.stat(self.path).st_mtime_ns // 1_000_000

    def header(self) -> dict[str, Any] | None:
        with open(self.path, "rb") as file:
            return decode_header(file.readline(MAX_HEADER_BYTES))

    def chunks(self) -> Iterator[bytes]:
        with open(self.path, "rb") as file:
            while data := file.read(READ_BYTES):
                yield data

    def is_open(self) -> bool:
        """True while the worker that writes it lives and has not closed it."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(descriptor)
        return False


def scan(folder: str | Path) -> dict[str, list[Segment]]:
    """Every recording in the folder with its segments in order."""
    found: dict[str, list[Segment]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if match := SEGMENT.fullmatch(entry.name):
                segment = Segment(match["recording"], int(match["number"]), entry.path)
                found.setdefault(segment.recording, []).append(segment)
    return {recording: sorted(found[recording]) for recording in sorted(found)}


def segments_of(folder: str | Path, recording: str) -> list[Segment]:
    """The segments of one recording, in order, without reading the whole folder's listing."""
    found: list[Segment] = []
    for number in range(1 << 16):
        path = os.path.join(folder, f"{recording}.{number}{SUFFIX}")
        if not os.path.exists(path):
            break
        found.append(Segment(recording, number, path))
    return found


@dataclass(frozen=True, slots=True)
class Space:
    """Free bytes of the spool's file system, as an ordinary user may take them."""

    free_bytes: int
    total_bytes: int


def space(folder: str | Path) -> Space:
    """Raises OSError when the folder is gone or its file system does not answer."""
    stat = os.statvfs(folder)
    return Space(stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize)


def free(segments: list[Segment], folder: str | Path) -> None:
    """Deletes the segments for good, the first one last, so that `segments_of` never misses one."""
    for segment in sorted(segments, reverse=True):
        os.unlink(segment.path)
    sync_folder(folder)


def tidy(folder: str | Path) -> None:
    """Deletes what workers left that were killed before their segment had its name."""
    for left in Path(folder).glob(f".*{OPENING}"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > OPENING_SECONDS:
                left.unlink()


def sync_folder(folder: str | Path) -> None:
    """Makes names that were added to or taken from the folder survive a power loss."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
