"""Who takes part in a visit: a leg each, who it is, how far it has come, where it stands."""

from enum import Enum
from typing import Literal

import msgspec


class Role(Enum):
    """What a party is to the visit."""

    CITIZEN = "citizen"
    AGENT = "agent"
    GUEST = "guest"  # a third party: another office, a mobile, the city's platform
    SUPERVISOR = "supervisor"


class Stage(Enum):
    """How far a leg has come."""

    ARRIVED = "arrived"  # it called us, and is not answered yet
    DIALLED = "dialled"
    RINGING = "ringing"
    ASKED = "asked"  # it answered, and must press a key before it is a person
    UP = "up"
    LINGERING = "lingering"  # it has transferred the call: its phone may hang up by itself
    LEAVING = "leaving"  # its end was asked for


class Place(Enum):
    """Where a party stands; scene.py says who hears whom."""

    TALK = "talk"
    ASIDE = "aside"  # a consultation, beside the talk
    HOLD = "hold"
    OUT = "out"  # hears nothing, waits for what comes of a transfer
    MONITOR = "monitor"
    WHISPER = "whisper"


COMING = (Stage.DIALLED, Stage.RINGING, Stage.ASKED)
HERE = (Stage.ARRIVED, Stage.UP)


class Target(msgspec.Struct, frozen=True):
    """Whom to call: a seat, or a number over a trunk; a remote seat is both.

    `confirm`: whoever answers must press 1, so that no voicemail becomes an agent. `emergency`:
    no limit applies.
    """

    kind: Literal["seat", "number"]
    name: str  # the seat's user, or the number
    trunk: str = ""
    number: str = ""
    confirm: bool = False
    emergency: bool = False

    @property
    def is_seat(self) -> bool:
        return self.kind == "seat"


class Party(msgspec.Struct, frozen=True):
    """One leg of a visit, and what it is there for (`errand`, a key of errands.py).

    `asked_by` is the leg that wanted it; `reports`: that leg is told by NOTIFY how it fares.
    """

    leg: str
    role: Role
    target: Target
    stage: Stage = Stage.UP
    place: Place = Place.TALK
    errand: str = ""
    asked_by: str = ""
    asker: Target | None = None  # who that was, when its leg is gone
    reports: bool = False
    token: str = ""  # of the queue's offer
    then: Target | None = None  # whom to call once this one has answered
    muted: bool = False
    away: bool = False  # its phone holds us (RFC 3264 §8.4)
    early: bool = False  # its network plays something before it answers
    recording: str = ""

    @property
    def is_coming(self) -> bool:
        return self.stage in COMING

    @property
    def is_here(self) -> bool:
        return self.stage in HERE

    @property
    def counts(self) -> bool:
        """Whether the visit goes on because of it: a supervisor only listens."""
        watches = self.role is Role.SUPERVISOR and self.place is not Place.TALK
        return (self.is_here or self.is_coming) and not watches
