"""A leg whose INVITE came to us (RFC 3261 §13.3)."""

from callcore.call.cause import refusal_headers
from callcore.call.events import Arrived, Confirmed
from callcore.call.messages import farewell_headers, read_body, reply, retry_after, target_headers
from callcore.call.parting import ended, finish, leave, need_dialog, stop_extras
from callcore.call.placement import Headers
from callcore.call.refresh import grant
from callcore.call.state import (
    Arm,
    Effect,
    Farewell,
    HangUp,
    Leg,
    LegEvent,
    LegState,
    LegTimer,
    Reply,
    Step,
    Stop,
    Tell,
    Unacknowledged,
)
from callcore.dialog import confirm
from callcore.errors import LocalProtocolError, RemoteProtocolError
from callcore.transaction import T1, T2

CANNOT_TAKE = 480


def arrive(leg: Leg, arrived: Arrived) -> Step:
    """A call is here; it must be decided upon before Timer C."""
    return leg, [Arm(LegTimer.C, leg.who.ring_limit_seconds), Tell(arrived)]


def refuse_with(leg: Leg, status: int, headers: Headers = ()) -> Effect:
    """The final refusal, with its Reason (RFC 6432)."""
    if leg.invite is None or leg.key is None:
        raise LocalProtocolError(f"{leg.who.name} has no INVITE to refuse")
    headers = refusal_headers(status, headers)
    return Reply(leg.key, reply(leg.who, leg.invite, status, headers))


def accept(leg: Leg, body: bytes) -> Step:
    """The 2xx: repeated by us until its ACK comes (RFC 3261 §13.3.1.4)."""
    invite, key, sender = leg.invite, leg.key, leg.sender
    if invite is None or key is None:
        raise LocalProtocolError(f"{leg.who.name} has no INVITE to answer")
    leg, headers, timers = grant(leg, invite)
    if sender is not None and sender.given:  # offer and answer have met in a reliable 18x
        if body != leg.ours:
            leg = leg._replace(session=leg.session._replace(queued=body))
        body = b""
    else:
        leg = leg._replace(ours=body)
    response = reply(leg.who, invite, 200, (*target_headers(leg.who), *headers), body)
    pending = Unacknowledged(key, response, invite.cseq.number, bool(body) and not invite.body)
    leg = leg._replace(
        state=LegState.ANSWERED,
        invite=None,
        dialog=confirm(need_dialog(leg)),
        unacknowledged=pending,
    )
    effects: list[Effect] = [
        Stop(LegTimer.C),
        Reply(pending.key, response),
        Arm(LegTimer.REPEAT, T1),
        Arm(LegTimer.NO_ACK, 64 * T1),
        *timers,
    ]
    if leg.replaces:
        effects.append(HangUp(leg.replaces, "replaced"))
        leg = leg._replace(replaces="")
    return leg, effects


def refuse(leg: Leg, event: LegEvent) -> Step:
    """A final response other than 2xx."""
    status, headers = event.data
    if not 300 <= status < 700:
        raise LocalProtocolError(f"refused with {status}")
    return finish(leg)[0], [refuse_with(leg, status, headers), ended(leg, status, "local")]


def turn_away(leg: Leg, event: LegEvent) -> Step:
    """Hung up before the answer: 480."""
    refusal = refuse_with(leg, CANNOT_TAKE, farewell_headers(event.data))
    effects = [refusal, ended(leg, CANNOT_TAKE, "local", event.data.reason)]
    return finish(leg)[0], effects


def receive_cancel(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §9.2: the INVITE gets 487."""
    return finish(leg)[0], [refuse_with(leg, 487), ended(leg, 487, "remote", "", event.data)]


def receive_early_bye(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §15.1.2: the caller may end an early dialog by BYE."""
    incoming = event.data
    effects = [Reply(incoming.key, reply(leg.who, incoming.request, 200)), refuse_with(leg, 487)]
    return finish(leg)[0], [*effects, ended(leg, 487, "remote", "", incoming.request)]


def expire(leg: Leg, event: LegEvent) -> Step:
    """Nobody decided within Timer C."""
    return finish(leg)[0], [refuse_with(leg, CANNOT_TAKE), ended(leg, CANNOT_TAKE, "timeout")]


def receive_overlapping(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §14.2: their INVITE before we answered the one before, 500 and Retry-After."""
    incoming = event.data
    answer = reply(leg.who, incoming.request, 500, retry_after(event.chance))
    return leg, [Reply(incoming.key, answer)]


def repeat_and_back_off(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §13.3.1.4: T1, doubled up to T2, over reliable transports too."""
    pending = leg.unacknowledged
    if pending is None:
        return leg, []
    interval = min(2 * pending.interval_seconds, T2)
    leg = leg._replace(unacknowledged=pending._replace(interval_seconds=interval))
    return leg, [Reply(pending.key, pending.response), Arm(LegTimer.REPEAT, interval)]


def receive_ack(leg: Leg, event: LegEvent) -> Step:
    """The call is up; the ACK of a delayed offer must hold the answer (RFC 3261 §13.2.1)."""
    pending, ack = leg.unacknowledged, event.data
    if pending is None or ack.cseq.number != pending.cseq:
        return leg, []
    leg = leg._replace(state=LegState.CONFIRMED, unacknowledged=None)
    stops: list[Effect] = [Stop(LegTimer.REPEAT), Stop(LegTimer.NO_ACK)]
    if not pending.delayed:
        return leg, [*stops, Tell(Confirmed(leg.who.name, None))]
    try:
        description = read_body(ack)
    except RemoteProtocolError:
        description = None
    if description is None:
        leg, effects = leave(leg, Farewell("no answer in ACK"))
        return leg, [*effects, ended(leg, 488, "remote", "no answer in ACK")]
    return leg, [*stops, Tell(Confirmed(leg.who.name, description, ack.body))]


def no_ack(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §13.3.1.4: 64*T1 without ACK, the session is ended by BYE."""
    leg, effects = leave(leg)
    return leg, [*effects, ended(leg, 408, "timeout", "no ACK")]


def hang_up_later(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §15: the called side may not send BYE before it has the ACK."""
    leg = leg._replace(state=LegState.HANGING_UP, reasons=farewell_headers(event.data))
    return leg, [*stop_extras(leg), ended(leg, 200, "local", event.data.reason)]


def leave_after_ack(leg: Leg, event: LegEvent) -> Step:
    """The ACK has come, or will not come any more: now the BYE."""
    pending = leg.unacknowledged
    if event.kind == "ACK" and (pending is None or event.data.cseq.number != pending.cseq):
        return leg, []
    return leave(leg, Farewell("", leg.reasons))
