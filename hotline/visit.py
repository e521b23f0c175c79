"""One citizen's visit, from the trunk's INVITE to the last leg's end: a pure machine.

    caller's INVITE -> WAITING -> OFFERED -> TALKING <-> HELD -> ENDING -> gone
                          ^          |           |
                          +----------+-----------+   no answer, refusal, agent's phone died

The machine knows legs by name and nothing of SIP, RTP or the queue's policy: the conductor tells
it facts and performs its effects. The queue (acd) decides whom a call is offered to; this machine
only sees to it that each leg that was opened is ended, and that the queue hears of it once.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from hotline.visit_facts import (
    AcceptOffer,
    AgentAnswered,
    AgentLost,
    AgentUnfit,
    Bridge,
    CallBridged,
    CallHeld,
    CallOver,
    CallResumed,
    CloseMedia,
    DialAgent,
    Effect,
    EndLeg,
    Entered,
    Event,
    Gone,
    HangUp,
    JoinQueue,
    LeaveQueue,
    LegEnded,
    LegHeld,
    LegResumed,
    LegSilent,
    MediaLost,
    OfferCancelled,
    Offered,
    Overflowed,
    PlayWaiting,
    Reanchor,
    RefuseOffer,
    StartRecording,
    StopPlay,
    StopRecording,
    Unbridge,
)


class State(Enum):
    """Where the citizen is."""

    WAITING = "waiting"
    OFFERED = "ringing"
    TALKING = "talking"
    HELD = "held"
    ENDING = "ending"


@dataclass(frozen=True, slots=True)
class Visit:
    """A visit; `open_legs` are those whose end has not been reported yet."""

    call_id: str
    caller_leg: str
    state: State = State.WAITING
    agent: str | None = None
    agent_leg: str | None = None
    token: str | None = None
    attempts: int = 0
    open_legs: frozenset[str] = frozenset()
    recording: str | None = None


Step = tuple[Visit, list[Effect]]


def enter(call_id: str, caller_leg: str) -> Visit:
    """A new visit whose caller's leg is open."""
    return Visit(call_id, caller_leg, open_legs=frozenset({caller_leg}))


def step(visit: Visit, event: Event) -> Step:
    """The visit after `event`, and what is to be done; facts that come too late change nothing."""
    handler = TABLE.get((visit.state, type(event)))
    if handler is None:
        return visit, []
    return handler(visit, event)


# Handlers -------------------------------------------------------------------------------------


def join(visit: Visit, _: Entered) -> Step:
    return visit, [PlayWaiting(visit.caller_leg), JoinQueue()]


def dial(visit: Visit, event: Offered) -> Step:
    leg = f"{visit.call_id}-a{visit.attempts + 1}"
    after = replace(
        visit,
        state=State.OFFERED,
        agent=event.agent,
        agent_leg=leg,
        token=event.token,
        attempts=visit.attempts + 1,
        open_legs=visit.open_legs | {leg},
    )
    return after, [DialAgent(leg, event.agent)]


def take_back(visit: Visit, event: OfferCancelled) -> Step:
    """Ring-no-answer: the agent's leg is cancelled; the caller goes on waiting."""
    if event.token != visit.token or visit.agent_leg is None:
        return visit, []
    return back_to_queue(visit), [EndLeg(visit.agent_leg, "no answer")]


def connect(visit: Visit, event: AgentAnswered) -> Step:
    """The agent's 200: bridge first (the citizen waits for it), then the bookkeeping."""
    if event.leg != visit.agent_leg:
        return visit, []  # a late 200 of an offer taken back: its leg is being ended already
    assert visit.token is not None
    recording = f"{visit.call_id}-{visit.attempts}"
    effects: list[Effect] = [
        StopPlay(visit.caller_leg),
        Bridge(visit.caller_leg, event.leg),
        AcceptOffer(visit.token),
        CallBridged(),
        StartRecording(recording, visit.caller_leg, event.leg),
    ]
    return replace(visit, state=State.TALKING, recording=recording), effects


