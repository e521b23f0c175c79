"""A back-to-back user agent of two legs: each fact of one leg becomes a command to the other.

RFC 3261 §6 and RFC 7092. Descriptions pass through as they came. An INVITE or re-INVITE
without an offer is refused with 488: a leg of ours acknowledges an answer as soon as it comes,
and so cannot wait for the other side's.
"""

from collections.abc import Callable

from callcore.call.events import (
    Answered,
    Arrived,
    CallEvent,
    Confirmed,
    Ended,
    OfferAnswered,
    Offered,
    OfferRefused,
    OfferWithdrawn,
    Progressed,
    Refused,
)
from callcore.call.legs import Legs, Output, Placement
from callcore.call.records import Left
from callcore.errors import RemoteProtocolError
from callcore.transaction import Transmit

NOT_ACCEPTABLE = 488

# Where a call goes on to; RemoteProtocolError carries the status of a refusal.
Route = Callable[[Arrived], Placement]


class B2bua:
    """Calls of two legs; `route` chooses the second."""

    def __init__(self, legs: Legs, route: Route) -> None:
        self._legs = legs
        self._route = route
        self._partner: dict[str, str] = {}
        self.answered = 0
        self.ended = 0

    def __len__(self) -> int:
        return len(self._partner)

    def perform(self, outputs: list[Output], now: float) -> list[Transmit]:
        """What Legs put out, with the consequences of its facts; only packets are left."""
        packets: list[Transmit] = []
        waiting = outputs[::-1]
        while waiting:
            output = waiting.pop()
            if isinstance(output, Transmit):
                packets.append(output)
            elif not isinstance(output, (Refused, Left)):
                waiting += self._react(output, now)[::-1]
        return packets

    def _react(self, event: CallEvent, now: float) -> list[Output]:
        if isinstance(event, Arrived):
            return self._connect(event, now)
        partner = self._partner.get(event.leg)
        if partner is None:
            return []
        if isinstance(event, Progressed):
            return self._legs.progress(partner, now, event.status, event.body or None)
        if isinstance(event, Answered):
            self.answered += 1
            return self._legs.answer(partner, event.body, now)
        if isinstance(event, Ended):
            return self._end(event, partner, now)
        return self._pass_offer(event, partner, now)

    def _connect(self, event: Arrived, now: float) -> list[Output]:
        if event.offer is None:
            return self._legs.refuse(event.leg, NOT_ACCEPTABLE, now)
        try:
            placement = self._route(event)
        except RemoteProtocolError as error:
            return self._legs.refuse(event.leg, error.status, now)
        partner = f"{event.leg}-b"
        self._partner[event.leg] = partner
        self._partner[partner] = event.leg
        return self._legs.place(partner, placement, now)

    def _end(self, event: Ended, partner: str, now: float) -> list[Output]:
        self.ended += 1
        del self._partner[event.leg]
        self._partner.pop(partner, None)
        # A failure of the second leg before its answer is the answer to the first.
        if event.status >= 300 and self._legs.is_incoming(partner):
            return self._legs.refuse(partner, event.status, now)
        return self._legs.hang_up(partner, now)

    def _pass_offer(self, event: CallEvent, partner: str, now: float) -> list[Output]:
        if isinstance(event, Offered):
            if event.offer is None:
                return self._legs.refuse_offer(event.leg, NOT_ACCEPTABLE, now)
            return self._legs.offer(partner, event.body, now)
        if isinstance(event, OfferAnswered):
            if event.description is None:
                return self._legs.refuse_offer(partner, NOT_ACCEPTABLE, now)
            return self._legs.accept_offer(partner, event.body, now)
        if isinstance(event, OfferRefused):
            return self._legs.refuse_offer(partner, event.status, now)
        assert isinstance(event, Confirmed | OfferWithdrawn)
        return []
