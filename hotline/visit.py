"""A citizen's visit, from the trunk's INVITE to the last leg's end: a pure machine.

    QUEUED ----> TALKING ----> SURVEY ----> ENDING -> gone
      |  ^          |  |                      ^
      |  +----------+  +----------------------+
      +----> MESSAGE -------------------------+

Calls of seats, of the desk and back to citizens begin in TALKING, with nobody there yet. What a
party is in the talk for (transfer, consultation, supervision ...) is data: parties.py, errands.py;
who hears whom is read off that: scene.py; what follows for recordings, timers and minutes:
ledger.py. The machine knows legs by name and nothing of SIP, RTP or the queue's policy: the
conductor tells it facts and performs its effects.
"""

from collections.abc import Callable

from msgspec.structs import replace

from hotline import visit_commands as commands
from hotline import visit_facts as f
from hotline.errors import NotNow
from hotline.ledger import settle_accounts
from hotline.parties import Party, Place, Role, Stage, Target
from hotline.visit_effects import (
    AgentLost,
    AnsweredInVain,
    CallOver,
    Discern,
    Effect,
    JoinQueue,
    ProgressLeg,
    Reanchor,
    RefuseOffer,
    Report,
    Scored,
)
from hotline.visit_moves import (
    NO_ANSWER,
    Step,
    conclude,
    end,
    end_holds,
    fail,
    finish,
    join_talk,
    rebalance,
    ring,
)
from hotline.visit_state import Phase, Policy, Visit

CONFIRMATION = "1"
TONES = {"busy": 486, "congestion": 503, "unobtainable": 404, "special": 404}
DEAD = ("timeout", "transport")
USUAL = Policy()


def enter(call_id: str, leg: str, caller: Target, policy: Policy = USUAL) -> Visit:
    """A citizen's call that was answered and is to be queued."""
    return Visit(call_id, (Party(leg, Role.CITIZEN, caller),), policy=policy)


def enter_seat(call_id: str, leg: str, seat: Target, policy: Policy = USUAL) -> Visit:
    """A seat's call, not answered yet: Dial says whom it wants."""
    party = Party(leg, Role.AGENT, seat, Stage.ARRIVED)
    return Visit(call_id, (party,), Phase.TALKING, policy)


def begin(call_id: str, policy: Policy = USUAL, *, in_queue: bool = False) -> Visit:
    """A call of the desk's or (`in_queue`) of the queue's: Dial says whom to call first."""
    return Visit(call_id, (), Phase.TALKING, policy, in_queue)


def step(visit: Visit, event: f.Event) -> Step:
    """The visit after `event`, and what is to be done.

    Facts that come too late change nothing; a command that does not fit raises NotNow.
    """
    handler = TABLE.get((visit.phase, type(event)))
    if handler is None:
        if isinstance(event, f.Command):
            raise NotNow(visit.state)
        return visit, []
    after, effects = handler(visit, event)
    return settle_accounts(visit, after, effects, anew=isinstance(event, f.MediaLost))


# The queue's ------------------------------------------------------------------------------------


def join(visit: Visit, _: f.Entered) -> Step:
    return replace(visit, in_queue=True), [JoinQueue()]


def offer(visit: Visit, event: f.Offered) -> Step:
    if visit.citizen is None:  # it has just hung up
        return visit, [RefuseOffer(event.token, NO_ANSWER)]
    wanted = f.Dial(event.agent, event.errand, token=event.token)
    return ring(visit, wanted)


def take_back(visit: Visit, event: f.OfferCancelled) -> Step:
    """Ring-no-answer, or another phone was faster: the caller goes on waiting, or talks."""
    for party in visit.offers:
        if party.token == event.token and visit.phase is Phase.QUEUED:
            return end(visit, party, event.reason)
    if any(party.token == event.token and party.counts for party in visit.parties):
        # An attempt at a callback, which the queue has given up with whoever is there by now.
        return (visit, []) if visit.talked else finish(visit, event.reason)
    return visit, []


def overflow(visit: Visit, event: f.Overflowed) -> Step:
    """Nobody can answer: a message is taken, or the call ends."""
    citizen = visit.citizen
    if citizen is None or not (event.message or visit.policy.message):
        return finish(visit, event.why)
    effects: list[Effect] = []
    for party in visit.offers:
        visit, more = end(visit, party, event.why)
        effects += more
    after = replace(visit, phase=Phase.MESSAGE, in_queue=False)
    return after, [*effects, CallOver()] if visit.in_queue else effects


# A leg's ----------------------------------------------------------------------------------------


