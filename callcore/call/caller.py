"""A leg that we placed (RFC 3261 §13.2)."""

from callcore.call import session
from callcore.call.early import acknowledge, find_early, with_early
from callcore.call.events import (
    Answered,
    AnsweredInVain,
    By,
    OfferRefused,
    OfferWithdrawn,
    Progressed,
)
from callcore.call.messages import (
    authorise,
    build_ack,
    farewell_headers,
    read_abilities,
    read_body,
    repeat_with,
    reply,
)
from callcore.call.parting import drop_session, ended, finish, leave
from callcore.call.placement import Headers
from callcore.call.refresh import agree, receive_bare_update
from callcore.call.state import (
    Abandon,
    Arm,
    Ask,
    Cancel,
    Early,
    Effect,
    Farewell,
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
)
from callcore.dialog import confirm, from_response, next_hop, refresh
from callcore.dialog.reliable import is_next, read_rseq
from callcore.dialog.timer import least_of
from callcore.errors import RemoteProtocolError
from callcore.message import Response
from callcore.transaction import T1

MAX_EARLY = 32  # early dialogs of one INVITE: more forks than anybody has phones


def place(leg: Leg) -> Step:
    """Send the INVITE."""
    assert leg.invite is not None
    return leg, [Ask("INVITE", leg.invite), Arm(LegTimer.C, leg.who.ring_limit_seconds)]


def ring(leg: Leg, event: LegEvent) -> Step:
    """A provisional response; one with a To tag makes or confirms an early dialog (§12.1)."""
    answer: Response = event.data
    leg = leg._replace(state=LegState.RINGING)
    tag = answer.to.tag
    if answer.status == 100:
        return leg, []
    try:
        description = read_body(answer)
    except RemoteProtocolError:
        description = None  # early media that cannot be read is early media not heard
    body = answer.body if description is not None else b""
    told = Tell(Progressed(leg.who.name, answer.status, description, body, tag or ""))
    if tag is None:
        return leg, [told]
    try:
        early = find_early(leg, tag)
        if early is None:
            if len(leg.early) == MAX_EARLY:
                return leg, []
            early = Early(from_response(answer))
            leg = leg._replace(early=(*leg.early, early))
            leg = leg._replace(peer=read_abilities(answer, leg.peer))
        rseq = read_rseq(answer)
    except RemoteProtocolError:
        return leg, []  # no dialog to speak in, but somebody works on the call
    if rseq is None or leg.who.terms.reliable == "never":
        return leg, [told]
    if not is_next(early.rseq, rseq):  # it has its PRACK, or one before it was lost
        return leg, []
    if description is not None and not early.body:
        early = early._replace(description=description, body=body)
    leg, prack = acknowledge(leg, early._replace(rseq=rseq), answer)
    return leg, [prack, told]


def succeed(leg: Leg, event: LegEvent) -> Step:
    """The first 2xx: ACK at once; the other early dialogs end with it (§13.2.2.4)."""
    answer: Response = event.data
    tag = answer.to.tag or ""
    early = find_early(leg, tag)
    dialog = from_response(answer) if early is None else confirm(early.dialog, answer)
    effects: list[Effect] = [Stop(LegTimer.C)]
    if leg.session.state is not SessionState.IDLE and leg.session.tag != tag:
        leg, dropped = drop_exchange(leg)
        effects += dropped
    leg = leg._replace(
        state=LegState.CONFIRMED,
        invite=None,
        dialog=dialog,
        early=(),
        challenged=False,
        peer=read_abilities(answer, leg.peer),
        ours=b"" if leg.invite is None else leg.invite.body,
    )
    effects.append(SendAck(build_ack(leg, dialog, answer), next_hop(dialog)))
    body = answer.body
    if early is not None and early.body:
        # The answer was given in a reliable 18x, and may have been changed by UPDATE since.
        description, body = early.description, early.body
    else:
        try:
            description = read_body(answer)
        except RemoteProtocolError:
            leg, parting = leave(leg, Farewell("unreadable answer"))
            told = (in_vain(leg), ended(leg, 488, "remote", "unreadable answer"))
            return leg, [*effects, *parting, *told]
    leg, armed = agree(leg._replace(theirs=body), answer)
    return leg, [*effects, *armed, Tell(Answered(leg.who.name, description, body))]


def receive_update(leg: Leg, event: LegEvent) -> Step:
    """An offer in an early dialog: in order once ours is answered there (RFC 3311 §5.2)."""
    incoming = event.data
    request = incoming.request
    early = find_early(leg, request.from_.tag or "")
    assert early is not None  # or it would not have been admitted
    if not request.body:
        try:
            leg = with_early(leg, early._replace(dialog=refresh(early.dialog, request)))
        except RemoteProtocolError as error:
            return leg, [Reply(incoming.key, reply(leg.who, request, error.status))]
        return receive_bare_update(leg, event)
    state = leg.session.state
    if state is SessionState.OFFERED:
        return session.refuse_overlapping(leg, event)
    if state is SessionState.OFFERING or not early.body:
        return session.refuse_glare(leg, event)
    return session.receive_offer(leg, event)


