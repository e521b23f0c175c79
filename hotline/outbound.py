"""Calls that we begin: click to call, and the queue's callbacks (回访)."""

from typing import TYPE_CHECKING, Literal

import structlog

from acd import events as acd
from hotline import visit_facts as f
from hotline.clock import iso
from hotline.commands import CallRecord
from hotline.errors import BadTarget
from hotline.parties import Target
from hotline.visit import begin

if TYPE_CHECKING:
    from hotline.conductor import Conductor

log = structlog.get_logger("hotline")


class Outbound:
    """Begins visits whose first leg is ours."""

    def __init__(self, conductor: "Conductor") -> None:
        self._conductor = conductor
        self._parts = conductor.parts

    def click(self, agent: Target, target: Target, about: CallRecord | None = None) -> str:
        """The agent's phone first, then whom it calls; the call's id.

        `about` is the call that this one follows up (回访): its minutes are a callback's.
        """
        record = self._record(agent.name, target)
        if about is not None:
            record.order, record.follows = about.order, about.call_id
        policy = self._conductor.policy_of(None)
        self._conductor.begin(record, begin(record.call_id, policy))
        errand = "desk" if about is None else "follow-up"
        # Through the inbox: a leg that fails at once is news for after all that the dialling does.
        self._conductor.command(record.call_id, f.Dial(agent, errand, then=target))
        return record.call_id

    def call_back(self, effect: acd.CallBack) -> None:
        """A callback of the queue's: who is called first is its to say."""
        at_ms = self._parts.clock.wall_ms()
        if self._conductor.draining:
            self._parts.queueing.tell(acd.CallbackPostponed(at_ms, effect.call))
            return
        directory = self._conductor.directory
        try:
            seat = directory.seat(effect.agent)
            citizen = directory.number(effect.number)
        except BadTarget as error:
            log.error("callback not possible", call_id=effect.call, why=str(error))
            self._parts.queueing.tell(acd.CallbackUnreached(at_ms, effect.call, error.status))
            return
        record = self._record(effect.agent, citizen, effect.call, effect.queue)
        visit = begin(effect.call, self._conductor.policy_of(effect.queue), in_queue=True)
        self._conductor.begin(record, visit)
        first, then, errand = seat, citizen, "desk"
        if effect.order == "citizen_first":
            first, then, errand = citizen, seat, "called back"
        self._conductor.tell(effect.call, f.Dial(first, errand, then=then, token=effect.token))

    def _record(
        self, agent: str, target: Target, call_id: str = "", queue: str | None = None
    ) -> CallRecord:
        arrived = iso(self._parts.clock.wall_ms())
        way: Literal["outbound", "internal"] = "outbound" if target.trunk else "internal"
        call_id = call_id or self._parts.call_ids()
        return CallRecord(call_id, agent, target.name, way, queue, agent, arrived)
