"""A line: the waiting calls of one queue that ask for the same skills, in the policy's order.

One sorted list for each class of the policy and one of the times at which a call's class
changes. An entry is found by bisection and cut out at once: moving a few thousand pointers costs
less than the false entries of a heap did.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, TypeAlias

from acd.policies import NEVER, Placing, Stage, order

if TYPE_CHECKING:
    from acd.calls import Call
    from acd.demands import Demand
    from acd.queue import Queue

Entry: TypeAlias = tuple[int, int, int, int, "Call"]  # urgency, key, serial, until_ms, call
Rank: TypeAlias = tuple[int, int, int, int]  # stage, urgency, key, serial
FIRST: Rank = (-1, 0, 0, 0)


class Line:
    """Waiting calls of one queue that ask for the same skills."""

    __slots__ = (
        "changes",
        "count",
        "delay_ms",
        "demand",
        "measured",
        "place",
        "promise",
        "reserve",
        "stages",
    )

    def __init__(self, queue: Queue, demand: Demand, place: Placing) -> None:
        self.demand = demand
        self.place = place
        self.promise = queue.promise
        self.reserve = queue.reserve  # idle agents that late calls leave alone
        self.delay_ms = queue.delay_ms  # of an agent whose own has not been measured
        self.measured = queue.settings.measured_delay
        self.count = 0
        self.stages: tuple[list[Entry], ...] = tuple([] for _ in Stage)
        self.changes: list[tuple[int, int, Call]] = []  # until_ms, serial, call

    def add(self, call: Call, now_ms: int) -> None:
        """The call waits from now on."""
        self.count += 1
        place = self.place(call.waiter, self.promise, now_ms)
        urgency, key = order(call.waiter, place)
        entry = (urgency, key, call.serial, place.until_ms, call)
        call.entry = entry
        call.stage = place.stage
        insort(self.stages[place.stage], entry)
        if place.until_ms < NEVER:
            insort(self.changes, (place.until_ms, call.serial, call))

    def remove(self, call: Call) -> None:
        """The call waits no longer."""
        self.count -= 1
        entry = call.entry
        assert entry is not None
        call.entry = None
        stage = self.stages[call.stage]
        del stage[bisect_left(stage, entry)]
        if entry[3] < NEVER:
            del self.changes[bisect_left(self.changes, (entry[3], entry[2], call))]

    def refresh(self, now_ms: int) -> None:
        """Calls whose class has changed move."""
        changes = self.changes
        while changes and changes[0][0] <= now_ms:
            call = changes[0][2]
            self.remove(call)
            self.add(call, now_ms)

    def head(self, now_ms: int, delay_ms: int) -> tuple[Rank, Call] | None:
        """The call that an agent who answers after the delay takes first, and its rank."""
        if self.changes and self.changes[0][0] <= now_ms:
            self.refresh(now_ms)
        best_rank: Rank | None = None
        best_call: Call | None = None
        at_ms = now_ms + delay_ms
        for stage, entries in enumerate(self.stages):
            for urgency, key, serial, until_ms, call in entries:
                rank = (stage, urgency, key, serial)
                changes = until_ms <= at_ms
                if changes:  # in another class by the time that this agent answers
                    place = self.place(call.waiter, self.promise, at_ms)
                    rank = (place.stage, *order(call.waiter, place), serial)
                if best_rank is None or rank < best_rank:
                    best_rank, best_call = rank, call
                if not changes:
                    break
        if best_rank is None or best_call is None:
            return None
        return best_rank, best_call

    def ahead(self, rank: Rank) -> int:
        """How many waiting calls come before this rank."""
        stage, *place = rank
        if stage < 0:
            return 0
        before = sum(len(entries) for entries in self.stages[:stage])
        return before + bisect_left(self.stages[stage], (*place, 0))

    def rank(self, call: Call) -> Rank:
        """The call's place in this line, or among the calls of another one."""
        entry = call.entry
        return FIRST if entry is None else (call.stage, *entry[:3])
