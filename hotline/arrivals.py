"""Calls that come to us: a citizen's to its queue, a seat's to whom it dialled, pick-ups."""

from typing import TYPE_CHECKING, Literal

import structlog

from acd import events as acd
from callcore.call.events import Arrived
from callcore.errors import RemoteProtocolError
from hotline import uui
from hotline import visit_facts as f
from hotline.clock import iso
from hotline.codes import Order
from hotline.commands import CallRecord
from hotline.errors import BadTarget, NotNow
from hotline.parties import Target
from hotline.targets import QueueTarget
from hotline.visit import enter, enter_seat, step
from hotline.visit_state import Visit
from media.errors import LocalProtocolError as MediaError

if TYPE_CHECKING:
    from hotline.conductor import Conductor

log = structlog.get_logger("hotline")
audit = structlog.get_logger("audit")
RETRY_AFTER_SECONDS = 10
BUSY = 486


class Arrivals:
    """Decides what an INVITE of theirs is for."""

    def __init__(self, conductor: "Conductor") -> None:
        self._conductor = conductor
        self._parts = conductor.parts

    def arrived(self, fact: Arrived) -> None:
        """Answer it, ring somebody for it, or refuse it."""
        away = not self._conductor.takes_calls()
        if away and not fact.replaces:
            self._refuse(fact, 503, ("Retry-After", str(RETRY_AFTER_SECONDS)))
        elif fact.replaces:
            self._pick_up(fact)
        elif fact.kind == "seat":
            self._from_seat(fact)
        else:
            queue = self._conductor.routes.find(fact.called)
            if queue is None:
                self._refuse(fact, 404)
            elif self._is_blocked(fact, queue):
                self._refuse(fact, 603)
            else:
                self._queue(fact, queue, Target("number", fact.caller))

    # A citizen ----------------------------------------------------------------------------------

    def _queue(self, fact: Arrived, queue: str, caller: Target) -> None:
        if not self._open(fact) or not self._answer(fact):
            return
        record = self._record(fact, "inbound", queue)
        policy = self._conductor.policy_of(queue)
        self._begin(record, enter(record.call_id, fact.leg, caller, policy), fact.leg)
        self._conductor.tell(record.call_id, f.Entered())

    def _is_blocked(self, fact: Arrived, queue: str) -> bool:
        """A number on the blacklist is turned away before anything is answered, and counted."""
        queueing = self._parts.queueing
        mark = queueing.core.mark_of(fact.caller)
        if mark is None or mark.kind == "vip":
            return False
        at_ms, call_id = self._parts.clock.wall_ms(), self._parts.call_ids()
        queueing.tell(acd.Turned(at_ms, call_id, queue, fact.caller, mark.kind))
        return True

    # A seat -------------------------------------------------------------------------------------

    def _from_seat(self, fact: Arrived) -> None:
        """What it dialled: a queue, another seat, a number over the trunk, somebody's talk."""
        watch = self._conductor.keypads.watch(fact.called)
        if watch is not None:
            self._watch(fact, watch)
            return
        queue = self._conductor.routes.find(fact.called)
        try:
            found = self._conductor.directory.find(fact.called) if queue is None else None
        except BadTarget as error:
            log.info("seat's call refused", seat=fact.source, why=str(error))
            self._refuse(fact, error.status)
            return
        if isinstance(found, QueueTarget):
            queue = found.queue
        if queue is not None:
            self._queue(fact, queue, Target("seat", fact.source))
        elif isinstance(found, Target):
            self._ring(fact, found)

    def _ring(self, fact: Arrived, target: Target) -> None:
        if target.is_seat and target.name == fact.source:
            self._refuse(fact, BUSY)  # whoever calls itself is on the phone
            return
        if not self._open(fact, self._conductor.leg_of_seat(fact.source)):
            return
        self._parts.media.expect(fact.leg, fact.offer)
        record = self._record(fact, "internal" if not target.trunk else "outbound", None)
        seat = Target("seat", fact.source)
        visit = enter_seat(record.call_id, fact.leg, seat, self._conductor.policy_of(None))
        self._begin(record, visit, fact.leg)
        self._conductor.tell(record.call_id, f.Dial(target, "callee", fact.leg))

    def _watch(self, fact: Arrived, wanted: Order) -> None:
        """A supervisor listens, whispers, barges in or takes over, by what its phone dials."""
        conductor = self._conductor
        if not conductor.presence.is_supervisor(fact.source):
            self._refuse(fact, 403)
            return
        call_id = conductor.talk_of_seat(wanted.to)
        if call_id is None:
            self._refuse(fact, 480)
            return
        errand = wanted.verb.replace("_", " ")
        change = f.Attach(fact.leg, Target("seat", fact.source), errand)
        try:
            step(conductor.visits[call_id], change)
        except (NotNow, BadTarget) as error:
            log.info("supervisor refused", seat=fact.source, why=str(error))
            self._refuse(fact, BUSY)
            return
        near = conductor.leg_of_seat(wanted.to)
        if self._open(fact, near) and self._answer(fact):
            audit.info("call", call_id=call_id, verb=wanted.verb, to=wanted.to, by=fact.source)
            conductor.performer.adopt(fact.leg, call_id)
            conductor.tell(call_id, change)

    def _pick_up(self, fact: Arrived) -> None:
        """RFC 3891: into the place of a leg of ours, which the engine hangs up then."""
        call_id = self._conductor.performer.call_of_leg.get(fact.replaces)
        visit = None if call_id is None else self._conductor.visits.get(call_id)
        if call_id is None or visit is None:
            self._refuse(fact, 481)
            return
        who = Target("seat" if fact.kind == "seat" else "number", fact.source)
        change = f.Replaced(fact.replaces, fact.leg, who)
        try:
            step(visit, change)
        except NotNow:
            self._refuse(fact, 481)
            return
        if self._open(fact, fact.replaces) and self._answer(fact):
            self._conductor.performer.adopt(fact.leg, call_id)
            self._conductor.tell(call_id, change)

    # Pieces -------------------------------------------------------------------------------------

    def _open(self, fact: Arrived, near: str | None = None) -> bool:
        try:
            self._parts.media.open(fact.leg, near, **{fact.kind: fact.source})
        except MediaError:
            self._refuse(fact, 503, ("Retry-After", str(RETRY_AFTER_SECONDS)))
            return False
        return True

    def _answer(self, fact: Arrived) -> bool:
        media = self._parts.media
        try:
            if fact.offer is None:
                body = media.offer(fact.leg)
            else:
                body, _ = media.answer(fact.leg, fact.offer)
        except RemoteProtocolError as error:
            media.close(fact.leg)
            self._refuse(fact, error.status)
            return False
        self._parts.sip.answer(fact.leg, body)
        return True

    def _record(
        self, fact: Arrived, way: Literal["inbound", "outbound", "internal"], queue: str | None
    ) -> CallRecord:
        arrived = iso(self._parts.clock.wall_ms())
        call_id = self._parts.call_ids()
        record = CallRecord(call_id, fact.caller, fact.called, way, queue, None, arrived)
        told = uui.read_all(fact.presented.headers)  # of the city's platform
        record.partner_call, record.order = told.call, told.order
        record.withheld = fact.presented.withheld
        return record

    def _begin(self, record: CallRecord, visit: Visit, leg: str) -> None:
        self._conductor.performer.call_of_leg[leg] = record.call_id
        self._conductor.begin(record, visit)

    def _refuse(self, fact: Arrived, status: int, *headers: tuple[str, str]) -> None:
        self._parts.sip.refuse(fact.leg, status, headers)
        self._parts.meters.calls.labels("inbound", "rejected").inc()
        log.info("call refused", caller=fact.caller, called=fact.called, status=status)
