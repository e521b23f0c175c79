"""One call placed to several destinations, one after another or all at once (RFC 3261 §16.7)."""

from typing import NamedTuple

from callcore.call.events import By
from callcore.call.target import Call, Destination

# Another peer of the same trunk may still do better: RFC 3263 §4.3, and what gateways answer
# when they are out of order.
FAIL_OVER = frozenset({408, 500, 502, 503, 504})


class Failure(NamedTuple):
    """How one branch ended."""

    status: int
    reason: str
    by: By


class Fork(NamedTuple):
    """The branches of one leg; a NamedTuple, whose `_replace` takes a third of a dataclass's.

    `waiting` are destinations not yet tried, in order; `ringing` are the branches that may still
    win (or have won), `live` those that have not ended. `patience_seconds` is how long a branch
    may say nothing at all while another destination waits; `responsive` are those that did.
    """

    leg: str
    call: Call
    waiting: tuple[Destination, ...] = ()
    patience_seconds: float = 0.0
    ringing: tuple[str, ...] = ()
    live: frozenset[str] = frozenset()
    responsive: frozenset[str] = frozenset()
    winner: str | None = None
    told: bool = False
    progressed: bool = False
    hung_up: bool = False
    best: Failure | None = None
    tried: int = 0

    @property
    def next_branch(self) -> str:
        """The name of the next branch; the first has the leg's own."""
        return f"{self.leg}/{self.tried}" if self.tried else self.leg

    def started(self, branch: str) -> "Fork":
        """The first of those waiting was placed."""
        return self._replace(
            ringing=(*self.ringing, branch),
            live=self.live | {branch},
            waiting=self.waiting[1:],
            tried=self.tried + 1,
        )

    def skipped(self, failure: Failure) -> "Fork":
        """The first of those waiting cannot be reached at all."""
        best = min(self.best or failure, failure, key=_rank)
        return self._replace(waiting=self.waiting[1:], best=best, tried=self.tried + 1)

    def responded(self, branch: str) -> "Fork":
        """A branch said something at all."""
        if branch in self.responsive:
            return self
        return self._replace(responsive=self.responsive | {branch})

    def heard(self) -> "Fork":
        """A branch rings: from now on no other destination is tried in turn."""
        return self if self.progressed else self._replace(progressed=True)

    def won(self, branch: str) -> tuple["Fork", tuple[str, ...]]:
        """A branch answered; the others, to be hung up."""
        losers = tuple(b for b in self.ringing if b != branch)
        return self._replace(winner=branch, waiting=(), ringing=(branch,)), losers

    def failed(self, branch: str, failure: Failure) -> "Fork":
        """A branch ended without an answer, or is given up."""
        left = tuple(b for b in self.ringing if b != branch)
        over = failure.status not in FAIL_OVER or self.progressed or self.hung_up
        best = min(self.best or failure, failure, key=_rank)
        return self._replace(ringing=left, waiting=() if over else self.waiting, best=best)

    def repeated(self, branch: str, destination: Destination) -> "Fork":
        """A branch that is given up, and what is tried next in its place."""
        left = tuple(b for b in self.ringing if b != branch)
        waiting = () if self.hung_up else (destination, *self.waiting)
        return self._replace(ringing=left, waiting=waiting)

    def ended(self, branch: str) -> "Fork":
        """Nothing more will be heard of a branch."""
        return self._replace(live=self.live - {branch})


def _rank(failure: Failure) -> tuple[int, int]:
    """RFC 3261 §16.7 step 6: 6xx first, then the lowest class; 408 and 503 last."""
    if failure.status >= 600:
        return 0, failure.status
    if failure.status in (408, 503):
        return 9, failure.status  # silence tells less than any answer
    return failure.status // 100, failure.status
