"""What the desk and feature codes ask of a call, made into commands to its visit."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import structlog

from hotline import visit_facts as f
from hotline.commands import CallAction, NotAllowed
from hotline.errors import BadTarget, NotNow
from hotline.parties import Party, Place, Role, Stage, Target
from hotline.visit_state import Visit

if TYPE_CHECKING:
    from hotline.conductor import Conductor

log = structlog.get_logger("hotline")
audit = structlog.get_logger("audit")
Order = Callable[["Conductor", Visit, CallAction], f.Command]
WATCHING = ("monitor", "whisper", "barge", "take_over")
PLACES = {"monitor": Place.MONITOR, "whisper": Place.WHISPER, "barge": Place.TALK}


def order_of(conductor: "Conductor", visit: Visit, action: CallAction) -> f.Command:
    """The command of an action; NotNow, BadTarget or NotAllowed say what is wrong with it."""
    make = ORDERS.get(action.verb)
    if make is None:
        raise NotAllowed(f"no action {action.verb!r}; there are: {', '.join(ORDERS)}")
    return make(conductor, visit, action)


def party_of(visit: Visit, name: str, fallback: Party | None) -> Party:
    """A party by its leg, its seat or number, or `agent` and `citizen`."""
    if not name:
        found = fallback
    elif name in ("citizen", "agent"):
        found = visit.citizen if name == "citizen" else visit.responsible
    else:
        live = [party for party in visit.parties if party.stage is not Stage.LEAVING]
        found = next((one for one in live if name in (one.leg, one.target.name)), None)
    if found is None:
        raise NotNow(f"{visit.state}: {name or 'nobody'} takes no part")
    return found


def agent_of(visit: Visit, action: CallAction) -> Party:
    """Who acts."""
    return party_of(visit, action.party, visit.responsible)


def move(place: Place) -> Order:
    """Hold and resume: the citizen, or whoever is named."""

    def make(_: "Conductor", visit: Visit, action: CallAction) -> f.Command:
        other = next((p for p in visit.parties if p.is_here and p is not visit.responsible), None)
        return f.Move(party_of(visit, action.party, visit.citizen or other).leg, place)

    return make


def mute(muted: bool) -> Order:
    """The agent, or whoever is named."""

    def make(_: "Conductor", visit: Visit, action: CallAction) -> f.Command:
        return f.Mute(agent_of(visit, action).leg, muted)

    return make


def dial(errand: str) -> Order:
    """Transfer, consult, invite: whom the action names."""

    def make(conductor: "Conductor", visit: Visit, action: CallAction) -> f.Command:
        found = conductor.directory.find(action.to)
        by = agent_of(visit, action).leg
        if isinstance(found, Target):
            return f.Dial(found, errand, by)
        if errand != "transfer":
            raise BadTarget(f"queue {found.queue!r} can only be transferred to")
        return f.Enqueue(found.queue, by)

    return make


def emergency(service: str = "") -> Order:
    """110, 119, 120 into the talk: no queue, no limit; the one named, or that of the action."""

    def make(conductor: "Conductor", visit: Visit, action: CallAction) -> f.Command:
        by = agent_of(visit, action).leg
        return f.Dial(conductor.directory.emergency(service or action.to), "emergency", by)

    return make


def complete(_: "Conductor", visit: Visit, action: CallAction) -> f.Command:
    return f.Complete(agent_of(visit, action).leg)


def join(_: "Conductor", visit: Visit, action: CallAction) -> f.Command:
    return f.Join(agent_of(visit, action).leg)


def toggle(_: "Conductor", visit: Visit, action: CallAction) -> f.Command:
    """Hold, and the second time back; in a consultation from one to the other."""
    agent = agent_of(visit, action)
    if any(visit.where(Stage.UP, place=Place.ASIDE)):
        aside = agent.place is Place.ASIDE
        return f.Move(agent.leg, Place.TALK if aside else Place.ASIDE)
    citizen = party_of(visit, "citizen", None)
    held = citizen.place is Place.HOLD
    return f.Move(citizen.leg, Place.TALK if held else Place.HOLD)


def remove(_: "Conductor", visit: Visit, action: CallAction) -> f.Command:
    if not action.party:
        raise NotAllowed("who is to be removed? name a leg, a seat or a number")
    return f.Remove(party_of(visit, action.party, None).leg)


def survey(_: "Conductor", visit: Visit, action: CallAction) -> f.Command:
    """The agent is done: the citizen is asked, if the call is one that is asked."""
    return f.HangUp("by command", survey=True)


def supervise(errand: str) -> Order:
    """A supervisor's phone is rung, or moved when it listens already."""

    def make(conductor: "Conductor", visit: Visit, action: CallAction) -> f.Command:
        if not conductor.presence.is_supervisor(action.by):
            raise NotAllowed(f"{action.by or 'nobody'} is no supervisor's seat")
        boss = conductor.directory.seat(action.by)
        present = next((p for p in visit.where(Stage.UP) if p.target.name == action.by), None)
        if present is not None:
            place = PLACES.get(errand)
            return f.TakeOver(present.leg) if place is None else f.Move(present.leg, place)
        agent = visit.responsible
        by = agent.leg if errand == "take over" and agent is not None else ""
        return f.Dial(boss, errand, by)

    return make


ORDERS: dict[str, Order] = {
    "hold": move(Place.HOLD),
    "resume": move(Place.TALK),
    "toggle": toggle,
    "mute": mute(True),
    "unmute": mute(False),
    "consult": dial("consult"),
    "transfer": dial("transfer"),
    "complete": complete,
    "join": join,
    "add": dial("invite"),
    "remove": remove,
    "emergency": emergency(),
    "police": emergency("110"),
    "fire": emergency("119"),
    "ambulance": emergency("120"),
    "survey": survey,
    "monitor": supervise("monitor"),
    "whisper": supervise("whisper"),
    "barge": supervise("barge"),
    "take_over": supervise("take over"),
}


def by_keys(conductor: "Conductor", call_id: str, leg: str, action: CallAction) -> None:
    """A feature code: only an agent of the call may, and what does not fit is only logged."""
    visit = conductor.visits[call_id]
    party = visit.find(leg)
    if party is None or party.role not in (Role.AGENT, Role.SUPERVISOR):
        return
    if action.verb not in WATCHING and party.place in (Place.MONITOR, Place.WHISPER):
        return  # whoever only listens moves nobody
    if action.verb in WATCHING:
        action = replace(action, by=party.target.name)
    try:
        conductor.tell(call_id, order_of(conductor, visit, action))
        audit.info("call", call_id=call_id, verb=action.verb, to=action.to, by=party.target.name)
    except (NotNow, BadTarget, NotAllowed) as error:
        log.info("feature code refused", call_id=call_id, verb=action.verb, why=str(error))
