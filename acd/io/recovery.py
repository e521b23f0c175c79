"""What a start makes of the folder: the newest snapshot of this build, and the events behind it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from acd.core import Core
from acd.io.files import Entry, entries, head_of, number_of, put, segments
from acd.settings import AcdSettings
from acd.snapshot import Snapshot, SnapshotUnreadable, freeze, pack, thaw, unpack

KEPT_SNAPSHOTS = 2


@dataclass(slots=True)
class Recovered:
    """The core after the last event, and how it came about."""

    core: Core
    sequence: int
    from_snapshot: int = 0  # its number; 0 = folded from the oldest file on
    replayed: int = 0
    whole: bool = True  # False: older events were neither there nor in a snapshot
    epoch: int = 0  # of that snapshot


@cache
def build() -> str:
    """Names the code that gives a state its shape and meaning: all of this package."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def snapshots(folder: Path) -> list[Path]:
    """The newest first."""
    return sorted(folder.glob("snapshot-*.state"), key=number_of, reverse=True)


def save(folder: Path, core: Core, sequence: int, epoch: int = 0) -> Path:
    """Writes a snapshot and lets go of older ones; OSError."""
    path = folder / f"snapshot-{sequence:012d}.state"
    put(path, pack(Snapshot(sequence, epoch, build(), freeze(core))))
    for old in snapshots(folder)[KEPT_SNAPSHOTS:]:
        old.unlink(missing_ok=True)
    return path


def newest_snapshot(folder: Path, most: int | None = None) -> Snapshot | None:
    """The newest that this build can read, of those up to event `most`."""
    for path in snapshots(folder):
        if most is not None and number_of(path) > most:
            continue
        try:
            found = unpack(path.read_bytes())
        except (SnapshotUnreadable, FileNotFoundError):
            continue
        if found.build == build():
            return found
    return None


def recover(
    folder: Path,
    settings: AcdSettings | None = None,
    *,
    until: int | None = None,
    fresh: bool = False,
) -> Recovered:
    """The fold over the events up to `until`, or all; `fresh` does without snapshots.

    Raises JournalDamaged, OSError.
    """
    found = None if fresh else newest_snapshot(folder, until)
    recovered = None if found is None else thawed(found)
    if recovered is None:
        recovered = _beginning(folder, settings)
    for entry in entries(folder, recovered.sequence):
        if until is not None and entry.sequence > until:
            break
        take(recovered, entry)
    return recovered


def thawed(snapshot: Snapshot) -> Recovered | None:
    """A snapshot's state, if this build can make something of it."""
    if snapshot.build != build():
        return None
    try:
        core = thaw(snapshot.state)
    except SnapshotUnreadable:
        return None
    return Recovered(core, snapshot.sequence, snapshot.sequence, epoch=snapshot.epoch)


def take(recovered: Recovered, entry: Entry) -> None:
    """One more event."""
    if entry.sequence != recovered.sequence + 1:
        recovered.whole = False
    recovered.core.step(entry.event)
    recovered.sequence = entry.sequence
    recovered.replayed += 1


def _beginning(folder: Path, settings: AcdSettings | None) -> Recovered:
    """A core as it was before the oldest event that is left."""
    files = segments(folder)
    head = head_of(files[0]) if files else None
    if head is None or head.first == 1:
        return Recovered(Core(settings or AcdSettings()), 0)
    return Recovered(Core(head.settings or settings or AcdSettings()), head.first - 1, whole=False)
