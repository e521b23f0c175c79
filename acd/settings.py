"""What the ACD core is configured with; the service maps the configuration file to these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

ClockStart = Literal["queued", "connected", "invited"]
ClockStop = Literal["bridged", "accepted", "greeted"]


@dataclass(frozen=True, slots=True)
class Rule:
    """How an answer is counted as in time; the defaults are the contract's headline."""

    target_ms: int = 15_000
    inclusive: bool = True  # a wait of exactly T is in time
    start: ClockStart = "queued"
    stop: ClockStop = "bridged"
    short_abandon_ms: int = 5_000  # variant E leaves abandons out that are shorter than this


@dataclass(frozen=True, slots=True)
class OverflowStep:
    """What is done for a caller who still waits after so long; steps are tried in their order."""

    target: Literal["mobile", "supervisor", "city", "message", "callback"]
    after_seconds: float
    when: Literal["predicted", "waited"] = "waited"  # predicted: only when a miss is predicted
    address: str = ""  # city: the number; message: the prompt


@dataclass(frozen=True, slots=True)
class Widening:
    """After so long the call asks for these skills instead of the queue's."""

    after_seconds: float
    skills: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CallbackSettings:
    """How promised callbacks are kept."""

    idle_agents: int = 1  # able agents that must be idle; 1 = it takes its place among the callers
    attempts: int = 3
    retry_seconds: float = 900
    order: Literal["agent_first", "citizen_first"] = "agent_first"
    ring_seconds: float = 45  # for both legs together
    from_minute: int = 0  # of the day: callbacks are dialled from here
    to_minute: int = 1440


@dataclass(frozen=True, slots=True)
class AffinitySettings:
    """Who is given the agent, or the priority, of earlier calls; 0 = never."""

    last_agent_seconds: float = 0  # so long after a call its caller is given the same agent
    bound_seconds: float = 0  # how long the caller waits for that agent when others are idle
    repeat_calls: int = 0  # this many calls within repeat_seconds make a repeat caller
    repeat_seconds: float = 86_400
    repeat_priority: int = 1


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """One queue: its promise, its policy and its patience."""

    name: str
    rule: Rule = field(default_factory=Rule)
    target_ratio: float = 0.9
    policy: str = "answer_in_time"
    skills: tuple[str, ...] = ()
    promotion_seconds: float = 120
    answer_delay_seconds: float = 0  # from an offer to the bridge, until an agent's is measured
    ring_seconds: float = 12
    bridge_seconds: float = 10  # from the agent's 200 OK to bridged media
    wrap_up_seconds: float = 10
    max_wait_seconds: float = 600  # 0 = no limit
    overflow_seconds: float = 300  # an overflowed call that nobody takes is given up after this
    reserve_agents: int = 0  # idle agents kept for calls that can still be answered in time
    measured_delay: bool = True  # each agent's own answer delay shortens "in time" for it
    widening: tuple[Widening, ...] = ()
    overflow: tuple[OverflowStep, ...] = ()
    mobile_ring_seconds: float = 20
    announce_seconds: float = 0  # the caller is told its place each so often; 0 = never
    announce_position: bool = True
    announce_wait: bool = True
    callback: CallbackSettings = field(default_factory=CallbackSettings)
    affinity: AffinitySettings = field(default_factory=AffinitySettings)
    expected_handle_seconds: float = 180  # talk and wrap-up, until enough is measured
    expected_patience_seconds: float = 120


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """One agent and what it is able to."""

    user: str
    skills: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()  # of the skills, 1..9 in their order; none = 5
    mobile: str = ""  # rung by an overflow while the seat is offline
    supervisor: bool = False  # takes calls of the queue by overflow only


@dataclass(frozen=True, slots=True)
class StateLimits:
    """After how long in one state an agent is reported; 0 = never.

    Wrap-up and ringing end by themselves.
    """

    talking_seconds: float = 3600
    held_seconds: float = 300
    not_ready_seconds: float = 3600
    ready_seconds: float = 0
    reasons: tuple[tuple[str, float], ...] = ()  # not_ready_seconds of single reasons


@dataclass(frozen=True, slots=True)
class AcdSettings:
    """All of the core's settings; part of the journal, so that a replay needs no file beside it."""

    queues: tuple[QueueSettings, ...] = ()
    agents: tuple[AgentSettings, ...] = ()
    no_answer_limit: int = 3  # offers missed in a row before the agent is set not_ready
    rest_seconds: float = 5  # pause of an agent after a missed offer
    limits: StateLimits = field(default_factory=StateLimits)
    utc_offset_minutes: int = 480  # where "today" begins: China, no daylight saving
    interval_minutes: int = 15
    kept_intervals: int = 192  # exact counts for each interval, this many back
    kept_calls: int = 20_000  # records of ended calls held in memory
    kept_callers: int = 20_000  # callers whose last agent and calls are remembered

    def __post_init__(self) -> None:
        """Raises ValueError for what cannot be counted or matched."""
        if self.interval_minutes <= 0 or 1440 % self.interval_minutes:
            raise ValueError("interval_minutes must divide a day (1440 minutes)")
        if self.kept_intervals * self.interval_minutes < 1440:
            raise ValueError("kept_intervals must cover at least a day")
        for what, names in (
            ("queue", [queue.name for queue in self.queues]),
            ("agent", [agent.user for agent in self.agents]),
        ):
            if len(set(names)) < len(names):
                raise ValueError(f"each {what} must be named once")
