"""Offers and answers of a call that is up: re-INVITE and UPDATE (RFC 3261 §14, RFC 3311).

One table for the state of the session; leg.py asks it whatever the leg's own table leaves open.
"""

from collections.abc import Callable

from callcore.call.callee import repeat_and_back_off
from callcore.call.events import OfferAnswered, Offered, OfferRefused, OfferWithdrawn
from callcore.call.messages import (
    authorise,
    build_ack,
    read_body,
    repeat_with,
    reply,
    retry_after,
    target_headers,
)
from callcore.call.parting import ended, give_up_offer, leave, need_dialog
from callcore.call.state import (
    Arm,
    Ask,
    Effect,
    Leg,
    LegEvent,
    LegTimer,
    Reply,
    SendAck,
    Session,
    SessionState,
    Step,
    Stop,
    Tell,
    Unacknowledged,
)
from callcore.dialog import in_dialog_request, next_hop, refresh, target_of
from callcore.errors import LocalProtocolError, RemoteProtocolError
from callcore.message import Response
from callcore.transaction import T1

DECIDE_SECONDS = 30.0  # theirs: below Timer B of the peer
ANSWER_SECONDS = 64.0  # ours: provisional responses must not keep it for ever
MAX_COLLISIONS = 5


def receive_offer(leg: Leg, event: LegEvent) -> Step:
    """A re-INVITE, or an UPDATE with an offer: the hotline decides."""
    incoming = event.data
    request = incoming.request
    if request.method == "UPDATE" and not request.body:
        return refresh_target(leg, event)
    try:
        description = read_body(request)
        target_of(request, need_dialog(leg).remote_target)  # refreshed when it is accepted
    except RemoteProtocolError as error:
        headers = (("Accept", "application/sdp"),) if error.status == 415 else ()
        return leg, [Reply(incoming.key, reply(leg.who, request, error.status, headers))]
    session = leg.session._replace(state=SessionState.OFFERED, key=incoming.key, request=request)
    return leg._replace(session=session), [
        Stop(LegTimer.GLARE),
        Arm(LegTimer.OFFER, DECIDE_SECONDS),
        Tell(Offered(leg.who.name, description, request.body)),
    ]


def refresh_target(leg: Leg, event: LegEvent) -> Step:
    """An UPDATE without an offer refreshes the target alone (RFC 3311 §5.2)."""
    incoming = event.data
    status = 200
    try:
        if leg.dialog is not None:
            leg = leg._replace(dialog=refresh(leg.dialog, incoming.request))
    except RemoteProtocolError as error:
        status = error.status
    answer = reply(leg.who, incoming.request, status, target_headers(leg.who))
    return leg, [Reply(incoming.key, answer)]


