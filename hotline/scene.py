"""Who hears whom, who is played what: read off the parties, so that nobody has to keep it right.

speaker \\ listener    talk     aside    monitor   whisper
talk                   hears    -        hears     hears
aside                  -        hears    -         -
whisper                agents   -        -         -

Hold, out: hear nobody and are heard by nobody. Who is muted, or holds us, is not heard.
"""

from dataclasses import field

from callcore.value import dataclass
from hotline.parties import Party, Place, Role, Stage
from hotline.visit_effects import Arrange, Effect, Play, StopPlay
from hotline.visit_state import Phase, Visit

AUDIBLE: dict[Place, tuple[Place, ...]] = {
    Place.TALK: (Place.TALK, Place.MONITOR, Place.WHISPER),
    Place.ASIDE: (Place.ASIDE,),
    Place.WHISPER: (Place.TALK,),
}


@dataclass(frozen=True, slots=True)
class Scene:
    """Leg -> the legs that it hears; leg -> what it is played."""

    hears: dict[str, tuple[str, ...]] = field(default_factory=dict)
    plays: dict[str, str] = field(default_factory=dict)


SILENCE = Scene()


def scene(visit: Visit) -> Scene:
    """The sound of a visit."""
    hears: dict[str, tuple[str, ...]] = {}
    plays: dict[str, str] = {}
    for party in visit.parties:
        heard: tuple[str, ...] = ()
        if party.is_here:
            heard = tuple(other.leg for other in visit.parties if is_heard(other, party))
        if heard:
            hears[party.leg] = heard
        prompt = prompt_for(visit, party, bool(heard))
        if prompt:
            plays[party.leg] = prompt
    return Scene(hears, plays)


def is_heard(speaker: Party, listener: Party) -> bool:
    """Whether one hears the other."""
    if speaker is listener or speaker.muted or speaker.away or not listener.is_here:
        return False
    if speaker.stage is Stage.RINGING:  # early media, for those whom it is to join
        return speaker.early and speaker.place is listener.place and not speaker.token
    if speaker.stage is not Stage.UP or listener.place not in AUDIBLE.get(speaker.place, ()):
        return False
    return speaker.place is not Place.WHISPER or listener.role is Role.AGENT


def prompt_for(visit: Visit, party: Party, hears: bool) -> str:
    """What a party is played; nothing where it hears somebody."""
    is_citizen = party.role is Role.CITIZEN
    if party.stage is Stage.ASKED:
        return "confirm"
    if party.stage is not Stage.UP:
        return ""
    if is_citizen and visit.phase is Phase.QUEUED:
        waits = "music" if visit.greeted else "welcome"
        return waits if visit.in_queue else ""
    if is_citizen and visit.phase is Phase.SURVEY:
        return "thanks" if visit.score else f"survey {visit.asked}"
    if is_citizen and visit.phase is Phase.MESSAGE:
        return "" if visit.heard else "message"
    if hears or visit.hearers_of(party) or visit.phase is not Phase.TALKING:
        return ""
    if party.place is Place.HOLD:
        return "music"
    if party.place not in (Place.TALK, Place.ASIDE):
        return ""
    if any(visit.where(Stage.RINGING, place=party.place)):
        return "ringback"
    return "" if party.role is Role.AGENT or not visit.talked else "music"


def changes(before: Scene, visit: Visit) -> list[Effect]:
    """From one scene to the next; what is played ends before people are heard."""
    after = scene(visit)
    known = {party.leg for party in visit.parties}
    effects: list[Effect] = [
        StopPlay(leg) for leg in before.plays if leg in known and leg not in after.plays
    ]
    if after.hears != before.hears:
        effects.append(Arrange(tuple(after.hears.items())))
    effects += [
        Play(leg, what) for leg, what in after.plays.items() if before.plays.get(leg) != what
    ]
    return effects
