"""Facts that the ACD core is told; the journal holds them. What it asks for: acd/effects.py.

Every time is an integer count of milliseconds since the epoch; the core has no clock of its own.
Structs are encoded as arrays: a new field goes to the end and has a default, so old journals read.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from acd.effects import AgentState as AgentState
from acd.effects import AgentStateChanged as AgentStateChanged
from acd.effects import Announce as Announce
from acd.effects import Arm as Arm
from acd.effects import CallBack as CallBack
from acd.effects import CallbackEnded as CallbackEnded
from acd.effects import CancelOffer as CancelOffer
from acd.effects import CancelReason as CancelReason
from acd.effects import Disarm as Disarm
from acd.effects import Effect as Effect
from acd.effects import Finished as Finished
from acd.effects import Offer as Offer
from acd.effects import OfferCallback as OfferCallback
from acd.effects import Overflow as Overflow
from acd.effects import Overstayed as Overstayed
from acd.effects import Result as Result
from acd.effects import Sidelined as Sidelined
from acd.settings import AcdSettings


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
    agent: str = ""  # whom the caller is to have, if possible (a VIP's own agent)


class HungUp(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The caller hung up, in whatever state the call was."""

    call: str


class AgentReady(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The agent can take calls: logged in, or pressed ready, or was not asked (auto_ready)."""

    agent: str
    by: str = ""  # the supervisor who said so


class AgentNotReady(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """A break is asked for; during a call it takes effect after the call and its wrap-up."""

    agent: str
    reason: str = ""
    by: str = ""  # the supervisor who forced it: only a supervisor ends it


class AgentOffline(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The agent's phone is gone (unregistered); a call that is bridged goes on until it ends."""

    agent: str


class Accepted(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The first 200 OK of the phones that ring for the call: the offer of this token wins."""

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


class WrapUpExtended(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The agent asked for its wrap-up once more; the second time changes nothing."""

    agent: str


class AgentSeized(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The agent is on a call that the queue did not give it: dialled out, consulted, joined."""

    agent: str
    call: str


class AgentReleased(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """That call is over for the agent; wrap-up follows when `wrap_up` says so."""

    agent: str
    call: str
    wrap_up: bool = False


class HandedOver(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The call has another agent now (attended transfer, take-over); the old one wraps up."""

    call: str
    agent: str


class Transferred(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The agent sent the caller to a queue ("" = the same): original time kept, counted once."""

    call: str
    queue: str = ""
    priority: int = 0  # raises the call's, never lowers it
    skills: tuple[str, ...] = ()


class Departed(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The agent left a call that goes on without it (blind transfer to the outside, survey)."""

    call: str


class Prioritised(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """An agent's mark (emergency, keyword) raised the call's priority; it never lowers it."""

    call: str
    priority: int
    keyword: str = ""


class Turned(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """A call was turned away at the door (blacklist, closed): offered and rejected."""

    call: str
    queue: str
    caller: str = ""
    why: str = ""


class CallbackAsked(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The waiting caller takes the offered callback and leaves; "" = to the caller's number."""

    call: str
    number: str = ""


class CallbackPromised(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """A caller left a message with nobody to answer: `call` is over, and to be called back."""

    call: str
    queue: str
    number: str
    queued_ms: int


class CallbackUnreached(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The citizen of a CallBack was busy, did not answer or could not be had."""

    call: str
    status: int = 480


class CallbackPostponed(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """A CallBack cannot be made now, and nobody is to blame for it: the engine is about to stop."""

    call: str


class CallbackCancelled(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """A callback is not wanted any more."""

    callback: str


class CallerMarked(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """A number was marked (acd/marks.py); an agent's `proposed` mark waits for a review."""

    number: str
    kind: str  # blocked, nuisance, vip
    by: str
    proposed: bool = False
    note: str = ""
    priority: int = 0
    agent: str = ""


class CallerReviewed(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The supervisor keeps (blocks the number) or rejects a proposed mark."""

    number: str
    keep: bool
    by: str


class CallerCleared(Fact, frozen=True, array_like=True, gc=False, tag=True):
    """The mark of a number is taken back."""

    number: str
    by: str = ""


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
    | WrapUpExtended
    | AgentSeized
    | AgentReleased
    | Accepted
    | Bridged
    | Greeted
    | Held
    | Resumed
    | Refused
    | CallEnded
    | AgentDropped
    | HandedOver
    | Transferred
    | Departed
    | Prioritised
    | Turned
    | CallbackAsked
    | CallbackPromised
    | CallbackUnreached
    | CallbackPostponed
    | CallbackCancelled
    | CallerMarked
    | CallerReviewed
    | CallerCleared
    | Fired
    | Configured
    | Restarted
)