def unfit(visit: Visit, event: AgentUnfit) -> Step:
    if event.leg != visit.agent_leg:
        return visit, []
    assert visit.token is not None
    effects: list[Effect] = [EndLeg(event.leg), RefuseOffer(visit.token, event.status)]
    return back_to_queue(visit), effects


def leg_ended_waiting(visit: Visit, event: LegEnded) -> Step:
    if event.leg != visit.caller_leg:
        return without(visit, event.leg)  # the end of an offer that was taken back
    after, effects = without(replace(visit, state=State.ENDING), event.leg)
    return after, [LeaveQueue(), *effects]


def leg_ended_offered(visit: Visit, event: LegEnded) -> Step:
    if event.leg == visit.caller_leg:
        assert visit.agent_leg is not None
        after, effects = without(replace(visit, state=State.ENDING), event.leg)
        return after, [EndLeg(visit.agent_leg, "caller hung up"), LeaveQueue(), *effects]
    if event.leg != visit.agent_leg:
        return without(visit, event.leg)
    assert visit.token is not None
    after, effects = without(back_to_queue(visit), event.leg)
    return after, [*effects, RefuseOffer(visit.token, event.status)]


def leg_ended_talking(visit: Visit, event: LegEnded) -> Step:
    if event.leg not in (visit.caller_leg, visit.agent_leg):
        return without(visit, event.leg)
    if event.leg == visit.agent_leg and event.by in ("timeout", "transport"):
        after, effects = lose_agent(visit)
        after, more = without(after, event.leg)
        return after, [*effects, *more]
    after, effects = part(visit, caller_left=event.leg == visit.caller_leg)
    after, more = without(after, event.leg)
    return after, [*(e for e in effects if e != EndLeg(event.leg)), *more]


def leg_ended_ending(visit: Visit, event: LegEnded) -> Step:
    return without(visit, event.leg)


def silent(visit: Visit, event: LegSilent) -> Step:
    """RTP time-out: a dead agent's citizen goes back to the queue, a dead citizen's call ends."""
    if event.leg == visit.agent_leg:
        after, effects = lose_agent(visit)
        return after, [*effects, EndLeg(event.leg, "media timeout")]
    if event.leg == visit.caller_leg:
        return part(visit)
    return visit, []


def silent_waiting(visit: Visit, event: LegSilent) -> Step:
    if event.leg != visit.caller_leg:
        return visit, []
    return give_up(visit, "media timeout")


def overflow(visit: Visit, event: Overflowed) -> Step:
    """Nowhere else to send the citizen to yet: the call ends."""
    effects: list[Effect] = [EndLeg(leg, event.why) for leg in sorted(visit.open_legs)]
    return replace(visit, state=State.ENDING), [*effects, CallOver()]


def hang_up_waiting(visit: Visit, event: HangUp) -> Step:
    return give_up(visit, event.reason)


def hang_up_talking(visit: Visit, event: HangUp) -> Step:
    return part(visit)


def hold(visit: Visit, event: LegHeld) -> Step:
    """The agent pressed hold: music for the citizen. A trunk's hold needs nothing from us."""
    if event.leg != visit.agent_leg:
        return visit, []
    effects: list[Effect] = [PlayWaiting(visit.caller_leg, again=True), CallHeld()]
    return replace(visit, state=State.HELD), effects


def resume(visit: Visit, event: LegResumed) -> Step:
    if event.leg != visit.agent_leg:
        return visit, []
    return replace(visit, state=State.TALKING), [StopPlay(visit.caller_leg), CallResumed()]


def reanchor_waiting(visit: Visit, _: MediaLost) -> Step:
    """Only the caller has media worth saving: an agent's phone that rings is tried anew."""
    effects: list[Effect] = [
        Reanchor(visit.caller_leg, None),
        PlayWaiting(visit.caller_leg, again=True),
    ]
    if visit.state is State.OFFERED and visit.agent_leg is not None and visit.token is not None:
        effects += [EndLeg(visit.agent_leg, "media lost"), RefuseOffer(visit.token, 503)]
        visit = back_to_queue(visit)
    return visit, effects


