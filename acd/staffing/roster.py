"""A month's roster by CP-SAT: who works when, under rules that hold always, fair where it can be.

Variables: x[person, day, shift]. Rules are hard. Wanted, in this order: enough agents in each
interval, days off that were asked for, one more agent than needed, the norm of hours, an even
share of hours, nights and weekends. The weights are far enough apart for the order to hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from ortools.sat.python import cp_model

from acd.staffing.plan import DAY_MINUTES, Plan, dates
from acd.staffing.requirement import Agents
from acd.staffing.rules import Limits, Variable, limit

# One agent missing for an hour, a wish denied, one agent fewer than needed + 1 for an hour, an hour
# off the norm, an hour of spread, a night of spread, a day off of spread.
MISSING, DENIED, SPARE, OFF_NORM, SPREAD, NIGHTS, DAYS_OFF = 2000, 1500, 40, 12, 20, 160, 120
FIVE_DAYS = 5


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be planned."""

    plan: Plan
    days: tuple[date, ...]
    working_days: int  # of the month, by the calendar of holidays: the norm of hours
    free_days: frozenset[int]  # indices of weekends and holidays, to be shared evenly
    required: Agents  # (n_days, 1440 / minutes) agents
    minutes: int
    strict: bool = False  # an interval short of agents is not allowed at all


@dataclass(frozen=True, slots=True)
class Limit:
    """How long to search, and how."""

    seconds: float = 60.0
    workers: int = 2
    seed: int = 1
    gap: float = 0.01  # good enough: no roster can cost less by more than this share


@dataclass(frozen=True, slots=True)
class Roster:
    """Who works when: shifts[person][day] is an index of plan.shifts, or None for a day off."""

    shifts: tuple[tuple[int | None, ...], ...]
    supply: tuple[tuple[int, ...], ...]  # agents on duty, as `required`
    status: Literal["optimal", "feasible"]
    objective: float
    bound: float
    seconds: float
    denied: tuple[tuple[str, date], ...]  # wishes not kept

    @property
    def gap(self) -> float:
        """How much better a roster could be at most, of this one's cost."""
        return max(0.0, self.objective - self.bound) / max(1.0, abs(self.objective))


@dataclass(frozen=True, slots=True)
class Impossible(Exception):
    """No roster: these rules cannot hold together, and any one of them given up would do."""

    rules: tuple[str, ...]
    proven: bool = True

    def __str__(self) -> str:
        """One line for people."""
        if not self.proven:
            return "no roster was found in the time given; give more seconds, or relax a rule"
        if not self.rules:
            return "no roster is possible: the people's last days before contradict the rules"
        if len(self.rules) == 1:
            return f"no roster is possible: this cannot hold: {self.rules[0]}"
        return f"no roster is possible: these cannot hold together: {'; '.join(self.rules)}"


@dataclass
class Model:
    """The model while it is built."""

    task: Task
    model: cp_model.CpModel = field(default_factory=cp_model.CpModel)
    work: list[list[list[Variable]]] = field(default_factory=list)  # [person][day + back][shift]
    back: int = 0  # days before the first that are known
    costs: list[tuple[Variable, int]] = field(default_factory=list)


def solve(task: Task, limits: Limit) -> Roster:
    """The best roster found in the time; raises Impossible."""
    built = _built(task)
    limit(built, Limits(built.model))
    _want_cover(built)
    denied = _want_wishes(built)
    _want_fairness(built)
    built.model.minimize(sum(weight * variable for variable, weight in built.costs))
    solver = _solver(limits)
    status = solver.solve(built.model)
    if status == cp_model.INFEASIBLE:
        raise Impossible(_conflict(task, limits))
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        raise Impossible((), proven=False)
    return Roster(
        shifts=_chosen(built, solver),
        supply=_supply(built, solver),
        status="optimal" if status == cp_model.OPTIMAL else "feasible",
        objective=solver.objective_value,
        bound=solver.best_objective_bound,
        seconds=solver.wall_time,
        denied=tuple(who for who, works in denied if solver.value(works)),
    )


def _solver(limits: Limit) -> cp_model.CpSolver:
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = limits.seconds
    solver.parameters.num_workers = limits.workers
    solver.parameters.random_seed = limits.seed
    solver.parameters.relative_gap_limit = limits.gap
    return solver


def _built(task: Task) -> Model:
    """The variables: days before the first are fixed by what the people worked then."""
    built = Model(task, back=max(len(one.before) for one in task.plan.people))
    names = [shift.name for shift in task.plan.shifts]
    for index, person in enumerate(task.plan.people):
        before = [""] * (built.back - len(person.before)) + list(person.before)
        days = []
        for day in range(built.back + len(task.days)):
            row = [built.model.new_bool_var(f"x{index}.{day}.{name}") for name in names]
            if day < built.back:
                for one, name in zip(row, names, strict=True):
                    built.model.add(one == (before[day] == name))
            days.append(row)
        built.work.append(days)
    return built


def on_duty(built: Model, day: int, minute: int) -> list[Variable]:
    """All variables of shifts that cover this minute of the day."""
    found = []
    for index, shift in enumerate(built.task.plan.shifts):
        for back in (0, 1):  # a shift of yesterday may go on after midnight
            at, row = minute + back * DAY_MINUTES, day + built.back - back
            if shift.start_minute <= at < shift.end_minute and row >= 0:
                found += [person[row][index] for person in built.work]
    return found


