"""What a roster is made from: people, shifts, rules; a TOML file of them is read to these.

The defaults follow China's Labour Law (articles 36, 38, 41: 8 hours a day and, by the State
Council's order of 1995, 40 a week; a day off a week; at most 36 hours of overtime a month), hours
being balanced over the month (综合计算工时); rest between shifts is that of directive 2003/88/EC.
"""

from __future__ import annotations

import tomllib
from datetime import date, timedelta
from typing import Any

import msgspec

DAY_MINUTES = 1440


class Rules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits that hold always; a roster that breaks one is not made."""

    hours_per_week: float = 40.0  # of a full post; the month's norm is a fifth of it a working day
    overtime_hours: float = 36.0  # a month, beyond the norm
    most_hours_per_week: float = 48.0  # in any week, Monday to Sunday
    rest_hours: float = 11.0  # between two shifts
    nights_in_a_row: int = 3
    days_in_a_row: int = 6
    days_off_per_week: int = 1
    cover: int = 1  # people on duty at any time
    night_cover: int = 1  # people in the night shifts together
    break_minutes: int = 30  # off the phone in each shift that is long enough; 0 = none
    break_after_hours: float = 6.0  # shifts of this length and more have one


class Shift(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One shift; it may end after midnight."""

    name: str
    start: str  # HH:MM
    hours: float = 8.0
    label: str = ""
    night: bool = False

    @property
    def start_minute(self) -> int:
        """Minutes after midnight."""
        hour, _, minute = self.start.partition(":")
        return int(hour) * 60 + int(minute)

    @property
    def end_minute(self) -> int:
        """Minutes after the midnight before it; above 1440 where it ends the next day."""
        return self.start_minute + round(self.hours * 60)


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One agent; dates are `2026-12-24` or `2026-12-24..2026-12-28`."""

    name: str
    post: float = 1.0  # share of a full post
    nights: bool = True
    leave: tuple[str, ...] = ()  # granted: never on duty
    wishes: tuple[str, ...] = ()  # days off asked for: kept where possible
    before: tuple[str, ...] = ()  # shifts of the last days before, "" = off; the last is yesterday


class Need(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Agents on duty by hour of the day, where they do not come from a history of calls."""

    working: tuple[int, ...]  # 24 of them, on working days
    free: tuple[int, ...] = ()  # on weekends and holidays; none = as on working days


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of a roster's input but the calls."""

    rules: Rules = Rules()
    shifts: tuple[Shift, ...] = (
        Shift("夜", "00:00", label="夜班 night", night=True),
        Shift("早", "08:00", label="早班 early"),
        Shift("中", "11:00", label="中班 middle"),
        Shift("晚", "16:00", label="晚班 late"),
    )
    people: tuple[Person, ...] = tuple(Person(f"坐席{index}") for index in range(1, 14))
    required: Need | None = None


def plan_from(text: str) -> Plan:
    """A TOML plan; ValueError names the key and what is allowed."""
    try:
        plan = msgspec.convert(tomllib.loads(text), Plan)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"is no TOML: {error}") from None
    except msgspec.ValidationError as error:
        raise ValueError(str(error).replace("`$.", "`")) from None
    check(plan)
    return plan


def check(plan: Plan) -> None:
    """ValueError for what has no meaning; what cannot be fulfilled is for the solver to say."""
    for what, names in (
        ("shifts", [one.name for one in plan.shifts]),
        ("people", [one.name for one in plan.people]),
    ):
        if not names or len(set(names)) < len(names) or "" in names:
            raise ValueError(f"{what}: at least one, each with a name of its own")
    for shift in plan.shifts:
        try:
            starts = 0 <= shift.start_minute < DAY_MINUTES
        except ValueError:
            starts = False
        if not starts:
            raise ValueError(f"shifts.{shift.name}.start: {shift.start!r} is no time like 08:00")
        if not 1 <= shift.hours <= 16:
            raise ValueError(f"shifts.{shift.name}.hours: between 1 and 16")
    known = {shift.name for shift in plan.shifts} | {""}
    for person in plan.people:
        dates(person.leave, f"people.{person.name}.leave")
        dates(person.wishes, f"people.{person.name}.wishes")
        if strange := set(person.before) - known:
            raise ValueError(f"people.{person.name}.before: no shift {strange.pop()!r}")
        if not 0 < person.post <= 1:
            raise ValueError(f"people.{person.name}.post: above 0 and at most 1")
    _check_rules(plan.rules)
    need = plan.required
    if need is not None:
        for name, hours in (("working", need.working), ("free", need.free or need.working)):
            if len(hours) != 24 or not all(0 <= one <= 10_000 for one in hours):
                raise ValueError(f"required.{name}: 24 numbers of agents, one an hour")


def _check_rules(rules: Rules) -> None:
    fields: dict[str, Any] = msgspec.structs.asdict(rules)
    for name, value in fields.items():
        if value < 0:
            raise ValueError(f"rules.{name}: at least 0")
    if rules.break_minutes > 120:
        raise ValueError("rules.break_minutes: at most 120")
    if not 1 <= rules.days_in_a_row <= 31 or not 0 <= rules.days_off_per_week <= 6:
        raise ValueError("rules: days_in_a_row is 1 to 31, days_off_per_week 0 to 6")


def dates(texts: tuple[str, ...], where: str) -> set[date]:
    """All dates of `2026-12-24` and `2026-12-24..2026-12-28`; ValueError says where."""
    found: set[date] = set()
    for text in texts:
        first, _, last = text.partition("..")
        try:
            begin = date.fromisoformat(first.strip())
            end = date.fromisoformat((last or first).strip())
        except ValueError:
            raise ValueError(f"{where}: {text!r} is no date or 2026-12-24..2026-12-28") from None
        if not 0 <= (end - begin).days <= 366:
            raise ValueError(f"{where}: {text!r} ends before it begins, or is longer than a year")
        found.update(begin + timedelta(index) for index in range((end - begin).days + 1))
    return found
