"""What the four machines of RFC 3261 §17 are told, and what they ask for.

A machine is `step(tx, event, now) -> (tx, effects)`. Messages are opaque to it: the layer
matches, builds and renders them. A timer for which a state has no row in its table is dead;
nobody has to stop it.
"""

from enum import StrEnum
from typing import Any, Literal, NamedTuple

from callcore.transaction.timers import Timer

# Kinds of events: classes of responses (sent or received) ...
PROVISIONAL = "1xx"
SUCCESS = "2xx"
FAILURE = "3xx-6xx"
FINAL = "2xx-6xx"
# ... requests received, and the loss of the way to the peer. A timer's kind is its Timer.
REQUEST = "request"
ACK = "ACK"
TRANSPORT_FAILED = "transport failed"

INVITE_CLASS = ("", PROVISIONAL, SUCCESS, FAILURE, FAILURE, FAILURE, FAILURE)
OTHER_CLASS = ("", PROVISIONAL, FINAL, FINAL, FINAL, FINAL, FINAL)


class State(StrEnum):
    """The states of figures 5 to 8, and ACCEPTED of RFC 6026."""

    CALLING = "CALLING"
    TRYING = "TRYING"
    PROCEEDING = "PROCEEDING"
    ACCEPTED = "ACCEPTED"
    COMPLETED = "COMPLETED"
    CONFIRMED = "CONFIRMED"
    TERMINATED = "TERMINATED"


class Event(NamedTuple):
    """Something that happened: its kind, and the message if there is one."""

    kind: str
    message: Any = None


class Send(NamedTuple):
    """Put this message on the wire."""

    message: Any


class Arm(NamedTuple):
    """Start a timer."""

    timer: Timer
    seconds: float


class Inform(NamedTuple):
    """Pass this message to the transaction user."""

    message: Any


class Acknowledge(NamedTuple):
    """Send the ACK of a final response other than 2xx (RFC 3261 §17.1.1.3)."""

    response: Any


class Fail(NamedTuple):
    """Tell the transaction user that the transaction came to nothing."""

    why: Literal["timeout", "transport"]


Effect = Send | Arm | Inform | Acknowledge | Fail
Effects = list[Effect]
