"""The tables of queues, routes and what becomes of those who wait."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from config.calendar import Hours, Openings
from config.fields import Name, PositiveSeconds, Seconds
from config.flow import KEYS, Flow, OverflowStep, told
from config.table import Allowed, Table

Skill = Annotated[
    str,
    Field(pattern=r"^[\w.+-]{1,64}(:[1-9])?$"),
    Allowed("a name, with or without a level: english, english:3"),
]
Skills = Annotated[tuple[Skill, ...], Field(strict=False)]
GENERAL = ("general",)


class Widening(Table):
    """Fewer skills after a wait."""

    after_seconds: PositiveSeconds = Field(description="the wait after which it holds")
    skills: Skills = Field(description="what an agent must know from then on")


class Callback(Table):
    """How a promised callback is kept."""

    idle_agents: int = Field(
        default=1, ge=1, le=1000, description="dialled when so many able agents are idle"
    )
    attempts: int = Field(default=3, ge=1, le=20, description="how often it is tried")
    retry_seconds: PositiveSeconds = Field(default=900, description="the pause between two tries")
    order: Literal["agent_first", "citizen_first"] = Field(
        default="agent_first", description="whose phone rings first"
    )
    ring_seconds: PositiveSeconds = Field(
        default=45, description="how long both phones together may ring"
    )
    hours: Hours = Field(default="08:00-20:00", description="when citizens are called back")
    prompt: str = Field(
        default="callback.wav", description="offers it, and says that key 1 takes it"
    )


class Affinity(Table):
    """Who is given an earlier call's agent, or comes earlier."""

    last_agent_hours: Annotated[float, Field(ge=0, le=720)] = Field(
        default=0, description="so long after a call the same agent is asked first; 0 = never"
    )
    bound_seconds: Seconds = Field(
        default=0, description="how long a caller waits for that agent while others are idle"
    )
    repeat_calls: int = Field(
        default=0, ge=0, le=1000, description="this many calls make a repeat caller; 0 = never"
    )
    repeat_hours: Annotated[float, Field(gt=0, le=720)] = Field(
        default=24, description="within this time"
    )
    repeat_priority: int = Field(default=1, ge=1, le=9, description="the priority of one")


Steps = Annotated[tuple[OverflowStep, ...], Field(strict=False)]
Widenings = Annotated[tuple[Widening, ...], Field(strict=False)]


