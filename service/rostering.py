"""`callcore roster`: a month's shifts from the calls that are expected, under labour limits."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.exits import USAGE, fail, failures, mistakes

if TYPE_CHECKING:
    from acd.staffing.days import Days
    from acd.staffing.roster import Roster, Task


@dataclass(frozen=True, slots=True)
class Load:
    """Where the number of agents comes from, besides the plan."""

    history: Path | None
    queue: str
    aht: float | None
    patience: float | None
    target_seconds: float
    target_ratio: float
    shrinkage: float


def roster(
    month: Annotated[str, typer.Option(metavar="YYYY-MM", help="The month to plan.")],
    plan: Annotated[
        Path | None,
        typer.Option(metavar="TOML", help="People, leave, shifts, rules; else 13 full posts."),
    ] = None,
    history: Annotated[
        Path | None, typer.Option(metavar="F", help="Calls of the past, as forecast history.")
    ] = None,
    queue: Annotated[str, typer.Option(help="Calls of this queue alone.")] = "",
    holidays: Annotated[
        Path | None, typer.Option(metavar="CSV", help="date,kind a line, for unpublished years.")
    ] = None,
    aht: Annotated[float | None, typer.Option(help="Mean handling time, seconds.")] = None,
    patience: Annotated[float | None, typer.Option(help="Mean patience, seconds.")] = None,
    target_seconds: Annotated[float, typer.Option(help="An answer within this is in time.")] = 15,
    target_ratio: Annotated[float, typer.Option(help="The promise.")] = 0.9,
    shrinkage: Annotated[float, typer.Option(help="Share of paid time off the phone.")] = 0.0,
    strict: Annotated[
        bool, typer.Option("--strict", help="No interval may be short of agents.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=1, help="How long to search.")] = 60,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Cores for the search.")] = 2,
    excel: Annotated[Path | None, typer.Option(metavar="XLSX", help="Write a workbook.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON.")] = False,
) -> None:
    """Plan who works when in a month, 24 x 7, under rules that hold always.

    Needed agents come from a history of calls, or from [required] of the plan. Rules that cannot
    hold together are named, and exit 1.
    """
    load = Load(history, queue, aht, patience, target_seconds, target_ratio, shrinkage)
    try:
        from acd.staffing.roster import Impossible, Limit, solve
    except ImportError:
        fail("a roster needs ortools: pip install 'callcore[staffing]'")
    if excel is not None and excel.suffix.lower() != ".xlsx":
        fail(f"--excel {excel}: the name ends in .xlsx", USAGE)
    with failures(), mistakes():
        task, calendar = task_of(month, plan, holidays, load, strict=strict)
    try:
        found = solve(task, Limit(seconds, workers))
    except Impossible as error:
        fail(str(error))
    if excel is not None:
        from service.roster_book import write

        with failures():
            write(excel, task, found, calendar)
    if as_json:
        print(json.dumps(document(task, found), ensure_ascii=False))
    else:
        from service.roster_table import show

        show(task, found, calendar)
        if excel is not None:
            print(f"已写入 written: {excel}")


def task_of(
    month: str, plan: Path | None, holidays: Path | None, load: Load, *, strict: bool
) -> tuple[Task, Days]:
    """All of the input, read and checked; ValueError, OSError."""
    from acd.staffing.days import month_of
    from acd.staffing.plan import Plan, plan_from
    from acd.staffing.roster import Task
    from service.projecting import calendar_of

    days, calendar = month_of(month), calendar_of(holidays)
    try:
        people = Plan() if plan is None else plan_from(plan.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise ValueError(f"{plan}: {error}") from None
    required, minutes = _required(people, days, calendar, holidays, load)
    working = [calendar.is_working(day) for day in days]
    task = Task(
        plan=people,
        days=tuple(days),
        working_days=sum(working),
        free_days=frozenset(index for index, works in enumerate(working) if not works),
        required=required,
        minutes=minutes,
        strict=strict,
    )
    return task, calendar


def _required(
    plan: Any, days: list[date], calendar: Days, holidays: Path | None, load: Load
) -> tuple[Any, int]:
    import numpy as np

    if load.history is None:
        if plan.required is None:
            raise ValueError("say how many agents are needed: --history, or [required] in --plan")
        free = plan.required.free or plan.required.working
        rows = [plan.required.working if calendar.is_working(day) else free for day in days]
        return np.array(rows, dtype=np.int64), 60
    from acd.staffing.requirement import Promise
    from service.history import Source
    from service.projecting import Wish, projected

    source = Source(load.history, 60, queue=load.queue)
    found = projected(Wish(source, holidays, days[0], len(days)))
    handling = load.aht or found.handling.talk_seconds
    if handling is None:
        raise ValueError("the history does not tell how long calls take: give --aht")
    promise = Promise(
        handling,
        load.patience or found.handling.patience_seconds,
        load.target_seconds,
        load.target_ratio,
        load.shrinkage,
        least=plan.rules.cover,
    )
    return found.report(promise).required, 60


def missing_hours(task: Task, found: Roster) -> float:
    """Agent-hours that are needed and not there."""
    short: int = sum(
        max(0, need - there)
        for needs, crew in zip(task.required.tolist(), found.supply, strict=True)
        for need, there in zip(needs, crew, strict=True)
    )
    return short * task.minutes / 60


def worked(task: Task, row: tuple[int | None, ...]) -> dict[str, float]:
    """Hours, nights and days on weekends and holidays of one person."""
    shifts = task.plan.shifts
    return {
        "hours": sum(shifts[one].hours for one in row if one is not None),
        "nights": sum(shifts[one].night for one in row if one is not None),
        "days_on_free": sum(row[day] is not None for day in task.free_days),
        "days": sum(one is not None for one in row),
    }


def document(task: Task, found: Roster) -> dict[str, Any]:
    """For JSON."""
    from acd.staffing.breaks import plan_breaks

    names = [shift.name for shift in task.plan.shifts]
    planned = plan_breaks(task, found)
    at = {(one.person, one.day): one.clock for one in planned.planned}
    return {
        "status": found.status,
        "gap": found.gap,
        "seconds": found.seconds,
        "missing_agent_hours": missing_hours(task, found),
        "break_minutes": planned.minutes,
        "missing_agent_hours_with_breaks": planned.missing_hours,
        "denied": [[name, day.isoformat()] for name, day in found.denied],
        "days": [day.isoformat() for day in task.days],
        "people": [
            {
                "name": person.name,
                "shifts": ["" if one is None else names[one] for one in row],
                "breaks": [at.get((index, day), "") for day in range(len(row))],
                **worked(task, row),
            }
            for index, (person, row) in enumerate(zip(task.plan.people, found.shifts, strict=True))
        ],
        "interval_minutes": task.minutes,
        "required": task.required.tolist(),
        "supply": found.supply,
    }
