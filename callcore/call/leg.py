"""One leg of a call: its whole life in one table (RFC 3261 §9, §13, §15).

 INVITE in                                  INVITE out
    |                                          |
    v                                          v
INCOMING --answer--> ANSWERED --ACK--+      CALLING --1xx--> RINGING
    |                    |           |         | 2xx           | 2xx
    | refuse, CANCEL,    | hang up   v         v               v
    | BYE, C             |        CONFIRMED <------------------+
    |                    v           |
    |               HANGING_UP       | hang up          hang up: ABANDONING (no 1xx yet)
    |                    | ACK       v                           CANCELLING
    |                    +------> LEAVING <----- 2xx meets CANCEL ---+
    v                                | BYE answered                  | 3xx-6xx
  ENDED <----------------------------+-------------------------------+
"""

from collections.abc import Callable

from callcore.call import callee, caller, early, parting, provisional, refer, refresh, session
from callcore.call.early import find_early, with_early
from callcore.call.events import Confirmed
from callcore.call.messages import abilities, reply, turn_down
from callcore.call.state import (
    Effect,
    Leg,
    LegEvent,
    LegState,
    LegTimer,
    Reply,
    Session,
    SessionState,
    Step,
    Stop,
    Tell,
)
from callcore.dialog import receive_request
from callcore.errors import LocalProtocolError, RemoteProtocolError

COMMANDS = frozenset({"progress", "answer", "refuse", "hang up", "offer"})
# A decision on an offer that was withdrawn meanwhile is no mistake, it is late.
REQUESTS = frozenset({"INVITE", "UPDATE", "BYE", "OPTIONS", "INFO", "PRACK", "REFER", "other"})


def step(leg: Leg, event: LegEvent, now: float) -> Step:
    """One event; LocalProtocolError for a command that does not fit the state."""
    kind = event.kind
    if kind in REQUESTS:
        try:
            leg = admit(leg, event)
        except RemoteProtocolError as error:
            return leg, [Reply(event.data.key, reply(leg.who, event.data.request, error.status))]
    handler = TABLE.get((leg.state, kind))
    if handler is None and leg.state in OPEN:
        handler = session.TABLE.get((leg.session.state, kind))
    if handler is not None:
        leg, effects = handler(leg, event)
        if leg.sender is not None or leg.session.key is not None or leg.transfer is not None:
            return tidy(leg, effects)
        return leg, effects
    if kind in REQUESTS:
        return leg, [Reply(event.data.key, reply(leg.who, event.data.request, 481))]
    if kind in COMMANDS and leg.state in TALKATIVE:
        raise LocalProtocolError(f"{kind} does not fit a leg that is {leg.state}")
    return leg, []


def tidy(leg: Leg, effects: list[Effect]) -> Step:
    """What has waited goes on; what nobody will decide on any more gets its answer."""
    if leg.state is LegState.INCOMING:
        leg, more = provisional.go_on(leg)
        return leg, [*effects, *more]
    if leg.state in OPEN or leg.state is LegState.ANSWERED:
        return leg, effects
    done = [effect.key for effect in effects if isinstance(effect, Reply)]
    pending = [*parting.drop_session(leg), *refer.drop(leg)]
    effects = [*effects, *[e for e in pending if not isinstance(e, Reply) or e.key not in done]]
    if leg.session.state is not SessionState.IDLE:
        effects += [Stop(LegTimer.OFFER), Stop(LegTimer.GLARE)]
    return leg._replace(session=Session(), transfer=None, sender=None), effects


def admit(leg: Leg, event: LegEvent) -> Leg:
    """A request must belong to a dialog of this leg, and come in order (RFC 3261 §12.2.2)."""
    request = event.data.request
    tag = request.from_.tag or ""
    if leg.dialog is not None:
        if leg.dialog.remote_tag != tag:
            raise RemoteProtocolError("no such dialog", status=481)
        return leg._replace(dialog=receive_request(leg.dialog, request))
    found = find_early(leg, tag)
    if found is None:
        raise RemoteProtocolError("no such dialog", status=481)
    return with_early(leg, found._replace(dialog=receive_request(found.dialog, request)))


