"""What is done to a recording besides playing it: held, and deleted by two; one table.

No event is ever taken out. The last state of all, DELETED, is the recording's tombstone.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from recorder.manifest import DAY_MS, iso

ASKED_DAYS = 30  # a request that nobody approves is forgotten
Kind = Literal["hold", "lift", "ask", "approve", "withdraw", "deleted", "expired"]


class Refused(Exception):
    """Not now, or not by them; the text says which and what is allowed."""


class State(enum.Enum):
    KEPT = "kept"
    HELD = "held"
    ASKED = "asked"
    APPROVED = "approved"
    DELETED = "deleted"


class Event(msgspec.Struct, frozen=True):
    """Who did what, when and why."""

    kind: Kind
    by: str
    at_ms: int
    reason: str = ""
    at: str = ""  # at_ms for people


class Custody(msgspec.Struct, frozen=True, kw_only=True):
    """A recording's events so far, and what of it outlasts its audio: no number of anybody's."""

    version: int = 1
    recording: str
    call_id: str = ""
    key: str = ""
    sha256: str = ""
    started_ms: int = 0
    retain_until_ms: int = 0
    events: tuple[Event, ...] = ()

    @property
    def state(self) -> State:
        """Read off the events."""
        state = State.KEPT
        for event in self.events:
            state = TABLE[state, event.kind][0]
        return state

    @property
    def last(self) -> Event | None:
        return self.events[-1] if self.events else None


Rule = Callable[[Custody, Event], None]


def step(custody: Custody, event: Event) -> Custody:
    """The custody with the event in it; raises Refused."""
    found = TABLE.get((custody.state, event.kind))
    if found is None:
        raise Refused(f"recording {custody.recording} {_is(custody)}: {NEEDS[event.kind]}")
    if not event.by.strip():
        raise Refused("who does it must be said")
    for rule in found[1:]:
        rule(custody, event)
    event = msgspec.structs.replace(event, at=iso(event.at_ms))
    return msgspec.structs.replace(custody, events=(*custody.events, event))


def has_reason(_: Custody, event: Event) -> None:
    if not event.reason.strip():
        raise Refused("a reason must be given")


def is_past(custody: Custody, event: Event) -> None:
    """The contract's date; no hold is checked here, for a held recording is in another state."""
    if event.at_ms < custody.retain_until_ms:
        raise Refused(
            f"recording {custody.recording} is kept until {iso(custody.retain_until_ms)}: "
            "nobody may delete it before"
        )


def is_another(custody: Custody, event: Event) -> None:
    """Two people, and neither can be both."""
    asked = custody.last
    if asked is not None and asked.by.casefold() == event.by.casefold():
        raise Refused(f"{event.by} asked for it: the approval must come from somebody else")


def is_fresh(custody: Custody, event: Event) -> None:
    asked = custody.last
    if asked is not None and event.at_ms > asked.at_ms + ASKED_DAYS * DAY_MS:
        raise Refused(f"it was asked for more than {ASKED_DAYS} days ago: withdraw it, ask again")


# (state, event): the next state, then what must hold.
TABLE: Mapping[tuple[State, Kind], tuple[State, *tuple[Rule, ...]]] = {
    (State.KEPT, "hold"): (State.HELD, has_reason),
    (State.ASKED, "hold"): (State.HELD, has_reason),  # a hold is stronger than a request
    (State.APPROVED, "hold"): (State.HELD, has_reason),
    (State.HELD, "lift"): (State.KEPT, has_reason),
    (State.KEPT, "ask"): (State.ASKED, has_reason, is_past),
    (State.ASKED, "withdraw"): (State.KEPT,),
    (State.APPROVED, "withdraw"): (State.KEPT,),
    (State.ASKED, "approve"): (State.APPROVED, is_past, is_another, is_fresh),
    (State.APPROVED, "deleted"): (State.DELETED, is_past),
    (State.KEPT, "expired"): (State.DELETED, is_past),
    (State.ASKED, "expired"): (State.DELETED, is_past),
    (State.APPROVED, "expired"): (State.DELETED, is_past),
}
NEEDS: Mapping[Kind, str] = {
    "hold": "only what is there can be held, and once",
    "lift": "there is no hold to lift",
    "ask": "deletion is asked for once, of what is there and not held",
    "approve": "only a deletion that was asked for can be approved",
    "withdraw": "there is no request to withdraw",
    "deleted": "only what two have approved is deleted",
    "expired": "what is held does not expire",
}


def _is(custody: Custody) -> str:
    """`was deleted by li on ...`."""
    last = custody.last
    if last is None:
        return "is kept"
    what = {
        State.KEPT: "is kept",
        State.HELD: "is held",
        State.ASKED: "is asked to be deleted",
        State.APPROVED: "is approved to be deleted",
        State.DELETED: "was deleted",
    }[custody.state]
    return f"{what} (by {last.by}, {last.at})"
