"""When the wire said so: what is charged for is counted by arrivals, not by our turn at them."""

from callcore.call.events import Answered, AnsweredInVain, Ended, Event
from hotline.clock import Clock


class Moments:
    """Milliseconds since the epoch at which legs were answered, and ended by their far ends."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._answered: dict[str, int] = {}
        self._ended: dict[str, int] = {}

    def note(self, fact: Event, heard_at: float | None) -> None:
        """A fact of a message that arrived then, on the loop's clock."""
        if heard_at is None:
            return
        if isinstance(fact, (Answered, AnsweredInVain)):
            self._answered[fact.leg] = self._clock.at_ms(heard_at)
        elif isinstance(fact, Ended) and fact.by == "remote":
            self._ended[fact.leg] = self._clock.at_ms(heard_at)

    def answered(self, leg: str) -> int:
        """When its 200 came."""
        return self._answered.pop(leg, None) or self._clock.wall_ms()

    def ended(self, leg: str) -> int:
        """When its BYE came; now, where it is we who end it."""
        return self._ended.pop(leg, None) or self._clock.wall_ms()

    def forget(self, leg: str) -> None:
        """The leg is gone."""
        self._answered.pop(leg, None)
        self._ended.pop(leg, None)
