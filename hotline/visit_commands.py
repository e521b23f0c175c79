"""What may be asked of a visit by the desk, by a phone's REFER or by a feature code.

Each handler raises NotNow where the command does not fit; nothing has changed then.
"""

from msgspec.structs import replace

from hotline import visit_facts as f
from hotline.errands import ERRANDS, SUPERVISION, role_of
from hotline.errors import BadTarget, NotNow
from hotline.parties import COMING, Party, Place, Role, Stage
from hotline.visit_effects import AcceptReferral, Effect, EndLeg, HandOver, Report, Requeued
from hotline.visit_moves import (
    Step,
    disown,
    end,
    end_holds,
    fail,
    finish,
    join_talk,
    rebalance,
    ring,
    step_out,
)
from hotline.visit_state import Phase, Visit


def need(visit: Visit, leg: str, *stages: Stage) -> Party:
    """The party that a command is about."""
    party = visit.find(leg)
    if party is None or (stages and party.stage not in stages):
        raise NotNow(f"{visit.state}: {leg or 'nobody'} takes no part")
    return party


def dial(visit: Visit, wanted: f.Dial) -> Step:
    """Bring somebody in: transfer, consultation, third party, supervision, a call's first legs."""
    errand = ERRANDS[wanted.errand]
    if wanted.by:
        asker = need(visit, wanted.by)
        if errand.asker is not None or errand.answered == "leaves":
            need(visit, wanted.by, Stage.UP)
        if errand.asker is not None and is_busy_with_another(visit, asker):
            raise NotNow(f"{visit.state}: {wanted.by} transfers or consults already")
    elif visit.parties and wanted.errand == "transfer":
        raise NotNow(f"{visit.state}: nobody is there to transfer it")
    members = [party for party in visit.parties if party.stage is not Stage.LEAVING]
    if any(is_same(party, wanted) for party in members):
        raise BadTarget(f"{wanted.target.name} takes part already", 486)
    if len(members) >= visit.policy.most_parties and not wanted.target.emergency:
        raise NotNow(f"{visit.state}: {len(members)} parties are the most")
    if wanted.errand in SUPERVISION and not visit.talked:
        raise NotNow(f"{visit.state}: nobody talks yet")
    return ring(visit, wanted)


def attach(visit: Visit, event: f.Attach) -> Step:
    """A supervisor's phone has called: its leg is there already, and needs no ringing."""
    if not visit.talked:
        raise NotNow(f"{visit.state}: nobody talks yet")
    members = [party for party in visit.parties if party.stage is not Stage.LEAVING]
    if any(party.target == event.seat for party in members):
        raise BadTarget(f"{event.seat.name} takes part already", 486)
    if len(members) >= visit.policy.most_parties:
        raise NotNow(f"{visit.state}: {len(members)} parties are the most")
    agent = visit.responsible if event.errand == "take over" else None
    errand = ERRANDS[event.errand]
    party = Party(
        event.leg,
        role_of(event.errand, event.seat),
        event.seat,
        Stage.DIALLED,
        errand.place,
        event.errand,
        "" if agent is None else agent.leg,
    )
    return join_talk(visit.put(party), party)


def is_same(party: Party, wanted: f.Dial) -> bool:
    """Whether a target is there already; an emergency service may be called again."""
    return (party.target.kind, party.target.name) == (wanted.target.kind, wanted.target.name)


def is_busy_with_another(visit: Visit, asker: Party) -> bool:
    """Whether it waits for what comes of a transfer, or consults."""
    return asker.place in (Place.OUT, Place.ASIDE)


def complete(visit: Visit, event: f.Complete) -> Step:
    """The attended transfer; to one who still rings it becomes a blind one (RFC 5589 §7.3)."""
    asker = need(visit, event.by, Stage.UP)
    heirs = consulted(visit, asker)
    if not heirs:
        raise NotNow(f"{visit.state}: nobody is consulted")
    for heir in heirs:
        errand = "transfer" if heir.is_coming else heir.errand
        visit = visit.put(replace(heir, place=Place.TALK, errand=errand))
    here = next((heir for heir in heirs if heir.stage is Stage.UP), None)
    if here is None:
        return end_holds(visit.put(replace(asker, place=Place.OUT))), []
    return step_out(visit, asker, visit.find(here.leg))


def consulted(visit: Visit, asker: Party) -> list[Party]:
    """Whom a party consults, also while it is back with the others for a moment."""
    if asker.place not in (Place.ASIDE, Place.TALK):
        return []
    return [
        one
        for one in visit.parties
        if one.place is Place.ASIDE
        and one.counts
        and one is not asker
        and (asker.place is Place.ASIDE or one.asked_by == asker.leg)
    ]


def join(visit: Visit, event: f.Join) -> Step:
    """Three-way: all of the consultation into the talk."""
    asker = need(visit, event.by, Stage.UP)
    if not consulted(visit, asker):
        raise NotNow(f"{visit.state}: nobody is consulted")
    for party in visit.parties:
        if party.place is Place.ASIDE:
            errand = "invite" if party.is_coming else party.errand
            visit = visit.put(replace(party, place=Place.TALK, errand=errand))
    return visit, []


