"""The machine of one offer: a call reserved for an agent by a token, until it is won or lost.

An offer that is over is None: nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from acd.effects import CancelOffer, CancelReason, Disarm, Effect

State: TypeAlias = Literal["ringing", "accepted"]
Cue: TypeAlias = Literal["accepted", "bridged", "refused", "timeout", "cancelled"]
Place: TypeAlias = Literal["seat", "mobile", "city"]
Step: TypeAlias = tuple["Reserve | None", tuple[Effect, ...]]


class Reserve(msgspec.Struct, frozen=True, gc=False):
    """One live offer; `until_ms` is when its timer, named as its token, fires."""

    token: str
    call: str
    agent: str  # "" for the city platform
    until_ms: int
    state: State = "ringing"
    place: Place = "seat"
    offered_ms: int = 0


class Move(msgspec.Struct, frozen=True, gc=False):
    """What the machine is told beside the cue."""

    until_ms: int = 0
    reason: CancelReason = "call_ended"


def step(reserve: Reserve, cue: Cue, move: Move) -> Step:
    """One transition; a cue that the state does not know changes nothing."""
    act = TABLE.get((reserve.state, cue))
    return (reserve, ()) if act is None else act(reserve, move)


def accept(reserve: Reserve, move: Move) -> Step:
    """The agent's 200 OK: the same timer now waits for the media."""
    return (
        Reserve(
            reserve.token,
            reserve.call,
            reserve.agent,
            move.until_ms,
            "accepted",
            reserve.place,
            reserve.offered_ms,
        ),
        (),
    )


def win(reserve: Reserve, move: Move) -> Step:
    """Bridged: the call is this agent's."""
    return None, (Disarm(reserve.token),)


def lose(reserve: Reserve, move: Move) -> Step:
    """The phone itself has ended the leg: nothing is left to cancel."""
    return None, (Disarm(reserve.token),)


def cancel(reserve: Reserve, move: Move) -> Step:
    """The leg is taken down from our side."""
    cancelled = CancelOffer(reserve.call, reserve.agent, reserve.token, move.reason)
    return None, (Disarm(reserve.token), cancelled)


def give_up_ringing(reserve: Reserve, move: Move) -> Step:
    """Nobody picked up within ring_seconds."""
    cancelled = CancelOffer(reserve.call, reserve.agent, reserve.token, "no_answer")
    return None, (cancelled,)


def give_up_bridging(reserve: Reserve, move: Move) -> Step:
    """The agent picked up but no media came of it within bridge_seconds."""
    cancelled = CancelOffer(reserve.call, reserve.agent, reserve.token, "not_bridged")
    return None, (cancelled,)


TABLE: dict[tuple[State, Cue], Callable[[Reserve, Move], Step]] = {
    ("ringing", "accepted"): accept,
    ("ringing", "refused"): lose,
    ("ringing", "timeout"): give_up_ringing,
    ("ringing", "cancelled"): cancel,
    ("accepted", "bridged"): win,
    ("accepted", "refused"): lose,
    ("accepted", "timeout"): give_up_bridging,
    ("accepted", "cancelled"): cancel,
}
