"""What trunks charge for calls of ours, on the calls' records: begun, ended, answered in vain."""

from collections import OrderedDict
from dataclasses import dataclass

from callcore.call.events import Event
from hotline.errands import ERRANDS
from hotline.minutes import Charge
from hotline.moments import Moments
from hotline.parts import Parts
from hotline.visit_effects import DialLeg, StartMinutes

MOST_DIALLED = 10_000  # remembered for an answer in vain, which may come 32 s after the CANCEL


@dataclass(frozen=True, slots=True)
class Dialled:
    """What a leg over a trunk was called for."""

    call_id: str
    trunk: str
    uses: str


class Charges:
    """One for all visits."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._dialled: OrderedDict[str, Dialled] = OrderedDict()
        self.moments = Moments(parts.clock)

    def note(self, fact: Event, heard_at: float | None) -> None:
        """A fact of a message that arrived then: what is charged for is counted by arrivals."""
        self.moments.note(fact, heard_at)

    def dialled(self, call_id: str, effect: DialLeg) -> None:
        """A leg was placed; only a trunk charges."""
        if not effect.target.trunk:
            return
        if len(self._dialled) >= MOST_DIALLED:
            self._dialled.popitem(last=False)
        uses = ERRANDS[effect.errand].uses
        self._dialled[effect.leg] = Dialled(call_id, effect.target.trunk, uses)

    def begin(self, effect: StartMinutes) -> None:
        """It was answered."""
        at_ms = self.moments.answered(effect.leg)
        self._parts.accounts.begin(effect.leg, effect.trunk, effect.uses, at_ms)

    def end(self, call_id: str, leg: str) -> None:
        """It is over."""
        self._book(call_id, self._parts.accounts.end(leg, self.moments.ended(leg)))

    def answered_in_vain(self, leg: str) -> None:
        """Its 200 was of no use, and its BYE is on the way: the carrier charges a started unit."""
        found = self._dialled.get(leg)
        if found is None:
            return
        at_ms, accounts = self.moments.answered(leg), self._parts.accounts
        name = f"{leg}!"  # beside the leg itself, which may have been answered elsewhere
        accounts.begin(name, found.trunk, found.uses, at_ms)
        self._book(found.call_id, accounts.end(name, max(at_ms, self._parts.clock.wall_ms())))

    def _book(self, call_id: str, charge: Charge | None) -> None:
        record = self._parts.book.get(call_id)
        if charge is not None and record is not None:
            record.outgoing_seconds += charge.milliseconds / 1000
            record.billed_seconds += charge.billed_seconds
