"""What the hotline may ask of a leg: the engine's commands, by the names that it knows legs by."""

from typing import TYPE_CHECKING

from callcore.call.placement import Headers

if TYPE_CHECKING:
    from callcore.call.legs import Legs, Output
    from callcore.call.outgoing import Outgoing


class LegCommands:
    """Each finds the branch of a leg that we placed, and passes on what comes of it."""

    _legs: "Legs"
    _outgoing: "Outgoing"

    def _legged(self, outputs: "list[Output]", now: float) -> None:
        raise NotImplementedError

    def progress(
        self, leg: str, status: int = 180, description: bytes | None = None, *, now: float
    ) -> None:
        """Send a provisional response."""
        self._legged(self._legs.progress(leg, now, status, description), now)

    def answer(self, leg: str, description: bytes, *, now: float) -> None:
        """Send 200 with our description."""
        self._legged(self._legs.answer(leg, description, now), now)

    def refuse(self, leg: str, status: int, headers: Headers = (), *, now: float) -> None:
        """Send a final refusal."""
        self._legged(self._legs.refuse(leg, status, now, headers), now)

    def hang_up(
        self, leg: str, reason: str | None = None, headers: Headers = (), *, now: float
    ) -> None:
        """End a leg whatever its state; `headers` as `cause.carry` makes them."""
        if leg in self._outgoing:
            self._outgoing.hang_up(leg, reason, now, headers)
        else:
            self.drop(leg, reason, now, headers)

    def drop(self, branch: str, reason: str | None, now: float, headers: Headers = ()) -> None:
        """Hang one branch up."""
        self._legged(self._legs.hang_up(branch, now, reason, headers), now)

    def offer(self, leg: str, description: bytes, *, now: float) -> None:
        """Send a re-INVITE, or before the answer an UPDATE."""
        branch = self._outgoing.branch(leg)
        self._legged(self._legs.offer(branch, description, now), now)

    def accept_offer(self, leg: str, description: bytes, *, now: float) -> None:
        """Answer an offer of theirs."""
        branch = self._outgoing.branch(leg)
        self._legged(self._legs.accept_offer(branch, description, now), now)

    def refuse_offer(self, leg: str, status: int, *, now: float) -> None:
        """Refuse an offer of theirs."""
        branch = self._outgoing.branch(leg)
        self._legged(self._legs.refuse_offer(branch, status, now), now)

    def accept_transfer(self, leg: str, *, now: float) -> None:
        """Take on what Referred asks for."""
        branch = self._outgoing.branch(leg)
        self._legged(self._legs.accept_transfer(branch, now), now)

    def refuse_transfer(self, leg: str, status: int = 603, *, now: float) -> None:
        """Refuse what Referred asks for."""
        branch = self._outgoing.branch(leg)
        self._legged(self._legs.refuse_transfer(branch, now, status), now)

    def progress_transfer(self, leg: str, status: int, *, now: float) -> None:
        """Tell how the new call of a transfer fares; a final status is the last."""
        branch = self._outgoing.branch(leg)
        self._legged(self._legs.progress_transfer(branch, status, now), now)
