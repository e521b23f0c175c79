"""The rules of a roster as constraints, each with a name that can be said when it cannot hold."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias

from ortools.sat.python import cp_model

from acd.staffing.plan import DAY_MINUTES, dates

if TYPE_CHECKING:
    from acd.staffing.roster import Model

Variable: TypeAlias = Any  # cp_model.IntVar, or a linear expression of such


class Limits:
    """Adds constraints under names; `guarded`: each name can be switched off by its literal."""

    def __init__(self, model: cp_model.CpModel, guarded: bool = False) -> None:
        self._model = model
        self._guarded = guarded
        self._name = ""
        self.literals: dict[str, Variable] = {}

    def begin(self, name: str) -> None:
        """What follows belongs to this rule."""
        self._name = name
        if self._guarded and name not in self.literals:
            self.literals[name] = self._model.new_bool_var(name)

    def add(self, condition: Variable) -> None:
        """The condition; one that is already plain true or false is taken as well."""
        if isinstance(condition, bool):
            condition = self._model.new_constant(int(condition)) >= 1
        made = self._model.add(condition)
        if self._guarded:
            made.only_enforce_if(self.literals[self._name])


def limit(built: Model, limits: Limits) -> None:
    """All rules; that nobody works two shifts a day is no rule but what a roster is."""
    for rows in built.work:
        for row in rows[built.back :]:
            built.model.add_at_most_one(row)
    _leave(built, limits)
    _no_nights(built, limits)
    _cover(built, limits)
    _rest(built, limits)
    _in_a_row(built, limits)
    _weeks(built, limits)
    _month(built, limits)


def _leave(built: Model, limits: Limits) -> None:
    for person, rows in zip(built.task.plan.people, built.work, strict=True):
        away = dates(person.leave, "") & set(built.task.days)
        if away:
            limits.begin(f"the leave of {person.name}")
        for index, day in enumerate(built.task.days):
            if day in away:
                limits.add(sum(rows[index + built.back]) == 0)


def _no_nights(built: Model, limits: Limits) -> None:
    for person, rows in zip(built.task.plan.people, built.work, strict=True):
        if not person.nights:
            limits.begin(f"no nights for {person.name}")
            limits.add(sum(x for row in rows[built.back :] for x in _nights(built, row)) == 0)


def _nights(built: Model, row: list[Variable]) -> list[Variable]:
    return [x for x, shift in zip(row, built.task.plan.shifts, strict=True) if shift.night]


def _cover(built: Model, limits: Limits) -> None:
    from acd.staffing.roster import on_duty

    rules, task = built.task.plan.rules, built.task
    if any(shift.night for shift in task.plan.shifts) and rules.night_cover:
        limits.begin(f"rules.night_cover = {rules.night_cover}")
        for day in range(built.back, built.back + len(task.days)):
            crew = [x for rows in built.work for x in _nights(built, rows[day])]
            limits.add(sum(crew) >= rules.night_cover)
    if rules.cover:
        limits.begin(f"rules.cover = {rules.cover} (at any time)")
        early = {shift.end_minute - DAY_MINUTES for shift in task.plan.shifts}
        for day in range(len(task.days)):
            for minute in range(0, DAY_MINUTES, task.minutes):
                if day == 0 and built.back == 0 and minute < max(early):
                    continue  # the night into the first day is of the month before
                limits.add(sum(on_duty(built, day, minute)) >= rules.cover)


def _rest(built: Model, limits: Limits) -> None:
    rules, shifts = built.task.plan.rules, built.task.plan.shifts
    limits.begin(f"rules.rest_hours = {rules.rest_hours:g} (between shifts)")
    close = [
        (first, then, days)
        for first, one in enumerate(shifts)
        for then, other in enumerate(shifts)
        for days in (1, 2)
        if other.start_minute + days * DAY_MINUTES - one.end_minute < rules.rest_hours * 60
    ]
    for rows in built.work:
        for first, then, days in close:
            for day in range(max(0, built.back - days), len(rows) - days):
                limits.add(rows[day][first] + rows[day + days][then] <= 1)


def _in_a_row(built: Model, limits: Limits) -> None:
    rules = built.task.plan.rules
    for name, most, of_row in (
        ("nights_in_a_row", rules.nights_in_a_row, lambda row: _nights(built, row)),
        ("days_in_a_row", rules.days_in_a_row, list),
    ):
        limits.begin(f"rules.{name} = {most}")
        for rows in built.work:
            for start in range(len(rows) - most):
                window = rows[start : start + most + 1]
                if start + most >= built.back:  # not what has already been
                    limits.add(sum(x for row in window for x in of_row(row)) <= most)


def _weeks(built: Model, limits: Limits) -> None:
    """Monday to Sunday, the days before the first included as far as they are known.

    A part of a week at the month's end has the hours' limit only.
    """
    task, rules = built.task, built.task.plan.rules
    weeks: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index in range(-built.back, len(task.days)):
        day = task.days[0] + timedelta(index)
        weeks[day.isocalendar()[:2]].append(index + built.back)
    weeks = {week: days for week, days in weeks.items() if days[-1] >= built.back}
    lengths = [round(shift.hours * 60) for shift in task.plan.shifts]
    for rows in built.work:
        for days in weeks.values():
            worked = [x for day in days for x in rows[day]]
            minutes = sum(
                x * length for day in days for x, length in zip(rows[day], lengths, strict=True)
            )
            limits.begin(f"rules.most_hours_per_week = {rules.most_hours_per_week:g}")
            limits.add(minutes <= round(rules.most_hours_per_week * 60))
            if len(days) == 7:
                limits.begin(f"rules.days_off_per_week = {rules.days_off_per_week}")
                limits.add(sum(worked) <= 7 - rules.days_off_per_week)


def _month(built: Model, limits: Limits) -> None:
    from acd.staffing.roster import norm_minutes

    task, rules = built.task, built.task.plan.rules
    lengths = [round(shift.hours * 60) for shift in task.plan.shifts]
    limits.begin(
        f"rules.hours_per_week = {rules.hours_per_week:g} and "
        f"overtime_hours = {rules.overtime_hours:g} (a month)"
    )
    for index, rows in enumerate(built.work):
        most = norm_minutes(task, index) + round(rules.overtime_hours * 60)
        days = rows[built.back :]
        total = sum(x * length for row in days for x, length in zip(row, lengths, strict=True))
        limits.add(total <= most)
