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
class QueueSettings:
    """One queue: its promise, its policy and its patience."""

    name: str
    rule: Rule = field(default_factory=Rule)
    target_ratio: float = 0.9
    policy: str = "answer_in_time"
    skills: tuple[str, ...] = ()
    promotion_seconds: float = 120
    answer_delay_seconds: float = 0  # from an offer to the bridge, as measured; shortens "in time"
    ring_seconds: float = 12
    bridge_seconds: float = 10  # from the agent's 200 OK to bridged media
    wrap_up_seconds: float = 10
    max_wait_seconds: float = 600  # 0 = no limit
    overflow_seconds: float = 300  # an overflowed call that nobody takes is given up after this


@dataclass(frozen=True, slots=True)
class AgentSettings:
    """One agent and what it is able to."""

    user: str
    skills: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StateLimits:
    """After how long in one state an agent is reported; wrap-up and ringing end by themselves."""

    talking_seconds: float = 3600
    held_seconds: float = 300
    not_ready_seconds: float = 3600


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
