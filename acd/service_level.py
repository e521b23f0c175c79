"""Service level A to E of the contract, computed from counts, and the counts from records."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

import msgspec

from acd.calls import CallRecord
from acd.settings import Rule

Kind: TypeAlias = Literal[
    "answered", "abandoned", "overflowed", "failed", "called_back", "rejected", "in_progress"
]
DAY_MS = 86_400_000


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """What became of one call under one rule."""

    kind: Kind
    wait_ms: int = 0


class Tally(msgspec.Struct, gc=False):
    """Counts of calls by arrival; offered = the sum of the six results + in progress."""

    offered: int = 0
    answered: int = 0
    answered_in_target: int = 0
    abandoned: int = 0
    abandoned_in_target: int = 0
    abandoned_short: int = 0
    overflowed: int = 0
    failed: int = 0  # ended by us or by a crash before an answer
    answered_wait_ms: int = 0  # sum over the answered
    called_back: int = 0  # left with the promise of a callback
    rejected: int = 0  # turned away at the door

    @property
    def in_progress(self) -> int:
        """Arrived and not yet answered, given up or sent elsewhere."""
        gone = self.answered + self.abandoned + self.overflowed + self.failed
        return self.offered - gone - self.called_back - self.rejected

    def add(self, other: Tally) -> None:
        """Adds the counts of another to these."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def count(self, outcome: Outcome, rule: Rule) -> None:
        """Counts what became of a call that was already counted as offered."""
        if outcome.kind == "answered":
            self.answered += 1
            self.answered_in_target += in_target(outcome.wait_ms, rule)
            self.answered_wait_ms += outcome.wait_ms
        elif outcome.kind == "abandoned":
            self.abandoned += 1
            self.abandoned_in_target += in_target(outcome.wait_ms, rule)
            self.abandoned_short += outcome.wait_ms < rule.short_abandon_ms
        elif outcome.kind == "overflowed":
            self.overflowed += 1
        elif outcome.kind == "failed":
            self.failed += 1
        elif outcome.kind == "called_back":
            self.called_back += 1
        elif outcome.kind == "rejected":
            self.rejected += 1


class Levels(msgspec.Struct, frozen=True, gc=False):
    """The five variants; None where nothing has been counted yet."""

    A: float | None  # within T / (answered + abandoned)
    B: float | None  # within T / answered
    C: float | None  # (answered within T + abandoned within T) / (answered + abandoned)
    D: float | None  # within T / (answered + abandoned after T)
    E: float | None  # A without short abandons


def in_target(wait_ms: int, rule: Rule) -> bool:
    """Whether a wait is within T, by <= or by <."""
    return wait_ms <= rule.target_ms if rule.inclusive else wait_ms < rule.target_ms


def levels(tally: Tally) -> Levels:
    """A to E of the counts."""
    good, answered, abandoned = tally.answered_in_target, tally.answered, tally.abandoned
    early = tally.abandoned_in_target
    return Levels(
        _ratio(good, answered + abandoned),
        _ratio(good, answered),
        _ratio(good + early, answered + abandoned),
        _ratio(good, answered + abandoned - early),
        _ratio(good, answered + abandoned - tally.abandoned_short),
    )


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def outcome(record: CallRecord, rule: Rule) -> Outcome:
    """What became of the call; a clock start that is not known falls back to the queue's."""
    start_ms = record.queued_ms
    if rule.start == "invited":
        start_ms = record.invited_ms or record.connected_ms or start_ms
    elif rule.start == "connected":
        start_ms = record.connected_ms or start_ms
    stop_ms = {
        "accepted": record.accepted_ms,
        "bridged": record.bridged_ms,
        "greeted": record.greeted_ms,
    }[rule.stop]
    if stop_ms is not None:
        return Outcome("answered", stop_ms - start_ms)
    if record.result == "overflowed" or record.state == "overflowed":
        return Outcome("overflowed")
    if record.result is None:
        return Outcome("in_progress")
    if record.result in ("called_back", "rejected"):
        return Outcome(record.result)
    if record.result == "failed" or record.ended_ms is None:
        return Outcome("failed")
    return Outcome("abandoned", record.ended_ms - start_ms)


def tally(records: Iterable[CallRecord], rule: Rule) -> Tally:
    """Counts of the records under the rule."""
    total = Tally()
    for record in records:
        total.offered += 1
        total.count(outcome(record, rule), rule)
    return total


def between(records: Iterable[CallRecord], from_ms: int, to_ms: int) -> list[CallRecord]:
    """The calls that arrived in [from_ms, to_ms)."""
    return [record for record in records if from_ms <= record.queued_ms < to_ms]


def last_minutes(records: Iterable[CallRecord], minutes: float, now_ms: int) -> list[CallRecord]:
    """The calls that arrived in the last minutes."""
    return between(records, now_ms - round(minutes * 60_000), now_ms + 1)


def day_start(at_ms: int, utc_offset_minutes: int) -> int:
    """Midnight before `at_ms`, where the offset holds."""
    offset_ms = utc_offset_minutes * 60_000
    return (at_ms + offset_ms) // DAY_MS * DAY_MS - offset_ms


def today(records: Iterable[CallRecord], now_ms: int, utc_offset_minutes: int) -> list[CallRecord]:
    """The calls that arrived since midnight."""
    return between(records, day_start(now_ms, utc_offset_minutes), now_ms + 1)


def intervals(
    records: Iterable[CallRecord], minutes: int, rule: Rule, utc_offset_minutes: int = 0
) -> dict[int, Tally]:
    """Counts by interval of arrival; the key is the interval's start."""
    length_ms, offset_ms = minutes * 60_000, utc_offset_minutes * 60_000
    counts: dict[int, Tally] = {}
    for record in sorted(records, key=lambda one: one.queued_ms):
        start_ms = (record.queued_ms + offset_ms) // length_ms * length_ms - offset_ms
        into = counts.setdefault(start_ms, Tally())
        into.offered += 1
        into.count(outcome(record, rule), rule)
    return counts
