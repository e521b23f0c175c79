"""Drives a visit as a ladder: facts in, the effects that matter out."""

from typing import Any, Self

from hotline import visit_effects as e
from hotline import visit_facts as f
from hotline.parties import Target
from hotline.scene import scene
from hotline.visit import begin, enter, enter_seat, step
from hotline.visit_state import Policy, Visit

CITIZEN = Target("number", "13900001111")
SEAT, OTHER = Target("seat", "8001"), Target("seat", "8002")
OUTSIDE = Target("number", "13800000001", "ims", "13800000001")
MOBILE = Target("seat", "8003", "ims", "13800000003", confirm=True)
POLICY = Policy(survey=False)

# What each kind of test looks at; everything else is the property test's to watch.
SIP = (
    e.DialLeg,
    e.AnswerLeg,
    e.ProgressLeg,
    e.RefuseLeg,
    e.EndLeg,
    e.AcceptReferral,
    e.Report,
    e.HandOver,
)
QUEUE = (
    e.JoinQueue,
    e.LeaveQueue,
    e.AcceptOffer,
    e.RefuseOffer,
    e.CallBridged,
    e.CallHeld,
    e.CallResumed,
    e.CallOver,
    e.HandedOver,
    e.Departed,
    e.Requeued,
    e.AgentLost,
)
SOUND = (e.Arrange, e.Play, e.StopPlay)
TAPE = (e.StartRecording, e.StopRecording)
BOOKS = (e.SeatBusy, e.SeatFree, e.StartMinutes, e.StopMinutes)


class Flow:
    """`expect` names every effect of its kinds, so that an unwanted one fails."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.effects: list[Any] = []

    def on(self, *events: f.Event) -> Self:
        self.effects = []
        for event in events:
            self.visit, effects = step(self.visit, event)
            self.effects += effects
        return self

    def expect(self, *effects: e.Effect, of: tuple[type, ...] = SIP) -> Self:
        assert [one for one in self.effects if isinstance(one, of)] == list(effects)
        return self

    def now(self, state: str) -> Self:
        assert self.visit.state == state
        return self

    def hears(self, **who: str) -> Self:
        """leg="legs it hears, or a prompt in <>"; legs without dashes, as c and a1."""
        shown = scene(self.visit)
        names = {party.leg: party.leg.removeprefix("v-") for party in self.visit.parties}
        found = {names[leg]: " ".join(names[x] for x in them) for leg, them in shown.hears.items()}
        found |= {names[leg]: f"<{what}>" for leg, what in shown.plays.items()}
        assert found == who
        return self


def waiting(policy: Policy = POLICY) -> Flow:
    return Flow(enter("v", "c", CITIZEN, policy)).on(f.Entered())


def talking(policy: Policy = POLICY) -> Flow:
    """The citizen (c) talks with 8001 (a1)."""
    flow = waiting(policy).on(f.Offered(SEAT, "t1"), f.LegRinging("v-a1"), f.LegAnswered("v-a1"))
    return flow.now("talking").hears(c="a1", a1="c")


def seat_calls(target: Target, policy: Policy = POLICY) -> Flow:
    """8001 (s) calls somebody (a1)."""
    return Flow(enter_seat("v", "s", SEAT, policy)).on(f.Dial(target, "callee", "s"))


def desk_calls(first: Target, then: Target, policy: Policy = POLICY) -> Flow:
    """The desk calls an agent (a1), then the citizen (a2)."""
    return Flow(begin("v", policy)).on(f.Dial(first, "desk", then=then))
