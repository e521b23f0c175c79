"""Our provisional responses to their INVITE, reliable ones too (RFC 3262 §3), and their PRACK.

The machine is drawn in callcore/dialog/reliable.py; its tables are part of leg.py's.
"""

from typing import Any

from callcore.call.callee import accept, refuse_with
from callcore.call.events import OfferAnswered, OfferRefused
from callcore.call.messages import read_body, reply, retry_after, target_headers
from callcore.call.parting import drop_session, ended, finish, need_dialog
from callcore.call.refresh import receive_bare_update
from callcore.call.session import queue, receive_offer, refuse_glare, start_offer
from callcore.call.state import (
    Arm,
    Effect,
    Leg,
    LegEvent,
    LegState,
    LegTimer,
    Reply,
    SessionState,
    Step,
    Stop,
    Tell,
)
from callcore.dialog import Sender
from callcore.dialog.reliable import FIRST_LIMIT, OPTION, first_rseq, read_rack
from callcore.errors import LocalProtocolError, RemoteProtocolError
from callcore.transaction import T1

TIMERS: tuple[Effect, ...] = (Stop(LegTimer.PROVISIONAL), Stop(LegTimer.NO_PRACK))


def progress(leg: Leg, event: LegEvent) -> Step:
    """A provisional response; it shows that somebody still works on it."""
    status, body = event.data
    if leg.invite is None or leg.key is None or not 100 < status < 200:
        raise LocalProtocolError(f"progress with {status}")
    sender = leg.sender
    if sender is not None and sender.final is not None:
        return leg, []  # answered; only the PRACK is awaited
    if not _is_reliable(leg, body):
        if not leg.invite.body:
            body = None  # RFC 3261 §13.2.1: an offer of ours has to come reliably
        headers = target_headers(leg.who)
        answer = reply(leg.who, leg.invite, status, headers, body or b"")
        return leg, [Reply(leg.key, answer), Arm(LegTimer.C, leg.who.ring_limit_seconds)]
    if sender is None:
        sender = Sender(first_rseq(event.chance) - 1, leg.invite.cseq.number)
    if sender.waiting:  # RFC 3262 §3: the next only after the PRACK of the last
        return leg._replace(sender=sender._replace(queue=(*sender.queue, (status, body)))), []
    return _send(leg._replace(sender=sender), status, body)


def _is_reliable(leg: Leg, body: bytes | None) -> bool:
    invite, policy = leg.invite, leg.who.terms.reliable
    if policy == "never" or invite is None:
        return False
    if invite.get("Require") is not None and OPTION in invite.values("Require"):
        return True  # §3: then each of them must be
    return (policy != "media" or bool(body)) and leg.peer.supports(OPTION)


def _send(leg: Leg, status: int, body: bytes | None) -> Step:
    sender, invite, key = leg.sender, leg.invite, leg.key
    assert sender is not None
    assert invite is not None
    assert key is not None
    changed = body if sender.given and body and body != leg.ours else None
    if sender.given:
        body = None  # RFC 3264: the answer is given; a new one needs an offer
    rseq = sender.rseq % (FIRST_LIMIT * 2 - 1) + 1
    headers = (*target_headers(leg.who), ("Require", OPTION), ("RSeq", str(rseq)))
    response = reply(leg.who, invite, status, headers, body or b"")
    leg = leg._replace(
        sender=sender._replace(
            rseq=rseq,
            waiting=True,
            response=response,
            interval_seconds=T1,
            bearing=bool(body),
            given=sender.given or bool(body),
        ),
        ours=body or leg.ours,
    )
    if changed is not None:
        leg = leg._replace(session=leg.session._replace(queued=changed))
    return leg, [
        Reply(key, response),
        Arm(LegTimer.C, leg.who.ring_limit_seconds),
        Arm(LegTimer.PROVISIONAL, T1),
        Arm(LegTimer.NO_PRACK, 64 * T1),
    ]


def repeat(leg: Leg, event: LegEvent) -> Step:
    """RFC 3262 §3: T1, doubled each time."""
    sender, key = leg.sender, leg.key
    if sender is None or sender.response is None or key is None:
        return leg, []
    interval = 2 * sender.interval_seconds
    leg = leg._replace(sender=sender._replace(interval_seconds=interval))
    return leg, [Reply(key, sender.response), Arm(LegTimer.PROVISIONAL, interval)]


def give_up(leg: Leg, event: LegEvent) -> Step:
    """RFC 3262 §3: 64*T1 without PRACK, the INVITE is refused."""
    refusal = refuse_with(leg, 504)
    effects = [*TIMERS[:1], *drop_session(leg), refusal, ended(leg, 504, "timeout", "no PRACK")]
    return finish(leg)[0], effects


