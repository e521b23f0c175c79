"""When each person of a roster is off the phone: breaks, placed where agents are to spare.

A break asks for nobody more, only for the right moment, so it is planned after the shifts: one
after the other to where the fewest agents are missed, and each once more when all of them stand.
The intervals of `required` are a multiple of 15 minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from acd.staffing.plan import DAY_MINUTES, Rules, Shift
from acd.staffing.roster import Roster, Task

GRID_MINUTES = 15
EDGE = 0.25  # of a shift: no break in its first and last quarter
ROUNDS = 2
Margin = NDArray[np.int64]  # (n_days * 1440 / GRID_MINUTES + a day,) agents there beyond the needed


@dataclass(frozen=True, slots=True)
class Break:
    """One person's break in the shift that begins on this day."""

    person: int
    day: int
    start_minute: int  # after the midnight before the day; above 1440 on the next
    at_desk: bool = False  # nobody else is there: the person rests, and answers

    @property
    def clock(self) -> str:
        """As it stands in a table."""
        minute = self.start_minute % DAY_MINUTES
        return f"{minute // 60:02}:{minute % 60:02}"


@dataclass(frozen=True, slots=True)
class Breaks:
    """All of them, and what they cost."""

    minutes: int  # of each
    planned: tuple[Break, ...]
    missing_hours: float  # agent-hours needed and not there, with the breaks taken


def plan_breaks(task: Task, found: Roster) -> Breaks:
    """A break in each shift that is long enough for one; none where rules.break_minutes is 0."""
    rules = task.plan.rules
    crew, need = _crew(task, found), _need(task)
    if not rules.break_minutes:
        return Breaks(0, (), _missing(crew, need))
    length = -(-rules.break_minutes // GRID_MINUTES)
    planned: dict[tuple[int, int], Break] = {}
    wanted = list(_wanted(task, found))
    for turn in range(ROUNDS):
        for person, day, shift in wanted:
            if turn and not planned[person, day].at_desk:
                _take(crew, planned[person, day], length, +1)
            chosen = _best(crew, need, rules, day, shift, length)
            planned[person, day] = Break(person, day, *chosen)
            if not planned[person, day].at_desk:
                _take(crew, planned[person, day], length, -1)
    return Breaks(rules.break_minutes, tuple(planned.values()), _missing(crew, need))


def _wanted(task: Task, found: Roster) -> Iterable[tuple[int, int, Shift]]:
    """Shifts with a break, in the order in which they begin."""
    shifts, rules = task.plan.shifts, task.plan.rules
    return sorted(
        (
            (person, day, shifts[one])
            for person, row in enumerate(found.shifts)
            for day, one in enumerate(row)
            if one is not None and shifts[one].hours >= rules.break_after_hours
        ),
        key=lambda one: (one[1], one[2].start_minute, one[0]),
    )


def _best(
    crew: Margin, need: Margin, rules: Rules, day: int, shift: Shift, length: int
) -> tuple[int, bool]:
    """The start at which the fewest are missed, the nearest to the middle; or at the desk."""
    edge = round(shift.hours * 60 * EDGE)
    first = -(-(shift.start_minute + edge) // GRID_MINUTES)
    last = (shift.end_minute - edge) // GRID_MINUTES - length
    middle = (shift.start_minute + shift.end_minute) // 2 // GRID_MINUTES - length // 2
    best: tuple[tuple[int, int, int], int] | None = None
    for at in range(first, max(first, last) + 1):
        slots = slice(_row(day) + at, _row(day) + at + length)
        left = crew[slots] - 1
        if left.min(initial=0) < 0 or (left < rules.cover).any():
            continue
        spare = left - need[slots]
        cost = (-int(np.minimum(spare, 0).sum()), -int(spare.min()), abs(at - middle))
        if best is None or cost < best[0]:
            best = cost, at
    if best is None:
        return middle * GRID_MINUTES, True
    return best[1] * GRID_MINUTES, False


def _crew(task: Task, found: Roster) -> Margin:
    """Agents on duty by slot, the last night's end included."""
    crew = np.zeros(_row(len(task.days) + 1), dtype=np.int64)
    for row in found.shifts:
        for day, one in enumerate(row):
            if one is not None:
                shift = task.plan.shifts[one]
                ends = -(-shift.end_minute // GRID_MINUTES)
                crew[_row(day) + shift.start_minute // GRID_MINUTES : _row(day) + ends] += 1
    before = np.asarray(found.supply[0])  # with the night that began the day before
    early = np.repeat(before, task.minutes // GRID_MINUTES or 1)[: _row(1)]
    crew[: len(early)] = np.maximum(crew[: len(early)], early)
    return crew


def _need(task: Task) -> Margin:
    each = np.repeat(task.required, max(1, task.minutes // GRID_MINUTES), axis=1)
    return np.concatenate([each.reshape(-1), np.zeros(_row(1), dtype=np.int64)])


def _missing(crew: Margin, need: Margin) -> float:
    return float(np.maximum(need - crew, 0).sum()) * GRID_MINUTES / 60


def _take(crew: Margin, one: Break, length: int, change: int) -> None:
    at = _row(one.day) + one.start_minute // GRID_MINUTES
    crew[at : at + length] += change


def _row(day: int) -> int:
    return day * DAY_MINUTES // GRID_MINUTES
