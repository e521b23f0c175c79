"""Transfers that phones ask for by REFER (RFC 3515, RFC 5589): blind, and between two calls."""

from typing import TYPE_CHECKING

import structlog

from callcore.call.events import Referred
from hotline import visit_facts as f
from hotline.errors import BadTarget, NotNow
from hotline.targets import QueueTarget
from hotline.visit import step
from hotline.visit_state import Visit

if TYPE_CHECKING:
    from hotline.conductor import Conductor

log = structlog.get_logger("hotline")
DECLINED, GONE, PENDING = 603, 481, 491


class Referrals:
    """Turns a Referred into a command, or refuses it."""

    def __init__(self, conductor: "Conductor") -> None:
        self._conductor = conductor
        self._sip = conductor.parts.sip

    def referred(self, fact: Referred) -> None:
        """202 and NOTIFYs come of the visit's effects; what cannot be is refused at once."""
        try:
            if fact.replaced:
                self._attended(fact)
            elif fact.replaces:
                raise BadTarget("its other call is not one of ours", GONE)
            else:
                self._blind(fact)
        except BadTarget as error:
            self._refuse(fact, error.status, str(error))
        except NotNow as error:
            self._refuse(fact, DECLINED, str(error))

    def _blind(self, fact: Referred) -> None:
        call_id, _ = self._visit(fact.leg)
        found = self._conductor.directory.find(fact.to)
        if isinstance(found, QueueTarget):
            event: f.Command = f.Enqueue(found.queue, fact.leg, reports=True)
        else:
            event = f.Dial(found, "transfer", fact.leg, reports=True)
        self._conductor.tell(call_id, event)

    def _attended(self, fact: Referred) -> None:
        """Whoever is at the far end of the phone's other call talks with those of this one.

        Of the two visits the citizen's goes on; the other gives it those that it has.
        """
        a, visit_a = self._visit(fact.leg)
        b, visit_b = self._visit(fact.replaced)
        if a == b:
            raise NotNow("both calls are the same one")
        if visit_a.citizen is None and visit_b.citizen is not None:
            self._merge(b, fact.replaced, a, fact.leg)
        else:
            self._merge(a, fact.leg, b, fact.replaced, reports=True)

    def _merge(self, to: str, leg: str, gives: str, other: str, *, reports: bool = False) -> None:
        conductor = self._conductor
        parties = tuple(
            party
            for party in conductor.visits[gives].parties
            if party.counts and party.leg != other
        )
        if not parties:
            raise NotNow("nobody is there to talk with")
        adoption = f.Adopt(leg, parties, reports)
        step(conductor.visits[to], adoption)  # both raise NotNow before anything has changed
        step(conductor.visits[gives], f.Yield(other))
        for party in parties:
            conductor.performer.call_of_leg[party.leg] = to
        # First taken, then given: in between nobody may think that their seats are free.
        conductor.tell(to, adoption)
        if not reports:  # the REFER came on the call that is given up
            self._sip.accept_transfer(other)
            self._sip.progress_transfer(other, 200)
        conductor.tell(gives, f.Yield(other))

    def _visit(self, leg: str) -> tuple[str, Visit]:
        call_id = self._conductor.performer.call_of_leg.get(leg)
        visit = None if call_id is None else self._conductor.visits.get(call_id)
        if call_id is None or visit is None:
            raise BadTarget("no such call", GONE)
        return call_id, visit

    def _refuse(self, fact: Referred, status: int, why: str) -> None:
        log.info("transfer refused", leg=fact.leg, to=fact.to, status=status, why=why)
        self._sip.refuse_transfer(fact.leg, status)
