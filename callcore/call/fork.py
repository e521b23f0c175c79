"""One call placed to several targets, one after another or all at once: the first answer wins."""

from dataclasses import dataclass, replace
from typing import NamedTuple

# RFC 3261 §16.7 step 6: 6xx wins; then what the caller can act on, 503 last of all.
FAIL_OVER = frozenset({408, 500, 502, 503, 504})


class Failure(NamedTuple):
    """How one branch ended."""

    status: int
    reason: str
    by: str


@dataclass(frozen=True, slots=True)
class Fork:
    """The branches of one leg; `waiting` are targets not yet tried, in order."""

    leg: str
    ringing: tuple[str, ...] = ()
    waiting: tuple[object, ...] = ()
    winner: str | None = None
    progressed: bool = False
    best: Failure | None = None
    tried: int = 0

    def started(self, branch: str) -> "Fork":
        """A branch was placed."""
        return replace(self, ringing=(*self.ringing, branch), tried=self.tried + 1)

    def heard(self) -> "Fork":
        """A branch rings: from now on no other target is tried in turn."""
        return replace(self, progressed=True)

    def won(self, branch: str) -> tuple["Fork", tuple[str, ...]]:
        """A branch answered; the others, to be hung up."""
        losers = tuple(b for b in self.ringing if b != branch)
        return replace(self, winner=branch, ringing=(branch,), waiting=()), losers

    def failed(self, branch: str, failure: Failure) -> "Fork":
        """A branch ended without an answer."""
        left = tuple(b for b in self.ringing if b != branch)
        waiting = self.waiting
        if failure.status not in FAIL_OVER or self.progressed:
            waiting = ()
        best = failure if self.best is None else min(self.best, failure, key=_rank)
        return replace(self, ringing=left, waiting=waiting, best=best)


def _rank(failure: Failure) -> tuple[int, int]:
    """RFC 3261 §16.7: 6xx first, then the lowest class, 503 only for want of another."""
    if failure.status >= 600:
        return 0, failure.status
    if failure.status == 503:
        return 9, failure.status
    return failure.status // 100, failure.status
