"""Behind the journal's back: full files are folded into a snapshot, packed, and let go in the end.

It runs in a process of its own (`python -m acd.io.archive FOLDER`), started at each rotation, so
that neither a decision nor a commit ever waits for it. It touches only files that are full; killed
at any moment it leaves nothing half done, and the next one does what is left.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import gzip
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from acd.io.files import ARCHIVED, LOG, JournalDamaged, archive_of, head_of, put, segments
from acd.io.recovery import newest_snapshot, recover, save

DAY_SECONDS = 86_400


class Archivist:
    """Starts the process; called with the journal's own thread at each rotation."""

    def __init__(self, folder: Path, retention_days: int) -> None:
        # Whole, because the process works elsewhere: where this package can be found.
        self._command = [sys.executable, "-m", "acd.io.archive", str(folder.absolute())]
        self._command += ["--retention-days", str(retention_days)]
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> None:
        """One at a time: the next rotation's does what this one's leaves."""
        if self._process is not None and self._process.poll() is None:
            return
        root = str(Path(__file__).parents[2])
        with contextlib.suppress(OSError):  # no memory for a process now: the next time
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=root if (Path(root) / "acd").is_dir() else None,
            )

    def wait(self) -> None:
        """Until what runs is done."""
        if self._process is not None:
            self._process.wait()

    def close(self) -> None:
        """Ends what runs: it is done another time, and the loop must not wait for it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else archives meanwhile; waits for whoever does."""
    lock = os.open(folder / "archive.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def archive(folder: Path, retention_days: int, now_seconds: float) -> None:
    """Folds, packs and forgets; JournalDamaged, OSError."""
    with alone(folder):
        full = segments(folder)[:-1]
        if full:
            fold(folder)
        for file in full:
            if file.name.endswith(LOG):
                pack_file(file)
        forget(folder, now_seconds - retention_days * DAY_SECONDS)


def fold(folder: Path) -> None:
    """A snapshot of the state at the end of the last full file."""
    full, head = map(head_of, segments(folder)[-2:])
    if head is None:
        return
    end = head.first - head.lost - 1
    recovered = recover(folder, until=end)
    if recovered.sequence == end != recovered.from_snapshot:
        save(folder, recovered.core, end, full.epoch if full else 0)


def pack_file(file: Path) -> Path:
    """A full file compressed; its time stays that of its last event."""
    packed = archive_of(file)
    when = file.stat().st_mtime_ns
    put(packed, gzip.compress(file.read_bytes(), 6, mtime=0))
    os.utime(packed, ns=(when, when))
    file.unlink()
    return packed


def forget(folder: Path, before_seconds: float) -> None:
    """Deletes archives older than that, as far as a snapshot holds what was in them."""
    covered = newest_snapshot(folder)
    files = segments(folder)
    for file, following in pairwise(files):
        head = head_of(following)
        old = file.name.endswith(ARCHIVED) and file.stat().st_mtime < before_seconds
        if not old or covered is None or head is None or head.first - 1 > covered.sequence:
            return
        file.unlink()


def main() -> int:
    """The process: gentle to the others, silent when all is well."""
    parser = argparse.ArgumentParser(prog="acd.io.archive", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--retention-days", type=int, default=366)
    given = parser.parse_args()
    os.nice(10)
    try:
        archive(given.folder, given.retention_days, time.time())
    except (JournalDamaged, OSError) as error:
        print(f"callcore: journal not archived: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
