"""Whether there is room for recordings: ok, low (an alert, early) or full (some are being lost)."""

from __future__ import annotations

from dataclasses import dataclass

STEADY = 1.1  # more than the watermark that must be free again before the alert ends


@dataclass(frozen=True, slots=True)
class Watermarks:
    low_bytes: int
    full_bytes: int


@dataclass(frozen=True, slots=True)
class Room:
    state: str = "ok"
    why: str = ""


def judge(before: Room, free_bytes: int, marks: Watermarks, failing: str, lost: str) -> Room:
    """`failing`: what is wrong with some of the folders; `lost`: why nothing can be written."""
    low = marks.low_bytes * (1.0 if before.state == "ok" else STEADY)
    if lost:
        return Room("full", lost)
    if free_bytes < marks.full_bytes:
        return Room("full", "nothing more can be recorded soon")
    if free_bytes < low:
        return Room("low", "room must be made for recordings")
    return Room("low", failing) if failing else Room()
