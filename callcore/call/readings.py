"""What can be read off the engine: for metrics, for the desk, and for who traces."""

from collections import Counter

from callcore.call.gate import Gate
from callcore.call.legs import Legs
from callcore.call.lines import Lines
from callcore.call.outgoing import Outgoing
from callcore.call.reception import Reception
from callcore.call.registrar import Registrar
from callcore.transaction import TransactionLayer


class Readings:
    """The engine's side that changes nothing."""

    registrar: Registrar
    lines: Lines
    gate: Gate
    reception: Reception
    _layer: TransactionLayer
    _legs: Legs
    _outgoing: Outgoing
    _reception: Reception

    @property
    def counters(self) -> Counter[tuple[str, str, int]]:
        """(direction, method, status) -> messages; see Reception for what else."""
        return self._reception.counters

    @property
    def transactions(self) -> int:
        """Transactions alive."""
        return len(self._layer)

    @property
    def legs(self) -> int:
        """Legs alive."""
        return len(self._legs)

    @property
    def registrations(self) -> int:
        """Bindings alive."""
        return len(self.registrar)

    def call_ids(self) -> dict[str, str]:
        """Call-ID -> leg, of all legs that live: for those who trace."""
        found = self._legs.call_ids()
        return {call_id: self._outgoing.leg(branch) for call_id, branch in found.items()}

    def is_incoming(self, leg: str) -> bool:
        """Whether a leg is their INVITE, still without a final response."""
        return self._legs.is_incoming(leg)

    def trunk_calls(self, trunk: str) -> int:
        """Calls now on a trunk, in both directions."""
        return self.lines.limits[trunk].calls if trunk in self.lines.limits else 0

    def trunk_up(self, trunk: str) -> bool:
        """Whether calls over a trunk may be expected to pass."""
        return self.lines.is_up(trunk)