def ringing(visit: Visit, event: f.LegRinging) -> Step:
    party = visit.find(event.leg)
    if party is None or party.stage not in (Stage.DIALLED, Stage.RINGING):
        return visit, []
    asker = visit.find(party.asked_by)
    effects: list[Effect] = []
    if party.reports:
        effects.append(Report(party.asked_by, 180))
    elif asker is not None and asker.stage is Stage.ARRIVED:
        effects.append(ProgressLeg(asker.leg, event.early))
    early = party.early or event.early
    if early and not party.early and party.target.trunk and visit.policy.tones:
        effects.append(Discern(party.leg, True))
    return visit.put(replace(party, stage=Stage.RINGING, early=early)), effects


def answered(visit: Visit, event: f.LegAnswered) -> Step:
    party = visit.find(event.leg)
    if party is None or party.stage not in (Stage.DIALLED, Stage.RINGING):
        return visit, []  # a late 200 of a call taken back: its leg is being ended already
    effects: list[Effect] = []
    if party.early and party.target.trunk and visit.policy.tones:
        effects.append(Discern(party.leg, False))
    if party.target.confirm:
        return visit.put(replace(party, stage=Stage.ASKED)), effects
    visit, more = join_talk(visit, party)
    return visit, [*effects, *more]


def toned(visit: Visit, event: f.ToneHeard) -> Step:
    """Busy, congestion or no such number, told by tones where a network answers by 183."""
    party = visit.find(event.leg)
    status = TONES.get(event.tone)
    if party is None or party.stage is not Stage.RINGING or status is None:
        return visit, []
    return give_up(visit, party, status, event.tone)


def pressed(visit: Visit, event: f.Digit) -> Step:
    """The key that says: a person is here."""
    party = visit.find(event.leg)
    if party is None or party.stage is not Stage.ASKED or event.digit != CONFIRMATION:
        return visit, []
    return join_talk(visit, party)


def unfit(visit: Visit, event: f.LegUnfit) -> Step:
    party = visit.find(event.leg)
    if party is None or not party.is_coming:
        return visit, []
    after, effects = give_up(visit, party, event.status, "")
    return after, [AnsweredInVain(party.leg), *effects] if party.target.trunk else effects


def give_up(visit: Visit, party: Party, status: int, reason: str) -> Step:
    """Hang a leg up that has not come, and go on without it."""
    after, effects = end(visit, party, reason)
    after, more = fail(after, party, status)
    return after, [*effects, *more]


def ended(visit: Visit, event: f.LegEnded) -> Step:
    party = visit.find(event.leg)
    if party is None:
        return visit, []
    after = visit.without(event.leg)
    if visit.phase is Phase.ENDING or party.stage in (Stage.LEAVING, Stage.LINGERING):
        return after, []
    if party.is_coming:
        return fail(after, party, event.status)
    return left(after, party, dead=event.by in DEAD)


def left(visit: Visit, party: Party, *, dead: bool = False) -> Step:
    """A party that was here is gone (and taken out of `visit`, or on its way out)."""
    if party.role is Role.CITIZEN:
        return finish(visit, "caller hung up", by_caller=True)
    if party.leg == visit.owner and dead and may_return(visit):
        after = replace(visit, phase=Phase.QUEUED, owner="", greeted=True)
        return end_holds(after), [AgentLost()]
    if visit.policy.agent_leaves == "end" and was_last_agent(visit, party):
        return conclude(visit)
    return rebalance(visit, party)


def was_last_agent(visit: Visit, party: Party) -> bool:
    """Whether no agent is left, and none was asked to follow."""
    if party.role is not Role.AGENT or party.place is Place.OUT:
        return False
    return not any(one.role is Role.AGENT and one.counts for one in visit.parties)


def may_return(visit: Visit) -> bool:
    """Whether nobody is left but the citizen, whom the queue knows."""
    others = [party for party in visit.parties if party.counts and party != visit.citizen]
    return visit.in_queue and visit.citizen is not None and not others


def silent(visit: Visit, event: f.LegSilent) -> Step:
    """RTP time-out: a dead agent's citizen goes back to the queue, a dead citizen's call ends."""
    party = visit.find(event.leg)
    if party is None or party.stage is not Stage.UP:
        return visit, []
    if party.role is Role.CITIZEN:
        return finish(visit, "media timeout")
    after, effects = end(visit, party, "media timeout")
    after, more = left(after, party, dead=True)
    return after, [*effects, *more]


def held(visit: Visit, event: f.LegHeld | f.LegResumed) -> Step:
    """An agent pressed hold: music for the others. A trunk's hold needs nothing from us."""
    party = visit.find(event.leg)
    if party is None or not party.target.is_seat or party.stage is not Stage.UP:
        return visit, []
    return visit.put(replace(party, away=isinstance(event, f.LegHeld))), []


