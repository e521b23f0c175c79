"""The session timer of a call that is up (RFC 4028): refreshed by whoever it fell to, or ended."""

from callcore.call.messages import (
    authorise,
    read_abilities,
    repeat_with,
    reply,
    target_headers,
)
from callcore.call.parting import ended, leave, need_dialog
from callcore.call.placement import Headers
from callcore.call.state import (
    Arm,
    Ask,
    Effect,
    Farewell,
    Leg,
    LegEvent,
    LegTimer,
    Reply,
    Step,
    Stop,
)
from callcore.dialog import SessionTimer, in_dialog_request, next_hop, refresh
from callcore.dialog.timer import (
    agree as read_agreement,
)
from callcore.dialog.timer import (
    least_of,
    request_headers,
    response_headers,
    serve,
)
from callcore.errors import RemoteProtocolError
from callcore.message import Message, Request, Response

EXPIRED = Farewell("session expired", (("Reason", 'SIP;cause=408;text="Session Expired"'),))
BUSY_SECONDS = 2.0


def agree(leg: Leg, message: Message) -> Step:
    """A 2xx to an INVITE or UPDATE of ours: what it agrees to is what counts from now on."""
    timer = read_agreement(message) if isinstance(message, Response) else None
    return _start(leg, timer)


def grant(leg: Leg, request: Request) -> tuple[Leg, Headers, list[Effect]]:
    """Our 2xx to an INVITE or UPDATE of theirs: its headers, and the timers."""
    timer = serve(request, leg.peer.supports("timer"), leg.who.terms.session)
    if timer is None and leg.timer is None:
        return leg, (), []
    leg, effects = _start(leg, timer)
    return leg, response_headers(timer), effects


def _start(leg: Leg, timer: SessionTimer | None) -> Step:
    effects: list[Effect] = []
    if leg.timer is not None:
        effects = [Stop(LegTimer.REFRESH), Stop(LegTimer.EXPIRY)]
    elif timer is None:
        return leg, effects
    if timer is not None:
        effects = [Arm(LegTimer.EXPIRY, timer.patience_seconds)]
        effects.append(
            Arm(LegTimer.REFRESH, timer.refresh_seconds) if timer.ours else Stop(LegTimer.REFRESH)
        )
    return leg._replace(timer=timer), effects


def session_headers(leg: Leg) -> Headers:
    """Of every re-INVITE and UPDATE of ours in a call that is up (RFC 4028 §7.4)."""
    return () if leg.timer is None else request_headers(leg.who.terms.session, leg.timer)


def refuse_short(leg: Leg, request: Request) -> Headers | None:
    """What a 422 to this request must have; None when its interval is long enough, or none.

    RemoteProtocolError(400) for an interval that cannot be read.
    """
    if request.get("Session-Expires") is None:
        return None
    try:
        serve(request, leg.peer.supports("timer"), leg.who.terms.session)
    except RemoteProtocolError as error:
        if error.status != 422:
            raise
        return (("Min-SE", str(max(90, leg.who.terms.session.minimum_seconds))),)
    return None


def send_update(leg: Leg) -> Step:
    """UPDATE without an offer (RFC 4028 §7.4 recommends it where the peer allows it)."""
    headers = (*target_headers(leg.who), *leg.who.banner, *session_headers(leg))
    dialog, request = in_dialog_request(need_dialog(leg), "UPDATE", headers)
    leg = leg._replace(dialog=dialog, refresh=request, challenged=False)
    return leg, [Ask("REFRESH", request, next_hop(dialog))]


def receive_done(leg: Leg, event: LegEvent) -> Step:
    """2xx to our UPDATE."""
    answer: Response = event.data
    leg = leg._replace(
        dialog=refresh(need_dialog(leg), answer),
        refresh=None,
        peer=read_abilities(answer, leg.peer),
    )
    return agree(leg, answer)


def receive_refusal(leg: Leg, event: LegEvent) -> Step:
    """It was refused: asked for longer, in another way, or again before it is too late."""
    refusal: Response = event.data
    timer = leg.timer
    leg = leg._replace(refresh=None)
    if timer is None:
        return leg, []
    least = least_of(refusal, timer.seconds) if refusal.status == 422 else None
    if least is not None:
        return send_update(leg._replace(timer=timer._replace(seconds=least)))
    if refusal.status in (405, 501):  # it was in Allow, but is not served
        allow = leg.peer.allow.upper().replace("UPDATE", "")
        return leg._replace(peer=leg.peer._replace(allow=allow)), [Arm(LegTimer.REFRESH, 0.0)]
    return leg, [Arm(LegTimer.REFRESH, max(BUSY_SECONDS, timer.seconds / 16))]


def answer_challenge(leg: Leg, event: LegEvent) -> Step:
    """401 or 407 to our UPDATE, answered once."""
    request = leg.refresh
    credentials = None
    if request is not None and not leg.challenged:
        credentials = authorise(request, event.data, leg.who.login, event.cnonce)
    if request is None or credentials is None:
        return receive_refusal(leg, event)
    dialog, _ = in_dialog_request(need_dialog(leg), "UPDATE")
    again = repeat_with(request, dialog.local_cseq, credentials)
    leg = leg._replace(dialog=dialog, refresh=again, challenged=True, authorization=credentials)
    return leg, [Ask("REFRESH", again, next_hop(dialog))]


def give_up(leg: Leg, event: LegEvent) -> Step:
    """RFC 4028 §10: no answer to a refresh, or no refresh in time: BYE."""
    status = event.data.status if isinstance(event.data, Response) else 408
    leg, effects = leave(leg, EXPIRED)
    by = "remote" if isinstance(event.data, Response) else "timeout"
    return leg, [*effects, ended(leg, status, by, "session expired")]  # type: ignore[arg-type]


def wait(leg: Leg, event: LegEvent) -> Step:
    """A refresh is due before the ACK of the call has come."""
    return leg, [Arm(LegTimer.REFRESH, BUSY_SECONDS)]


def receive_bare_update(leg: Leg, event: LegEvent) -> Step:
    """An UPDATE without an offer: target and session timer alone (RFC 3311 §5.2, RFC 4028 §9)."""
    incoming = event.data
    request = incoming.request
    try:
        if leg.dialog is not None:
            leg = leg._replace(
                dialog=refresh(leg.dialog, request), peer=read_abilities(request, leg.peer)
            )
        short = refuse_short(leg, request)
        if short is not None:
            return leg, [Reply(incoming.key, reply(leg.who, request, 422, short))]
        if leg.dialog is None or leg.dialog.state != "confirmed":
            answer = reply(leg.who, request, 200, target_headers(leg.who))
            return leg, [Reply(incoming.key, answer)]
        leg, headers, effects = grant(leg, request)
    except RemoteProtocolError as error:
        return leg, [Reply(incoming.key, reply(leg.who, request, error.status))]
    answer = reply(leg.who, request, 200, (*target_headers(leg.who), *headers))
    return leg, [Reply(incoming.key, answer), *effects]
