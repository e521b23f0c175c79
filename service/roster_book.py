"""A roster as an Excel workbook: the roster, who works how much, agents by hour, the rules."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import xlsxwriter

from acd.staffing.breaks import plan_breaks
from acd.staffing.days import Days
from acd.staffing.roster import Roster, Task, norm_minutes
from service.rostering import missing_hours, worked
from service.tables import WEEKDAYS

FILLS = ("#d8b4fe", "#bbf7d0", "#a5f3fc", "#fde68a", "#bfdbfe", "#fecaca")
FREE, SHORT, SPARE = "#fee2e2", "#fca5a5", "#dcfce7"


def write(path: Path, task: Task, found: Roster, calendar: Days) -> None:
    """Writes the file anew; OSError."""
    try:
        with xlsxwriter.Workbook(str(path)) as book:
            looks = _looks(book)
            _roster(book.add_worksheet("排班表 Roster"), looks, task, found)
            _people(book.add_worksheet("工时 Hours"), looks, task, found)
            _breaks(book.add_worksheet("休息 Breaks"), looks, task, found)
            _cover(book.add_worksheet("覆盖 Cover"), looks, task, found)
            _rules(book.add_worksheet("规则 Rules"), looks, task, found, calendar)
    except xlsxwriter.exceptions.FileCreateError as error:
        raise OSError(f"{path}: {error}") from None


def _looks(book: Any) -> dict[str, Any]:
    centre = {"align": "center", "valign": "vcenter", "border": 1}
    looks = {
        "cell": book.add_format(centre),
        "head": book.add_format({**centre, "bold": True, "text_wrap": True}),
        "free": book.add_format({**centre, "bold": True, "text_wrap": True, "bg_color": FREE}),
        "name": book.add_format({"border": 1, "bold": True}),
        "short": book.add_format({**centre, "bg_color": SHORT}),
        "spare": book.add_format({**centre, "bg_color": SPARE}),
        "text": book.add_format({"text_wrap": True, "valign": "top"}),
    }
    for index, fill in enumerate(FILLS):
        looks[f"shift{index}"] = book.add_format({**centre, "bg_color": fill})
    return looks


def _heads(sheet: Any, looks: dict[str, Any], task: Task) -> None:
    sheet.freeze_panes(1, 1)
    sheet.set_column(0, 0, 14)
    sheet.set_column(1, len(task.days), 4.5)
    sheet.set_row(0, 32)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    for index, day in enumerate(task.days):
        look = looks["free" if index in task.free_days else "head"]
        sheet.write(0, index + 1, f"{day.day}\n{WEEKDAYS[day.weekday()]}", look)


def _roster(sheet: Any, looks: dict[str, Any], task: Task, found: Roster) -> None:
    sheet.write(0, 0, "坐席 Agent", looks["head"])
    _heads(sheet, looks, task)
    for line, (person, row) in enumerate(zip(task.plan.people, found.shifts, strict=True), 1):
        sheet.write(line, 0, person.name, looks["name"])
        for index, one in enumerate(row):
            if one is None:
                sheet.write(line, index + 1, "休", looks["cell"])
            else:
                look = looks[f"shift{one % len(FILLS)}"]
                sheet.write(line, index + 1, task.plan.shifts[one].name, look)
    below = len(task.plan.people) + 2
    for offset, shift in enumerate(task.plan.shifts):
        sheet.write(below + offset, 0, shift.name, looks[f"shift{offset % len(FILLS)}"])
        end = shift.end_minute % 1440
        times = f"{shift.label}  {shift.start}–{end // 60:02}:{end % 60:02}"
        sheet.write(below + offset, 1, times)


def _people(sheet: Any, looks: dict[str, Any], task: Task, found: Roster) -> None:
    heads = (
        "坐席\nAgent",
        "工时\nHours",
        "标准工时\nNorm",
        "出勤天数\nDays",
        "夜班\nNights",
        "周末及节假日\nDays off worked",
        "请假\nLeave",
        "未满足的休息申请\nWishes not kept",
    )
    sheet.set_column(0, len(heads) - 1, 15)
    sheet.set_row(0, 32)
    for column, head in enumerate(heads):
        sheet.write(0, column, head, looks["head"])
    for index, (person, row) in enumerate(zip(task.plan.people, found.shifts, strict=True)):
        sums = worked(task, row)
        denied = ", ".join(f"{day:%m-%d}" for name, day in found.denied if name == person.name)
        cells = (
            sums["hours"],
            norm_minutes(task, index) / 60,
            sums["days"],
            sums["nights"],
            sums["days_on_free"],
            ", ".join(person.leave),
            denied,
        )
        sheet.write(index + 1, 0, person.name, looks["name"])
        for column, cell in enumerate(cells, 1):
            sheet.write(index + 1, column, cell, looks["cell"])


def _breaks(sheet: Any, looks: dict[str, Any], task: Task, found: Roster) -> None:
    """When each break begins; red where nobody else is there and the phone is answered."""
    planned = plan_breaks(task, found)
    sheet.write(0, 0, f"休息 {planned.minutes} min\nBreak at", looks["head"])
    _heads(sheet, looks, task)
    sheet.set_column(1, len(task.days), 6)
    for line, person in enumerate(task.plan.people, 1):
        sheet.write(line, 0, person.name, looks["name"])
    for one in planned.planned:
        look = looks["short" if one.at_desk else "cell"]
        sheet.write(one.person + 1, one.day + 1, one.clock, look)


def _cover(sheet: Any, looks: dict[str, Any], task: Task, found: Roster) -> None:
    """Agents there / needed; red where there are too few."""
    sheet.write(0, 0, "在岗/需要\nThere/needed", looks["head"])
    _heads(sheet, looks, task)
    for slot in range(len(found.supply[0])):
        minute = slot * task.minutes
        sheet.write(slot + 1, 0, f"{minute // 60:02}:{minute % 60:02}", looks["name"])
        for index, (crew, needs) in enumerate(
            zip(found.supply, task.required.tolist(), strict=True)
        ):
            there, need = crew[slot], needs[slot]
            look = "short" if there < need else "spare" if there > need else "cell"
            sheet.write(slot + 1, index + 1, f"{there}/{need}", looks[look])


def _rules(sheet: Any, looks: dict[str, Any], task: Task, found: Roster, calendar: Days) -> None:
    sheet.set_column(0, 0, 34)
    sheet.set_column(1, 1, 60)
    lines: list[tuple[str, Any]] = [
        ("结果 Result", found.status),
        ("缺员工时 Missing agent-hours", missing_hours(task, found)),
        ("与最优的最大差距 Gap to the best possible, at most", f"{found.gap:.1%}"),
        ("求解时间 Search, seconds", round(found.seconds, 1)),
        ("工作日 Working days", task.working_days),
    ]
    years = calendar.unknown_years(task.days)
    if years:
        lines.append(("未知节假日的年份 Years without known holidays", str(years)))
    lines += [
        (RULES[name], value) for name, value in msgspec.structs.asdict(task.plan.rules).items()
    ]
    for line, (name, value) in enumerate(lines):
        sheet.write(line, 0, name, looks["name"])
        sheet.write(line, 1, value, looks["text"])


RULES = {
    "hours_per_week": "每周标准工时 Hours a week",
    "break_minutes": "每班休息分钟 Break, minutes",
    "break_after_hours": "有休息的班次时长 Shifts with a break, hours",
    "overtime_hours": "每月最多加班 Overtime a month, hours",
    "most_hours_per_week": "每周最多工时 Most hours in a week",
    "rest_hours": "班次间隔 Rest between shifts, hours",
    "nights_in_a_row": "连续夜班上限 Nights in a row",
    "days_in_a_row": "连续出勤上限 Days in a row",
    "days_off_per_week": "每周休息日 Days off a week",
    "cover": "任何时刻最少在岗 Always on duty",
    "night_cover": "夜班人数 In the night shifts",
}