def fired(visit: Visit, event: f.Fired) -> Step:
    """A leg's patience is at its end."""
    _, _, leg = event.timer.partition("/")
    party = visit.find(leg)
    if party is None:
        return visit, []
    if party.is_coming:
        return give_up(visit, party, NO_ANSWER, "no answer")
    return end(visit, party) if party.stage is Stage.LINGERING else (visit, [])


def reanchor(visit: Visit, _: f.MediaLost) -> Step:
    """Only who is here has media worth saving: a phone that rings is tried anew."""
    effects: list[Effect] = []
    near: str | None = None
    for party in visit.parties:
        if party.stage is Stage.UP:
            effects.append(Reanchor(party.leg, near))
            near = near or party.leg
    more: list[Effect] = list(effects)
    for leg in [party.leg for party in visit.parties]:
        coming = visit.find(leg)
        if coming is not None and coming.is_coming:
            visit, others = give_up(visit, coming, 503, "media lost")
            more += others
    return visit, more


# The survey's and the message's -----------------------------------------------------------------


def score(visit: Visit, event: f.Digit) -> Step:
    """One key is the answer; what is none leaves the question."""
    citizen = visit.citizen
    if citizen is None or event.leg != citizen.leg or visit.score:
        return visit, []
    if event.digit not in visit.policy.survey_keys:
        return visit, []
    return replace(visit, score=event.digit), [Scored(event.digit)]


def ask_again(visit: Visit, event: f.Fired) -> Step:
    """The question is put twice; a leg that is only lingering is ended."""
    if event.timer != "survey/":
        return fired(visit, event)
    if visit.score or visit.asked > 1:
        return finish(visit, "survey over")
    return replace(visit, asked=visit.asked + 1), []


def thanked(visit: Visit, event: f.PromptsEnded) -> Step:
    return finish(visit, "survey over") if visit.score else (visit, [])


def prompted(visit: Visit, event: f.PromptsEnded) -> Step:
    """After the tone: the recording begins."""
    return replace(visit, heard=True), []


def message_over(visit: Visit, event: f.Fired) -> Step:
    if event.timer != "message/":
        return fired(visit, event)
    return finish(visit, "message taken")


# Commands of all phases -------------------------------------------------------------------------


def hang_up(visit: Visit, event: f.HangUp) -> Step:
    """In a talk the survey may follow, unless it is we who close."""
    if event.survey and visit.phase is Phase.TALKING:
        return conclude(visit)
    return finish(visit, event.reason)


ANY: dict[type, Callable[..., Step]] = {
    f.LegRinging: ringing,
    f.LegAnswered: answered,
    f.LegUnfit: unfit,
    f.ToneHeard: toned,
    f.LegEnded: ended,
    f.LegSilent: silent,
    f.LegHeld: held,
    f.LegResumed: held,
    f.Digit: pressed,
    f.Fired: fired,
    f.MediaLost: reanchor,
    f.HangUp: hang_up,
    f.OfferCancelled: take_back,
    f.Replaced: commands.replace_leg,
}
LIVE = (Phase.QUEUED, Phase.TALKING, Phase.SURVEY, Phase.MESSAGE)
TABLE: dict[tuple[Phase, type], Callable[..., Step]] = {
    **{(phase, kind): handler for phase in LIVE for kind, handler in ANY.items()},
    (Phase.QUEUED, f.Entered): join,
    (Phase.QUEUED, f.Offered): offer,
    (Phase.QUEUED, f.Overflowed): overflow,
    (Phase.TALKING, f.Dial): commands.dial,
    (Phase.TALKING, f.Attach): commands.attach,
    (Phase.TALKING, f.Complete): commands.complete,
    (Phase.TALKING, f.Join): commands.join,
    (Phase.TALKING, f.Move): commands.move,
    (Phase.TALKING, f.Mute): commands.mute,
    (Phase.TALKING, f.TakeOver): commands.take_over,
    (Phase.TALKING, f.Remove): commands.remove,
    (Phase.TALKING, f.Enqueue): commands.enqueue,
    (Phase.TALKING, f.Adopt): commands.adopt,
    (Phase.TALKING, f.Yield): commands.hand_over,
    (Phase.SURVEY, f.Digit): score,
    (Phase.SURVEY, f.Fired): ask_again,
    (Phase.SURVEY, f.PromptsEnded): thanked,
    (Phase.MESSAGE, f.PromptsEnded): prompted,
    (Phase.MESSAGE, f.Fired): message_over,
    (Phase.ENDING, f.LegEnded): ended,
}