def refuse_overlapping(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §14.2, RFC 3311 §5.2: theirs before we answered the one before."""
    incoming = event.data
    if incoming.request.method == "UPDATE" and not incoming.request.body:
        return refresh_target(leg, event)
    answer = reply(leg.who, incoming.request, 500, retry_after(event.chance))
    return leg, [Reply(incoming.key, answer)]


def refuse_glare(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §14.2, RFC 3311 §5.2: an offer of ours is open."""
    incoming = event.data
    if incoming.request.method == "UPDATE" and not incoming.request.body:
        return refresh_target(leg, event)
    return leg, [Reply(incoming.key, reply(leg.who, incoming.request, 491))]


def accept(leg: Leg, event: LegEvent) -> Step:
    """200 to their offer; that to a re-INVITE is repeated until its ACK."""
    session, body = leg.session, event.data
    request, key = session.request, session.key
    if request is None or key is None:
        raise LocalProtocolError("no offer to accept")
    answer = reply(leg.who, request, 200, target_headers(leg.who), body)
    leg = leg._replace(dialog=refresh(need_dialog(leg), request))
    effects: list[Effect] = [Stop(LegTimer.OFFER), Reply(key, answer)]
    if request.method == "UPDATE":
        leg, more = settle(leg)
        return leg, [*effects, *more]
    pending = Unacknowledged(key, answer, request.cseq.number, not request.body)
    session = session._replace(state=SessionState.ACCEPTED, key=None, request=None)
    leg = leg._replace(session=session, unacknowledged=pending)
    return leg, [*effects, Arm(LegTimer.REPEAT, T1), Arm(LegTimer.NO_ACK, 64 * T1)]


def refuse(leg: Leg, event: LegEvent) -> Step:
    """The session goes on as it was (RFC 3261 §14.2)."""
    if not 300 <= event.data < 700:
        raise LocalProtocolError(f"an offer refused with {event.data}")
    return _refuse(leg, event.data)


def _refuse(leg: Leg, status: int, *told: Effect) -> Step:
    session = leg.session
    if session.request is None or session.key is None:
        raise LocalProtocolError("no offer to refuse")
    refusal = Reply(session.key, reply(leg.who, session.request, status))
    leg, more = settle(leg)
    return leg, [Stop(LegTimer.OFFER), refusal, *told, *more]


def receive_cancel(leg: Leg, event: LegEvent) -> Step:
    """They cancelled their re-INVITE."""
    return _refuse(leg, 487, Tell(OfferWithdrawn(leg.who.name)))


def decide_for_hotline(leg: Leg, event: LegEvent) -> Step:
    """Nobody decided in time."""
    return _refuse(leg, 500, Tell(OfferWithdrawn(leg.who.name)))


def receive_ack(leg: Leg, event: LegEvent) -> Step:
    """The ACK of our 2xx to a re-INVITE; with the answer if the offer was ours."""
    pending, ack = leg.unacknowledged, event.data
    if pending is None or ack.cseq.number != pending.cseq:
        return leg, []
    effects: list[Effect] = [Stop(LegTimer.REPEAT), Stop(LegTimer.NO_ACK)]
    if pending.delayed:
        try:
            description = read_body(ack)
        except RemoteProtocolError:
            description = None
        effects.append(Tell(OfferAnswered(leg.who.name, description, ack.body)))
    leg, more = settle(leg._replace(unacknowledged=None))
    return leg, [*effects, *more]


def receive_before_ack(leg: Leg, event: LegEvent) -> Step:
    """RFC 5407 §3.1.5: their next offer overtook their ACK, whose loss it makes harmless.

    Unless the answer was to come with the ACK: then an offer of ours is open, 491.
    """
    if leg.unacknowledged is not None and leg.unacknowledged.delayed:
        return refuse_glare(leg, event)
    leg = leg._replace(unacknowledged=None)
    leg, effects = receive_offer(leg, event)
    return leg, [Stop(LegTimer.REPEAT), Stop(LegTimer.NO_ACK), *effects]


def settle(leg: Leg) -> Step:
    """The exchange is over; an offer that has waited for it goes out."""
    session = leg.session
    idle = Session(challenged=session.challenged, collisions=session.collisions)
    leg = leg._replace(session=idle)
    return (leg, []) if session.queued is None else _send(leg, session.queued)


def offer(leg: Leg, event: LegEvent) -> Step:
    """Our re-INVITE."""
    return _send(leg._replace(session=Session()), event.data)


def queue(leg: Leg, event: LegEvent) -> Step:
    """An exchange is under way: ours goes out after it."""
    return leg._replace(session=leg.session._replace(queued=event.data)), []


def _send(leg: Leg, body: bytes) -> Step:
    headers = (*target_headers(leg.who), *leg.who.banner, ("Content-Type", "application/sdp"))
    dialog, request = in_dialog_request(need_dialog(leg), "INVITE", headers, body)
    session = leg.session._replace(
        state=SessionState.OFFERING, key=None, request=request, queued=None
    )
    leg = leg._replace(dialog=dialog, session=session)
    effects: list[Effect] = [
        Ask("OFFER", request, next_hop(dialog)),
        Arm(LegTimer.OFFER, ANSWER_SECONDS),
    ]
    return leg, effects


def receive_answer(leg: Leg, event: LegEvent) -> Step:
    """2xx to our re-INVITE: ACK, and the answer."""
    answer: Response = event.data
    dialog = refresh(need_dialog(leg), answer)
    leg = leg._replace(dialog=dialog)
    ack = SendAck(build_ack(leg, dialog, answer), next_hop(dialog))
    try:
        description = read_body(answer)
    except RemoteProtocolError:
        told = Tell(OfferRefused(leg.who.name, 488))
    else:
        told = Tell(OfferAnswered(leg.who.name, description, answer.body))
    leg, more = settle(leg._replace(session=Session(queued=leg.session.queued)))
    return leg, [Stop(LegTimer.OFFER), ack, told, *more]


def receive_refusal(leg: Leg, event: LegEvent) -> Step:
    """The session goes on as it was (RFC 3261 §14.1)."""
    told = Tell(OfferRefused(leg.who.name, event.data.status))
    leg, more = settle(leg._replace(session=Session(queued=leg.session.queued)))
    return leg, [Stop(LegTimer.OFFER), told, *more]


def back_off(leg: Leg, event: LegEvent) -> Step:
    """491: RFC 3261 §14.1, 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other."""
    session = leg.session
    if session.collisions >= MAX_COLLISIONS or session.request is None:
        return receive_refusal(leg, event)
    steps = event.chance * 191 if leg.who.ours else event.chance * 201
    seconds = (210 + int(steps) if leg.who.ours else int(steps)) / 100
    waiting = Session(
        SessionState.WAITING,
        queued=session.request.body if session.queued is None else session.queued,
        collisions=session.collisions + 1,
    )
    return leg._replace(session=waiting), [Stop(LegTimer.OFFER), Arm(LegTimer.GLARE, seconds)]


def send_again(leg: Leg, event: LegEvent) -> Step:
    """The back-off is over."""
    return settle(leg)


def answer_challenge(leg: Leg, event: LegEvent) -> Step:
    """401 or 407 to our re-INVITE, answered once."""
    request = leg.session.request
    credentials = None
    if request is not None and not leg.session.challenged:
        credentials = authorise(request, event.data, leg.who.login, event.cnonce)
    if request is None or credentials is None:
        return receive_refusal(leg, event)
    dialog, _ = in_dialog_request(need_dialog(leg), "INVITE")
    again = repeat_with(request, dialog.local_cseq, credentials)
    session = leg.session._replace(request=again, challenged=True)
    leg = leg._replace(dialog=dialog, session=session, authorization=credentials)
    return leg, [Ask("OFFER", again, next_hop(dialog))]


def acknowledge_again(leg: Leg, event: LegEvent) -> Step:
    """A 2xx to a re-INVITE once more: our ACK was lost."""
    dialog = need_dialog(leg)
    return leg, [SendAck(build_ack(leg, dialog, event.data), next_hop(dialog))]


def no_ack(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §14.2: no ACK for our 2xx, so BYE."""
    leg, effects = leave(leg)
    return leg, [*effects, ended(leg, 408, "timeout", "no ACK")]


S, T = SessionState, LegTimer
TABLE: dict[tuple[str, str], Callable[[Leg, LegEvent], Step]] = {
    (S.IDLE, "INVITE"): receive_offer,
    (S.IDLE, "UPDATE"): receive_offer,
    (S.IDLE, "offer"): offer,
    (S.IDLE, "offer 2xx"): acknowledge_again,
    (S.OFFERED, "INVITE"): refuse_overlapping,
    (S.OFFERED, "UPDATE"): refuse_overlapping,
    (S.OFFERED, "CANCEL"): receive_cancel,
    (S.OFFERED, "accept"): accept,
    (S.OFFERED, "refuse offer"): refuse,
    (S.OFFERED, "offer"): queue,
    (S.OFFERED, "offer 2xx"): acknowledge_again,
    (S.OFFERED, T.OFFER): decide_for_hotline,
    (S.ACCEPTED, "ACK"): receive_ack,
    (S.ACCEPTED, "INVITE"): receive_before_ack,
    (S.ACCEPTED, "UPDATE"): receive_before_ack,
    (S.ACCEPTED, "offer"): queue,
    (S.ACCEPTED, "offer 2xx"): acknowledge_again,
    (S.ACCEPTED, T.REPEAT): repeat_and_back_off,
    (S.ACCEPTED, T.NO_ACK): no_ack,
    (S.OFFERING, "INVITE"): refuse_glare,
    (S.OFFERING, "UPDATE"): refuse_glare,
    (S.OFFERING, "offer"): queue,
    (S.OFFERING, "offer 2xx"): receive_answer,
    (S.OFFERING, "offer pending"): back_off,
    (S.OFFERING, "offer challenge"): answer_challenge,
    (S.OFFERING, "offer failure"): receive_refusal,
    (S.OFFERING, "offer gone"): give_up_offer,
    (S.OFFERING, T.OFFER): give_up_offer,
    (S.WAITING, "INVITE"): receive_offer,
    (S.WAITING, "UPDATE"): receive_offer,
    (S.WAITING, "offer"): queue,
    (S.WAITING, "offer 2xx"): acknowledge_again,
    (S.WAITING, T.GLARE): send_again,
}