def receive_prack(leg: Leg, event: LegEvent) -> Step:
    """Theirs: it must fit the response that waits for it (RFC 3262 §3), else 481."""
    incoming = event.data
    request, sender = incoming.request, leg.sender
    try:
        rack = read_rack(request)
        description = read_body(request)
    except RemoteProtocolError as error:
        return leg, [Reply(incoming.key, reply(leg.who, request, error.status))]
    if sender is None or not sender.waiting or rack != (sender.rseq, sender.cseq, "INVITE"):
        return leg, [Reply(incoming.key, reply(leg.who, request, 481))]
    delayed = sender.bearing and leg.invite is not None and not leg.invite.body
    if delayed and description is None:  # our offer has to be answered here (§5)
        return leg, [Reply(incoming.key, reply(leg.who, request, 400))]
    offers = description is not None and not delayed
    if offers and not sender.given:  # theirs is open still
        return leg, [Reply(incoming.key, reply(leg.who, request, 491))]
    freed = sender._replace(
        waiting=False, response=None, bearing=False, complete=sender.complete or sender.bearing
    )
    leg = leg._replace(sender=freed)
    effects: list[Effect] = list(TIMERS)
    if offers and leg.session.state is not SessionState.IDLE:
        effects.append(Reply(incoming.key, reply(leg.who, request, 491)))
    elif offers:
        leg, more = receive_offer(leg, event)
        effects += more
    else:
        effects.append(Reply(incoming.key, reply(leg.who, request, 200)))
    if delayed:
        leg = leg._replace(theirs=request.body)
        effects.append(Tell(OfferAnswered(leg.who.name, description, request.body)))
    leg, more = go_on(leg)
    return leg, [*effects, *more]


def go_on(leg: Leg) -> Step:
    """What has waited for a PRACK, or for an exchange: the answer, a response, an offer."""
    sender = leg.sender
    if sender is None or leg.state is not LegState.INCOMING or sender.waiting:
        return leg, []
    if sender.final is not None:
        return accept(leg, sender.final) if leg.session.state is SessionState.IDLE else (leg, [])
    if sender.queue:
        (status, body), *rest = sender.queue
        return _send(leg._replace(sender=sender._replace(queue=tuple(rest))), status, body)
    queued = leg.session.queued
    if queued is not None and leg.session.state is SessionState.IDLE and sender.complete:
        return offer(leg._replace(session=leg.session._replace(queued=None)), queued)
    return leg, []


def answer(leg: Leg, event: LegEvent) -> Step:
    """RFC 3262 §3: no 2xx before the PRACK of a response with a description."""
    sender = leg.sender
    if sender is None:
        return accept(leg, event.data)
    if sender.bearing or leg.session.state is not SessionState.IDLE:
        return leg._replace(sender=sender._replace(final=event.data, queue=())), [Stop(LegTimer.C)]
    leg = leg._replace(sender=sender._replace(queue=(), response=None))
    leg, effects = accept(leg, event.data)
    return leg, [*TIMERS, *effects]


def receive_update(leg: Leg, event: LegEvent) -> Step:
    """RFC 3311 §5.2: an offer before the answer to the first one gets 500, or 491 if ours is open.

    In order once the INVITE's offer has its answer, by a reliable response and its PRACK.
    """
    incoming, sender = event.data, leg.sender
    request = incoming.request
    if not request.body:
        return receive_bare_update(leg, event)
    state = leg.session.state
    if state is SessionState.OFFERING or (
        sender is not None and sender.bearing and leg.invite is not None and not leg.invite.body
    ):
        return refuse_glare(leg, event)
    if sender is None or not sender.complete or state is SessionState.OFFERED:
        answer = reply(leg.who, request, 500, retry_after(event.chance))
        return leg, [Reply(incoming.key, answer)]
    return receive_offer(leg, event)


def command_offer(leg: Leg, event: LegEvent) -> Step:
    """An offer of ours before our answer: by UPDATE, when the rules allow it."""
    return offer(leg, event.data)


def offer(leg: Leg, body: Any) -> Step:
    """UPDATE in the early dialog of their INVITE (RFC 3311 §5.1)."""
    sender = leg.sender
    if sender is None or not leg.peer.allows("UPDATE") or sender.final is not None:
        return leg, [Tell(OfferRefused(leg.who.name, 491))]
    if leg.session.state is not SessionState.IDLE or not sender.complete:
        return queue(leg, LegEvent("offer", body))
    return start_offer(leg, body, need_dialog(leg).remote_tag)
