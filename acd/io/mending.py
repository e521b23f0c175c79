"""`callcore journal repair`: what a failing disk has left of a journal is made readable again."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path

from acd.frames import Head, Segment, begin, find_frame, parse
from acd.io.files import ARCHIVED, LOG, content, put, segments


@dataclass(frozen=True, slots=True)
class Mended:
    """What was taken out of one file; it is kept beside it with the suffix .damaged."""

    file: str
    bytes_taken: int
    events_missing: int | None  # None in the last file: nobody knows how many there were


def mend(folder: Path) -> list[Mended]:
    """Takes the damaged stretches out; numbers that are missing are declared lost.

    A file of a newer version is left as it is: nothing is wrong with it. BlockingIOError while
    an engine writes the journal.
    """
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _mend(folder)
    finally:
        os.close(lock)


def _mend(folder: Path) -> list[Mended]:
    found: list[Mended] = []
    expected = 1
    taken = epoch = 0
    for file in segments(folder):
        data = content(file)
        segment = parse(data)
        if segment.damage.startswith(("unknown", "not a journal")):
            break
        head = segment.head or Head(expected, epoch)  # most files go on under the last one's
        missing = head.first - head.lost - expected
        if taken and found:
            found[-1] = Mended(found[-1].file, taken, max(0, missing))
        if missing > 0:
            head = Head(head.first, head.epoch, head.settings, head.lost + missing)
        taken, frames = _taken(data, segment, head)
        if taken:
            put(file.with_name(f"{file.name}.damaged"), data)
            found.append(Mended(file.name, taken, None))
        if taken or missing > 0:
            _write(file, begin(head) + b"".join(frames))
        expected, epoch = head.first + len(frames), head.epoch
    return found


def _taken(data: bytes, segment: Segment, head: Head) -> tuple[int, list[bytes]]:
    """How many bytes are no frames, and the frames."""
    frames, at, taken = list(segment.frames), segment.good_bytes, 0
    while segment.damage:
        following = find_frame(data, at)
        if following is None:
            return taken + len(data) - at, frames
        taken += following - at
        start = begin(head)
        segment = parse(start + data[following:])
        frames += segment.frames
        at = following + segment.good_bytes - len(start)
    return taken, frames


def _write(file: Path, data: bytes) -> None:
    if file.name.endswith(ARCHIVED):
        put(file.with_name(file.name.removesuffix(ARCHIVED) + LOG), data)
        file.unlink()
    else:
        put(file, data)
