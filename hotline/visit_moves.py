"""What a visit's handlers are made of: a leg is called, joins, fails, leaves; the talk ends."""

from msgspec.structs import replace

from callcore.call.cause import ELSEWHERE
from hotline.errands import ERRANDS, role_of
from hotline.parties import Party, Place, Role, Stage
from hotline.visit_effects import (
    AcceptOffer,
    AcceptReferral,
    AnswerLeg,
    CallBridged,
    CallOver,
    Departed,
    DialLeg,
    Effect,
    EndLeg,
    HandedOver,
    LeaveQueue,
    MessageTaken,
    RefuseLeg,
    RefuseOffer,
    Report,
    Requeued,
    Unreached,
)
from hotline.visit_facts import Dial
from hotline.visit_state import Phase, Visit

Step = tuple[Visit, list[Effect]]
NO_ANSWER = 480
OURS_TO_ANSWER = frozenset((401, 407, 420, 421, 422, 423, 494))  # of our request, not of the call


def ring(visit: Visit, wanted: Dial) -> Step:
    """Call a party; who asked for it waits where the errand says."""
    errand = ERRANDS[wanted.errand]
    asker = visit.find(wanted.by)
    leg = f"{visit.call_id}-a{visit.legs + 1}"
    party = Party(
        leg,
        role_of(wanted.errand, wanted.target),
        wanted.target,
        Stage.DIALLED,
        errand.place,
        wanted.errand,
        wanted.by,
        None if asker is None else asker.target,
        wanted.reports,
        token=wanted.token,
        then=wanted.then,
    )
    visit = replace(visit, legs=visit.legs + 1).put(party)
    if asker is not None and errand.asker is not None:
        visit = visit.put(replace(asker, place=errand.asker))
        if errand.asker is Place.OUT:
            visit = end_holds(visit)
    effects: list[Effect] = [AcceptReferral(wanted.by)] if wanted.reports else []
    return visit, [*effects, DialLeg(leg, party.target, party.errand, party.asker)]


def end(visit: Visit, party: Party, reason: str = "") -> Step:
    """Ask for the end of a party's leg."""
    if party.stage is Stage.LEAVING:
        return visit, []
    return visit.put(replace(party, stage=Stage.LEAVING)), [EndLeg(party.leg, reason)]


def join_talk(visit: Visit, party: Party) -> Step:
    """The person is there: into its place, and whoever asked for it hears of that."""
    party = replace(party, stage=Stage.UP, early=False)
    before = visit
    effects: list[Effect] = []
    visit = visit.put(party)
    if party.token and not ERRANDS[party.errand].carries:
        visit, effects = accept_offer(visit, party)
    asker = visit.find(party.asked_by)
    if asker is not None and asker.is_here:
        visit, more = tell_asker(visit, party, asker)
        effects += more
    then = ERRANDS[party.errand].then
    if party.then is not None and then:
        carried = party.token if ERRANDS[party.errand].carries else ""
        wanted = Dial(party.then, then, party.leg, token=carried)
        visit, more = ring(visit, wanted)
        effects += more
    if sum(one.stage is Stage.UP for one in visit.parties) < 2:
        return visit, effects
    if visit.in_queue and (party.token or not before.talked):
        effects.append(CallBridged(visit.agent or ""))
    return replace(visit, talked=True), effects


def tell_asker(visit: Visit, party: Party, asker: Party) -> Step:
    """NOTIFY, our 200 to a seat that called, or the end of its part."""
    effects: list[Effect] = [Report(asker.leg, 200)] if party.reports else []
    if asker.stage is Stage.ARRIVED:
        return visit.put(replace(asker, stage=Stage.UP)), [*effects, AnswerLeg(asker.leg)]
    if ERRANDS[party.errand].answered == "leaves":
        visit, more = step_out(visit, asker, party)
        effects += more
    return visit, effects


def accept_offer(visit: Visit, party: Party) -> Step:
    """The first phone that answers has the call; the others were too slow."""
    effects: list[Effect] = [AcceptOffer(party.token)]
    visit = replace(visit, phase=Phase.TALKING, greeted=True)
    for other in visit.offers:
        visit, more = end(visit, other, ELSEWHERE)
        effects += more
    return replace(visit, owner=party.leg), effects


def end_holds(visit: Visit) -> Visit:
    """Who could end a hold is going: nobody stays on hold, or the citizen mute, for who comes."""
    for party in visit.parties:
        place = Place.TALK if party.place is Place.HOLD else party.place
        muted = party.muted and party.role is not Role.CITIZEN
        if (place, muted) != (party.place, party.muted):
            visit = visit.put(replace(party, place=place, muted=muted))
    return visit


def step_out(visit: Visit, asker: Party, heir: Party | None) -> Step:
    """Who transferred the call leaves it; a phone that sent REFER hangs up by itself, or soon."""
    effects: list[Effect] = []
    visit = end_holds(visit)
    if asker.leg == visit.owner:
        visit, effects = disown(visit, heir)
    if heir is not None and heir.reports:
        return visit.put(replace(asker, stage=Stage.LINGERING, place=Place.OUT)), effects
    visit, more = end(visit, asker)
    return bring_back_alone(visit), [*effects, *more]


