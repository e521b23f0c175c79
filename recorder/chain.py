"""A chain of hashes over the audit log: a line that was changed, taken out or put in shows.

Each line's hash covers the hash before it. The end of a chain shows nothing by itself: whoever
cuts the newest lines off leaves a chain that is whole. So each line's hash is also written to the
engine's log, and a check can be given the newest one that is known from there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

START = "0" * 64  # what stands before the first line


@dataclass(frozen=True, slots=True)
class Access:
    """One line: who did what to which recording, when and why. Times: ms since the epoch."""

    at_ms: int
    who: str
    action: str  # listened, downloaded, exported, revealed, linked, scored, commented, refused ...
    recording: str = ""
    reason: str = ""
    source: str = ""  # the address that asked
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A line as it is kept: `sequence` counts from 1 without gaps."""

    sequence: int
    access: Access
    previous: str
    digest: str


@dataclass(frozen=True, slots=True)
class Chain:
    """What a check found; `why` is empty for a chain that is whole."""

    lines: int
    head: str
    why: str = ""


def digest_of(sequence: int, access: Access, previous: str) -> str:
    """SHA-256 over the hash before and the line's own words, as JSON without freedom."""
    words = [
        previous,
        sequence,
        access.at_ms,
        access.who,
        access.action,
        access.recording,
        access.reason,
        access.source,
        access.detail,
    ]
    text = json.dumps(words, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def next_line(last: Line | None, access: Access) -> Line:
    """What is written behind `last`."""
    sequence = last.sequence + 1 if last else 1
    previous = last.digest if last else START
    return Line(sequence, access, previous, digest_of(sequence, access, previous))


def check(lines: Iterable[Line], head: str = "") -> Chain:
    """Follows the chain from its start; `head`: a hash that must be in it."""
    last: Line | None = None
    seen = not head
    for line in lines:
        wanted = next_line(last, line.access)
        if line.sequence != wanted.sequence:
            return _broken(last, f"line {wanted.sequence} is missing")
        if line.previous != wanted.previous:
            return _broken(last, f"line {line.sequence} does not follow the line before it")
        if line.digest != wanted.digest:
            return _broken(last, f"line {line.sequence} was changed")
        seen = seen or line.digest == head
        last = line
    if not seen:
        return _broken(last, f"the line of hash {head} is missing: the end was cut off")
    return Chain(last.sequence if last else 0, last.digest if last else START)


def _broken(last: Line | None, why: str) -> Chain:
    return Chain(last.sequence if last else 0, last.digest if last else START, why)
