"""Facts that the ACD core is told, and effects that it asks for; the journal holds the facts.

Every time is an integer count of milliseconds since the epoch; the core has no clock of its own.
Structs are encoded as arrays: a new field goes to the end and has a default, so old journals read.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from acd.settings import AcdSettings

AgentState: TypeAlias = Literal[
    "offline", "ready", "ringing", "talking", "held", "wrap_up", "not_ready"
]
Result: TypeAlias = Literal["answered", "abandoned", "overflowed", "rejected", "failed"]
CancelReason: TypeAlias = Literal[
    "no_answer", "caller_hung_up", "agent_offline", "agent_not_ready", "not_bridged", "call_ended"
]


class Fact(msgspec.Struct, frozen=True, array_like=True, gc=False, tag=True):
    """Something that happened at `at_ms`."""

    at_ms: int


class Arrived(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """A caller entered the queue; the two earlier clocks are 0 where they are not known."""

    call: str
    queue: str
    caller: str = ""
    priority: int = 0
    skills: tuple[str, ...] = ()
    invited_ms: int = 0  # the trunk's INVITE
    connected_ms: int = 0  # our 200 to the trunk


class HungUp(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The caller hung up, in whatever state the call was."""

    call: str


class AgentReady(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The agent can take calls: logged in, or pressed ready, or was not asked (auto_ready)."""

    agent: str


class AgentNotReady(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The agent asked for a break; during a call it takes effect after the call and its wrap-up."""

    agent: str
    reason: str = ""


class AgentOffline(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The agent's phone is gone (unregistered); a call that is bridged goes on until it ends."""

    agent: str


class Accepted(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The agent's 200 OK to the offer `token`."""

    token: str


class Bridged(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """Caller and agent (or the mobile that it overflowed to) hear each other."""

    call: str


class Greeted(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The seat's greeting to the caller has ended (a clock stop that some contracts use)."""

    call: str


class Held(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The agent put the caller on hold."""

    call: str


class Resumed(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The agent took the caller back from hold."""

    call: str


class Refused(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The agent's phone refused the offer, or its leg failed before the media was bridged."""

    token: str
    status: int = 486


class CallEnded(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The call is over for another reason than the caller's hanging up (agent, engine, trunk)."""

    call: str


class AgentDropped(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The agent's leg died and the caller is still there: back to the queue, original time kept."""

    call: str


class Fired(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """A timer that was armed has run out."""

    timer: str


class Configured(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The settings from now on: first in a journal, then at each start and change."""

    settings: AcdSettings


class Restarted(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The engine came back after a crash: SIP dialogs are gone, counts and wrap-ups are not."""


Event: TypeAlias = (
    Arrived
    | HungUp
    | AgentReady
    | AgentNotReady
    | AgentOffline
    | Accepted
    | Bridged
    | Greeted
    | Held
    | Resumed
    | Refused
    | CallEnded
    | AgentDropped
    | Fired
    | Configured
    | Restarted
)


class Offer(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Ring the agent for the call; answer with Accepted or Refused of this token."""

    call: str
    agent: str
    token: str


class CancelOffer(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Take this offer's leg down, whatever its state; nothing needs to be told back."""

    call: str
    agent: str
    token: str
    reason: CancelReason


class Arm(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Send Fired(timer) at `at_ms`; arming an armed timer moves it."""

    timer: str
    at_ms: int


class Disarm(msgspec.Struct, frozen=True, gc=False, tag=True):
    """Forget the timer."""

    timer: str


class Overflow(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The call has left the queue: send it elsewhere (Bridged if that answers) or end it."""

    call: str
    why: Literal["max_wait"] = "max_wait"


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


class Finished(msgspec.Struct, frozen=True, gc=False, tag=True):
    """The call has left the core for good, exactly once for each call that arrived."""

    call: str
    result: Result


Effect: TypeAlias = (
    Offer | CancelOffer | Arm | Disarm | Overflow | AgentStateChanged | Overstayed | Finished
)