def move(visit: Visit, event: f.Move) -> Step:
    """Hold and resume, consultation and back, monitor to whisper to barge-in."""
    party = need(visit, event.leg, Stage.UP)
    watching = event.place in (Place.MONITOR, Place.WHISPER)
    if watching and party.role is not Role.SUPERVISOR:
        raise NotNow(f"{visit.state}: {event.leg} is no supervisor")
    if event.place is Place.ASIDE and not any(visit.where(Stage.UP, place=Place.ASIDE)):
        raise NotNow(f"{visit.state}: nobody is consulted")
    if party.place is Place.OUT or party.place is event.place:
        raise NotNow(f"{visit.state}: {event.leg} is in {party.place.value}")
    return visit.put(replace(party, place=event.place)), []


def mute(visit: Visit, event: f.Mute) -> Step:
    party = need(visit, event.leg, Stage.UP)
    return visit.put(replace(party, muted=event.muted)), []


def take_over(visit: Visit, event: f.TakeOver) -> Step:
    boss, agent = need(visit, event.leg, Stage.UP), visit.responsible
    if agent is None or agent.stage is not Stage.UP or agent.leg == boss.leg:
        raise NotNow(f"{visit.state}: there is no agent whose place {event.leg} could take")
    boss = replace(boss, role=Role.AGENT, place=Place.TALK, errand="take over", muted=False)
    return step_out(visit.put(boss), agent, boss)


def remove(visit: Visit, event: f.Remove) -> Step:
    """One party hangs up by command; who was being called is given up."""
    party = need(visit, event.leg)
    if party.stage in (Stage.LEAVING, Stage.LINGERING):
        raise NotNow(f"{visit.state}: {event.leg} leaves already")
    if party.role is Role.CITIZEN and party.is_here:
        return finish(visit, "removed")
    after, effects = end(visit, party, "removed")
    after, more = fail(after, party, 487) if party.is_coming else rebalance(after, party)
    return after, [*effects, *more]


def enqueue(visit: Visit, event: f.Enqueue) -> Step:
    """Transfer to a queue: the agent leaves at once, the citizen waits with the time it came."""
    asker = need(visit, event.by, Stage.UP)
    citizen = visit.citizen
    others = [one for one in visit.parties if one.counts and one not in (asker, citizen)]
    if citizen is None or citizen.stage is not Stage.UP or others:
        raise NotNow(f"{visit.state}: only a citizen alone with an agent can be queued")
    effects: list[Effect] = []
    if event.reports:
        effects += [AcceptReferral(asker.leg), Report(asker.leg, 200)]
        visit = visit.put(replace(asker, stage=Stage.LINGERING, place=Place.OUT))
    else:
        visit, effects = end(visit, asker, "transferred")
    after = replace(visit, phase=Phase.QUEUED, in_queue=True, owner="", greeted=True)
    return end_holds(after), [*effects, Requeued(event.queue)]


def adopt(visit: Visit, event: f.Adopt) -> Step:
    """RFC 5589 §7: those whom the agent's other call was with take its place here."""
    asker = need(visit, event.by, Stage.UP)
    effects: list[Effect] = [AcceptReferral(asker.leg)] if event.reports else []
    visit = visit.put(replace(asker, place=Place.OUT))
    for party in event.parties:
        errand = "transfer" if party.is_coming else party.errand or "transfer"
        adopted = replace(
            party,
            place=Place.TALK,
            errand=errand,
            asked_by=asker.leg,
            asker=asker.target,
            reports=event.reports,
            token="",  # of the other call, which is over to the queue
            recording="",
        )
        visit = visit.put(adopted)
    here = next((one for one in event.parties if one.stage is Stage.UP), None)
    if here is None:
        return end_holds(visit), effects
    if event.reports:
        effects.append(Report(asker.leg, 200))
    visit, more = step_out(visit, asker, visit.find(here.leg))
    return visit, [*effects, *more]


def hand_over(visit: Visit, event: f.Yield) -> Step:
    """All but one party are another visit's from now on; that one ends here."""
    need(visit, event.leg)
    legs = tuple(one.leg for one in visit.parties if one.counts and one.leg != event.leg)
    for leg in legs:
        visit = visit.without(leg)
    visit, effects = finish(visit, "transferred")
    return visit, [HandOver(legs), *effects]


def replace_leg(visit: Visit, event: f.Replaced) -> Step:
    """RFC 3891: a new leg in the place of the old one, which hears no more of us."""
    old = need(visit, event.old, *COMING, Stage.UP)
    if old.role is Role.CITIZEN:
        raise NotNow(f"{visit.state}: nobody takes the citizen's place")
    becomes_agent = event.target.is_seat and old.role is not Role.SUPERVISOR
    new = replace(
        old,
        leg=event.new,
        target=event.target,
        stage=Stage.UP,
        role=Role.AGENT if becomes_agent else old.role,
        token="",
        away=False,
        early=False,
        recording="",
    )
    visit = visit.put(replace(old, stage=Stage.LEAVING))
    effects: list[Effect] = [EndLeg(old.leg, "replaced")]
    if old.is_coming:
        return pick_up(visit, old, new, effects)
    visit = visit.put(new)
    if old.leg == visit.owner:
        visit, more = disown(visit, new)
        effects += more
    return replace(visit, talked=True), effects


def pick_up(visit: Visit, old: Party, new: Party, effects: list[Effect]) -> Step:
    """What rang is answered elsewhere: an offer is the queue's agent's first, then the other's."""
    visit, more = join_talk(visit, replace(new, token=old.token))
    effects = [*effects, *more]
    if visit.owner == new.leg and new.target.name != old.target.name:
        visit, more = disown(visit, new)
        effects += more
    return visit, effects