def offer(leg: Leg, event: LegEvent) -> Step:
    """An offer of ours before their 2xx: by UPDATE in the early dialog that answered last."""
    answered = [early for early in leg.early if early.body]
    if not answered or not leg.peer.allows("UPDATE"):
        return leg, [Tell(OfferRefused(leg.who.name, 491))]
    if leg.session.state is not SessionState.IDLE:
        return session.queue(leg, event)
    return session.start_offer(leg, event.data, answered[-1].dialog.remote_tag)


def drop_exchange(leg: Leg) -> Step:
    """An offer in an early dialog that was not the one to be answered."""
    effects: list[Effect] = [Stop(LegTimer.OFFER), Stop(LegTimer.GLARE), *drop_session(leg)]
    if leg.session.state is SessionState.OFFERED:
        effects.append(Tell(OfferWithdrawn(leg.who.name)))
    else:
        effects.append(Tell(OfferRefused(leg.who.name, 487)))
    return leg._replace(session=Session(queued=leg.session.queued)), effects


def fail(leg: Leg, event: LegEvent) -> Step:
    """The call was refused."""
    answer: Response = event.data
    return finish(leg)[0], [ended(leg, answer.status, "remote", answer.reason, answer)]


def ask_longer(leg: Leg, event: LegEvent) -> Step:
    """422: sent again with the interval that it demands (RFC 4028 §7.3)."""
    invite, refusal = leg.invite, event.data
    asked = (invite.get("Session-Expires") or "").partition(";") if invite is not None else None
    least = least_of(refusal, int(asked[0])) if asked is not None and asked[0] else None
    if invite is None or asked is None or least is None:
        return fail(leg, event)
    changed = (("Session-Expires", f"{least}{asked[1]}{asked[2]}"), ("Min-SE", str(least)))
    gone = ("Session-Expires", "Min-SE", "Authorization", "Proxy-Authorization")
    again = repeat_with(invite, invite.cseq.number + 1, (*changed, *leg.authorization), gone)
    leg = leg._replace(state=LegState.CALLING, invite=again, early=())
    return leg, [Ask("INVITE", again)]


def answer_challenge(leg: Leg, event: LegEvent) -> Step:
    """401 or 407: sent again once with credentials (RFC 3261 §22.2)."""
    invite, refusal = leg.invite, event.data
    credentials = None
    if invite is not None and not leg.challenged:
        credentials = authorise(invite, refusal, leg.who.login, event.cnonce)
    if invite is None or credentials is None:
        return fail(leg, event)
    again = repeat_with(invite, invite.cseq.number + 1, credentials)
    leg = leg._replace(
        state=LegState.CALLING,
        invite=again,
        early=(),
        challenged=True,
        authorization=credentials,
    )
    return leg, [Ask("INVITE", again)]


def lose(leg: Leg, event: LegEvent) -> Step:
    """No response at all (Timer B), or no way to send."""
    by: By = event.data
    return finish(leg)[0], [ended(leg, 408 if by == "timeout" else 503, by)]


def abandon(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §9.1: without a provisional response CANCEL has to wait."""
    leg = leg._replace(state=LegState.ABANDONING, reasons=_reasons(event))
    return leg, [Stop(LegTimer.C), _end_unanswered(leg, event)]


def cancel(leg: Leg, event: LegEvent) -> Step:
    """CANCEL; should the final response fail to come, 64*T1 end it (RFC 3261 §9.1)."""
    leg = leg._replace(state=LegState.CANCELLING)
    return leg, [
        Stop(LegTimer.C),
        Cancel(_reasons(event)),
        Arm(LegTimer.CANCELLED, 64 * T1),
        _end_unanswered(leg, event),
    ]


def _reasons(event: LegEvent) -> Headers:
    return farewell_headers(event.data) if event.kind == "hang up" else ()


def _end_unanswered(leg: Leg, event: LegEvent) -> Tell:
    if event.kind == LegTimer.C:
        return ended(leg, 408, "timeout", "not answered")
    return ended(leg, 487, "local", event.data.reason)


def cancel_now(leg: Leg, event: LegEvent) -> Step:
    """The provisional response that CANCEL had waited for."""
    leg = leg._replace(state=LegState.CANCELLING)
    return leg, [Cancel(leg.reasons), Arm(LegTimer.CANCELLED, 64 * T1)]


def leave_answered(leg: Leg, event: LegEvent) -> Step:
    """CANCEL met the 2xx: ACK, then BYE (RFC 3261 §9.1, §15)."""
    answer: Response = event.data
    dialog = from_response(answer)
    ack = SendAck(build_ack(leg, dialog, answer), next_hop(dialog))
    leg, effects = leave(leg._replace(dialog=dialog, early=()))
    return leg, [Stop(LegTimer.CANCELLED), ack, *effects, in_vain(leg)]


def in_vain(leg: Leg) -> Tell:
    """It was answered, and nobody talks."""
    return Tell(AnsweredInVain(leg.who.name))


def forget(leg: Leg, event: LegEvent) -> Step:
    """No final response 64*T1 after CANCEL."""
    return finish(leg)[0], [Abandon("INVITE")]


def lose_flow(leg: Leg, event: LegEvent) -> Step:
    """The connection is gone before the answer."""
    return finish(leg)[0], [Abandon("INVITE"), ended(leg, 503, "transport", "connection lost")]
