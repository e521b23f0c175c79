"""Performs the effects that a visit's machine asks for: one method an effect."""

import asyncio
from collections.abc import Callable

import structlog

from acd import events as acd
from callcore.call.events import Diverted
from callcore.call.placement import Headers, SeatTarget, TrunkTarget
from callcore.call.placement import Party as Shown
from callcore.errors import LocalProtocolError, RemoteProtocolError
from hotline import uui
from hotline import visit_effects as e
from hotline import visit_facts as f
from hotline.auto_answer import headers_of
from hotline.calls import CallBook
from hotline.charges import Charges
from hotline.commands import CallRecord
from hotline.errands import ERRANDS
from hotline.events import Alert
from hotline.identities import Identities
from hotline.parties import Role
from hotline.parts import Parts
from hotline.sound import Sound
from hotline.visit_state import Visit
from media.errors import LocalProtocolError as MediaError

log = structlog.get_logger("hotline")
# Nobody's call is forwarded by these.
OURS = ("callee", "called back", "followed up", "desk", "follow-up", "emergency")
Tell = Callable[[str, f.Event], None]
MOST_CLOSING = 10_000
SIDES = {Role.CITIZEN: "caller", Role.SUPERVISOR: "supervisor"}


class Performer:
    """The hands of the conductor; `tell` puts a fact into a visit's inbox."""

    def __init__(self, parts: Parts, tell: Tell) -> None:
        self._parts = parts
        self._tell = tell
        self._queues = {q.name: q for q in parts.config.queues}
        self._timers: dict[tuple[str, str], asyncio.TimerHandle] = {}
        domain = parts.config.sip.domain
        self._answering = {s.user: headers_of(s.auto_answer, domain) for s in parts.config.seats}
        self.call_of_leg: dict[str, str] = {}
        self._sides: dict[str, str] = {}  # of legs that we dialled: agent, other, "" until it is up
        self.closing: dict[str, tuple[str, str]] = {}  # leg -> call, side, until it is summed up
        self.sound = Sound(parts)
        self.charges = Charges(parts)
        outbound = parts.sip.engine.settings.outbound
        self._identities = Identities(parts.config.caller_ids, outbound)

    @property
    def _book(self) -> CallBook:
        return self._parts.book

    def perform(self, visit: Visit, effect: e.Effect) -> None:
        """Do it now; what cannot be done comes back to the visit as a fact."""
        act = TABLE.get(type(effect))
        try:
            if act is None:
                self.sound.perform(visit, effect)
            else:
                act(self, visit, effect)
        except Exception:  # a fault of ours: the effects behind it end legs and close the books
            self._parts.meters.faults.inc()
            log.exception(
                "fault in performing", call_id=visit.call_id, effect=type(effect).__name__
            )

    def close(self) -> None:
        """No timer fires any more."""
        for handle in self._timers.values():
            handle.cancel()
        self._timers.clear()

    def adopt(self, leg: str, call_id: str) -> None:
        """A leg that called us takes part in a call that is there."""
        self.call_of_leg[leg] = call_id
        self._sides[leg] = ""

    # The queue --------------------------------------------------------------------------------

    def join_queue(self, visit: Visit, _: e.JoinQueue) -> None:
        record = self._record(visit)
        queue = record.queue or ""
        at_ms = self._now_ms()
        self._book.queued(record.call_id, at_ms)
        arrived = acd.Arrived(
            at_ms=at_ms,
            call=record.call_id,
            queue=queue,
            caller=citizen_of(record),
            skills=tuple(self._queues[queue].skills),
        )
        self._queue(arrived)

    def requeued(self, visit: Visit, effect: e.Requeued) -> None:
        """The wait goes on from when the call first came; a call of ours enters now."""
        record = self._record(visit)
        record.queue = effect.queue or record.queue
        if self._parts.queueing.core.call(visit.call_id) is None:
            self.join_queue(visit, e.JoinQueue())
        else:
            self._queue(acd.Transferred(self._now_ms(), visit.call_id, effect.queue))

    def handed_over(self, visit: Visit, effect: e.HandedOver) -> None:
        self._queue(acd.HandedOver(self._now_ms(), visit.call_id, effect.agent))

    def departed(self, visit: Visit, _: e.Departed) -> None:
        self._queue(acd.Departed(self._now_ms(), visit.call_id))

    def unreached(self, visit: Visit, effect: e.Unreached) -> None:
        self._queue(acd.CallbackUnreached(self._now_ms(), visit.call_id, effect.status))

    def leave_queue(self, visit: Visit, _: e.LeaveQueue) -> None:
        self._queue(acd.HungUp(self._now_ms(), visit.call_id))

    def accept_offer(self, visit: Visit, effect: e.AcceptOffer) -> None:
        self._queue(acd.Accepted(self._now_ms(), effect.token))

    def refuse_offer(self, visit: Visit, effect: e.RefuseOffer) -> None:
        self._queue(acd.Refused(self._now_ms(), effect.token, effect.status))

    def call_bridged(self, visit: Visit, effect: e.CallBridged) -> None:
        at_ms = self._now_ms()
        self._queue(acd.Bridged(at_ms, visit.call_id))
        known = self._parts.queueing.core.call(visit.call_id)
        if known is not None and known.state == "overflowed":  # it is the city's now, not answered
            self._book.handed_on(visit.call_id, at_ms)
            return
        wait_ms = self._book.bridged(visit.call_id, effect.agent, at_ms)
        if wait_ms is not None:
            self._parts.meters.answer_seconds.observe(wait_ms / 1000)

    def call_held(self, visit: Visit, _: e.CallHeld) -> None:
        self._queue(acd.Held(self._now_ms(), visit.call_id))

    def call_resumed(self, visit: Visit, _: e.CallResumed) -> None:
        self._queue(acd.Resumed(self._now_ms(), visit.call_id))

    def call_over(self, visit: Visit, _: e.CallOver) -> None:
        self._queue(acd.CallEnded(self._now_ms(), visit.call_id))

    def agent_lost(self, visit: Visit, _: e.AgentLost) -> None:
        self._queue(acd.AgentDropped(self._now_ms(), visit.call_id))

    def seat_busy(self, visit: Visit, effect: e.SeatBusy) -> None:
        self._queue(acd.AgentSeized(self._now_ms(), effect.user, visit.call_id))

    def seat_free(self, visit: Visit, effect: e.SeatFree) -> None:
        self._queue(acd.AgentReleased(self._now_ms(), effect.user, visit.call_id))

    # SIP --------------------------------------------------------------------------------------

    def dial_leg(self, visit: Visit, effect: e.DialLeg) -> None:
        """Place a leg; one that cannot be placed has ended with 480."""
        parts = self._parts
        self.call_of_leg[effect.leg] = visit.call_id
        self._sides[effect.leg] = ""
        self.charges.dialled(visit.call_id, effect)
        near = next((one.leg for one in visit.parties if one.leg in parts.media), None)
        try:
            if self._is_used_up(effect):
                log.warning("package used up", trunk=effect.target.trunk, errand=effect.errand)
                raise LocalProtocolError("the trunk's minutes are used up")
            trunk = effect.target.trunk or ""
            seat = "" if trunk else effect.target.name
            parts.media.open(effect.leg, near, seat=seat, trunk=trunk)
            offer = parts.media.offer(effect.leg)
            target, shown = self._way(visit, effect)
            told = self._told(visit, effect)
            parts.sip.place(effect.leg, target, shown, offer, told)
        except (LocalProtocolError, MediaError) as error:
            log.warning("leg not dialled", who=effect.target.name, why=str(error))
            self._tell(visit.call_id, f.LegEnded(effect.leg, 480, "local"))

    def _told(self, visit: Visit, effect: e.DialLeg) -> Headers:
        """The city's platform is told our id of the call, and the work order's number.

        A seat with a headset is asked to answer by itself, when the call is for its agent.
        """
        target = effect.target
        if not target.trunk and effect.errand in ("offer", "desk", "follow-up"):
            return self._answering.get(target.name, ())
        if not target.number or target.number != self._parts.config.calls.platform_number:
            return ()
        record = self._record(visit)
        return ((uui.HEADER, uui.write(uui.Told(record.call_id, record.order))),)

    def _is_used_up(self, effect: e.DialLeg) -> bool:
        """A hard stop; never for emergency numbers."""
        target = effect.target
        if not target.trunk or target.emergency:
            return False
        return not self._parts.accounts.may_call(target.trunk)

    def _way(self, visit: Visit, effect: e.DialLeg) -> tuple[SeatTarget | TrunkTarget, Shown]:
        """Where to call, and who it is said to be: the citizen, forwarded by our number."""
        record = self._record(visit)
        target, asker = effect.target, effect.asker
        if not target.trunk:
            caller = record.caller if effect.errand in OURS else citizen_of(record)
            caller = asker.name if asker and effect.errand == "consult" else caller
            return SeatTarget(target.name), Shown(caller, caller)
        seat = asker.name if asker and asker.is_seat and not target.emergency else None
        uses, queue = ERRANDS[effect.errand].uses, record.queue or ""
        if effect.errand in OURS or record.direction != "inbound":
            way = TrunkTarget(target.trunk, target.number, seat=seat, urgent=target.emergency)
            return way, self._identities.shown(target, uses, queue, Shown(""))
        is_overflow = effect.errand in ("offer", "overflow")
        forwarded = Diverted(record.called, "no-answer" if is_overflow else "deflection")
        way = TrunkTarget(target.trunk, target.number, (forwarded,), seat, target.emergency)
        usual = Shown(record.caller, record.caller, record.withheld)
        return way, self._identities.shown(target, uses, queue, usual)

    def answer_leg(self, visit: Visit, effect: e.AnswerLeg) -> None:
        """Our 200 to a seat that called: its offer was kept until now."""
        try:
            body = self._parts.media.promised(effect.leg)
        except RemoteProtocolError as error:
            self._parts.sip.refuse(effect.leg, error.status)
            return
        self._parts.sip.answer(effect.leg, body)

    def progress_leg(self, visit: Visit, effect: e.ProgressLeg) -> None:
        """180, or 183 with a description where there is something to hear."""
        if not effect.media:
            self._parts.sip.progress(effect.leg, 180)
            return
        try:
            self._parts.sip.progress(effect.leg, 183, self._parts.media.promised(effect.leg))
        except RemoteProtocolError as error:
            self._parts.sip.refuse(effect.leg, error.status)

    def refuse_leg(self, visit: Visit, effect: e.RefuseLeg) -> None:
        self._parts.sip.refuse(effect.leg, effect.status)

    def end_leg(self, visit: Visit, effect: e.EndLeg) -> None:
        self._parts.sip.hang_up(effect.leg, effect.reason or None)

    def accept_referral(self, visit: Visit, effect: e.AcceptReferral) -> None:
        self._parts.sip.accept_transfer(effect.leg)

    def report(self, visit: Visit, effect: e.Report) -> None:
        self._parts.sip.progress_transfer(effect.leg, effect.status)

    def hand_over(self, visit: Visit, effect: e.HandOver) -> None:
        """The visit that takes these legs has said so already."""

    def close_media(self, visit: Visit, effect: e.CloseMedia) -> None:
        side = self._sides.pop(effect.leg, "caller")
        if effect.leg in self._parts.media:  # else it had no port, and nothing is summed up
            if len(self.closing) >= MOST_CLOSING:  # a worker that died sums nothing up
                del self.closing[next(iter(self.closing))]
            self.closing[effect.leg] = visit.call_id, side
        self._parts.media.close(effect.leg)
        self.call_of_leg.pop(effect.leg, None)
        self.charges.moments.forget(effect.leg)

    # Books and timers -------------------------------------------------------------------------

    def joined(self, visit: Visit, effect: e.Joined) -> None:
        self._book.joined(visit.call_id, effect, self._now_ms())
        if effect.leg in self._sides:
            party = visit.find(effect.leg)
            usual = "agent" if effect.target.is_seat else "other"
            self._sides[effect.leg] = SIDES.get(party.role, usual) if party else usual

    def parted(self, visit: Visit, effect: e.Parted) -> None:
        self._book.parted(visit.call_id, effect.leg, self._now_ms())

    def start_minutes(self, visit: Visit, effect: e.StartMinutes) -> None:
        self.charges.begin(effect)

    def stop_minutes(self, visit: Visit, effect: e.StopMinutes) -> None:
        self.charges.end(visit.call_id, effect.leg)

    def answered_in_vain(self, visit: Visit, effect: e.AnsweredInVain) -> None:
        self.charges.answered_in_vain(effect.leg)

    def scored(self, visit: Visit, effect: e.Scored) -> None:
        self._record(visit).survey = effect.key
        log.info("survey answered", call_id=visit.call_id, key=effect.key)

    def message_taken(self, visit: Visit, _: e.MessageTaken) -> None:
        """A task for whoever calls back: the record says so, and the live events."""
        record = self._record(visit)
        record.message = True
        if self._parts.config.message.callback and record.queue:
            record.callback = self._promise(record)
        log.info("message taken", call_id=visit.call_id, callback=record.callback)
        text = f"{record.call_id}: a message is to be called back"
        self._parts.hub.publish(self._now_ms(), Alert("message", text, record.call_id))

    def _promise(self, record: CallRecord) -> str:
        """The callback's name; "" for a number that is withheld, or is to be called anyway."""
        queued_ms = self._book.queued_ms(record.call_id) or self._now_ms()
        queue, call = record.queue or "", record.call_id
        wanted = acd.CallbackPromised(self._now_ms(), call, queue, record.caller, queued_ms)
        self._queue(wanted)
        found = (one for one in self._parts.queueing.core.callbacks() if one.call == call)
        return next((one.callback for one in found), "")

    def arm(self, visit: Visit, effect: e.Arm) -> None:
        self.disarm(visit, e.Disarm(effect.timer))
        call_id, timer = visit.call_id, effect.timer
        loop = asyncio.get_running_loop()
        handle = loop.call_later(effect.seconds, self._fire, call_id, timer)
        self._timers[call_id, timer] = handle

    def disarm(self, visit: Visit, effect: e.Disarm) -> None:
        handle = self._timers.pop((visit.call_id, effect.timer), None)
        if handle is not None:
            handle.cancel()

    def _fire(self, call_id: str, timer: str) -> None:
        self._timers.pop((call_id, timer), None)
        self._tell(call_id, f.Fired(timer))

    def gone(self, visit: Visit, _: e.Gone) -> None:
        self.sound.forget(visit)

    # ------------------------------------------------------------------------------------------

    def _record(self, visit: Visit) -> CallRecord:
        record = self._book.get(visit.call_id)
        assert record is not None
        return record

    def _queue(self, event: acd.Event) -> None:
        self._parts.queueing.tell(event)

    def _now_ms(self) -> int:
        return self._parts.clock.wall_ms()