class Queue(Table):
    """A line of waiting callers and its promise; write [[queues]] once for each.

    See [the queue](queue.md).
    """

    name: Name = Field(description="its name in the API and in metrics")
    target_seconds: PositiveSeconds = Field(
        default=15, description="an answer within this is in time"
    )
    target_ratio: float = Field(
        default=0.9, gt=0, le=1, description="the share of calls promised in time"
    )
    policy: Literal["answer_in_time", "fifo", "priority", "skills", "reservation"] = Field(
        default="answer_in_time", description="who is answered first, and by whom"
    )
    promotion_seconds: Seconds = Field(
        default=120, description="past this wait a call comes before all others"
    )
    ring_seconds: PositiveSeconds = Field(default=12, description="how long an agent's phone rings")
    wrap_up_seconds: Seconds = Field(default=10, description="an agent's pause after a call")
    skills: Skills = Field(default=GENERAL, description="what an agent must know to take its calls")
    overflow_mobile_after_seconds: Seconds = Field(
        default=3,
        description="wait after which a call that is predicted late goes to a mobile; 0 = never",
    )
    max_wait_seconds: Seconds = Field(default=600, description="the longest wait; 0 = no limit")
    target_inclusive: bool = Field(
        default=True, description="whether a wait of exactly the target is in time"
    )
    clock_stop: Literal["bridged", "accepted"] = Field(
        default="bridged",
        description="when the wait ends: as caller and agent hear each other, or at the 200 of the "
        "agent's phone",
    )
    short_abandon_seconds: Seconds = Field(
        default=5, description="who hangs up sooner is left out of service level E"
    )
    announcement: str = Field(
        default="welcome.wav", description="what a caller hears first; empty = none"
    )
    music: str = Field(
        default="hold.wav", description="what a waiting caller hears then; empty = silence"
    )
    survey: bool = Field(default=True, description="ask the caller afterwards how it was")
    reserve_agents: int = Field(
        default=0, ge=0, le=1000, description="idle agents kept for calls that are still in time"
    )
    answer_delay_seconds: Seconds = Field(
        default=0, description="from the ringing to the talk, until an agent's own is measured"
    )
    widening: Widenings = Field(
        default=(), description="tables of after_seconds and skills: fewer skills after a wait"
    )
    overflow: Steps = Field(
        default=(),
        description="tables of target (mobile, supervisor, city, message, callback), "
        "after_seconds, when (predicted, waited, closed) and number",
    )
    mobile_ring_seconds: PositiveSeconds = Field(
        default=20, description="how long a mobile, or the city platform, is rung"
    )
    announce_seconds: Seconds = Field(
        default=0, description="a waiting caller is told its place each so often; 0 = never"
    )
    announce_position: bool = Field(default=True, description="tell how many are before it")
    announce_wait: bool = Field(default=True, description="tell the predicted wait")
    callback: Callback = Field(default=Callback(), description="how promised callbacks are kept")
    affinity: Affinity = Field(
        default=Affinity(), description="the same agent again, and earlier for repeat callers"
    )
    handle_seconds: PositiveSeconds = Field(
        default=180, description="expected talk and wrap-up, until enough is measured"
    )
    patience_seconds: PositiveSeconds = Field(
        default=120, description="expected patience of callers, until enough is measured"
    )
    opening: Openings = Field(
        default=(), description="when callers are queued, in local time; none = always"
    )
    flow: Flow = Field(
        default=(),
        description="a call's course in one list, in place of announcement, music, overflow, "
        "overflow_mobile_after_seconds and survey: see [the queue](queue.md#the-flow)",
    )

    @model_validator(mode="after")
    def _flows(self) -> Self:
        """A flow is written out as the keys that it stands for; nobody else reads it."""
        if self.flow:
            twice = [key for key in KEYS if key in self.model_fields_set]
            if twice:
                raise ValueError(f"flow says it already: leave {', '.join(twice)} out")
            self.__dict__.update(told(self.flow))
        return self


class Route(Table):
    """A called number and its queue; write [[routes]] once for each."""

    number: str = Field(
        pattern=r"^(\+?[0-9A-Za-z#._-]+\*?|\*)$",
        description="the called number",
        json_schema_extra={"allowed": "a number, or a prefix with a trailing *"},
    )
    queue: Name = Field(description="the name of a queue")


class Reason(Table):
    """A reason for a break."""

    name: Name = Field(description="as agents choose it")
    max_seconds: Seconds = Field(default=0, description="reported when it lasts longer; 0 = never")


class Agents(Table):
    """What holds for all agents; see [the queue](queue.md#agents)."""

    no_answer_limit: int = Field(
        default=3, ge=1, le=100, description="calls missed in a row that make an agent not ready"
    )
    rest_seconds: PositiveSeconds = Field(default=5, description="pause after a missed call")
    talking_seconds: Seconds = Field(
        default=3600, description="a longer talk is reported to the supervisor; 0 = never"
    )
    held_seconds: Seconds = Field(default=300, description="a longer hold is reported; 0 = never")
    not_ready_seconds: Seconds = Field(
        default=3600, description="a longer break is reported; 0 = never"
    )
    ready_seconds: Seconds = Field(
        default=0, description="an agent idle for longer is reported; 0 = never"
    )
    reasons: Annotated[tuple[Reason, ...], Field(strict=False)] = Field(
        default=(),
        description="tables of name and max_seconds: the only reasons for a break; none = any",
    )


def skill_of(text: str) -> tuple[str, int]:
    """A skill's name and its level, 0 where none is given."""
    name, _, level = text.partition(":")
    return name, int(level or 0)


def is_able(seat: tuple[str, ...], needed: tuple[str, ...]) -> bool:
    """Whether a seat with these skills (at level 5, where none is given) serves the needed ones."""
    known = {name: level or 5 for name, level in map(skill_of, seat)}
    return all(known.get(name, -1) >= level for name, level in map(skill_of, needed))