def disown(visit: Visit, heir: Party | None = None) -> Step:
    """The queue's agent has left; a seat that goes on with the call is its agent now."""
    if not visit.in_queue:
        return replace(visit, owner=""), []
    if heir is not None and heir.target.is_seat and heir.stage is Stage.UP:
        owner = visit.find(visit.owner)
        if owner is not None and not heir.token and not visit.talked:
            visit = visit.put(replace(heir, token=owner.token))  # of a callback: its agent now
        return replace(visit, owner=heir.leg), [HandedOver(heir.target.name)]
    return replace(visit, owner=""), [Departed()]


def told(status: int) -> int:
    """What a phone is told of why somebody has not come; 480 where the status says nothing to it.

    A BYE before the key that was to be pressed is no success; a redirection or a challenge is of
    use with its fields only, which are ours to follow (RFC 3261 §8.1.3.4, §22.2).
    """
    return status if 400 <= status < 700 and status not in OURS_TO_ANSWER else NO_ANSWER


def fail(visit: Visit, party: Party, status: int) -> Step:
    """A leg that was called has not come: what its errand says."""
    effects: list[Effect] = []
    status = told(status)
    if party.errand in ("callee", "called back") and visit.in_queue:
        visit = replace(visit, in_queue=False)
        effects.append(Unreached(status))
    elif party.token:
        effects.append(RefuseOffer(party.token, status))
    asker = visit.find(party.asked_by)
    here = asker is not None and asker.stage is Stage.UP
    if asker is not None and party.reports and here:
        effects.append(Report(asker.leg, status))
    if asker is not None and asker.stage is Stage.ARRIVED:
        effects.append(RefuseLeg(asker.leg, status))
        visit = visit.put(replace(asker, stage=Stage.LEAVING))
    visit, more = follow_failure(visit, party, asker if here else None)
    return visit, [*effects, *more]


def follow_failure(visit: Visit, party: Party, asker: Party | None) -> Step:
    errand = ERRANDS[party.errand]
    if errand.failed in ("asker", "return") and asker is not None:
        if asker.place is errand.asker:
            visit = visit.put(replace(asker, place=Place.TALK))
        return rebalance(visit, party)
    if errand.failed == "end":
        return finish(visit, "nobody there")
    others = [one for one in visit.parties if one.counts and one.role is not Role.CITIZEN]
    if errand.failed in ("return", "queue") and not others:
        return go_back(visit, party)
    return rebalance(visit, party)


def go_back(visit: Visit, party: Party) -> Step:
    """Nobody took the transferred citizen: to whoever transferred, to the queue, or the end."""
    for way in visit.policy.returns:
        if way == "agent" and party.errand != "return" and party.asker is not None:
            if party.asker.is_seat:
                return ring(visit, Dial(party.asker, "return"))
        elif way == "queue" and visit.in_queue and visit.citizen is not None:
            return replace(visit, phase=Phase.QUEUED, owner=""), [Requeued()]
    return finish(visit, "nobody there")


def rebalance(visit: Visit, gone: Party) -> Step:
    """Somebody is gone: who is alone aside comes back, who is alone in the talk is done."""
    effects: list[Effect] = []
    if gone.leg == visit.owner and gone.token and not visit.talked:
        # The agent of a callback, before the citizen answered: that spends no attempt.
        visit, effects = replace(visit, owner=""), [RefuseOffer(gone.token, NO_ANSWER)]
    elif gone.leg == visit.owner:
        visit, effects = disown(visit)
    visit = bring_back_alone(visit)
    if not visit.held_by_agent:
        visit = end_holds(visit)
    talks = visit.phase is Phase.TALKING
    if talks and len([party for party in visit.parties if party.counts]) < 2:
        visit, more = conclude(visit)
        effects += more
    return visit, effects


def bring_back_alone(visit: Visit) -> Visit:
    """Of a consultation only one is left: into the talk; one who still rings is transferred to."""
    aside = [party for party in visit.parties if party.counts and party.place is Place.ASIDE]
    if len(aside) != 1:
        return visit
    errand = "transfer" if aside[0].is_coming else aside[0].errand
    return visit.put(replace(aside[0], place=Place.TALK, errand=errand))


def conclude(visit: Visit) -> Step:
    """The talk is over; a citizen who is still there may be asked how it was."""
    citizen = visit.citizen
    if not (citizen and citizen.stage is Stage.UP and visit.talked and visit.policy.survey):
        return finish(visit, "")
    effects: list[Effect] = []
    for party in visit.parties:
        if party is not citizen:
            visit, more = end(visit, party)
            effects += more
    if visit.in_queue:
        effects.append(CallOver())
    after = visit.put(replace(citizen, place=Place.TALK))
    return replace(after, phase=Phase.SURVEY, in_queue=False, owner="", asked=1), effects


def finish(visit: Visit, reason: str, *, by_caller: bool = False) -> Step:
    """End every leg; the queue hears of it once, and of a message that was left."""
    left_message = visit.phase is Phase.MESSAGE and visit.heard
    effects: list[Effect] = [MessageTaken()] if left_message else []
    for party in visit.parties:
        visit, more = end(visit, party, reason)
        effects += more
    if visit.in_queue:
        effects.append(LeaveQueue() if by_caller else CallOver())
    return replace(visit, phase=Phase.ENDING, in_queue=False, owner=""), effects
