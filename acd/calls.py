"""A call in the core: the live one that changes, and the immutable record that is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from acd.events import Arrived, Result
from acd.policies import Stage, Waiter

if TYPE_CHECKING:
    from acd.lines import Entry, Line
    from acd.queue import Queue
    from acd.service_level import Tally

# away: talking without an agent of ours (transferred outside, or in the survey)
CallState: TypeAlias = Literal["waiting", "ringing", "talking", "away", "overflowed", "ended"]


class CallRecord(msgspec.Struct, frozen=True, gc=False):
    """One call's times, milliseconds since the epoch; None = did not happen (or is not known)."""

    call: str
    queue: str
    caller: str
    priority: int
    state: CallState
    result: Result | None
    agent: str | None
    offers: int
    queued_ms: int
    invited_ms: int | None = None
    connected_ms: int | None = None
    accepted_ms: int | None = None
    bridged_ms: int | None = None
    greeted_ms: int | None = None
    ended_ms: int | None = None
    callback: str = ""  # the callback that it was an attempt of; counted apart


class Call:
    """A live call, changed by the core only."""

    __slots__ = (
        "accepted_ms",
        "agenda",
        "agent",
        "answered",
        "arrival",
        "away",
        "bridged_ms",
        "callback",
        "closed",
        "entry",
        "favourite",
        "greeted_ms",
        "heir",
        "home",
        "last_agent",
        "line",
        "name",
        "offers",
        "overdue",
        "overflowed",
        "planned",
        "queue",
        "rivals",
        "serial",
        "skills",
        "stage",
        "state",
        "taken_ms",
        "tally",
        "token",
        "tried",
        "until_ms",
        "waiter",
        "widened",
    )

    def __init__(
        self, arrival: Arrived, queue: Queue, queued_ms: int, serial: int, line: Line
    ) -> None:
        self.arrival = arrival
        self.name = arrival.call
        self.home = queue  # that it is counted in
        self.queue = queue  # that it is served by: another one after a transfer
        self.waiter = Waiter(queued_ms, arrival.priority)
        self.serial = serial  # order of arrival
        self.line = line
        self.entry: Entry | None = None  # its place in the line's list of `stage`
        self.stage = Stage.IN_TIME
        self.state: CallState = "waiting"
        self.agent: str | None = None
        self.token: str | None = None  # of the seat that rings, or of the offer that won
        self.rivals: tuple[str, ...] = ()  # tokens of other phones that ring for it
        self.tried: tuple[str, ...] = ()  # agents that did not answer this call
        self.favourite: str | None = None  # the agent that it waits for, and for no other
        self.heir: str | None = None  # has it beside another of the queue's, its own when that ends
        self.last_agent: str | None = None  # who talked to the caller, once it is over
        self.offers = 0
        self.until_ms = 0  # when the call's own timer fires: the first of the agenda
        self.agenda: list[tuple[int, str]] = []  # what is due when
        self.planned = False  # whether the agenda of its wait is laid down
        self.skills = arrival.skills  # beside the queue's
        self.widened = 0  # of the queue's widenings, those that have taken place
        self.closed = False  # came outside of the queue's hours
        self.away = False  # in other hands than ours: the city's, or a message's
        self.overdue = False  # past max_wait while a phone was ringing for it
        self.answered = False  # counted as answered by the queue's rule
        self.overflowed = False  # counted as overflowed
        self.callback = ""  # the callback that it is an attempt of
        self.taken_ms = 0  # when its present agent came to it
        self.tally: Tally
        self.accepted_ms: int | None = None
        self.bridged_ms: int | None = None
        self.greeted_ms: int | None = None

    @property
    def is_attempt(self) -> bool:
        """Whether it is an attempt at a callback still: nobody has been reached."""
        return bool(self.callback) and self.bridged_ms is None

    @property
    def waits_in_line(self) -> bool:
        """Whether any able agent may take it now."""
        return self.entry is not None

    def record(self, result: Result | None = None, ended_ms: int | None = None) -> CallRecord:
        """The call as it is now, or as it ended."""
        arrival = self.arrival
        return CallRecord(
            arrival.call,
            arrival.queue,
            arrival.caller,
            self.waiter.priority,
            self.state if result is None else "ended",
            result,
            self.agent if result is None else self.agent or self.last_agent,
            self.offers,
            self.waiter.queued_ms,
            arrival.invited_ms or None,
            arrival.connected_ms or None,
            self.accepted_ms,
            self.bridged_ms,
            self.greeted_ms,
            ended_ms,
            self.callback,
        )
