"""Rosters: every rule holds in what is made, and what cannot hold is named."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from msgspec import structs

from acd.staffing.plan import Person, Plan, Rules, plan_from
from acd.staffing.roster import Impossible, Limit, Task, norm_minutes, solve

FIRST = date(2026, 11, 30)  # a Monday
QUICK = Limit(seconds=20, workers=1, gap=0.6)
ANY = Limit(seconds=20, workers=1, gap=1.0)
LOOSE = Rules(
    cover=0,
    night_cover=2,
    nights_in_a_row=31,
    days_in_a_row=31,
    days_off_per_week=0,
    most_hours_per_week=99,
)
NIGHT, EARLY, MIDDLE, LATE = range(4)


def task(plan: Plan, days: int = 14, need: int = 1, *, strict: bool = False) -> Task:
    dates = tuple(FIRST + timedelta(index) for index in range(days))
    free = frozenset(index for index, day in enumerate(dates) if day.weekday() >= 5)
    needs = [need] * 8 + [2 * need] * 8 + [need] * 8
    required = np.array([needs] * days, dtype=np.int64)
    return Task(plan, dates, days - len(free), free, required, 60, strict)


def people(count: int, **of_first) -> tuple[Person, ...]:
    return tuple(Person(f"p{index}", **(of_first if index == 0 else {})) for index in range(count))


def longest(marks: list[bool]) -> int:
    best = run = 0
    for mark in marks:
        run = run + 1 if mark else 0
        best = max(best, run)
    return best


def broken_rules(plan: Plan, made: Task, found) -> list[str]:
    """Judges a roster with no code of the solver's."""
    rules, shifts, wrong = plan.rules, plan.shifts, []
    for index, (person, row) in enumerate(zip(plan.people, found.shifts, strict=True)):
        times = [
            (day * 24 + shifts[one].start_minute / 60, day * 24 + shifts[one].end_minute / 60)
            for day, one in enumerate(row)
            if one is not None
        ]
        rests = [then[0] - first[1] for first, then in pairwise(times)]
        nights = [one is not None and shifts[one].night for one in row]
        for name, bad in (
            ("rest", min(rests, default=99) < rules.rest_hours),
            ("nights", longest(nights) > rules.nights_in_a_row),
            ("days", longest([one is not None for one in row]) > rules.days_in_a_row),
            ("nights for nobody", any(nights) and not person.nights),
            ("month", sum(e - s for s, e in times) * 60
             > norm_minutes(made, index) + rules.overtime_hours * 60),
        ):  # fmt: skip
            if bad:
                wrong.append(f"{person.name}: {name}")
        for monday in range(0, len(row), 7):
            week = row[monday : monday + 7]
            worked = [one for one in week if one is not None]
            if sum(shifts[one].hours for one in worked) > rules.most_hours_per_week:
                wrong.append(f"{person.name}: hours of a week")
            if len(week) == 7 and len(worked) > 7 - rules.days_off_per_week:
                wrong.append(f"{person.name}: days off")
    for day in range(len(made.days)):
        crew = [row[day] for row in found.shifts]
        if sum(one is not None and shifts[one].night for one in crew) < rules.night_cover:
            wrong.append(f"night cover on day {day}")
        if min(found.supply[day]) < rules.cover:
            wrong.append(f"cover on day {day}")
    return wrong


@pytest.fixture(scope="module")
def made():
    """Ten people, leave, a wish, one who works no nights, one who comes from two nights."""
    crew = (
        Person("leave", leave=("2026-12-02..2026-12-04",), wishes=("2026-12-10",)),
        Person("day", nights=False),
        Person("tired", before=("夜", "夜", "夜")),
        *people(7),
    )
    plan = Plan(people=crew)
    asked = task(plan)
    return plan, asked, solve(asked, QUICK)


def test_every_rule_holds(made):
    plan, asked, found = made
    assert broken_rules(plan, asked, found) == []


def test_leave_is_kept_and_a_wish_is_where_it_can_be(made):
    _, _, found = made
    assert found.shifts[0][2:5] == (None, None, None)
    assert found.shifts[0][10] is None
    assert found.denied == ()


def test_who_comes_from_three_nights_has_no_fourth(made):
    _, _, found = made
    assert found.shifts[2][0] != NIGHT


def test_supply_is_what_the_shifts_give_and_nobody_is_missing(made):
    _, asked, found = made
    noon = [sum(row[day] in (EARLY, MIDDLE) for row in found.shifts) for day in range(14)]
    assert [crew[12] for crew in found.supply] == noon
    assert all(
        there >= need
        for crew, needs in zip(found.supply, asked.required.tolist(), strict=True)
        for there, need in zip(crew, needs, strict=True)
    )
    assert 0 <= found.gap <= 1


