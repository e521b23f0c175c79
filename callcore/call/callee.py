"""A leg whose INVITE came to us (RFC 3261 §13.3)."""

from callcore.call.events import Arrived, Confirmed
from callcore.call.messages import read_body, reply, retry_after, target_headers
from callcore.call.parting import ended, finish, leave, need_dialog
from callcore.call.state import (
    Arm,
    Effect,
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


def _refused(leg: Leg, status: int, headers: tuple[tuple[str, str], ...] = ()) -> Effect:
    if leg.invite is None or leg.key is None:
        raise LocalProtocolError(f"{leg.who.name} has no INVITE to refuse")
    return Reply(leg.key, reply(leg.who, leg.invite, status, headers))


def progress(leg: Leg, event: LegEvent) -> Step:
    """A provisional response; it shows that somebody still works on it."""
    status, body = event.data
    if leg.invite is None or leg.key is None or not 100 < status < 200:
        raise LocalProtocolError(f"progress with {status}")
    answer = reply(leg.who, leg.invite, status, target_headers(leg.who), body or b"")
    return leg, [Reply(leg.key, answer), Arm(LegTimer.C, leg.who.ring_limit_seconds)]


def answer(leg: Leg, event: LegEvent) -> Step:
    """The 2xx: repeated by us until its ACK comes (RFC 3261 §13.3.1.4)."""
    if leg.invite is None or leg.key is None:
        raise LocalProtocolError(f"{leg.who.name} has no INVITE to answer")
    response = reply(leg.who, leg.invite, 200, target_headers(leg.who), event.data)
    delayed = not leg.invite.body
    pending = Unacknowledged(leg.key, response, leg.invite.cseq.number, delayed)
    leg = leg._replace(
        state=LegState.ANSWERED,
        invite=None,
        dialog=confirm(need_dialog(leg)),
        unacknowledged=pending,
    )
    return leg, [
        Stop(LegTimer.C),
        Reply(pending.key, response),
        Arm(LegTimer.REPEAT, T1),
        Arm(LegTimer.NO_ACK, 64 * T1),
    ]


def refuse(leg: Leg, event: LegEvent) -> Step:
    """A final response other than 2xx."""
    status, headers = event.data
    if not 300 <= status < 700:
        raise LocalProtocolError(f"refused with {status}")
    return finish(leg)[0], [_refused(leg, status, headers), ended(leg, status, "local")]


def turn_away(leg: Leg, event: LegEvent) -> Step:
    """Hung up before the answer: 480."""
    effects = [_refused(leg, CANNOT_TAKE), ended(leg, CANNOT_TAKE, "local", event.data or "")]
    return finish(leg)[0], effects


def receive_cancel(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §9.2: the INVITE gets 487."""
    return finish(leg)[0], [_refused(leg, 487), ended(leg, 487, "remote")]


def receive_early_bye(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §15.1.2: the caller may end an early dialog by BYE."""
    incoming = event.data
    effects = [Reply(incoming.key, reply(leg.who, incoming.request, 200)), _refused(leg, 487)]
    return finish(leg)[0], [*effects, ended(leg, 487, "remote")]


def expire(leg: Leg, event: LegEvent) -> Step:
    """Nobody decided within Timer C."""
    return finish(leg)[0], [_refused(leg, CANNOT_TAKE), ended(leg, CANNOT_TAKE, "timeout")]


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
        leg, effects = leave(leg, "no answer in ACK")
        return leg, [*effects, ended(leg, 488, "remote", "no answer in ACK")]
    return leg, [*stops, Tell(Confirmed(leg.who.name, description, ack.body))]


def no_ack(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §13.3.1.4: 64*T1 without ACK, the session is ended by BYE."""
    leg, effects = leave(leg)
    return leg, [*effects, ended(leg, 408, "timeout", "no ACK")]


def hang_up_later(leg: Leg, event: LegEvent) -> Step:
    """RFC 3261 §15: the called side may not send BYE before it has the ACK."""
    leg = leg._replace(state=LegState.HANGING_UP)
    return leg, [ended(leg, 200, "local", event.data or "")]


def leave_after_ack(leg: Leg, event: LegEvent) -> Step:
    """The ACK has come, or will not come any more: now the BYE."""
    pending = leg.unacknowledged
    if event.kind == "ACK" and (pending is None or event.data.cseq.number != pending.cseq):
        return leg, []
    return leave(leg)