def acknowledge_request(leg: Leg, event: LegEvent) -> Step:
    """OPTIONS and INFO within a call: 200 (RFC 3261 §11.2, RFC 6086 §4.2.2)."""
    incoming = event.data
    headers = abilities(leg.who.terms)
    return leg, [Reply(incoming.key, reply(leg.who, incoming.request, 200, headers))]


def refuse_method(leg: Leg, event: LegEvent) -> Step:
    """A method that we do not serve: 405 or 501."""
    return leg, [Reply(event.data.key, turn_down(leg.who, event.data.request))]


def receive_first_ack(leg: Leg, event: LegEvent) -> Step:
    """The ACK of the call itself; an offer of ours that has waited for it goes out."""
    leg, effects = callee.receive_ack(leg, event)
    if leg.state is not LegState.CONFIRMED:
        return leg, effects
    leg, more = session.settle(leg)
    return leg, [*effects, *more]


def receive_before_ack(leg: Leg, event: LegEvent) -> Step:
    """RFC 5407 §3.1.5: an offer that overtook the ACK of the call confirms the call.

    Unless the answer was to come with that ACK: then an offer of ours is open, 491.
    """
    pending = leg.unacknowledged
    if (pending is not None and pending.delayed) or not event.data.request.body:
        return session.refuse_glare(leg, event)
    leg = leg._replace(state=LegState.CONFIRMED)
    leg, effects = session.receive_before_ack(leg, event)
    return leg, [Tell(Confirmed(leg.who.name, None)), *effects]


