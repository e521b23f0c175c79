"""One writer of a recording's manifest at a time, whichever process or node it is.

A manifest is read, changed and put again as a whole: of two who do that at once, the later one
would undo what the earlier one wrote. Who shares an index shares the turns.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa

from recorder.io.database import Database, IndexFailed

SUFFIX = ".turns"  # of the file beside SQLite's, which all its processes have on their machine
ADVISORY = 0x63616C6C  # "call": the first of the two numbers of PostgreSQL's advisory locks
FLOCK = "hhqqi"  # struct flock: type, whence, start, length, pid


@contextlib.contextmanager
def turn(database: Database, recording: str) -> Iterator[None]:
    """Waits until nobody else is at this recording's manifest; IndexFailed."""
    number = zlib.crc32(recording.encode()) >> 1  # two that share one wait for each other: rarely
    if database.is_sqlite:
        with _locked_byte(database, number):
            yield
        return
    with database.begin() as connection:
        lock = sa.text("SELECT pg_advisory_xact_lock(:ours, :number)")
        connection.execute(lock, {"ours": ADVISORY, "number": number})
        yield


@contextlib.contextmanager
def _locked_byte(database: Database, number: int) -> Iterator[None]:
    """One byte of the file, by an open description of our own: threads wait as processes do."""
    file = database.engine.url.database
    if not file:  # in memory: nobody else has it
        yield
        return
    path = Path(file).with_name(Path(file).name + SUFFIX)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise IndexFailed(f"{path}: {error.strerror}; check [database] url") from error
    try:
        if os.geteuid() == 0:  # a command run by root must not shut the engine out; as SQLite does
            with contextlib.suppress(OSError):
                owner = os.stat(file)
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
        lock = struct.pack(FLOCK, fcntl.F_WRLCK, os.SEEK_SET, number, 1, 0)
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLKW, lock)
        yield
    finally:
        os.close(descriptor)
