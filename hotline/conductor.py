"""The conductor: SIP, media, queue and recorder meet here, one visit at a time.

It tells each visit's machine (visit.py) what happened; the performer does what comes back.
Facts that an effect causes wait in an inbox until the present one is done, so that the order in
which the machines see them never depends on who calls whom.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from acd import events as acd
from callcore.call import events as sip
from callcore.call.cause import ELSEWHERE
from hotline import visit_facts as f
from hotline.arrivals import Arrivals
from hotline.clock import iso
from hotline.commands import CallRecord, CallResult
from hotline.errors import BadTarget, NotNow
from hotline.events import AgentChanged, Alert, TrunkChanged
from hotline.herald import Herald
from hotline.keypads import Keypads
from hotline.listening import Listening
from hotline.negotiation import Negotiation
from hotline.outbound import Outbound
from hotline.parties import Stage
from hotline.parts import Parts
from hotline.performer import Performer
from hotline.policies import make_policy
from hotline.presence import Presence
from hotline.promised import CallbackOffers
from hotline.referrals import Referrals
from hotline.routes import Routes
from hotline.targets import Directory
from hotline.visit import step
from hotline.visit_effects import Gone
from hotline.visit_state import Policy, Visit
from media import events as media
from recorder import events as recorder

log = structlog.get_logger("hotline")
CLOSING_SECONDS = 5.0
WORDS = {"no_answer": "no answer", "completed_elsewhere": ELSEWHERE}


class Conductor:
    """One hotline: visits by call id, legs by name."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.draining = False
        self.visits: dict[str, Visit] = {}
        self.presence = Presence(parts)
        self.herald = Herald(parts)
        self.performer = Performer(parts, self._tell_later)
        self.routes = Routes((r.number, r.queue) for r in parts.config.routes)
        self.directory = Directory(parts.config, parts.sip.engine.settings.outbound)
        self._arrivals = Arrivals(self)
        self._negotiation = Negotiation(parts, self.tell_leg)
        self._referrals = Referrals(self)
        self.outbound = Outbound(self)
        self.callback_offers = CallbackOffers(self)
        self.keypads = Keypads(self)
        self._listening = Listening(self)
        self._results: dict[str, CallResult] = {}
        self._inbox: deque[Callable[[], None]] = deque()
        self._pumping = False
        self._nobody = asyncio.Event()
        self._nobody.set()

    # The way in -------------------------------------------------------------------------------

    def on_sip(self, fact: sip.Event) -> None:
        """A fact of the SIP engine."""
        self.performer.charges.note(fact, self.parts.sip.heard_at)
        self._post(SIP, fact)

    def on_media(self, fact: media.Event) -> None:
        """A fact of the media plane."""
        self._run(partial(self._listening.heard, fact))

    def on_queue(self, effect: acd.Effect) -> None:
        """An effect that the queue's core asks for."""
        if isinstance(effect, acd.Finished):
            # Not through the inbox: the visit that told the queue may be gone the next moment.
            if effect.call in self.visits:
                self._results[effect.call] = effect.result
            return
        self._post(QUEUE, effect)

    def on_recorder(self, fact: recorder.Event) -> None:
        """What became of a recording, or of the store."""
        self._run(partial(self.herald.on_recorder, fact))

    def hang_up(self, call_id: str, reason: str) -> bool:
        """End a call by command; False when it is not there (any more)."""
        if call_id not in self.visits:
            return False
        self._run(partial(self.tell, call_id, f.HangUp(reason)))
        return True

    def command(self, call_id: str, command: f.Command) -> None:
        """A command of the desk's, now; NotNow and BadTarget where it does not fit."""
        refused: list[Exception] = []

        def work() -> None:
            try:
                self.tell(call_id, command)
            except (NotNow, BadTarget) as error:
                refused.append(error)

        self._run(work)
        if refused:
            raise refused[0]

    async def drain(self, seconds: float) -> None:
        """No new calls; wait for those there are, then end what is left."""
        self.draining = True
        await self._let_go(seconds)

    def takes_calls(self) -> bool:
        """Whether a new call is answered by this node, and now."""
        return not self.draining and self.parts.queueing.leads()

    def has_waiting(self) -> bool:
        """Whether a citizen is here who talks to nobody yet."""
        return any(not visit.talked for visit in self.visits.values())

    async def step_down(self, seconds: float) -> None:
        """Another node leads: who waits is ended at once, who talks when they are done."""
        for call_id, visit in tuple(self.visits.items()):
            if not visit.talked:
                self.hang_up(call_id, "stepped down")
        await self._let_go(seconds)

    async def _let_go(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._nobody.wait()
        except TimeoutError:
            log.warning("calls ended by the drain", calls=len(self.visits))
            for call_id in tuple(self.visits):
                self.hang_up(call_id, "drain")
            try:
                async with asyncio.timeout(CLOSING_SECONDS):
                    await self._nobody.wait()
            except TimeoutError:
                log.error("calls left open", calls=len(self.visits))

    # The pump ---------------------------------------------------------------------------------

    def _post(self, table: dict[type, Callable[..., None]], fact: Any) -> None:
        handler = table.get(type(fact))
        if handler is not None:
            self._run(partial(handler, self, fact))

    def _run(self, work: Callable[[], None]) -> None:
        self._inbox.append(work)
        if self._pumping:
            return
        self._pumping = True
        try:
            while self._inbox:
                self._do(self._inbox.popleft())
        finally:
            self._pumping = False

    def _do(self, work: Callable[[], None]) -> None:
        """One fact; a fault of ours in one call must not take the others with it."""
        try:
            work()
        except Exception:
            self.parts.meters.faults.inc()
            log.exception("fault in handling a fact")

    def _tell_later(self, call_id: str, event: f.Event) -> None:
        self._run(partial(self.tell, call_id, event))

    def tell(self, call_id: str, event: f.Event) -> None:
        """One fact or command to a visit's machine, and what comes of it done."""
        visit = self.visits.get(call_id)
        if visit is None:
            return
        before = visit.state, visit.agent
        visit, effects = step(visit, event)
        self.visits[call_id] = visit
        for effect in effects:
            self.performer.perform(visit, effect)
            if isinstance(effect, Gone):
                # Behind what the queue has just said of the call's result.
                self._run(partial(self._forget, visit))
        if (visit.state, visit.agent) != before:
            self.herald.call(visit)

    def tell_leg(self, leg: str, event: f.Event) -> None:
        """The same to the visit that a leg is part of, if there is one (any more)."""
        call_id = self.performer.call_of_leg.get(leg)
        if call_id is not None:
            self.tell(call_id, event)

    # Visits -----------------------------------------------------------------------------------

    def begin(self, record: CallRecord, visit: Visit) -> None:
        """A visit is there from now on."""
        self.parts.book.open(record)
        self.visits[visit.call_id] = visit
        self._nobody.clear()
        log.info(
            "call arrived", call_id=visit.call_id, caller=record.caller, queue=record.queue or ""
        )
        self.herald.call(visit)

    def policy_of(self, queue: str | None) -> Policy:
        """What the configuration says for a new visit."""
        return make_policy(self.parts.config, queue, self.parts.chance)

    def talk_of_seat(self, user: str) -> str | None:
        """The call that a seat talks in."""
        for call_id, visit in self.visits.items():
            for party in visit.where(Stage.UP):
                if party.target.is_seat and party.target.name == user:
                    return call_id
        return None

    def leg_of_seat(self, user: str) -> str | None:
        """A leg of that seat's that has media: its next one goes to the same worker."""
        for visit in self.visits.values():
            for party in visit.parties:
                if party.target.is_seat and party.target.name == user and party.counts:
                    return party.leg
        return None

    # SIP --------------------------------------------------------------------------------------

    def _arrived(self, fact: sip.Arrived) -> None:
        self._arrivals.arrived(fact)

    def _negotiated(self, fact: sip.CallEvent) -> None:
        self._negotiation.heard(fact)

    def _answered_in_vain(self, fact: sip.AnsweredInVain) -> None:
        self.performer.charges.answered_in_vain(fact.leg)

    def _referred(self, fact: sip.Referred) -> None:
        self._referrals.referred(fact)

    def _ended(self, fact: sip.Ended) -> None:
        call_id = self.performer.call_of_leg.get(fact.leg)
        if call_id is not None:
            self.parts.book.leg_ended(call_id, fact)
        self.keypads.forget(fact.leg)
        self.tell_leg(fact.leg, f.LegEnded(fact.leg, fact.status, fact.by))

    def _registered(self, fact: sip.Registered) -> None:
        self.presence.came(fact.user)

    def _unregistered(self, fact: sip.Unregistered) -> None:
        self.presence.went(fact.user, fact.why)

    def _trunk_changed(self, fact: sip.TrunkChanged) -> None:
        log.info("trunk", trunk=fact.trunk, up=fact.up, why=fact.why)
        self.herald.tell(TrunkChanged(fact.trunk, fact.up, fact.why))

    def _refused(self, fact: sip.Refused) -> None:
        log.info("request refused", source=fact.source, method=fact.method, why=fact.why)

    def _banned(self, fact: sip.Banned) -> None:
        log.warning("source banned", source=fact.source, why=fact.why, seconds=fact.seconds)
        self.herald.tell(Alert("ban", f"{fact.source} is not listened to: {fact.why}", fact.source))

    # The queue --------------------------------------------------------------------------------

    def _offer(self, effect: acd.Offer) -> None:
        self.tell(effect.call, f.Offered(self.directory.seat(effect.agent), effect.token))

    def _cancel_offer(self, effect: acd.CancelOffer) -> None:
        self.tell(effect.call, f.OfferCancelled(effect.token, WORDS.get(effect.reason, "")))

    def _overflow(self, effect: acd.Overflow) -> None:
        """To a mobile or to the city beside the queue; or out of it."""
        if effect.target not in ("mobile", "city"):
            message = effect.target == "message"
            self.tell(effect.call, f.Overflowed(effect.why, message))
            return
        try:
            target = self.directory.overflow(effect.agent, effect.address)
        except BadTarget as error:
            log.error("nowhere to overflow to", target=effect.target, why=str(error))
            at_ms = self.parts.clock.wall_ms()
            self.parts.queueing.tell(acd.Refused(at_ms, effect.token, error.status))
            return
        self.tell(effect.call, f.Offered(target, effect.token, "overflow"))

    def _call_back(self, effect: acd.CallBack) -> None:
        self.outbound.call_back(effect)

    def _offer_callback(self, effect: acd.OfferCallback) -> None:
        self.callback_offers.offer(effect)

    def _announce(self, effect: acd.Announce) -> None:
        visit = self.visits.get(effect.call)
        if visit is not None:
            self.performer.sound.announce(visit, effect)

    def _agent_changed(self, effect: acd.AgentStateChanged) -> None:
        self.herald.tell(AgentChanged(effect.agent, effect.state, iso(effect.at_ms), effect.reason))

    def _noticed(self, effect: acd.Overstayed | acd.Sidelined | acd.CallbackEnded) -> None:
        self.herald.on_queue(effect)

    # Pieces -----------------------------------------------------------------------------------

    def _forget(self, visit: Visit) -> None:
        del self.visits[visit.call_id]
        self.callback_offers.forget(visit.call_id)
        result = self._results.pop(visit.call_id, "failed")
        record = self.parts.book.ended(visit.call_id, result, self.parts.clock.wall_ms())
        self.parts.meters.calls.labels(record.direction, record.result).inc()
        log.info("call over", call_id=visit.call_id, result=record.result, wait_ms=record.wait_ms)
        self.herald.call(visit)
        if not self.visits:
            self._nobody.set()


SIP: dict[type, Callable[..., None]] = {
    sip.Arrived: Conductor._arrived,
    sip.Progressed: Conductor._negotiated,
    sip.Answered: Conductor._negotiated,
    sip.AnsweredInVain: Conductor._answered_in_vain,
    sip.Confirmed: Conductor._negotiated,
    sip.Offered: Conductor._negotiated,
    sip.OfferAnswered: Conductor._negotiated,
    sip.OfferRefused: Conductor._negotiated,
    sip.Referred: Conductor._referred,
    sip.Ended: Conductor._ended,
    sip.Registered: Conductor._registered,
    sip.Unregistered: Conductor._unregistered,
    sip.TrunkChanged: Conductor._trunk_changed,
    sip.Refused: Conductor._refused,
    sip.Banned: Conductor._banned,
}
QUEUE: dict[type, Callable[..., None]] = {
    acd.Offer: Conductor._offer,
    acd.CancelOffer: Conductor._cancel_offer,
    acd.Overflow: Conductor._overflow,
    acd.Announce: Conductor._announce,
    acd.CallBack: Conductor._call_back,
    acd.OfferCallback: Conductor._offer_callback,
    acd.AgentStateChanged: Conductor._agent_changed,
    acd.Overstayed: Conductor._noticed,
    acd.Sidelined: Conductor._noticed,
    acd.CallbackEnded: Conductor._noticed,
}
