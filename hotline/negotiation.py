"""Session descriptions that come: media is connected, and the visit told what that means."""

from collections.abc import Callable

import structlog

from callcore.call import events as sip
from callcore.errors import RemoteProtocolError
from hotline import visit_facts as f
from hotline.parts import Parts

log = structlog.get_logger("hotline")
NOT_ACCEPTABLE = 488


class Negotiation:
    """Offers and answers of all legs; `tell` tells the visit of a leg."""

    def __init__(self, parts: Parts, tell: Callable[[str, f.Event], None]) -> None:
        self._media = parts.media
        self._sip = parts.sip
        self._tell = tell

    def heard(self, fact: sip.CallEvent) -> None:
        """One fact about a description."""
        TABLE[type(fact)](self, fact)

    def _progressed(self, fact: sip.Progressed) -> None:
        """It rings; with a description its network is to be heard already (RFC 3960)."""
        early = False
        if fact.description is not None and fact.leg in self._media:
            try:
                self._media.accepted(fact.leg, fact.description)
                early = True
            except RemoteProtocolError as error:
                log.info("early media does not fit", leg=fact.leg, why=str(error))
        if fact.status > 100:
            self._tell(fact.leg, f.LegRinging(fact.leg, early))

    def _answered(self, fact: sip.Answered) -> None:
        """The 200 to a call of ours: it must bring an answer that fits, or have had it before."""
        if fact.leg not in self._media:
            return
        if fact.description is None and not self._media.is_negotiated(fact.leg):
            self._tell(fact.leg, f.LegUnfit(fact.leg, NOT_ACCEPTABLE))
            return
        try:
            if fact.description is not None:
                self._media.accepted(fact.leg, fact.description)
        except RemoteProtocolError as error:
            self._tell(fact.leg, f.LegUnfit(fact.leg, error.status))
            return
        self._tell(fact.leg, f.LegAnswered(fact.leg))

    def _confirmed(self, fact: sip.Confirmed) -> None:
        """The ACK; with a body when our 200 carried the offer (delayed offer)."""
        if fact.description is None or fact.leg not in self._media:
            return
        try:
            self._media.accepted(fact.leg, fact.description)
        except RemoteProtocolError as error:
            log.info("answer in the ACK does not fit", leg=fact.leg, why=str(error))
            self._sip.hang_up(fact.leg, "no common codec")

    def _offered(self, fact: sip.Offered) -> None:
        """A re-INVITE: hold, resume, a new address or codec; without a body we offer."""
        if fact.leg not in self._media:
            self._sip.refuse_offer(fact.leg, NOT_ACCEPTABLE)
            return
        if fact.offer is None:
            self._sip.accept_offer(fact.leg, self._media.offer(fact.leg))
            return
        try:
            body, negotiated = self._media.answer(fact.leg, fact.offer)
        except RemoteProtocolError as error:
            self._sip.refuse_offer(fact.leg, error.status)
            return
        self._sip.accept_offer(fact.leg, body)
        event = f.LegHeld if negotiated.remote_on_hold else f.LegResumed
        self._tell(fact.leg, event(fact.leg))

    def _offer_answered(self, fact: sip.OfferAnswered) -> None:
        """The far end took our new address."""
        if fact.description is None or fact.leg not in self._media:
            return
        try:
            self._media.accepted(fact.leg, fact.description)
        except RemoteProtocolError as error:
            log.warning("answer to our offer does not fit", leg=fact.leg, why=str(error))
            self._sip.hang_up(fact.leg, "no common codec")

    def _offer_refused(self, fact: sip.OfferRefused) -> None:
        """A far end that will not follow us to the new address hears nothing: end that leg."""
        log.warning("offer refused", leg=fact.leg, status=fact.status)
        self._sip.hang_up(fact.leg, "media lost")


TABLE: dict[type, Callable[..., None]] = {
    sip.Progressed: Negotiation._progressed,
    sip.Answered: Negotiation._answered,
    sip.Confirmed: Negotiation._confirmed,
    sip.Offered: Negotiation._offered,
    sip.OfferAnswered: Negotiation._offer_answered,
    sip.OfferRefused: Negotiation._offer_refused,
}
