"""Hours, days unlike others, and numbers that are known."""

from datetime import UTC, datetime

import pytest

from acd import events as e
from acd.calendar import is_open, local_minute
from acd.effects import Overflow
from acd.replay import replay
from acd.settings import (
    AcdSettings,
    AgentSettings,
    CalendarEntry,
    CallerSettings,
    OpeningHours,
    OverflowStep,
    QueueSettings,
)
from tests.acd.hotline import Hotline, offers, overflows

WORKDAYS = OpeningHours((0, 1, 2, 3, 4), 480, 1080)
THURSDAY_NOON_MS = 4 * 3_600_000  # 1 January 1970, 12:00 in China


def hotline(calendar=(), callers=(), **queue):
    line = Hotline("8001")
    settings = AcdSettings(
        (QueueSettings("12345", **queue),),
        (AgentSettings("8001"),),
        calendar=calendar,
        callers=callers,
    )
    line.at(0, e.Configured, settings)
    line.ready("8001")
    return line


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        ("2026-11-26 07:59", False),  # a Thursday
        ("2026-11-26 08:00", True),
        ("2026-11-26 17:59", True),
        ("2026-11-26 18:00", False),
        ("2026-11-28 12:00", False),  # a Saturday
        ("2026-11-30 12:00", True),
    ],
)
def test_hours_are_local(moment, opens):
    local = datetime.strptime(moment, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    at_ms = round(local.timestamp() * 1000) - 480 * 60_000
    assert is_open((WORKDAYS,), None, local_minute(at_ms, 480)) is opens


def test_an_open_queue_serves_and_a_closed_one_says_so_and_ends():
    line = hotline(
        opening=(WORKDAYS,), overflow=(OverflowStep("message", 0, "closed", "night.wav"),)
    )
    noon = THURSDAY_NOON_MS / 1000
    assert len(offers(line.at(noon, e.Arrived, "c1", "12345"))) == 1
    line.at(noon + 1, e.HungUp, "c1")
    night = noon + 9 * 3600
    assert offers(line.at(night, e.Arrived, "c2", "12345")) == []
    assert overflows(line.fire(night)) == [Overflow("c2", "closed", "message", address="night.wav")]
    line.at(night + 9, e.CallEnded, "c2")
    assert line.queue.total.overflowed == 1
    assert replay(line.journal).snapshot() == line.core.snapshot()


def test_at_night_the_city_is_rung_and_a_busy_one_ends_the_call():
    line = hotline(opening=(WORKDAYS,), overflow=(OverflowStep("city", 0, "closed", "055112345"),))
    night = THURSDAY_NOON_MS / 1000 + 9 * 3600
    line.at(night, e.Arrived, "c1", "12345")
    rung = overflows(line.fire(night))[0]
    assert rung.target == "city"
    assert overflows(line.at(night + 3, e.Refused, rung.token)) == [Overflow("c1")]


def test_a_day_in_the_calendar_comes_before_the_hours():
    closed = CalendarEntry("new year", 0, 1440, closed=True, announcement="holiday.wav")
    line = hotline(calendar=(closed,))
    assert line.core.announcement("12345", THURSDAY_NOON_MS) == "holiday.wav"
    effects = line.at(THURSDAY_NOON_MS / 1000, e.Arrived, "c1", "12345")
    assert overflows(effects) == [Overflow("c1", "closed")]
    assert line.core.announcement("12345", THURSDAY_NOON_MS + 86_400_000) == ""
    assert len(offers(line.at(THURSDAY_NOON_MS / 1000 + 86_400, e.Arrived, "c2", "12345"))) == 1


def test_an_agents_nuisance_mark_blocks_only_after_the_review():
    line = hotline()
    line.at(1, e.CallerMarked, "138", "nuisance", "8001", proposed=True, note="singt")
    assert line.core.mark_of("138") is None
    line.at(2, e.CallerReviewed, "138", True, "8014")
    assert line.core.mark_of("138").kind == "blocked"
    line.at(3, e.CallerCleared, "138", "8014")
    assert line.core.mark_of("138") is None
    assert replay(line.journal).snapshot() == line.core.snapshot()


def test_a_rejected_mark_is_kept_as_such_and_a_second_review_changes_nothing():
    line = hotline()
    line.at(1, e.CallerMarked, "138", "nuisance", "8001", proposed=True)
    line.at(2, e.CallerReviewed, "138", False, "8014")
    ignored = line.core.ignored
    line.at(3, e.CallerReviewed, "138", True, "8014")
    assert line.core.ignored == ignored + 1
    assert line.core.marks()[0].review == "rejected"


def test_a_vip_of_the_table_comes_earlier_and_the_longer_prefix_counts():
    callers = (
        CallerSettings("0551*", "vip", priority=1),
        CallerSettings("055166*", "blocked"),
        CallerSettings("055112345", "vip", priority=4, agent="8001"),
    )
    line = hotline(callers=callers)
    assert line.core.mark_of("0551667").kind == "blocked"
    assert line.core.mark_of("0551999").priority == 1
    line.at(1, e.Arrived, "c1", "12345", "055112345")
    assert line.core.call("c1").priority == 4
