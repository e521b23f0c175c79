"""The book of calls: one record a citizen's call, the latest kept in memory for the desk."""

from collections import OrderedDict
from itertools import islice

from callcore.call.events import Ended
from hotline.clock import iso
from hotline.commands import CallRecord, CallResult, Cause, Segment
from hotline.visit_effects import Joined


class CallBook:
    """Records by call id, oldest first; those in progress are never dropped."""

    def __init__(self, keep: int = 10_000) -> None:
        self._keep = keep
        self._records: OrderedDict[str, CallRecord] = OrderedDict()
        self._queued_ms: dict[str, int] = {}

    def open(self, record: CallRecord) -> None:
        """A call arrived."""
        self._records[record.call_id] = record
        if len(self._records) > self._keep:
            self._forget_oldest_ended()

    def get(self, call_id: str) -> CallRecord | None:
        """The record, or None."""
        return self._records.get(call_id)

    def of_order(self, order: str) -> CallRecord | None:
        """The latest call about a work order."""
        return next((one for one in reversed(self._records.values()) if one.order == order), None)

    def latest(self, limit: int, *, active: bool = False) -> list[CallRecord]:
        """Newest first."""
        newest = reversed(self._records.values())
        return list(islice((r for r in newest if not active or r.ended is None), limit))

    def queued(self, call_id: str, at_ms: int) -> None:
        """The call entered its queue: the wait begins."""
        self._records[call_id].queued = iso(at_ms)
        self._queued_ms[call_id] = at_ms

    def queued_ms(self, call_id: str) -> int | None:
        """Since when a call that nobody has answered has waited."""
        return self._queued_ms.get(call_id)

    def bridged(self, call_id: str, agent: str, at_ms: int) -> int | None:
        """Caller and agent hear each other: ms waited, or None when it was bridged before."""
        record = self._records[call_id]
        record.agent = agent
        record.state = "talking"
        if record.answered is not None:
            return None
        record.answered = iso(at_ms)
        record.result = "answered"
        record.wait_ms = at_ms - self._queued_ms.pop(call_id, at_ms)
        return record.wait_ms

    def handed_on(self, call_id: str, at_ms: int) -> None:
        """Others' agents have the caller, who has waited so long and is not answered by us."""
        queued_ms = self._queued_ms.pop(call_id, None)
        if queued_ms is not None:
            self._records[call_id].wait_ms = at_ms - queued_ms

    def joined(self, call_id: str, one: Joined, at_ms: int) -> None:
        """A party takes part from now on; a call without a queue is answered by its second."""
        record = self._records[call_id]
        target = one.target
        since = iso(at_ms)
        record.segments.append(Segment(one.leg, target.name, target.kind, one.errand, since))
        if one.errand in ("callee", "followed up") and record.answered is None:
            record.answered = since
            record.result = "answered"

    def parted(self, call_id: str, leg: str, at_ms: int) -> None:
        """A party is gone."""
        for segment in self._records[call_id].segments:
            if segment.leg == leg and segment.until is None:
                segment.until = iso(at_ms)

    def leg_ended(self, call_id: str, fact: Ended) -> None:
        """Why a leg ended, as SIP and Q.850 have it."""
        record = self._records.get(call_id)
        if record is None:
            return
        if record.sip_status is None:
            record.sip_status = fact.status
        record.causes.append(Cause(fact.leg, fact.status, fact.cause, fact.reason, fact.by))

    def ended(self, call_id: str, result: CallResult, at_ms: int) -> CallRecord:
        """The call is over; a call that was answered stays answered."""
        record = self._records[call_id]
        record.ended = iso(at_ms)
        record.state = "ended"
        queued_ms = self._queued_ms.pop(call_id, None)
        if record.answered is None:
            record.result = result
            if queued_ms is not None:
                record.wait_ms = at_ms - queued_ms
        return record

    def _forget_oldest_ended(self) -> None:
        for call_id, record in self._records.items():
            if record.ended is not None:
                del self._records[call_id]
                return
