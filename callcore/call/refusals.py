"""Who refused a protected description, so that they are not asked for one at each call."""

from collections.abc import Hashable

REFUSING = frozenset({415, 488, 606})  # RFC 3261 §21.4.13, §21.4.26, §21.6.4
HOLD_SECONDS = 3600.0  # then a phone may have been set otherwise
MOST = 4096


class Refusals:
    """Contacts of phones and addresses of peers, each for an hour."""

    def __init__(self) -> None:
        self._until: dict[Hashable, float] = {}  # the oldest first

    def __len__(self) -> int:
        return len(self._until)

    def note(self, who: Hashable, now: float) -> None:
        """It refused; of too many the oldest are forgotten."""
        self._until.pop(who, None)
        self._until[who] = now + HOLD_SECONDS
        while len(self._until) > MOST:
            del self._until[next(iter(self._until))]

    def hold(self, who: Hashable, now: float) -> bool:
        """Whether it did within the last hour."""
        until = self._until.get(who)
        if until is not None and until <= now:
            del self._until[who]
            return False
        return until is not None
