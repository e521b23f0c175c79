"""The journal's files: which there are, what is in them, a torn tail, a tail that forked."""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import BinaryIO, cast

from acd.events import Event
from acd.frames import HEADER, MAGIC, MOST_BYTES, Head, Segment, begin, find_frame, parse

LOG, ARCHIVED = ".log", ".log.gz"


class JournalDamaged(Exception):
    """The files cannot be read to the end: an operator has to look."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of the journal, its number, and its bytes as they are written."""

    sequence: int
    event: Event
    frame: bytes


@dataclass(frozen=True, slots=True)
class End:
    """Where the journal stands: the last event's number, and under which leadership."""

    sequence: int = 0
    epoch: int = 0


def number_of(file: Path) -> int:
    """The file's place among the others."""
    return int(file.name.partition(".")[0].rpartition("-")[2])


def segments(folder: Path) -> list[Path]:
    """The journal's files, oldest first; of one that is being archived, the one still whole."""
    logs = list(folder.glob(f"journal-*{LOG}"))  # first: one that is packed now is in either list
    found = {number_of(path): path for path in folder.glob(f"journal-*{ARCHIVED}")}
    found.update((number_of(path), path) for path in logs)
    return [found[number] for number in sorted(found)]


def opened(file: Path) -> BinaryIO:
    """The file to read from, unpacked; its archive if it was archived since it was listed.

    An archiver puts the archive there before it takes the file away, so that one of the two is
    always there.
    """
    if not file.name.endswith(ARCHIVED):
        try:
            return file.open("rb")
        except FileNotFoundError:
            file = archive_of(file)
    return cast(BinaryIO, gzip.open(file))


def archive_of(file: Path) -> Path:
    """Where a full file's archive is, or will be."""
    return file.with_name(file.name.removesuffix(LOG) + ARCHIVED)


def content(file: Path) -> bytes:
    """A file's bytes, unpacked; JournalDamaged for an archive that cannot be."""
    try:
        with opened(file) as whole:
            return whole.read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise JournalDamaged(f"{file}: {error}") from None


def read(folder: Path) -> Iterator[Event]:
    """All events, oldest first; a torn tail of the last file is left out (JournalDamaged else)."""
    for entry in entries(folder):
        yield entry.event


def entries(folder: Path, after: int = 0) -> Iterator[Entry]:
    """All events with a number above `after`."""
    files = segments(folder)
    heads = [head_of(file) for file in files]
    expected = 1
    for index, file in enumerate(files):
        head = heads[index]
        following = heads[index + 1] if index + 1 < len(files) else None
        first = expected if head is None else head.first
        if following is not None and following.first <= after + 1:
            expected = following.first
            continue
        segment = parse(content(file))
        end = first + len(segment.events)
        _judge(file, segment, end, following, last=index + 1 == len(files))
        if following is not None:
            end = following.first - following.lost
        for sequence in range(max(first, after + 1), end):
            at = sequence - first
            yield Entry(sequence, segment.events[at], segment.frames[at])
        expected = end


def _judge(file: Path, segment: Segment, end: int, following: Head | None, *, last: bool) -> None:
    """A rest that was never synced may be anything, if the next file begins where it began."""
    if following is not None:
        if end >= following.first - following.lost:
            return
        damage = segment.damage or f"{following.first - following.lost - end} events are missing"
    elif last:
        damage = segment.damage
        if not damage or is_torn(content(file), segment):
            return
    else:
        damage = segment.damage
    if damage:
        raise JournalDamaged(f"{file}: {damage} at byte {segment.good_bytes}")


def head_of(file: Path) -> Head | None:
    """What a file says of itself; None for a file of the first version or a torn one."""
    try:
        with opened(file) as whole:
            start = whole.read(len(MAGIC) + HEADER.size)
            if not start.startswith(MAGIC) or len(start) < len(MAGIC) + HEADER.size:
                return None
            length, _ = HEADER.unpack_from(start, len(MAGIC))
            return parse(start + whole.read(min(length, MOST_BYTES))).head
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise JournalDamaged(f"{file}: {error}") from None


def end_of(folder: Path) -> End:
    """The last event that can be read."""
    sequence, epoch = 0, 0
    files = segments(folder)
    while files:
        head = head_of(files[-1])
        if head is not None:
            epoch = head.epoch
            sequence = head.first - 1
            break
        files.pop()  # of the first version: count from the last file that knows its number
    for entry in entries(folder, sequence):
        sequence = entry.sequence
    return End(sequence, epoch)


def repair(folder: Path) -> Path | None:
    """Cuts a torn tail off the last file, kept beside it with the suffix .torn; what was cut.

    Only what a crash leaves is cut. Whole frames behind a damage mean that the disk has lost what
    it had confirmed: JournalDamaged, and `callcore journal repair` if that is all.
    """
    files = [file for file in segments(folder) if file.name.endswith(LOG)]
    if not files or files != segments(folder)[-len(files) :]:
        return None
    data = files[-1].read_bytes()
    segment = parse(data)
    if not segment.damage:
        return None
    if not is_torn(data, segment):
        raise JournalDamaged(f"{files[-1]}: {segment.damage} at byte {segment.good_bytes}")
    torn = files[-1].with_suffix(".torn")
    put(torn, data[segment.good_bytes :])
    cut(files[-1], segment.good_bytes)
    return torn


def is_torn(data: bytes, segment: Segment) -> bool:
    """Whether what follows the last whole frame is no more than a crash leaves: no whole frame.

    Behind zeros there may be some: pages of a group are written in any order, and none of it was
    confirmed.
    """
    if not segment.damage.startswith(("torn", "wrong")):
        return False
    at = segment.good_bytes
    unwritten = segment.damage == "torn frame" and not any(data[at : at + HEADER.size])
    return unwritten or find_frame(data, at) is None


def cut(file: Path, size: int) -> None:
    """Shortens a file for good."""
    with file.open("r+b") as opened:
        opened.truncate(size)
        os.fsync(opened.fileno())


def put(path: Path, data: bytes) -> None:
    """Writes a file whole or not at all."""
    draft = path.with_name(path.name + ".new")
    with draft.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes names durable."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def drop_after(folder: Path, sequence: int) -> int:
    """Takes away the events above `sequence`, kept with the suffix .forked; how many.

    Another leader wrote others under the same numbers while this journal's owner was cut off. A
    file that begins above has to go though nothing is in it: its head counts on.
    """
    dropped = 0
    for file in reversed(segments(folder)):
        data = content(file)
        segment = parse(data)
        first = segment.head.first if segment.head else 1
        keep = max(0, sequence - first + 1)
        if keep >= len(segment.events) and first <= sequence + 1:
            break
        forked = segment.frames[keep:]
        dropped += len(forked)
        if forked:
            put(_aside(file), begin(Head(first + keep)) + b"".join(forked))
        if file.name.endswith(ARCHIVED):
            log = folder / f"journal-{number_of(file):08d}{LOG}"
            put(log, data)
            file.unlink()
            file = log
        if keep == 0:
            file.unlink()
        else:
            cut(file, segment.good_bytes - sum(map(len, forked)))
    for path in folder.glob("snapshot-*.state"):
        if number_of(path) > sequence:
            path.unlink()
    sync_folder(folder)
    return dropped


def _aside(file: Path) -> Path:
    """A name for what forked off this file; its number may have forked before."""
    start = f"journal-{number_of(file):08d}"
    names = chain([f"{start}.forked"], (f"{start}.{turn}.forked" for turn in count(2)))
    return next(path for name in names if not (path := file.with_name(name)).exists())
