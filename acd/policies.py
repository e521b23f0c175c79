"""Who is served first, and by whom: small pure functions and one registry of them."""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from acd.settings import QueueSettings

NEVER = 1 << 62


class Stage(IntEnum):
    """Classes of waiting calls: the smaller is served first, in every queue alike."""

    PROMOTED = 0
    URGENT = 1
    IN_TIME = 2
    LATE = 3


class Waiter(NamedTuple):
    """What a policy may know of a waiting call."""

    queued_ms: int
    priority: int


class Promise(NamedTuple):
    """What a policy may know of a queue."""

    promotion_ms: int  # a wait this long comes before all others
    in_time_ms: int  # a wait this long, and no longer, can still be bridged within the target


class Place(NamedTuple):
    """The class of a waiting call, and the time at which to ask again."""

    stage: Stage
    until_ms: int


Policy: TypeAlias = Callable[[Waiter, Promise, int], Place]


def promise_of(queue: QueueSettings) -> Promise:
    """The queue's settings in milliseconds; with a strict target a wait of T is late."""
    delay_ms = round(queue.answer_delay_seconds * 1000)
    in_time_ms = queue.rule.target_ms - delay_ms - (0 if queue.rule.inclusive else 1)
    return Promise(round(queue.promotion_seconds * 1000), in_time_ms)


def fifo(waiter: Waiter, promise: Promise, now_ms: int) -> Place:
    """Oldest first, whatever the priority."""
    promoted_ms = waiter.queued_ms + promise.promotion_ms
    if now_ms >= promoted_ms:
        return Place(Stage.PROMOTED, NEVER)
    return Place(Stage.IN_TIME, promoted_ms)


def priority(waiter: Waiter, promise: Promise, now_ms: int) -> Place:
    """Past the cap first, then urgent calls, then the others, oldest first in each."""
    promoted_ms = waiter.queued_ms + promise.promotion_ms
    if now_ms >= promoted_ms:
        return Place(Stage.PROMOTED, NEVER)
    return Place(Stage.URGENT if waiter.priority > 0 else Stage.IN_TIME, promoted_ms)


def answer_in_time(waiter: Waiter, promise: Promise, now_ms: int) -> Place:
    """Past the cap; urgent; can still be answered in time; late. Oldest first in each."""
    promoted_ms = waiter.queued_ms + promise.promotion_ms
    if now_ms >= promoted_ms:
        return Place(Stage.PROMOTED, NEVER)
    if waiter.priority > 0:
        return Place(Stage.URGENT, promoted_ms)
    late_ms = waiter.queued_ms + promise.in_time_ms + 1
    if now_ms < late_ms:
        return Place(Stage.IN_TIME, min(late_ms, promoted_ms))
    return Place(Stage.LATE, promoted_ms)


def order(waiter: Waiter, place: Place) -> tuple[int, int]:
    """Within a class: the higher priority among the urgent, then the older."""
    urgency = -waiter.priority if place.stage is Stage.URGENT else 0
    return urgency, waiter.queued_ms


POLICIES: dict[str, Policy] = {
    "fifo": fifo,
    "priority": priority,
    "answer_in_time": answer_in_time,
}


def policy_named(name: str) -> Policy:
    """The policy of that name; ValueError says which there are."""
    try:
        return POLICIES[name]
    except KeyError:
        raise ValueError(f"unknown policy {name!r}: use one of {', '.join(POLICIES)}") from None