def citizen_of(record: CallRecord) -> str:
    """The citizen's number, whoever called."""
    return record.called if record.direction == "outbound" else record.caller


TABLE: dict[type, Callable[..., None]] = {
    e.JoinQueue: Performer.join_queue,
    e.Requeued: Performer.requeued,
    e.LeaveQueue: Performer.leave_queue,
    e.AcceptOffer: Performer.accept_offer,
    e.RefuseOffer: Performer.refuse_offer,
    e.CallBridged: Performer.call_bridged,
    e.CallHeld: Performer.call_held,
    e.CallResumed: Performer.call_resumed,
    e.CallOver: Performer.call_over,
    e.HandedOver: Performer.handed_over,
    e.Departed: Performer.departed,
    e.Unreached: Performer.unreached,
    e.AgentLost: Performer.agent_lost,
    e.SeatBusy: Performer.seat_busy,
    e.SeatFree: Performer.seat_free,
    e.DialLeg: Performer.dial_leg,
    e.AnswerLeg: Performer.answer_leg,
    e.ProgressLeg: Performer.progress_leg,
    e.RefuseLeg: Performer.refuse_leg,
    e.EndLeg: Performer.end_leg,
    e.AcceptReferral: Performer.accept_referral,
    e.Report: Performer.report,
    e.HandOver: Performer.hand_over,
    e.CloseMedia: Performer.close_media,
    e.Joined: Performer.joined,
    e.Parted: Performer.parted,
    e.StartMinutes: Performer.start_minutes,
    e.StopMinutes: Performer.stop_minutes,
    e.AnsweredInVain: Performer.answered_in_vain,
    e.Scored: Performer.scored,
    e.MessageTaken: Performer.message_taken,
    e.Arm: Performer.arm,
    e.Disarm: Performer.disarm,
    e.Gone: Performer.gone,
}