def _want_cover(built: Model) -> None:
    """Intervals of a day with the same shifts and the same need share one variable."""
    task = built.task
    for day, needs in enumerate(task.required.tolist()):
        alike: dict[tuple[int, tuple[int, ...]], tuple[list[Variable], int]] = {}
        for slot, need in enumerate(needs):
            crew = on_duty(built, day, slot * task.minutes)
            key = (need, tuple(one.index for one in crew))
            alike[key] = (crew, alike.get(key, (crew, 0))[1] + 1)
        for (need, _), (crew, slots) in alike.items():
            weight = slots * task.minutes
            for more, price in ((0, MISSING), (1, SPARE)):
                short = built.model.new_int_var(0, need + more, "")
                built.model.add(sum(crew) + short >= need + more)
                built.costs.append((short, max(1, price * weight // 60)))
                if task.strict and not more:
                    built.model.add(short == 0)


def _want_wishes(built: Model) -> list[tuple[tuple[str, date], Variable]]:
    task, found = built.task, []
    for person, rows in zip(task.plan.people, built.work, strict=True):
        wanted = dates(person.wishes, "")
        for index, day in enumerate(task.days):
            if day in wanted:
                works = built.model.new_bool_var("")
                built.model.add(sum(rows[index + built.back]) <= works)
                built.costs.append((works, DENIED))
                found.append(((person.name, day), works))
    return found


def norm_minutes(task: Task, index: int) -> int:
    """What the person's post asks for in these days, leave taken out in proportion."""
    person, rules = task.plan.people[index], task.plan.rules
    away = len(dates(person.leave, "") & set(task.days)) / len(task.days)
    hours = rules.hours_per_week / FIVE_DAYS * task.working_days * person.post * (1 - away)
    return round(hours * 60)


def _want_fairness(built: Model) -> None:
    """Hours near the norm; the spread between those of whom most and least is asked, small."""
    task, model = built.task, built.model
    lengths = [round(shift.hours * 60) for shift in task.plan.shifts]
    offs, nights, free = [], [], []
    for index, rows in enumerate(built.work):
        days = rows[built.back :]
        norm, most = norm_minutes(task, index), len(days) * max(lengths)
        off = model.new_int_var(-most - norm, most, "")
        worked = sum(x * n for row in days for x, n in zip(row, lengths, strict=True))
        model.add(off == worked - norm)
        size = model.new_int_var(0, most + norm, "")
        model.add_abs_equality(size, off)
        hours = model.new_int_var(0, (most + norm) // 60 + 1, "")
        model.add(60 * hours >= size)
        built.costs.append((hours, OFF_NORM))
        offs.append(off)
        if task.plan.people[index].nights and task.plan.people[index].post == 1:
            marks = [shift.night for shift in task.plan.shifts]
            nights.append(sum(x for row in days for x, n in zip(row, marks, strict=True) if n))
        if task.plan.people[index].post == 1:
            free.append(sum(x for day in task.free_days for x in days[day]))
    for values, weight, unit in ((offs, SPREAD, 60), (nights, NIGHTS, 1), (free, DAYS_OFF, 1)):
        if len(values) > 1:
            _spread(built, values, weight, unit)


def _spread(built: Model, values: Sequence[Variable], weight: int, unit: int) -> None:
    reach = 31 * DAY_MINUTES
    low, high = (built.model.new_int_var(-reach, reach, "") for _ in range(2))
    for value in values:
        built.model.add(value >= low)
        built.model.add(value <= high)
    spread = built.model.new_int_var(0, 2 * reach // unit, "")
    built.model.add(spread * unit >= high - low)
    built.costs.append((spread, weight))


def _chosen(built: Model, solver: cp_model.CpSolver) -> tuple[tuple[int | None, ...], ...]:
    def of(row: list[Variable]) -> int | None:
        return next((index for index, one in enumerate(row) if solver.value(one)), None)

    return tuple(tuple(of(row) for row in rows[built.back :]) for rows in built.work)


def _supply(built: Model, solver: cp_model.CpSolver) -> tuple[tuple[int, ...], ...]:
    minutes = built.task.minutes
    slots = range(0, DAY_MINUTES, minutes)
    return tuple(
        tuple(sum(solver.value(x) for x in on_duty(built, day, minute)) for minute in slots)
        for day in range(len(built.task.days))
    )


def _conflict(task: Task, limits: Limit) -> tuple[str, ...]:
    """A set of rules of which none can be left out without the contradiction going (deletion)."""
    built = _built(task)
    guarded = Limits(built.model, guarded=True)
    limit(built, guarded)
    if task.strict:
        _demand_cover(built, guarded)
    kept = list(guarded.literals)
    for name in list(kept):
        rest = [one for one in kept if one != name]
        built.model.clear_assumptions()
        built.model.add_assumptions([guarded.literals[one] for one in rest])
        solver = _solver(Limit(max(2.0, limits.seconds / 10), 1, limits.seed))
        if solver.solve(built.model) == cp_model.INFEASIBLE:
            core = set(solver.sufficient_assumptions_for_infeasibility())
            kept = [one for one in rest if guarded.literals[one].index in core]
    return tuple(kept)


def _demand_cover(built: Model, limits: Limits) -> None:
    for day, needs in enumerate(built.task.required.tolist()):
        limits.begin(f"the agents required on {built.task.days[day]} (at most {max(needs)})")
        for slot, need in enumerate(needs):
            limits.add(sum(on_duty(built, day, slot * built.task.minutes)) >= need)
