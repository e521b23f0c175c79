"""The keys that agents press in a talk: feature codes, put together for each leg."""

from typing import TYPE_CHECKING

from hotline.codes import NOTHING, Keys, Order, dialled, press
from hotline.commands import CallAction
from hotline.orders import WATCHING, by_keys

if TYPE_CHECKING:
    from hotline.conductor import Conductor


class Keypads:
    """What has been typed on each leg so far."""

    def __init__(self, conductor: "Conductor") -> None:
        self._conductor = conductor
        codes = conductor.parts.config.feature_codes.model_dump()
        self._codes: dict[str, str] = {verb: code for verb, code in codes.items() if code}
        self._keys: dict[str, Keys] = {}

    def pressed(self, call_id: str, leg: str, digit: str) -> None:
        """One key of one leg."""
        now = self._conductor.parts.clock.now()
        keys, order = press(self._keys.pop(leg, NOTHING), digit, self._codes, now)
        if keys is not NOTHING:
            self._keys[leg] = keys
        if order is not None:
            by_keys(self._conductor, call_id, leg, CallAction(order.verb, order.to, leg))

    def watch(self, called: str) -> Order | None:
        """What a supervisor's phone dials to hear an agent."""
        return dialled(called, self._codes, WATCHING)

    def forget(self, leg: str) -> None:
        """The leg is gone."""
        self._keys.pop(leg, None)