def test_nights_are_shared_by_those_who_work_them(made):
    _, _, found = made
    nights = [row.count(NIGHT) for row in found.shifts]
    assert nights[1] == 0
    assert max(nights[2:]) - min(nights[2:]) <= 3


@pytest.mark.parametrize(
    ("plan", "named", "days"),
    [
        (Plan(people=people(3), rules=Rules(night_cover=4, cover=0)), ["night_cover = 4"], 7),
        (
            Plan(people=people(2, leave=("2026-12-01",)), rules=LOOSE),
            ["night_cover = 2", "leave of p0"],
            7,
        ),
        (
            Plan(people=people(3), rules=Rules(nights_in_a_row=1, night_cover=2, cover=0)),
            ["night_cover = 2", "nights_in_a_row = 1"],
            7,
        ),
        (Plan(people=people(3)), ["cover = 1", "hours"], 14),
    ],
)
def test_rules_that_cannot_hold_together_are_named(plan, named, days):
    with pytest.raises(Impossible) as refused:
        solve(task(plan, days), QUICK)
    said = str(refused.value)
    assert refused.value.proven
    assert all(name in said for name in named), said
    # Each of them is needed for the contradiction: that is what makes naming it fair.
    assert len(refused.value.rules) <= len(named) + 2


def test_strict_names_the_day_that_cannot_have_its_agents():
    plan = Plan(people=people(10))
    asked = task(plan, 7)
    required = asked.required.copy()
    required[3, 10] = 11
    with pytest.raises(Impossible, match="2026-12-03"):
        solve(replace(asked, required=required, strict=True), QUICK)
    found = solve(replace(asked, required=required), ANY)  # else it is merely short there
    assert found.supply[3][10] <= 10


PLAN = """
[rules]
night_cover = 2
[[shifts]]
name = "N"
start = "00:00"
night = true
[[shifts]]
name = "D"
start = "08:00"
hours = 8.5
[[people]]
name = "张三"
leave = ["2026-12-24..2026-12-26", "2026-12-31"]
[required]
working = [1,1,1,1,1,1,1,2,3,4,4,4,3,3,4,4,4,3,2,2,2,2,1,1]
"""


def test_a_plan_is_read():
    plan = plan_from(PLAN)
    assert plan.rules == Rules(night_cover=2)
    assert plan.shifts[1].end_minute == 990
    assert plan.people[0].name == "张三"
    assert plan.required is not None


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("night_cover = 2", "night_covers = 2", "night_covers"),
        ("night_cover = 2", 'night_cover = "two"', "rules.night_cover"),
        ('start = "08:00"', 'start = "8 am"', "08:00"),
        ('start = "08:00"', 'start = "25:00"', "08:00"),
        ("2026-12-31", "2026-12-32", "people.张三.leave"),
        ("26..", "26", "leave"),
        ("hours = 8.5", "hours = 30", "between 1 and 16"),
        ("[[people]]", "[[people]]\nbefore = ['X']", "no shift 'X'"),
        ("working = [1,", "working = [", "24 numbers"),
        ('name = "D"', 'name = "N"', "shifts"),
        ("[rules]", "[rules", "TOML"),
        ("night_cover = 2", "days_in_a_row = 0", "days_in_a_row"),
        ("night_cover = 2", "rest_hours = -1", "rules.rest_hours"),
    ],
)
def test_a_mistake_in_a_plan_is_named(old, new, says):
    text = (
        PLAN.replace(old, new)
        if old != "26.."
        else PLAN.replace("24..2026-12-26", "26..2026-12-24")
    )
    with pytest.raises(ValueError, match=says.replace("[", r"\[")):
        plan_from(text)


@pytest.mark.parametrize(
    ("rule", "most"), [({"most_hours_per_week": 40}, 2), ({"days_off_per_week": 2}, 2)]
)
def test_a_week_that_began_before_the_roster_counts_whole(rule: dict[str, int], most: int):
    """Three shifts from Monday to Wednesday, and the roster begins on a Thursday."""
    rules = structs.replace(LOOSE, night_cover=0, **rule)
    worked = Person("a", before=("早", "早", "早"))
    plan = Plan(rules=rules, people=(worked, *(Person(name) for name in "bcd")))
    days = tuple(FIRST + timedelta(index) for index in range(3, 7))
    asked = replace(task(plan, days=4, need=4), days=days)
    found = solve(asked, Limit(seconds=20, workers=1, gap=0.01))
    assert sum(one is not None for one in found.shifts[0]) == most
