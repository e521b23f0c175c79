"""Who is served first, and by whom: small pure functions and one registry of them.

To add a policy, write a `Placing` (or take one that is there), choose a `Ranking`, and put both
into POLICIES; the core, the simulator and the forecast find it there by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple, TypeAlias

import msgspec

from acd.settings import AgentSettings, QueueSettings

NEVER = 1 << 62


class Stage(IntEnum):
    """Classes of waiting calls: the smaller is served first, in every queue alike."""

    PROMOTED = 0
    URGENT = 1
    IN_TIME = 2
    LATE = 3


class Waiter(msgspec.Struct, frozen=True, gc=False):
    """What a policy may know of a waiting call."""

    queued_ms: int
    priority: int


class Promise(NamedTuple):
    """What a policy may know of a queue."""

    promotion_ms: int  # a wait this long comes before all others
    in_time_ms: int  # an answer after this wait, and no later, is in time


class Place(msgspec.Struct, frozen=True, gc=False):
    """The class of a waiting call, and the time at which to ask again.

    Within a class the smaller `key` goes first; None = the older.
    """

    stage: Stage
    until_ms: int
    key: int | None = None


Placing: TypeAlias = Callable[[Waiter, Promise, int], Place]
"""Where a call stands if an agent takes it at this time (for an agent: now + its answer delay)."""

Ranking: TypeAlias = Callable[[AgentSettings], tuple[int, ...]]
"""Among idle agents the smaller rank is asked first; equal ones in the order of idleness."""


class Policy(NamedTuple):
    """How a queue matches: which call an agent takes, and which agent a call."""

    place: Placing
    rank: Ranking
    reserve: int = 0  # idle agents that late calls leave alone; a queue's own setting may be more


def promise_of(queue: QueueSettings) -> Promise:
    """The queue's settings in milliseconds; with a strict target a wait of T is late."""
    in_time_ms = queue.rule.target_ms - (0 if queue.rule.inclusive else 1)
    return Promise(round(queue.promotion_seconds * 1000), in_time_ms)


# Calls ----------------------------------------------------------------------------------------


def oldest_first(waiter: Waiter, promise: Promise, at_ms: int) -> Place:
    """Oldest first, whatever the priority."""
    promoted_ms = waiter.queued_ms + promise.promotion_ms
    if at_ms >= promoted_ms:
        return Place(Stage.PROMOTED, NEVER)
    return Place(Stage.IN_TIME, promoted_ms)


def urgent_first(waiter: Waiter, promise: Promise, at_ms: int) -> Place:
    """Past the cap first, then urgent calls, then the others, oldest first in each."""
    promoted_ms = waiter.queued_ms + promise.promotion_ms
    if at_ms >= promoted_ms:
        return Place(Stage.PROMOTED, NEVER)
    return Place(Stage.URGENT if waiter.priority > 0 else Stage.IN_TIME, promoted_ms)


def in_time_first(waiter: Waiter, promise: Promise, at_ms: int) -> Place:
    """Past the cap; urgent; can still be answered in time; late. Oldest first in each."""
    promoted_ms = waiter.queued_ms + promise.promotion_ms
    if at_ms >= promoted_ms:
        return Place(Stage.PROMOTED, NEVER)
    if waiter.priority > 0:
        return Place(Stage.URGENT, promoted_ms)
    late_ms = waiter.queued_ms + promise.in_time_ms + 1
    if at_ms < late_ms:
        return Place(Stage.IN_TIME, min(late_ms, promoted_ms))
    return Place(Stage.LATE, promoted_ms)


def order(waiter: Waiter, place: Place) -> tuple[int, int]:
    """Within a class: the higher priority among the urgent, then the smaller key."""
    urgency = -waiter.priority if place.stage is Stage.URGENT else 0
    return urgency, waiter.queued_ms if place.key is None else place.key


# Agents ---------------------------------------------------------------------------------------


def longest_idle(agent: AgentSettings) -> tuple[int, ...]:
    """All alike: the agent idle the longest."""
    return ()


def least_flexible(agent: AgentSettings) -> tuple[int, ...]:
    """Fewest skills first, so that those who know more stay free; the better at them first."""
    return len(agent.skills), -sum(agent.levels or (5,) * len(agent.skills))


POLICIES: dict[str, Policy] = {
    "fifo": Policy(oldest_first, longest_idle),
    "priority": Policy(urgent_first, longest_idle),
    "answer_in_time": Policy(in_time_first, longest_idle),
    "skills": Policy(in_time_first, least_flexible),
    # Threshold (trunk) reservation: the last idle agent waits for a call that can still be in
    # time. More in time, and more who give up; docs/decisions/0048 has the price.
    "reservation": Policy(in_time_first, longest_idle, reserve=1),
}


def policy_named(name: str) -> Policy:
    """The policy of that name; ValueError says which there are."""
    try:
        return POLICIES[name]
    except KeyError:
        raise ValueError(f"unknown policy {name!r}: use one of {', '.join(POLICIES)}") from None
