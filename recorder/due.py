"""Whether our clock may be believed when it says that a recording's time is over.

A store with a lifecycle rule goes by a clock of its own. A directory has ours alone, and one that
was set a year ahead must not delete a year of recordings. So what is past its date is so for a day
that a second clock, which nobody sets, has counted too: a jump is found out, or has that day to be.
"""

from __future__ import annotations

from dataclasses import dataclass

from recorder.manifest import DAY_MS

JUMP_MS = 300_000  # more than NTP corrects in a day, unless it had to jump


@dataclass(frozen=True, slots=True)
class Look:
    """At both clocks: milliseconds since the epoch, and seconds since some moment of the past."""

    wall_ms: int
    steady_s: float


def believed(first: Look | None, now: Look) -> tuple[Look, int | None]:
    """The look to go on from, and a time (ms) that is over for certain; None: not today."""
    if first is None:
        return now, None
    elapsed_ms = (now.steady_s - first.steady_s) * 1000
    if abs(now.wall_ms - first.wall_ms - elapsed_ms) > JUMP_MS:
        return now, None
    if elapsed_ms < DAY_MS:
        return first, None
    return now, first.wall_ms
