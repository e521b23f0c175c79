"""A leg that we placed (RFC 3261 §13.2)."""

from callcore.call.events import Answered, By, Progressed
from callcore.call.messages import authorise, build_ack, read_body, repeat_with
from callcore.call.parting import ended, finish, leave
from callcore.call.state import (
    Abandon,
    Arm,
    Ask,
    Cancel,
    Effect,
    Leg,
    LegEvent,
    LegState,
    LegTimer,
    SendAck,
    Step,
    Stop,
    Tell,
)
from callcore.dialog import Dialog, confirm, from_response, next_hop
from callcore.errors import RemoteProtocolError
from callcore.message import Response
from callcore.sdp import SessionDescription
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
    if answer.status == 100:
        return leg, []
    tag = answer.to.tag
    if tag is not None and len(leg.early) < MAX_EARLY and find_early(leg, tag) is None:
        leg = leg._replace(early=(*leg.early, from_response(answer)))
    try:
        description = read_body(answer)
    except RemoteProtocolError:
        description = None  # early media that cannot be read is early media not heard
    body = answer.body if description is not None else b""
    return leg, [Tell(Progressed(leg.who.name, answer.status, description, body))]


def find_early(leg: Leg, tag: str) -> Dialog | None:
    """The early dialog with this remote tag."""
    return next((dialog for dialog in leg.early if dialog.remote_tag == tag), None)


def succeed(leg: Leg, event: LegEvent) -> Step:
    """The first 2xx: ACK at once; the other early dialogs end with it (§13.2.2.4)."""
    answer: Response = event.data
    early = find_early(leg, answer.to.tag or "")
    dialog = from_response(answer) if early is None else confirm(early, answer)
    leg = leg._replace(
        state=LegState.CONFIRMED, invite=None, dialog=dialog, early=(), challenged=False
    )
    effects: list[Effect] = [
        Stop(LegTimer.C),
        SendAck(build_ack(leg, dialog, answer), next_hop(dialog)),
    ]
    description: SessionDescription | None
    try:
        description = read_body(answer)
    except RemoteProtocolError:
        leg, parting = leave(leg, "unreadable answer")
        return leg, [*effects, *parting, ended(leg, 488, "remote", "unreadable answer")]
    return leg, [*effects, Tell(Answered(leg.who.name, description, answer.body))]


def fail(leg: Leg, event: LegEvent) -> Step:
    """The call was refused."""
    answer: Response = event.data
    return finish(leg)[0], [ended(leg, answer.status, "remote", answer.reason)]


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
    leg = leg._replace(state=LegState.ABANDONING)
    return leg, [Stop(LegTimer.C), _end_unanswered(leg, event)]


def cancel(leg: Leg, event: LegEvent) -> Step:
    """CANCEL; should the final response fail to come, 64*T1 end it (RFC 3261 §9.1)."""
    leg = leg._replace(state=LegState.CANCELLING)
    return leg, [
        Stop(LegTimer.C),
        Cancel(),
        Arm(LegTimer.CANCELLED, 64 * T1),
        _end_unanswered(leg, event),
    ]


def _end_unanswered(leg: Leg, event: LegEvent) -> Tell:
    if event.kind == LegTimer.C:
        return ended(leg, 408, "timeout", "not answered")
    return ended(leg, 487, "local", event.data or "")


def cancel_now(leg: Leg, event: LegEvent) -> Step:
    """The provisional response that CANCEL had waited for."""
    leg = leg._replace(state=LegState.CANCELLING)
    return leg, [Cancel(), Arm(LegTimer.CANCELLED, 64 * T1)]


def leave_answered(leg: Leg, event: LegEvent) -> Step:
    """CANCEL met the 2xx: ACK, then BYE (RFC 3261 §9.1, §15)."""
    answer: Response = event.data
    dialog = from_response(answer)
    ack = SendAck(build_ack(leg, dialog, answer), next_hop(dialog))
    leg, effects = leave(leg._replace(dialog=dialog, early=()))
    return leg, [Stop(LegTimer.CANCELLED), ack, *effects]


def forget(leg: Leg, event: LegEvent) -> Step:
    """No final response 64*T1 after CANCEL."""
    return finish(leg)[0], [Abandon("INVITE")]


def lose_flow(leg: Leg, event: LegEvent) -> Step:
    """The connection is gone before the answer."""
    return finish(leg)[0], [Abandon("INVITE"), ended(leg, 503, "transport", "connection lost")]
