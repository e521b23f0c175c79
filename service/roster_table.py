"""A roster on the terminal: people down, days across, who is short where below it."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from acd.staffing.breaks import plan_breaks
from acd.staffing.days import Days
from acd.staffing.roster import Roster, Task
from service.rostering import missing_hours, worked
from service.tables import WEEKDAYS

COLOURS = ("magenta", "green", "cyan", "yellow", "blue", "red")
MOST_SHORT = 12  # lines


def show(task: Task, found: Roster, calendar: Days) -> None:
    """The table, the shifts' legend, what is short, and how good the search was."""
    # Two weeks a table: a terminal of 80 columns holds that, and a month would be folded.
    console = Console(highlight=False)
    step = len(task.days) if console.width >= 36 + 3 * len(task.days) else 16
    for start in range(0, len(task.days), step):
        console.print(_table(task, found, start, min(len(task.days), start + step)))
    legend = "  ".join(
        f"{shift.name} {shift.label} {shift.start} {shift.hours:g} h" for shift in task.plan.shifts
    )
    console.print(f"班次 shifts: {legend}")
    _show_short(console, task, found)
    _show_breaks(console, task, found)
    for name, day in found.denied:
        console.print(f"未满足 wish not kept: {name} {day}")
    console.print(
        f"{'最优 optimal' if found.status == 'optimal' else '可行 feasible'}: no roster can be "
        f"better by more than {found.gap:.1%} of its cost; {found.seconds:.1f} s"
    )
    for year in calendar.unknown_years(task.days):
        console.print(f"The holidays of {year} are not known: give them with --holidays")


def _table(task: Task, found: Roster, start: int, end: int) -> Table:
    table = Table(title=f"排班表 roster {task.days[0]:%Y-%m}", padding=(0, 0), pad_edge=False)
    table.add_column("坐席 agent", no_wrap=True)
    for index in range(start, end):
        day = task.days[index]
        style = "red" if index in task.free_days else None
        table.add_column(
            f"{day.day:>2}\n{WEEKDAYS[day.weekday()]}", header_style=style, min_width=2
        )
    for heading in ("时 h", "夜 n", "休 f"):
        table.add_column(heading, justify="right", no_wrap=True)
    for person, row in zip(task.plan.people, found.shifts, strict=True):
        cells = [
            "·"
            if row[index] is None
            else f"[{COLOURS[(row[index] or 0) % len(COLOURS)]}]"
            f"{task.plan.shifts[row[index] or 0].name}[/]"
            for index in range(start, end)
        ]
        sums = worked(task, row)
        table.add_row(
            person.name,
            *cells,
            f"{sums['hours']:g}",
            f"{sums['nights']:g}",
            f"{sums['days_on_free']:g}",
        )
    return table


def _show_breaks(console: Console, task: Task, found: Roster) -> None:
    """How many breaks, and what they cost."""
    planned = plan_breaks(task, found)
    if not planned.planned:
        return
    more = planned.missing_hours - missing_hours(task, found)
    desk = sum(one.at_desk for one in planned.planned)
    console.print(
        f"休息 breaks: {len(planned.planned)} of {planned.minutes} minutes, {desk} of them at the "
        f"desk (nobody else is there); {more:g} more agent-hours short while they are taken"
    )


def _show_short(console: Console, task: Task, found: Roster) -> None:
    """Runs of intervals with too few agents."""
    total = missing_hours(task, found)
    if not total:
        console.print("覆盖 cover: enough agents in every interval")
        return
    lines = []
    for day, needs, crew in zip(task.days, task.required.tolist(), found.supply, strict=True):
        for slot, (need, there) in enumerate(zip(needs, crew, strict=True)):
            if there < need:
                minute = slot * task.minutes
                lines.append(f"{day} {minute // 60:02}:{minute % 60:02} {there} of {need}")
    console.print(f"缺员 short by {total:g} agent-hours, in {len(lines)} intervals:")
    for line in lines[:MOST_SHORT]:
        console.print(f"  {line}")
    if len(lines) > MOST_SHORT:
        console.print(f"  and {len(lines) - MOST_SHORT} more; --json has them all")
