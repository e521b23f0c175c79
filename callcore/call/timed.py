"""Parts with timers of their own, and the next of all of them."""

from collections.abc import Iterable
from typing import Protocol


class Timed(Protocol):
    """A part with timers of its own."""

    def deadline(self) -> float | None:
        """When it must be fired next."""
        ...


def earliest(parts: Iterable[Timed]) -> float | None:
    """When the first of them must be fired."""
    found: float | None = None
    for part in parts:
        at = part.deadline()
        if at is not None and (found is None or at < found):
            found = at
    return found
