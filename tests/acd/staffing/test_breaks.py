"""Breaks of a roster: each long shift has one, where agents are to spare; who is alone answers."""

from datetime import date
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acd.staffing.breaks import GRID_MINUTES, plan_breaks
from acd.staffing.plan import Person, Plan, Rules, Shift
from acd.staffing.roster import Roster, Task

SHIFTS = (
    Shift("夜", "00:00", night=True),
    Shift("早", "08:00"),
    Shift("短", "08:00", hours=4),
    Shift("晚", "18:00"),
)
NIGHT, EARLY, SHORT, LATE = range(4)
DAY = 1440


def made(rows, need, **rules):
    """A roster of these shifts, person by person; `need` agents by hour."""
    days = len(rows[0])
    plan = Plan(Rules(**rules), SHIFTS, tuple(Person(f"p{index}") for index in range(len(rows))))
    supply = np.zeros((days + 1, 24), dtype=int)
    for row in rows:
        for day, one in enumerate(row):
            if one is not None:
                for hour in range(SHIFTS[one].start_minute // 60, SHIFTS[one].end_minute // 60):
                    supply[day + hour // 24, hour % 24] += 1
    task = Task(
        plan, tuple(date(2026, 12, 1 + index) for index in range(days)), days, frozenset(),
        np.array([need] * days, dtype=np.int64), 60,
    )  # fmt: skip
    crews = tuple(tuple(map(int, one)) for one in supply[:days])
    return task, Roster(tuple(rows), crews, "optimal", 0.0, 0.0, 0.0, ())


def test_breaks_do_not_meet_where_one_agent_can_be_spared():
    planned = plan_breaks(*made([(EARLY,)] * 4, [3] * 24))
    starts = sorted(one.start_minute for one in planned.planned)
    assert all(then - first >= 30 for first, then in pairwise(starts))
    assert all(10 * 60 <= start <= 14 * 60 - 30 for start in starts)  # the middle half


def test_a_break_is_where_the_fewest_are_missed():
    """Two are needed until noon, one after it."""
    planned = plan_breaks(*made([(EARLY,)] * 2, [2] * 12 + [1] * 12))
    assert all(one.start_minute >= 12 * 60 for one in planned.planned)
    assert (
        planned.missing_hours
        == plan_breaks(*made([(EARLY,)] * 2, [2] * 12 + [1] * 12, break_minutes=0)).missing_hours
    )


def test_who_is_alone_rests_at_the_desk_and_is_still_there():
    planned = plan_breaks(*made([(NIGHT,)], [1] * 8 + [0] * 16))
    assert [(one.at_desk, one.clock) for one in planned.planned] == [(True, "03:45")]
    assert planned.missing_hours == 0


def test_what_breaks_cost_is_said():
    planned = plan_breaks(*made([(EARLY,)] * 2, [0] * 8 + [2] * 8 + [0] * 8))
    assert planned.missing_hours == 1.0  # two of half an hour


def test_a_short_shift_has_none():
    assert plan_breaks(*made([(SHORT,)] * 2, [1] * 24)).planned == ()


@given(
    rows=st.lists(
        st.tuples(*[st.sampled_from([None, NIGHT, EARLY, SHORT, LATE])] * 3), min_size=1, max_size=6
    ),
    need=st.lists(st.integers(0, 4), min_size=24, max_size=24),
    cover=st.integers(0, 2),
    minutes=st.sampled_from([10, 30, 45]),
)
def test_each_long_shift_has_one_within_it_and_cover_is_kept(rows, need, cover, minutes):
    task, found = made(rows, need, cover=cover, break_minutes=minutes)
    planned = plan_breaks(task, found)
    wanted = {
        (person, day)
        for person, row in enumerate(rows)
        for day, one in enumerate(row)
        if one is not None and SHIFTS[one].hours >= 6
    }
    assert {(one.person, one.day) for one in planned.planned} == wanted
    there = np.zeros(4 * DAY // GRID_MINUTES, dtype=int)
    for row in rows:
        for day, one in enumerate(row):
            if one is not None:
                begin = (day * DAY + SHIFTS[one].start_minute) // GRID_MINUTES
                end = (day * DAY + SHIFTS[one].end_minute) // GRID_MINUTES
                there[begin:end] += 1
    for one in planned.planned:
        shift = SHIFTS[rows[one.person][one.day]]
        assert shift.start_minute < one.start_minute < shift.end_minute - minutes
        if not one.at_desk:
            at = (one.day * DAY + one.start_minute) // GRID_MINUTES
            there[at : at + -(-minutes // GRID_MINUTES)] -= 1
    for one in planned.planned:
        if not one.at_desk:
            at = (one.day * DAY + one.start_minute) // GRID_MINUTES
            assert there[at : at + -(-minutes // GRID_MINUTES)].min() >= cover


def test_a_break_longer_than_two_hours_is_a_mistake():
    from acd.staffing.plan import plan_from

    with pytest.raises(ValueError, match="break_minutes: at most 120"):
        plan_from("[rules]\nbreak_minutes = 180\n")