def reanchor_talking(visit: Visit, _: MediaLost) -> Step:
    assert visit.agent_leg is not None
    assert visit.recording is not None
    effects: list[Effect] = [
        Reanchor(visit.caller_leg, None),
        Reanchor(visit.agent_leg, visit.caller_leg),
        Bridge(visit.caller_leg, visit.agent_leg),
        StartRecording(visit.recording, visit.caller_leg, visit.agent_leg),
    ]
    if visit.state is State.HELD:
        effects.append(PlayWaiting(visit.caller_leg, again=True))
    return visit, effects


# Pieces ---------------------------------------------------------------------------------------


def back_to_queue(visit: Visit) -> Visit:
    return replace(visit, state=State.WAITING, agent=None, agent_leg=None, token=None)


def without(visit: Visit, leg: str) -> Step:
    """The leg is over: its port is freed; after the last one the visit is gone."""
    if leg not in visit.open_legs:
        return visit, []
    after = replace(visit, open_legs=visit.open_legs - {leg})
    effects: list[Effect] = [CloseMedia(leg)]
    return after, effects if after.open_legs else [*effects, Gone()]


def part(visit: Visit, *, caller_left: bool = False) -> Step:
    """The talk is over: end both legs, stop the tap, tell the queue."""
    assert visit.agent_leg is not None
    assert visit.recording is not None
    effects: list[Effect] = [
        EndLeg(visit.caller_leg),
        EndLeg(visit.agent_leg),
        StopRecording(visit.recording),
        LeaveQueue() if caller_left else CallOver(),
    ]
    return replace(visit, state=State.ENDING, token=None), effects


def lose_agent(visit: Visit) -> Step:
    """The agent's phone died in the talk: the citizen waits again, with the original time."""
    assert visit.recording is not None
    effects: list[Effect] = [
        StopRecording(visit.recording),
        Unbridge(),
        PlayWaiting(visit.caller_leg, again=True),
        AgentLost(),
    ]
    return replace(back_to_queue(visit), recording=None), effects


def give_up(visit: Visit, reason: str) -> Step:
    effects: list[Effect] = [EndLeg(leg, reason) for leg in sorted(visit.open_legs)]
    return replace(visit, state=State.ENDING), [*effects, CallOver()]


TABLE: dict[tuple[State, type], Callable[..., Step]] = {
    (State.WAITING, Entered): join,
    (State.WAITING, Offered): dial,
    (State.WAITING, LegEnded): leg_ended_waiting,
    (State.WAITING, LegSilent): silent_waiting,
    (State.WAITING, Overflowed): overflow,
    (State.WAITING, MediaLost): reanchor_waiting,
    (State.WAITING, HangUp): hang_up_waiting,
    (State.OFFERED, OfferCancelled): take_back,
    (State.OFFERED, AgentAnswered): connect,
    (State.OFFERED, AgentUnfit): unfit,
    (State.OFFERED, LegEnded): leg_ended_offered,
    (State.OFFERED, LegSilent): silent_waiting,
    (State.OFFERED, Overflowed): overflow,
    (State.OFFERED, MediaLost): reanchor_waiting,
    (State.OFFERED, HangUp): hang_up_waiting,
    (State.TALKING, LegEnded): leg_ended_talking,
    (State.TALKING, LegSilent): silent,
    (State.TALKING, LegHeld): hold,
    (State.TALKING, MediaLost): reanchor_talking,
    (State.TALKING, HangUp): hang_up_talking,
    (State.HELD, LegEnded): leg_ended_talking,
    (State.HELD, LegSilent): silent,
    (State.HELD, LegResumed): resume,
    (State.HELD, MediaLost): reanchor_talking,
    (State.HELD, HangUp): hang_up_talking,
    (State.ENDING, LegEnded): leg_ended_ending,
}
