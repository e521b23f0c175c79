"""A call in the core: the live one that changes, and the immutable record that is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

import msgspec

from acd.events import Arrived, Result
from acd.policies import Waiter

if TYPE_CHECKING:
    from acd.matching import Line
    from acd.queue import Queue
    from acd.service_level import Tally

CallState: TypeAlias = Literal["waiting", "ringing", "talking", "overflowed", "ended"]


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


class Call:
    """A live call, changed by the core only."""

    __slots__ = (
        "accepted_ms",
        "agent",
        "answered",
        "arrival",
        "bridged_ms",
        "greeted_ms",
        "line",
        "name",
        "offers",
        "overdue",
        "overflowed",
        "queue",
        "serial",
        "state",
        "tally",
        "ticket",
        "token",
        "tried",
        "until_ms",
        "waiter",
    )

    def __init__(
        self, arrival: Arrived, queue: Queue, queued_ms: int, serial: int, line: Line
    ) -> None:
        self.arrival = arrival
        self.name = arrival.call
        self.queue = queue
        self.waiter = Waiter(queued_ms, arrival.priority)
        self.serial = serial  # order of arrival
        self.line = line
        self.ticket = 0  # the valid entry in the line's heaps; 0 = not waiting
        self.state: CallState = "waiting"
        self.agent: str | None = None
        self.token: str | None = None
        self.tried: tuple[str, ...] = ()  # agents that did not answer this call
        self.offers = 0
        self.until_ms = 0  # when the call's own timer (max_wait, overflow) fires
        self.overdue = False  # past max_wait while a phone was ringing for it
        self.answered = False  # counted as answered by the queue's rule
        self.overflowed = False  # counted as overflowed
        self.tally: Tally
        self.accepted_ms: int | None = None
        self.bridged_ms: int | None = None
        self.greeted_ms: int | None = None

    def record(self, result: Result | None = None, ended_ms: int | None = None) -> CallRecord:
        """The call as it is now, or as it ended."""
        arrival = self.arrival
        return CallRecord(
            arrival.call,
            arrival.queue,
            arrival.caller,
            arrival.priority,
            self.state if result is None else "ended",
            result,
            self.agent,
            self.offers,
            self.waiter.queued_ms,
            arrival.invited_ms or None,
            arrival.connected_ms or None,
            self.accepted_ms,
            self.bridged_ms,
            self.greeted_ms,
            ended_ms,
        )
