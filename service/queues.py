"""The configuration's queues and seats turned into the settings of the ACD core."""

from datetime import datetime

from acd.settings import (
    AcdSettings,
    AffinitySettings,
    AgentSettings,
    CalendarEntry,
    CallbackSettings,
    CallerSettings,
    OpeningHours,
    OverflowStep,
    QueueSettings,
    Rule,
    StateLimits,
    Widening,
)
from config import calendar as days
from config import queues as tables
from config.calendar import local_minute_of, minutes_of, opening_of
from config.queues import skill_of
from config.schema import Config, Seat


def acd_settings(config: Config) -> AcdSettings:
    """Queues and agents; a supervisor takes calls of a queue only by its overflow."""
    offset = datetime.now().astimezone().utcoffset()
    agents = config.agents
    return AcdSettings(
        queues=tuple(queue_settings(queue) for queue in config.queues),
        agents=tuple(agent_settings(seat) for seat in config.seats),
        no_answer_limit=agents.no_answer_limit,
        rest_seconds=agents.rest_seconds,
        limits=StateLimits(
            talking_seconds=agents.talking_seconds,
            held_seconds=agents.held_seconds,
            not_ready_seconds=agents.not_ready_seconds,
            ready_seconds=agents.ready_seconds,
            reasons=tuple((one.name, one.max_seconds) for one in agents.reasons),
        ),
        utc_offset_minutes=0 if offset is None else round(offset.total_seconds() / 60),
        calendar=tuple(calendar_entry(entry) for entry in config.calendar),
        callers=tuple(
            CallerSettings(one.number, one.kind, one.priority, one.agent, one.note)
            for one in config.callers
        ),
    )


def opening_hours(texts: tuple[str, ...]) -> tuple[OpeningHours, ...]:
    """Hours of the week."""
    return tuple(OpeningHours(*opening_of(text)) for text in texts)


def calendar_entry(entry: days.CalendarEntry) -> CalendarEntry:
    """A time unlike others."""
    return CalendarEntry(
        entry.name,
        local_minute_of(entry.begins),
        local_minute_of(entry.ends, end=True),
        entry.queues,
        entry.closed,
        opening_hours(entry.hours),
        entry.announcement,
    )


def agent_settings(seat: Seat) -> AgentSettings:
    """One seat."""
    skills = [skill_of(skill) for skill in seat.skills]
    return AgentSettings(
        seat.user,
        tuple(name for name, _ in skills),
        tuple(level or 5 for _, level in skills),
        mobile=seat.mobile,
        supervisor=seat.role == "supervisor",
    )


def queue_settings(queue: tables.Queue) -> QueueSettings:
    """One queue."""
    return QueueSettings(
        name=queue.name,
        rule=Rule(
            target_ms=round(queue.target_seconds * 1000),
            inclusive=queue.target_inclusive,
            stop=queue.clock_stop,
            short_abandon_ms=round(queue.short_abandon_seconds * 1000),
        ),
        target_ratio=queue.target_ratio,
        policy=queue.policy,
        skills=queue.skills,
        promotion_seconds=queue.promotion_seconds,
        answer_delay_seconds=queue.answer_delay_seconds,
        ring_seconds=queue.ring_seconds,
        wrap_up_seconds=queue.wrap_up_seconds,
        max_wait_seconds=queue.max_wait_seconds,
        reserve_agents=queue.reserve_agents,
        widening=tuple(Widening(one.after_seconds, one.skills) for one in queue.widening),
        overflow=overflow_steps(queue),
        mobile_ring_seconds=queue.mobile_ring_seconds,
        announce_seconds=queue.announce_seconds,
        announce_position=queue.announce_position,
        announce_wait=queue.announce_wait,
        callback=callback_settings(queue.callback),
        affinity=affinity_settings(queue.affinity),
        expected_handle_seconds=queue.handle_seconds,
        expected_patience_seconds=queue.patience_seconds,
        opening=opening_hours(queue.opening),
    )


def overflow_steps(queue: tables.Queue) -> tuple[OverflowStep, ...]:
    """The table's steps, led by the one that has a key of its own."""
    steps = [
        OverflowStep(one.target, one.after_seconds, one.when, one.number) for one in queue.overflow
    ]
    if queue.overflow_mobile_after_seconds:
        steps.insert(0, OverflowStep("mobile", queue.overflow_mobile_after_seconds, "predicted"))
    return tuple(steps)


def callback_settings(callback: tables.Callback) -> CallbackSettings:
    """How promised callbacks are kept."""
    from_minute, to_minute = minutes_of(callback.hours)
    return CallbackSettings(
        callback.idle_agents,
        callback.attempts,
        callback.retry_seconds,
        callback.order,
        callback.ring_seconds,
        from_minute,
        to_minute,
    )


def affinity_settings(affinity: tables.Affinity) -> AffinitySettings:
    """Who is known."""
    return AffinitySettings(
        affinity.last_agent_hours * 3600,
        affinity.bound_seconds,
        affinity.repeat_calls,
        affinity.repeat_hours * 3600,
        affinity.repeat_priority,
    )
