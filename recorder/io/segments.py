"""What lies in the spool's folders: segment files, each of one recording and one media worker.

Loaded inside every media worker, so it imports nothing but the standard library and the codec.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recorder.io.disk import Disk
from recorder.io.folders import Folders, every
from recorder.spool import MAX_HEADER_BYTES, decode_header

SUFFIX = ".spool"
OPENING = ".opening"
OPENING_SECONDS = 60.0
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~@+-]{0,179}")
SEGMENT = re.compile(r"(?P<recording>.+)\.(?P<number>\d+)\.spool")
READ_BYTES = 1 << 18
MISSING_NUMBERS = 8


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


def scan(folders: Folders) -> dict[str, list[Segment]]:
    """Every recording with its segments in order; raises OSError when no folder answers."""
    found: dict[str, list[Segment]] = {}
    failures = []
    for folder in every(folders):
        try:
            for segment in _listed(folder):
                found.setdefault(segment.recording, []).append(segment)
        except OSError as error:
            failures.append(error)
    if failures and len(failures) == len(every(folders)):
        raise failures[0]
    return {recording: sorted(found[recording]) for recording in sorted(found)}


def _listed(folder: str | Path) -> Iterator[Segment]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if match := SEGMENT.fullmatch(entry.name):
                yield Segment(match["recording"], int(match["number"]), entry.path)


def segments_of(folders: Folders, recording: str) -> list[Segment]:
    """The segments of one recording, in order, without reading the folders' whole listings.

    Some of them may be in a folder that does not answer now: a few numbers may be missing.
    """
    found: list[Segment] = []
    number = last = -1
    places = every(folders)
    while number - last < (1 if len(places) == 1 else MISSING_NUMBERS):
        number += 1
        for folder in places:
            path = os.path.join(folder, f"{recording}.{number}{SUFFIX}")
            if os.path.exists(path):
                found.append(Segment(recording, number, path))
                last = number
    return found


def free(segments: list[Segment]) -> None:
    """Deletes the segments for good, the first one last, so that `segments_of` never misses one."""
    for segment in sorted(segments, reverse=True):
        os.unlink(segment.path)
    for folder in {os.path.dirname(segment.path) for segment in segments}:
        sync_folder(folder)


def tidy(folder: str | Path) -> None:
    """Deletes what workers left that were killed before their segment had its name."""
    for left in Path(folder).glob(f".*{OPENING}"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - left.stat().st_mtime > OPENING_SECONDS:
                left.unlink()


def sync_folder(folder: str | Path) -> None:
    """Makes names that were added to or taken from the folder survive a power loss."""
    Disk().sync_folder(str(folder))
