"""Offers and answers of a call that is up: re-INVITE and UPDATE (RFC 3261 §14, RFC 3311).

One table for the state of the session; leg.py asks it whatever the leg's own table leaves open.
"""

from collections.abc import Callable

from callcore.call.callee import repeat_and_back_off
from callcore.call.early import dialog_of, remember, with_dialog
from callcore.call.events import OfferAnswered, Offered, OfferRefused, OfferWithdrawn
from callcore.call.messages import (
    authorise,
    build_ack,
    read_abilities,
    read_body,
    repeat_with,
    reply,
    retry_after,
    target_headers,
)
from callcore.call.parting import ended, give_up_offer, leave, need_dialog
from callcore.call.refresh import (
    agree,
    grant,
    receive_bare_update,
    refuse_short,
    send_update,
    session_headers,
)
from callcore.call.state import (
    Abandon,
    Arm,
    Ask,
    Effect,
    Leg,
    LegEvent,
    LegState,
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
        return receive_bare_update(leg, event)
    tag = request.from_.tag or ""
    try:
        description = read_body(request)
        target_of(request, dialog_of(leg, tag).remote_target)  # refreshed when it is accepted
        leg = leg._replace(peer=read_abilities(request, leg.peer))
        short = refuse_short(leg, request)
    except RemoteProtocolError as error:
        headers = (("Accept", "application/sdp"),) if error.status == 415 else ()
        return leg, [Reply(incoming.key, reply(leg.who, request, error.status, headers))]
    if short is not None:
        return leg, [Reply(incoming.key, reply(leg.who, request, 422, short))]
    session = leg.session._replace(
        state=SessionState.OFFERED, key=incoming.key, request=request, tag=tag
    )
    return leg._replace(session=session), [
        Stop(LegTimer.GLARE),
        Arm(LegTimer.OFFER, DECIDE_SECONDS),
        Tell(Offered(leg.who.name, description, request.body)),
    ]


def refuse_overlapping(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §14.2, RFC 3311 §5.2: theirs before we answered the one before."""
    incoming = event.data
    if incoming.request.method == "UPDATE" and not incoming.request.body:
        return receive_bare_update(leg, event)
    answer = reply(leg.who, incoming.request, 500, retry_after(event.chance))
    return leg, [Reply(incoming.key, answer)]


def refuse_glare(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §14.2, RFC 3311 §5.2: an offer of ours is open."""
    incoming = event.data
    if incoming.request.method == "UPDATE" and not incoming.request.body:
        return receive_bare_update(leg, event)
    return leg, [Reply(incoming.key, reply(leg.who, incoming.request, 491))]


def accept(leg: Leg, event: LegEvent) -> Step:
    """200 to their offer; that to a re-INVITE is repeated until its ACK."""
    session, body = leg.session, event.data
    request, key = session.request, session.key
    if request is None or key is None:
        raise LocalProtocolError("no offer to accept")
    headers = target_headers(leg.who)
    timers: list[Effect] = []
    if request.method != "PRACK":
        leg = with_dialog(leg, refresh(dialog_of(leg, session.tag), request))
        if leg.state is LegState.CONFIRMED:
            leg, more_headers, timers = grant(leg, request)
            headers = (*headers, *more_headers)
    answer = reply(leg.who, request, 200, headers, body)
    effects: list[Effect] = [Stop(LegTimer.OFFER), Reply(key, answer), *timers]
    leg = remember(leg._replace(ours=body), request)
    if request.method != "INVITE":
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
    if session.queued is not None:
        return start_offer(leg, session.queued, session.tag, silent=session.silent)
    return leg, []


def offer(leg: Leg, event: LegEvent) -> Step:
    """Our re-INVITE."""
    return start_offer(leg._replace(session=Session()), event.data)


def queue(leg: Leg, event: LegEvent) -> Step:
    """An exchange is under way: ours goes out after it."""
    return leg._replace(session=leg.session._replace(queued=event.data)), []


def start_offer(leg: Leg, body: bytes, tag: str = "", *, silent: bool = False) -> Step:
    """A re-INVITE; in an early dialog an UPDATE (RFC 3311 §5.1)."""
    headers = (*target_headers(leg.who), *leg.who.banner, *session_headers(leg))
    headers = (*headers, ("Content-Type", "application/sdp"))
    dialog = dialog_of(leg, tag)
    method = "INVITE" if dialog.state == "confirmed" else "UPDATE"
    dialog, request = in_dialog_request(dialog, method, headers, body)
    session = leg.session._replace(
        state=SessionState.OFFERING, key=None, request=request, queued=None, tag=tag, silent=silent
    )
    leg = with_dialog(leg, dialog)._replace(session=session)
    effects: list[Effect] = [
        Ask("OFFER", request, next_hop(dialog)),
        Arm(LegTimer.OFFER, ANSWER_SECONDS),
    ]
    return leg, effects


def receive_answer(leg: Leg, event: LegEvent) -> Step:
    """2xx to our re-INVITE or UPDATE: ACK, and the answer."""
    answer: Response = event.data
    session = leg.session
    dialog = refresh(dialog_of(leg, session.tag), answer)
    leg = with_dialog(leg, dialog)
    effects: list[Effect] = [Stop(LegTimer.OFFER)]
    if answer.cseq.method == "INVITE":
        effects.append(SendAck(build_ack(leg, dialog, answer), next_hop(dialog)))
    try:
        description = read_body(answer)
    except RemoteProtocolError:
        effects.append(Tell(OfferRefused(leg.who.name, 488)))
    else:
        if not session.silent or answer.body != leg.theirs:
            effects.append(Tell(OfferAnswered(leg.who.name, description, answer.body)))
        offered = leg.ours if session.request is None else session.request.body
        leg = remember(leg._replace(ours=offered), answer)
    if leg.state is LegState.CONFIRMED:
        leg, timers = agree(leg, answer)
        effects += timers
    leg, more = settle(leg._replace(session=Session(queued=session.queued, tag=session.tag)))
    return leg, [*effects, *more]


def receive_refusal(leg: Leg, event: LegEvent) -> Step:
    """The session goes on as it was (RFC 3261 §14.1)."""
    return _refused_by(leg, event.data.status)


def _refused_by(leg: Leg, status: int, *first: Effect) -> Step:
    session = leg.session
    effects: list[Effect] = [*first, Stop(LegTimer.OFFER)]
    if not session.silent:
        effects.append(Tell(OfferRefused(leg.who.name, status)))
    elif leg.timer is not None:  # a refresh: again before it is too late
        effects.append(Arm(LegTimer.REFRESH, max(2.0, leg.timer.seconds / 16)))
    leg, more = settle(leg._replace(session=Session(queued=session.queued, tag=session.tag)))
    return leg, [*effects, *more]


def give_up(leg: Leg, event: LegEvent) -> Step:
    """408, 481 or silence: the end of a call that is up, a mere refusal in an early dialog."""
    if leg.state is LegState.CONFIRMED and leg.session.request is not None:
        return give_up_offer(leg, event)
    abandoned = (Abandon("OFFER"),) if event.kind == LegTimer.OFFER else ()
    status = event.data.status if isinstance(event.data, Response) else 408
    return _refused_by(leg, status, *abandoned)


def back_off(leg: Leg, event: LegEvent) -> Step:
    """491: RFC 3261 §14.1, 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other."""
    session = leg.session
    if session.collisions >= MAX_COLLISIONS or session.request is None:
        return receive_refusal(leg, event)
    steps = event.chance * 191 if leg.who.ours else event.chance * 201
    seconds = (210 + int(steps) if leg.who.ours else int(steps)) / 100
    if event.data.status == 500:  # RFC 3261 §14.1, RFC 3311 §5.3: when they say so
        after = (event.data.get("Retry-After") or "").partition(";")[0].partition("(")[0].strip()
        seconds = min(float(after), 30.0) if after.isascii() and after.isdigit() else seconds
    waiting = Session(
        SessionState.WAITING,
        queued=session.request.body if session.queued is None else session.queued,
        collisions=session.collisions + 1,
        tag=session.tag,
        silent=session.silent and session.queued is None,
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
    dialog, _ = in_dialog_request(dialog_of(leg, leg.session.tag), request.method)
    again = repeat_with(request, dialog.local_cseq, credentials)
    session = leg.session._replace(request=again, challenged=True)
    leg = with_dialog(leg, dialog)._replace(session=session, authorization=credentials)
    return leg, [Ask("OFFER", again, next_hop(dialog))]


def acknowledge_again(leg: Leg, event: LegEvent) -> Step:
    """A 2xx to a re-INVITE once more: our ACK was lost."""
    if event.data.cseq.method != "INVITE":
        return leg, []
    dialog = need_dialog(leg)
    return leg, [SendAck(build_ack(leg, dialog, event.data), next_hop(dialog))]


def no_ack(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §14.2: no ACK for our 2xx, so BYE."""
    leg, effects = leave(leg)
    return leg, [*effects, ended(leg, 408, "timeout", "no ACK")]


def refresh_session(leg: Leg, event: LegEvent) -> Step:
    """RFC 4028 §7.4: by UPDATE, or by a re-INVITE that changes nothing."""
    if leg.refresh is not None or leg.timer is None:
        return leg, []
    if leg.peer.allows("UPDATE"):
        return send_update(leg)
    if leg.session.state is not SessionState.IDLE:
        return leg, [Arm(LegTimer.REFRESH, 2.0)]
    return start_offer(leg._replace(session=Session()), leg.ours, silent=True)


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
    (S.OFFERING, "offer gone"): give_up,
    (S.OFFERING, T.OFFER): give_up,
    (S.WAITING, "INVITE"): receive_offer,
    (S.WAITING, "UPDATE"): receive_offer,
    (S.WAITING, "offer"): queue,
    (S.WAITING, "offer 2xx"): acknowledge_again,
    (S.WAITING, T.GLARE): send_again,
}
