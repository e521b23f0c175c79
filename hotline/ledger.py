"""What follows from a visit's change for sound, recordings, minutes, seats and timers.

Read off the parties before and after, so that no handler can forget to stop what it has begun.
"""

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from hotline.errands import ERRANDS
from hotline.parties import Party, Place, Stage
from hotline.scene import SILENCE, changes, scene
from hotline.visit_effects import (
    Arm,
    CallHeld,
    CallResumed,
    CloseMedia,
    Disarm,
    Effect,
    Gone,
    HandOver,
    Joined,
    Parted,
    SeatBusy,
    SeatFree,
    StartMinutes,
    StartRecording,
    StopMinutes,
    StopRecording,
)
from hotline.visit_state import Phase, Visit

ANSWERED = (Stage.ASKED, Stage.UP, Stage.LINGERING)


def settle_accounts(
    before: Visit, after: Visit, effects: Sequence[Effect], *, anew: bool = False
) -> tuple[Visit, list[Effect]]:
    """The visit with its recordings named, and all effects in order; `anew`: media was lost."""
    handed = {leg for one in effects if isinstance(one, HandOver) for leg in one.legs}
    after = name_recordings(after)
    all_effects: list[Effect] = []
    if not before.begun:  # a seat that calls us is on the phone before its call is anybody's
        after = replace(after, begun=True)
        all_effects += [SeatBusy(user) for user in busy(before)]
    if anew:  # the legs must be somewhere before anything is played to them
        all_effects += effects
    if after.phase is not Phase.ENDING:
        all_effects += changes(SILENCE if anew else scene(before), after)
    if not anew:
        all_effects += effects
    all_effects += recordings(before, after, anew)
    all_effects += held(before, after)
    all_effects += membership(before, after, handed)
    all_effects += minutes(before, after, handed)
    all_effects += seats(before, after)
    all_effects += timers(before, after)
    gone = [one for one in before.parties if after.find(one.leg) is None]
    all_effects += [CloseMedia(one.leg) for one in gone if one.leg not in handed]
    if gone and not after.parties:
        all_effects.append(Gone())
    return after, all_effects


def name_recordings(visit: Visit) -> Visit:
    """Each party that begins to talk with the citizen has a recording of its own until it goes."""
    citizen = visit.citizen
    if citizen is None or citizen.stage is not Stage.UP or citizen.place is not Place.TALK:
        return visit
    if visit.phase is Phase.MESSAGE and visit.heard and not citizen.recording:
        name = f"{visit.call_id}-{visit.parts + 1}"
        return replace(visit.put(replace(citizen, recording=name)), parts=visit.parts + 1)
    for party in visit.where(Stage.UP, place=Place.TALK):
        if party is not citizen and not party.recording:
            name = f"{visit.call_id}-{visit.parts + 1}"
            visit = replace(visit.put(replace(party, recording=name)), parts=visit.parts + 1)
    return visit


def running(visit: Visit) -> dict[str, tuple[str, str]]:
    """Recording -> the citizen's leg and the other's, of those that run."""
    citizen = visit.citizen
    if citizen is None or citizen.stage is not Stage.UP or visit.phase is Phase.ENDING:
        return {}
    return {
        party.recording: (citizen.leg, "" if party is citizen else party.leg)
        for party in visit.where(Stage.UP)
        if party.recording
    }


def recordings(before: Visit, after: Visit, anew: bool) -> Iterator[Effect]:
    old, new = running(before), running(after)
    for name in old:
        if name not in new:
            yield StopRecording(name)
    for name, legs in new.items():
        if anew or name not in old:
            yield StartRecording(name, *legs)


def held(before: Visit, after: Visit) -> Iterator[Effect]:
    """Whether the queue's agent keeps the citizen waiting."""
    was, now = is_held(before), is_held(after)
    if now and not was:
        yield CallHeld()
    elif was and not now and after.in_queue and after.owner:
        yield CallResumed()


def is_held(visit: Visit) -> bool:
    return bool(visit.in_queue and visit.owner and visit.state == "held")


def membership(before: Visit, after: Visit, handed: set[str]) -> Iterator[Effect]:
    """Who came and who went, for the call's record."""
    for party in after.parties:
        old = before.find(party.leg)
        if party.stage is Stage.UP and (old is None or old.stage is not Stage.UP):
            yield Joined(party.leg, party.target, party.errand)
    for party in before.parties:
        new = after.find(party.leg)
        stays = new is not None and new.stage is Stage.UP
        if party.stage is Stage.UP and not stays:
            yield Parted(party.leg)


def minutes(before: Visit, after: Visit, handed: set[str]) -> Iterator[Effect]:
    """A trunk counts a call of ours from its answer to its end."""
    was = {party.leg: party for party in before.parties if is_metered(party)}
    now = {party.leg: party for party in after.parties if is_metered(party)}
    for leg, party in now.items():
        if leg not in was and before.find(leg) is not None:  # else it was another visit's before
            yield StartMinutes(leg, party.target.trunk, ERRANDS[party.errand].uses)
    for leg in was:
        if leg not in now and leg not in handed:
            yield StopMinutes(leg)


def is_metered(party: Party) -> bool:
    return bool(party.target.trunk and party.errand and party.stage in ANSWERED)


def seats(before: Visit, after: Visit) -> Iterator[Effect]:
    """Seats that are on the phone without the queue's doing."""
    was, now = busy(before), busy(after)
    owner = after.find(after.owner)
    for user in was:
        if user not in now and not (owner is not None and owner.target.name == user):
            yield SeatFree(user)
    for user in now:
        if user not in was:
            yield SeatBusy(user)


def busy(visit: Visit) -> dict[str, None]:
    owned = (Stage.LEAVING, Stage.LINGERING)
    return {
        party.target.name: None
        for party in visit.parties
        if party.target.is_seat
        and party.stage not in owned
        and not party.token
        and party.leg != visit.owner
    }


def timers(before: Visit, after: Visit) -> Iterator[Effect]:
    """Every leg that something is awaited of, and the phases that are ours alone, have one."""
    was, now = due(before), due(after)
    for timer in was:
        if timer not in now:
            yield Disarm(timer)
    for timer, (seconds, turn) in now.items():
        if was.get(timer) != (seconds, turn):
            yield Arm(timer, seconds)


def due(visit: Visit) -> dict[str, tuple[float, int]]:
    """Timer -> its seconds, and the turn: another turn arms it anew."""
    policy = visit.policy
    found: dict[str, tuple[float, int]] = {}
    for party in visit.parties:
        patience = ERRANDS[party.errand].seconds if party.errand else ""
        if party.stage in (Stage.DIALLED, Stage.RINGING) and patience:
            found[f"answer/{party.leg}"] = (getattr(policy, f"{patience}_seconds"), 0)
        elif party.stage is Stage.ASKED:
            found[f"confirm/{party.leg}"] = (policy.confirm_seconds, 0)
        elif party.stage is Stage.LINGERING:
            found[f"linger/{party.leg}"] = (policy.linger_seconds, 0)
    if visit.phase is Phase.SURVEY:
        found["survey/"] = (policy.survey_seconds, visit.asked + (10 if visit.score else 0))
    elif visit.phase is Phase.MESSAGE:
        found["message/"] = (policy.message_seconds, 0)
    return found
