"""How a leg ends, from every state and by everybody."""

from typing import Any

from callcore.call.cause import NO_ANSWER, Reason, q850_of, read_reasons
from callcore.call.events import AnsweredInVain, By, Ended
from callcore.call.messages import authorise, build_ack, build_bye, repeat_with, reply
from callcore.call.state import (
    Abandon,
    Ask,
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
from callcore.dialog import from_response, next_hop, terminate
from callcore.errors import LocalProtocolError
from callcore.message import REASONS, Message, Response
from callcore.message.grammar import legible

BYE_REASON = "call ended"
NO_FAREWELL = Farewell()


def ended(leg: Leg, status: int, by: By, reason: str = "", message: Message | None = None) -> Tell:
    """The one Ended of this leg; `message` may tell why (RFC 3326)."""
    reasons: tuple[Reason, ...] = () if message is None else read_reasons(message)
    cause = q850_of(reasons, status) if status >= 300 or reasons else 16
    if by == "timeout" and status in (408, 480):
        cause = NO_ANSWER
    words = legible(reason) or REASONS.get(status, "")
    return Tell(Ended(leg.who.name, status, words, by, cause, reasons))


def need_dialog(leg: Leg) -> Any:
    """The dialog of a leg that must have one by now."""
    if leg.dialog is None:
        raise LocalProtocolError(f"{leg.who.name} has no dialog in {leg.state}")
    return leg.dialog


def drop_session(leg: Leg) -> list[Effect]:
    """RFC 3261 §15.1.2: pending requests of the peer get 487; ours is forgotten."""
    session = leg.session
    if session.state is SessionState.OFFERED and session.key is not None and session.request:
        return [Reply(session.key, reply(leg.who, session.request, 487))]
    return []


def leave(leg: Leg, farewell: Farewell = NO_FAREWELL) -> Step:
    """Send BYE; what happens to the leg has been told, or is told by the caller of this."""
    dialog, bye = build_bye(leg, need_dialog(leg), farewell)
    effects = [
        *drop_session(leg),
        Stop(LegTimer.REPEAT),
        Stop(LegTimer.NO_ACK),
        Stop(LegTimer.GLARE),
        Stop(LegTimer.OFFER),
        *stop_extras(leg),
        Ask("BYE", bye, next_hop(dialog)),
    ]
    leg = leg._replace(
        state=LegState.LEAVING,
        invite=bye,  # kept for a challenge
        dialog=dialog,
        unacknowledged=None,
        session=Session(),
        challenged=False,
    )
    return leg, effects


def stop_extras(leg: Leg) -> list[Effect]:
    """The timers that few legs have."""
    stops: list[Effect] = []
    if leg.timer is not None:
        stops += [Stop(LegTimer.REFRESH), Stop(LegTimer.EXPIRY)]
    if leg.transfer is not None:
        stops.append(Stop(LegTimer.TRANSFER))
    if leg.sender is not None:
        stops += [Stop(LegTimer.PROVISIONAL), Stop(LegTimer.NO_PRACK)]
    return stops


def finish(leg: Leg, event: LegEvent | None = None) -> Step:
    """Nothing more to wait for."""
    dialog = None if leg.dialog is None else terminate(leg.dialog)
    return leg._replace(state=LegState.ENDED, dialog=dialog), []


def hang_up(leg: Leg, event: LegEvent) -> Step:
    """Ours: BYE (RFC 3261 §15.1.1)."""
    leg, effects = leave(leg, event.data)
    return leg, [*effects, ended(leg, 200, "local", event.data.reason or BYE_REASON)]


def receive_bye(leg: Leg, event: LegEvent) -> Step:
    """Theirs: BYE (RFC 3261 §15.1.2), whether or not our 2xx has had its ACK."""
    incoming = event.data
    effects = [Reply(incoming.key, reply(leg.who, incoming.request, 200)), *drop_session(leg)]
    reason = legible(incoming.request.get("Reason") or BYE_REASON)
    effects.append(ended(leg, 200, "remote", reason, incoming.request))
    return finish(leg)[0], effects


def receive_late_bye(leg: Leg, event: LegEvent) -> Step:
    """BYE for a leg that we hang up ourselves: told already."""
    incoming = event.data
    answer = Reply(incoming.key, reply(leg.who, incoming.request, 200))
    if leg.state is LegState.LEAVING:  # the two BYEs crossed; ours is still to be answered
        return leg, [answer]
    return finish(leg)[0], [answer]


def lose_flow(leg: Leg, event: LegEvent) -> Step:
    """The connection is gone, and with it every way to signal."""
    return finish(leg)[0], [ended(leg, 503, "transport", "connection lost")]


def answer_bye_challenge(leg: Leg, event: LegEvent) -> Step:
    """401 or 407 to our BYE, answered once."""
    refusal, bye, dialog = event.data, leg.invite, need_dialog(leg)
    credentials = None
    if bye is not None and not leg.challenged:
        credentials = authorise(bye, refusal, leg.who.login, event.cnonce)
    if bye is None or credentials is None:
        return finish(leg)
    again = repeat_with(bye, bye.cseq.number + 1, credentials)
    return leg._replace(challenged=True), [Ask("BYE", again, next_hop(dialog))]


def receive_2xx_again(leg: Leg, event: LegEvent) -> Step:
    """A 2xx after the first: ours again, its ACK was lost; or of another fork (§13.2.2.4)."""
    answer: Response = event.data
    dialog = need_dialog(leg)
    tag = answer.to.tag or ""
    if tag == dialog.remote_tag:
        return leg, [SendAck(build_ack(leg, dialog, answer), next_hop(dialog))]
    effects = decline_2xx(leg, answer)
    if tag in leg.strays:
        return leg, effects[:1]
    leg = leg._replace(strays=(*leg.strays, tag))
    return leg, [*effects, Tell(AnsweredInVain(leg.who.name))]


def decline_2xx(leg: Leg, answer: Response) -> list[Effect]:
    """ACK, then BYE: the answer came too late."""
    dialog = from_response(answer)
    ack = SendAck(build_ack(leg, dialog, answer), next_hop(dialog))
    dialog, bye = build_bye(leg, dialog, NO_FAREWELL)
    return [ack, Ask("STRAY", bye, next_hop(dialog))]


def give_up_offer(leg: Leg, event: LegEvent) -> Step:
    """Our re-INVITE got 408, 481 or nothing at all: the dialog is dead (RFC 3261 §12.2.1.2)."""
    status = event.data.status if isinstance(event.data, Response) else 408
    by: By = "remote" if isinstance(event.data, Response) else "timeout"
    leg, effects = leave(leg)
    if event.kind == LegTimer.OFFER:
        effects.insert(0, Abandon("OFFER"))
    return leg, [*effects, ended(leg, status, by)]