S, T = LegState, LegTimer
OPEN = (S.INCOMING, S.RINGING, S.CONFIRMED)  # where offers may be made
TALKATIVE = (S.INCOMING, S.ANSWERED, S.CALLING, S.RINGING, S.CONFIRMED)
TABLE: dict[tuple[str, str], Callable[[Leg, LegEvent], Step]] = {
    (S.INCOMING, "progress"): provisional.progress,
    (S.INCOMING, "answer"): provisional.answer,
    (S.INCOMING, "refuse"): callee.refuse,
    (S.INCOMING, "hang up"): callee.turn_away,
    (S.INCOMING, "CANCEL"): callee.receive_cancel,
    (S.INCOMING, "BYE"): callee.receive_early_bye,
    (S.INCOMING, "INVITE"): callee.receive_overlapping,
    (S.INCOMING, "UPDATE"): provisional.receive_update,
    (S.INCOMING, "PRACK"): provisional.receive_prack,
    (S.INCOMING, "offer"): provisional.command_offer,
    (S.INCOMING, T.PROVISIONAL): provisional.repeat,
    (S.INCOMING, T.NO_PRACK): provisional.give_up,
    (S.INCOMING, T.C): callee.expire,
    (S.INCOMING, "flow closed"): parting.lose_flow,
    (S.ANSWERED, "ACK"): receive_first_ack,
    (S.ANSWERED, "hang up"): callee.hang_up_later,
    (S.ANSWERED, "BYE"): parting.receive_bye,
    (S.ANSWERED, "PRACK"): provisional.receive_prack,
    (S.ANSWERED, T.EXPIRY): refresh.give_up,
    (S.ANSWERED, T.REFRESH): refresh.wait,
    (S.ANSWERED, "INVITE"): receive_before_ack,
    (S.ANSWERED, "UPDATE"): receive_before_ack,
    (S.ANSWERED, "offer"): session.queue,
    (S.ANSWERED, T.REPEAT): callee.repeat_and_back_off,
    (S.ANSWERED, T.NO_ACK): callee.no_ack,
    (S.ANSWERED, "flow closed"): parting.lose_flow,
    (S.CALLING, "1xx"): caller.ring,
    (S.CALLING, "2xx"): caller.succeed,
    (S.CALLING, "challenge"): caller.answer_challenge,
    (S.CALLING, "failure"): caller.fail,
    (S.CALLING, "too short"): caller.ask_longer,
    (S.CALLING, "gone"): caller.lose,
    (S.CALLING, "hang up"): caller.abandon,
    (S.CALLING, T.C): caller.abandon,
    (S.CALLING, "flow closed"): caller.lose_flow,
    (S.RINGING, "1xx"): caller.ring,
    (S.RINGING, "2xx"): caller.succeed,
    (S.RINGING, "challenge"): caller.answer_challenge,
    (S.RINGING, "failure"): caller.fail,
    (S.RINGING, "too short"): caller.ask_longer,
    (S.RINGING, "prack challenge"): early.answer_prack_challenge,
    (S.RINGING, "offer"): caller.offer,
    (S.RINGING, "gone"): caller.lose,
    (S.RINGING, "hang up"): caller.cancel,
    (S.RINGING, "UPDATE"): caller.receive_update,
    (S.RINGING, T.C): caller.cancel,
    (S.RINGING, "flow closed"): caller.lose_flow,
    # What CONFIRMED leaves open is the session's table.
    (S.CONFIRMED, "hang up"): parting.hang_up,
    (S.CONFIRMED, "BYE"): parting.receive_bye,
    (S.CONFIRMED, "2xx"): parting.receive_2xx_again,
    (S.CONFIRMED, "PRACK"): provisional.receive_prack,
    (S.CONFIRMED, "flow closed"): parting.lose_flow,
    (S.CONFIRMED, T.REFRESH): session.refresh_session,
    (S.CONFIRMED, T.EXPIRY): refresh.give_up,
    (S.CONFIRMED, "refresh 2xx"): refresh.receive_done,
    (S.CONFIRMED, "refresh challenge"): refresh.answer_challenge,
    (S.CONFIRMED, "refresh failure"): refresh.receive_refusal,
    (S.CONFIRMED, "refresh gone"): refresh.give_up,
    (S.ABANDONING, "1xx"): caller.cancel_now,
    (S.ABANDONING, "2xx"): caller.leave_answered,
    (S.ABANDONING, "challenge"): parting.finish,
    (S.ABANDONING, "failure"): parting.finish,
    (S.ABANDONING, "too short"): parting.finish,
    (S.ABANDONING, "gone"): parting.finish,
    (S.ABANDONING, "flow closed"): caller.forget,
    (S.CANCELLING, "2xx"): caller.leave_answered,
    (S.CANCELLING, "challenge"): parting.finish,
    (S.CANCELLING, "failure"): parting.finish,
    (S.CANCELLING, "too short"): parting.finish,
    (S.CANCELLING, "gone"): parting.finish,
    (S.CANCELLING, T.CANCELLED): caller.forget,
    (S.CANCELLING, "flow closed"): caller.forget,
    (S.HANGING_UP, "ACK"): callee.leave_after_ack,
    (S.HANGING_UP, "BYE"): parting.receive_late_bye,
    (S.HANGING_UP, T.REPEAT): callee.repeat_and_back_off,
    (S.HANGING_UP, T.NO_ACK): callee.leave_after_ack,
    (S.HANGING_UP, "flow closed"): parting.finish,
    (S.LEAVING, "bye challenge"): parting.answer_bye_challenge,
    (S.LEAVING, "bye done"): parting.finish,
    (S.LEAVING, "BYE"): parting.receive_late_bye,
    (S.LEAVING, "2xx"): parting.receive_2xx_again,
    (S.LEAVING, "offer 2xx"): session.acknowledge_again,
    (S.LEAVING, "flow closed"): parting.finish,
}
for _state in (S.ANSWERED, S.CONFIRMED):  # a REFER may overtake the ACK of the call
    TABLE |= {(_state, kind): handler for kind, handler in refer.TABLE.items()}
for _state in TALKATIVE:
    TABLE[_state, "OPTIONS"] = acknowledge_request
    TABLE[_state, "INFO"] = acknowledge_request
    TABLE[_state, "other"] = refuse_method
    TABLE.setdefault((_state, "REFER"), refuse_method)
