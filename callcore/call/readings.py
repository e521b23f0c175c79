"""What can be read off the engine: for metrics, for the desk, and for who traces."""

from collections import Counter

from callcore.call.bans import Ban
from callcore.call.gate import Gate
from callcore.call.legs import Legs
from callcore.call.lines import Lines
from callcore.call.reception import Reception, Tap
from callcore.call.registrar import Registrar
from callcore.transaction import TransactionLayer


class Readings:
    """The engine's side that changes nothing (but who taps and who is banned)."""

    registrar: Registrar
    lines: Lines
    _gate: Gate
    _layer: TransactionLayer
    _legs: Legs
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

    @property
    def tap(self) -> Tap | None:
        """Who is shown every message as it passes; None when nobody traces."""
        return self._reception.tap

    @tap.setter
    def tap(self, tap: Tap | None) -> None:
        self._reception.tap = tap

    def bans(self, now: float) -> tuple[Ban, ...]:
        """Hosts that are not listened to."""
        return self._gate.bans.listed(now)

    def lift_ban(self, source: str, now: float) -> Ban | None:
        """Listen to a host again; the ban that was lifted, None when there was none."""
        return self._gate.bans.lift(source, now)

    def is_incoming(self, leg: str) -> bool:
        """Whether a leg is their INVITE, still without a final response."""
        return self._legs.is_incoming(leg)

    def trunk_calls(self, trunk: str) -> int:
        """Calls now on a trunk, in both directions."""
        return self.lines.limits[trunk].calls if trunk in self.lines.limits else 0

    def trunk_up(self, trunk: str) -> bool:
        """Whether calls over a trunk may be expected to pass."""
        return self.lines.is_up(trunk)
