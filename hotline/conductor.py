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
from callcore.errors import RemoteProtocolError
from hotline import visit_facts as v
from hotline.clock import iso
from hotline.commands import CallRecord, CallResult
from hotline.events import AgentChanged, Alert, TrunkChanged
from hotline.herald import Herald
from hotline.parts import Parts
from hotline.performer import Performer
from hotline.routes import Routes
from hotline.visit import State, Visit, enter, step
from media import events as media
from media.errors import LocalProtocolError as MediaError
from recorder import events as recorder

log = structlog.get_logger("hotline")
RETRY_AFTER_SECONDS = 10
CLOSING_SECONDS = 5.0


class Conductor:
    """One hotline: visits by call id, legs by name."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.draining = False
        self.visits: dict[str, Visit] = {}
        self.registered: set[str] = set()
        self.trunks_up: dict[str, bool] = {}
        self.herald = Herald(parts)
        self.performer = Performer(parts, self._tell_later)
        self._routes = Routes((r.number, r.queue) for r in parts.config.routes)
        self._seats = {s.user: s for s in parts.config.seats}
        self._results: dict[str, CallResult] = {}
        self._inbox: deque[Callable[[], None]] = deque()
        self._pumping = False
        self._nobody = asyncio.Event()
        self._nobody.set()

    # The way in -------------------------------------------------------------------------------

    def on_sip(self, fact: sip.Event) -> None:
        """A fact of the SIP engine."""
        self._post(SIP, fact)

    def on_media(self, fact: media.Event) -> None:
        """A fact of the media plane."""
        self._post(MEDIA, fact)

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
        self._run(partial(self._tell, call_id, v.HangUp(reason)))
        return True

    async def drain(self, seconds: float) -> None:
        """No new calls; wait for those there are, then end what is left."""
        self.draining = True
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

    def _tell_later(self, call_id: str, event: v.Event) -> None:
        self._run(partial(self._tell, call_id, event))

    def _tell(self, call_id: str, event: v.Event) -> None:
        visit = self.visits.get(call_id)
        if visit is None:
            return
        before = visit.state, visit.agent
        visit, effects = step(visit, event)
        self.visits[call_id] = visit
        for effect in effects:
            self.performer.perform(visit, effect)
            if isinstance(effect, v.Gone):
                # Behind what the queue has just said of the call's result.
                self._run(partial(self._forget, visit))
        if (visit.state, visit.agent) != before:
            self.herald.call(visit)

    def _tell_leg(self, leg: str, event: v.Event) -> None:
        call_id = self.performer.call_of_leg.get(leg)
        if call_id is not None:
            self._tell(call_id, event)

    # SIP --------------------------------------------------------------------------------------

    def _arrived(self, fact: sip.Arrived) -> None:
        """A call for one of our numbers: answer it, then queue it."""
        parts = self.parts
        queue = self._routes.find(fact.called)
        if self.draining:
            self._refuse(fact, 503, ("Retry-After", str(RETRY_AFTER_SECONDS)))
            return
        if queue is None:
            self._refuse(fact, 404)
            return
        try:
            parts.media.open(fact.leg)
        except MediaError:
            self._refuse(fact, 503, ("Retry-After", str(RETRY_AFTER_SECONDS)))
            return
        try:
            if fact.offer is None:
                body = parts.media.offer(fact.leg)
            else:
                body, _ = parts.media.answer(fact.leg, fact.offer)
        except RemoteProtocolError as error:
            parts.media.close(fact.leg)
            self._refuse(fact, error.status)
            return
        parts.sip.answer(fact.leg, body)
        self._enter(fact, queue)

    def _enter(self, fact: sip.Arrived, queue: str) -> None:
        parts = self.parts
        call_id = parts.call_ids()
        arrived = iso(parts.clock.wall_ms())
        parts.book.open(
            CallRecord(call_id, fact.caller, fact.called, "inbound", queue, None, arrived)
        )
        visit = enter(call_id, fact.leg)
        self.visits[call_id] = visit
        self.performer.call_of_leg[fact.leg] = call_id
        self._nobody.clear()
        log.info("call arrived", call_id=call_id, caller=fact.caller, queue=queue)
        self.herald.call(visit)
        self._tell(call_id, v.Entered())

    def _refuse(self, fact: sip.Arrived, status: int, *headers: tuple[str, str]) -> None:
        self.parts.sip.refuse(fact.leg, status, headers)
        self.parts.meters.calls.labels("inbound", "rejected").inc()
        log.info("call refused", caller=fact.caller, called=fact.called, status=status)

    def _answered(self, fact: sip.Answered) -> None:
        """An agent's 200: it must bring an answer that fits."""
        if fact.leg not in self.parts.media:
            return
        if fact.description is None:
            self._tell_leg(fact.leg, v.AgentUnfit(fact.leg, 488))
            return
        try:
            self.parts.media.accepted(fact.leg, fact.description)
        except RemoteProtocolError as error:
            self._tell_leg(fact.leg, v.AgentUnfit(fact.leg, error.status))
            return
        self._tell_leg(fact.leg, v.AgentAnswered(fact.leg))

    def _confirmed(self, fact: sip.Confirmed) -> None:
        """The ACK; with a body when our 200 carried the offer (delayed offer)."""
        if fact.description is None or fact.leg not in self.parts.media:
            return
        try:
            self.parts.media.accepted(fact.leg, fact.description)
        except RemoteProtocolError as error:
            log.info("answer in the ACK does not fit", leg=fact.leg, why=str(error))
            self.parts.sip.hang_up(fact.leg, "no common codec")

    def _offered(self, fact: sip.Offered) -> None:
        """A re-INVITE: hold, resume, a new address or codec; without a body we offer."""
        if fact.leg not in self.parts.media:
            self.parts.sip.refuse_offer(fact.leg, 488)
            return
        if fact.offer is None:
            self.parts.sip.accept_offer(fact.leg, self.parts.media.offer(fact.leg))
            return
        try:
            body, negotiated = self.parts.media.answer(fact.leg, fact.offer)
        except RemoteProtocolError as error:
            self.parts.sip.refuse_offer(fact.leg, error.status)
            return
        self.parts.sip.accept_offer(fact.leg, body)
        event = v.LegHeld if negotiated.remote_on_hold else v.LegResumed
        self._tell_leg(fact.leg, event(fact.leg))

    def _offer_answered(self, fact: sip.OfferAnswered) -> None:
        """The far end took our new address."""
        if fact.description is None or fact.leg not in self.parts.media:
            return
        try:
            self.parts.media.accepted(fact.leg, fact.description)
        except RemoteProtocolError as error:
            log.warning("answer to our offer does not fit", leg=fact.leg, why=str(error))
            self.parts.sip.hang_up(fact.leg, "no common codec")

    def _offer_refused(self, fact: sip.OfferRefused) -> None:
        """A far end that will not follow us to the new address hears nothing: end that leg."""
        log.warning("offer refused", leg=fact.leg, status=fact.status)
        self.parts.sip.hang_up(fact.leg, "media lost")

    def _ended(self, fact: sip.Ended) -> None:
        call_id = self.performer.call_of_leg.get(fact.leg)
        if call_id is not None:
            record = self.parts.book.get(call_id)
            if record is not None and record.sip_status is None:
                record.sip_status = fact.status
        self._tell_leg(fact.leg, v.LegEnded(fact.leg, fact.status, fact.by))

    def _registered(self, fact: sip.Registered) -> None:
        seat = self._seats.get(fact.user)
        if seat is None or fact.user in self.registered:
            return
        self.registered.add(fact.user)
        now_ms = self.parts.clock.wall_ms()
        known = self.parts.queueing.core.agent(fact.user)
        if known is None or known.state != "offline":
            return  # a break or a wrap-up outlasts the phone's registration
        if seat.auto_ready:
            self.parts.queueing.tell(acd.AgentReady(now_ms, fact.user))
        else:
            self.parts.queueing.tell(acd.AgentNotReady(now_ms, fact.user, "registered"))

    def _unregistered(self, fact: sip.Unregistered) -> None:
        if fact.user in self.registered:
            self.registered.discard(fact.user)
            log.info("seat gone", user=fact.user, why=fact.why)
            self.parts.queueing.tell(acd.AgentOffline(self.parts.clock.wall_ms(), fact.user))

    def _trunk_changed(self, fact: sip.TrunkChanged) -> None:
        self.trunks_up[fact.trunk] = fact.up
        log.info("trunk", trunk=fact.trunk, up=fact.up, why=fact.why)
        self.herald.tell(TrunkChanged(fact.trunk, fact.up, fact.why))

    def _refused(self, fact: sip.Refused) -> None:
        log.info("request refused", source=fact.source, method=fact.method, why=fact.why)

    def _banned(self, fact: sip.Banned) -> None:
        log.warning("source banned", source=fact.source, why=fact.why, seconds=fact.seconds)
        self.herald.tell(Alert("ban", f"{fact.source} is not listened to: {fact.why}"))

    # The queue --------------------------------------------------------------------------------

    def _offer(self, effect: acd.Offer) -> None:
        self._tell(effect.call, v.Offered(effect.agent, effect.token))

    def _cancel_offer(self, effect: acd.CancelOffer) -> None:
        self._tell(effect.call, v.OfferCancelled(effect.token))

    def _overflow(self, effect: acd.Overflow) -> None:
        self._tell(effect.call, v.Overflowed(effect.why))

    def _agent_changed(self, effect: acd.AgentStateChanged) -> None:
        self.herald.tell(AgentChanged(effect.agent, effect.state, iso(effect.at_ms), effect.reason))

    def _noticed(self, effect: acd.Overstayed | acd.Sidelined | acd.CallbackEnded) -> None:
        self.herald.on_queue(effect)

    # Media ------------------------------------------------------------------------------------

    def _silent(self, fact: media.RtpTimeout) -> None:
        log.info("no media", leg=fact.leg)
        self._tell_leg(fact.leg, v.LegSilent(fact.leg))

    def _leg_failed(self, fact: media.LegFailed) -> None:
        """The worker could not open the leg's socket: that end will never be heard."""
        log.error("media leg failed", leg=fact.leg, why=fact.why)
        self.parts.sip.hang_up(fact.leg, "media lost")

    def _recording_closed(self, fact: media.RecordingClosed) -> None:
        self._seal(fact.recording)

    def _sink_failed(self, fact: media.SinkFailed) -> None:
        log.error("recording not written", recording=fact.recording, why=fact.why)
        self.parts.meters.sink_failures.inc()
        self.parts.keeper.sink_failed(fact.recording, fact.why)
        self.herald.tell(Alert("recording", f"{fact.recording}: {fact.why}"))

    def _worker_lost(self, fact: media.WorkerLost) -> None:
        """Its calls go on over the new worker; taps whose call is over are sealed as they are."""
        log.error("media worker lost", worker=fact.worker, legs=len(fact.legs))
        self.parts.meters.workers_lost.inc()
        self.herald.tell(Alert("media worker", f"worker {fact.worker} was replaced"))
        calls = dict.fromkeys(self.performer.call_of_leg.get(leg) for leg in fact.legs)
        for call_id in calls:
            if call_id is not None:
                self._tell(call_id, v.MediaLost())
        live = {visit.recording for visit in self.visits.values() if visit.state in TALKING}
        for recording in fact.recordings:
            if recording not in live:
                self._seal(recording)

    # Pieces -----------------------------------------------------------------------------------

    def _seal(self, recording: str) -> None:
        call_id = self.performer.open_recordings.pop(recording, None)
        if call_id is not None:
            self.parts.keeper.finish(recording, {"ended_ms": self.parts.clock.wall_ms()})

    def _forget(self, visit: Visit) -> None:
        del self.visits[visit.call_id]
        result = self._results.pop(visit.call_id, "failed")
        record = self.parts.book.ended(visit.call_id, result, self.parts.clock.wall_ms())
        self.parts.meters.calls.labels(record.direction, record.result).inc()
        log.info("call over", call_id=visit.call_id, result=record.result, wait_ms=record.wait_ms)
        self.herald.call(visit)
        if not self.visits:
            self._nobody.set()


TALKING = (State.TALKING, State.HELD)
SIP: dict[type, Callable[..., None]] = {
    sip.Arrived: Conductor._arrived,
    sip.Answered: Conductor._answered,
    sip.Confirmed: Conductor._confirmed,
    sip.Offered: Conductor._offered,
    sip.OfferAnswered: Conductor._offer_answered,
    sip.OfferRefused: Conductor._offer_refused,
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
    acd.AgentStateChanged: Conductor._agent_changed,
    acd.Overstayed: Conductor._noticed,
    acd.Sidelined: Conductor._noticed,
    acd.CallbackEnded: Conductor._noticed,
}
MEDIA: dict[type, Callable[..., None]] = {
    media.RtpTimeout: Conductor._silent,
    media.LegFailed: Conductor._leg_failed,
    media.RecordingClosed: Conductor._recording_closed,
    media.SinkFailed: Conductor._sink_failed,
    media.WorkerLost: Conductor._worker_lost,
}
