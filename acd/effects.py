"""What the ACD core asks for; the conductor performs it and answers with facts (acd/events.py)."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

AgentState: TypeAlias = Literal[
    "offline", "ready", "ringing", "talking", "held", "wrap_up", "not_ready"
]
Result: TypeAlias = Literal[
    "answered", "abandoned", "overflowed", "rejected", "failed", "called_back"
]
CancelReason: TypeAlias = Literal[
    "no_answer",
    "caller_hung_up",
    "agent_offline",
    "agent_not_ready",
    "not_bridged",
    "call_ended",
    "completed_elsewhere",  # another phone was faster: RFC 3326, SIP ;cause=200
    "unreached",  # a callback's citizen did not answer
]
Target: TypeAlias = Literal["mobile", "city", "message", "end"]
Why: TypeAlias = Literal["max_wait", "predicted", "waited"]
Order: TypeAlias = Literal["agent_first", "citizen_first"]
CallbackEnd: TypeAlias = Literal["answered", "given_up", "cancelled"]


class Offer(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Ring the agent's seat for the call; answer with Accepted or Refused of this token.

    A call may ring at several phones, each with a token of its own: the first Accepted wins, and
    CancelOffer ("completed_elsewhere") takes the others down.
    """

    call: str
    agent: str
    token: str


class CancelOffer(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Take this token's leg down, whatever its state; nothing needs to be told back.

    The token is an Offer's, an Overflow's or a CallBack's; `agent` is "" for the city platform.
    """

    call: str
    agent: str
    token: str
    reason: CancelReason


class Overflow(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Help from outside the queue.

    `mobile` and `city`: dial `address` for the call, which keeps its place in the queue; answer
    with Accepted or Refused of the token, then Bridged. `message`: the call has left the queue;
    play the prompt `address`, then CallEnded. `end`: the call has left the queue; end it.
    """

    call: str
    why: Why = "max_wait"
    target: Target = "end"
    token: str = ""
    agent: str = ""  # whose mobile
    address: str = ""  # a number, or a prompt


class OfferCallback(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Offer the waiting caller a callback; CallbackAsked when the caller takes it."""

    call: str


class CallBack(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Bring the agent, reserved by the token, and the citizen together under a new call.

    `agent_first`: ring the seat; Accepted or Refused; then dial the citizen. `citizen_first`: dial
    the citizen, then ring the seat. Bridged when they hear each other; CallbackUnreached when the
    citizen cannot be had (and the agent is then free again).
    """

    callback: str
    call: str
    agent: str
    token: str
    number: str
    queue: str
    order: Order


class CallbackEnded(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The callback is over for good."""

    callback: str
    result: CallbackEnd
    attempts: int


class Announce(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Tell the waiting caller where it stands; None = leave it out."""

    call: str
    position: int | None  # 1 = the next
    wait_seconds: int | None


class Arm(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Send Fired(timer) at `at_ms`; arming an armed timer moves it."""

    timer: str
    at_ms: int


class Disarm(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Forget the timer."""

    timer: str


class AgentStateChanged(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The agent is in another state since `at_ms`."""

    agent: str
    state: AgentState
    at_ms: int
    reason: str = ""  # with not_ready: the agent's own, or no_answer, rest


class Overstayed(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The agent is in one state longer than the settings allow: tell the supervisor."""

    agent: str
    state: AgentState
    since_ms: int


class Sidelined(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The agent missed so many offers in a row that it was made not_ready: tell the supervisor."""

    agent: str
    misses: int
    at_ms: int


class Finished(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The call has left the core for good, exactly once for each call that arrived."""

    call: str
    result: Result


Effect: TypeAlias = (
    Offer
    | CancelOffer
    | Overflow
    | OfferCallback
    | CallBack
    | CallbackEnded
    | Announce
    | Arm
    | Disarm
    | AgentStateChanged
    | Overstayed
    | Sidelined
    | Finished
)
