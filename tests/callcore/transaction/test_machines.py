"""The four machines against figures 5 to 8 (RFC 3261 §17), row by row."""

from typing import Any, Self

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcore.transaction import client, invite_client, invite_server, server
from callcore.transaction.machine import (
    ACK,
    FAILURE,
    FINAL,
    PROVISIONAL,
    REQUEST,
    SUCCESS,
    TRANSPORT_FAILED,
    Acknowledge,
    Arm,
    Event,
    Fail,
    Inform,
    Send,
    State,
)
from callcore.transaction.timers import T1, T2, T4, Timer


class Flow:
    """A machine and what it asked for last."""

    def __init__(self, machine: Any, tx: Any, effects: list[Any] | None = None) -> None:
        self.machine, self.tx, self.effects = machine, tx, effects or []

    def on(self, kind: str, message: Any = None) -> Self:
        self.tx, self.effects = self.machine.step(self.tx, Event(kind, message), 0.0)
        return self

    def expect(self, *effects: Any) -> Self:
        assert self.effects == list(effects)
        return self

    def now(self, state: State) -> Self:
        assert self.tx.state is state
        return self


def invited(*, reliable: bool = False) -> Flow:
    return Flow(invite_server, invite_server.InviteServer(reliable))


def inviting(*, reliable: bool = False) -> Flow:
    return Flow(invite_client, *invite_client.start("INVITE", reliable=reliable))


def asked(*, reliable: bool = False) -> Flow:
    return Flow(server, server.Server(reliable))


def asking(*, reliable: bool = False) -> Flow:
    return Flow(client, *client.start("BYE", reliable=reliable))


# The INVITE server transaction, figure 7.


def test_busy_over_udp_is_resent_until_ack():
    """RFC 3261 §17.2.1.

    caller            us
      |---- INVITE --->|
      |<----- 486 -----|  G=0.5 H=32
      |<----- 486 -----|  G=1.0
      |----- ACK ----->|  I=5
    """
    flow = invited().on(FAILURE, 486)
    flow.expect(Send(486), Arm(Timer.G, 0.5), Arm(Timer.H, 32.0)).now(State.COMPLETED)
    flow.on(Timer.G).expect(Send(486), Arm(Timer.G, 1.0))
    flow.on(ACK).expect(Arm(Timer.I, T4)).now(State.CONFIRMED)
    flow.on(ACK).expect().on(Timer.G).expect().on(Timer.H).expect().on(REQUEST).expect()
    flow.on(Timer.I).expect().now(State.TERMINATED)


def test_timer_g_doubles_up_to_t2():
    flow = invited().on(FAILURE, 486)
    for seconds in (1.0, 2.0, 4.0, T2):
        flow.on(Timer.G).expect(Send(486), Arm(Timer.G, seconds))


def test_busy_over_tcp_is_sent_once():
    flow = invited(reliable=True).on(FAILURE, 486).expect(Send(486), Arm(Timer.H, 32.0))
    flow.on(ACK).expect().now(State.TERMINATED)


def test_no_ack_for_a_failure():
    invited().on(FAILURE, 486).on(Timer.H).expect(Fail("timeout")).now(State.TERMINATED)


def test_a_repeated_invite_gets_the_most_recent_response():
    flow = invited().on(REQUEST).expect().on(PROVISIONAL, 100).expect(Send(100))
    flow.on(REQUEST).expect(Send(100)).on(PROVISIONAL, 180).expect(Send(180))
    flow.on(REQUEST).expect(Send(180)).now(State.PROCEEDING)
    flow.on(FAILURE, 486).on(REQUEST).expect(Send(486)).now(State.COMPLETED)


def test_accepted_absorbs_invites_and_lets_the_user_repeat():
    """RFC 6026 §7.1, over every transport."""
    for reliable in (False, True):
        flow = invited(reliable=reliable).on(SUCCESS, 200)
        flow.expect(Send(200), Arm(Timer.L, 32.0)).now(State.ACCEPTED)
        flow.on(REQUEST).expect().on(SUCCESS, 200).expect(Send(200))
        flow.on(ACK, "ack").expect(Inform("ack")).now(State.ACCEPTED)
        flow.on(Timer.L).expect().now(State.TERMINATED)


# The INVITE client transaction, figure 5.


def test_an_invite_is_resent_and_given_up():
    """RFC 3261 §17.1.1.2: Timer A doubles without limit."""
    flow = inviting().expect(Send("INVITE"), Arm(Timer.A, 0.5), Arm(Timer.B, 32.0))
    for seconds in (1.0, 2.0, 4.0, 8.0, 16.0):
        flow.on(Timer.A).expect(Send("INVITE"), Arm(Timer.A, seconds))
    flow.on(Timer.B).expect(Fail("timeout")).now(State.TERMINATED)


def test_an_invite_over_tcp_waits():
    inviting(reliable=True).expect(Send("INVITE"), Arm(Timer.B, 32.0))


def test_a_provisional_response_stops_timers_a_and_b():
    flow = inviting().on(PROVISIONAL, 180).expect(Inform(180)).now(State.PROCEEDING)
    flow.on(Timer.A).expect().on(Timer.B).expect().on(PROVISIONAL, 183).expect(Inform(183))


@pytest.mark.parametrize("ringing", [False, True])
def test_a_failure_is_acknowledged_each_time(ringing):
    flow = inviting().on(PROVISIONAL, 180) if ringing else inviting()
    flow.on(FAILURE, 486)
    flow.expect(Acknowledge(486), Inform(486), Arm(Timer.D, 32.0)).now(State.COMPLETED)
    flow.on(FAILURE, 486).expect(Acknowledge(486)).on(SUCCESS, 200).expect()
    flow.on(Timer.D).expect().now(State.TERMINATED)


def test_a_failure_over_tcp_ends_at_once():
    flow = inviting(reliable=True).on(FAILURE, 486).expect(Acknowledge(486), Inform(486))
    flow.now(State.TERMINATED)


@pytest.mark.parametrize("ringing", [False, True])
def test_every_2xx_goes_to_the_user(ringing):
    """RFC 6026 §7.2."""
    flow = inviting().on(PROVISIONAL, 180) if ringing else inviting()
    flow.on(SUCCESS, 200).expect(Inform(200), Arm(Timer.M, 32.0)).now(State.ACCEPTED)
    flow.on(SUCCESS, 200).expect(Inform(200)).on(FAILURE, 486).expect()
    flow.on(Timer.M).expect().now(State.TERMINATED)


# The other server transaction, figure 8.


def test_a_request_is_answered_and_remembered():
    flow = asked().on(REQUEST).expect().now(State.TRYING)
    flow.on(PROVISIONAL, 100).expect(Send(100)).on(REQUEST).expect(Send(100))
    flow.on(PROVISIONAL, 182).expect(Send(182)).on(REQUEST).expect(Send(182))
    flow.on(FINAL, 200).expect(Send(200), Arm(Timer.J, 32.0)).now(State.COMPLETED)
    flow.on(REQUEST).expect(Send(200)).on(FINAL, 500).expect()
    flow.on(Timer.J).expect().now(State.TERMINATED)


def test_a_request_over_tcp_is_answered_and_forgotten():
    asked(reliable=True).on(FINAL, 200).expect(Send(200)).now(State.TERMINATED)


# The other client transaction, figure 6.


def test_a_request_is_resent_and_given_up():
    """RFC 3261 §17.1.2.2: Timer E doubles up to T2."""
    flow = asking().expect(Send("BYE"), Arm(Timer.E, T1), Arm(Timer.F, 32.0))
    for seconds in (1.0, 2.0, 4.0, T2):
        flow.on(Timer.E).expect(Send("BYE"), Arm(Timer.E, seconds))
    flow.on(Timer.F).expect(Fail("timeout")).now(State.TERMINATED)


def test_a_provisional_response_slows_a_request():
    flow = asking().on(PROVISIONAL, 100).expect(Inform(100)).now(State.PROCEEDING)
    flow.on(Timer.E).expect(Send("BYE"), Arm(Timer.E, T2)).on(PROVISIONAL, 100)
    flow.expect(Inform(100)).on(Timer.F).expect(Fail("timeout")).now(State.TERMINATED)


@pytest.mark.parametrize("early", [False, True])
def test_a_final_response_is_told_once(early):
    flow = asking().on(PROVISIONAL, 100) if early else asking()
    flow.on(FINAL, 200).expect(Inform(200), Arm(Timer.K, T4)).now(State.COMPLETED)
    flow.on(FINAL, 200).expect().on(Timer.E).expect().on(Timer.F).expect()
    flow.on(Timer.K).expect().now(State.TERMINATED)


def test_a_request_over_tcp_is_sent_once():
    flow = asking(reliable=True).expect(Send("BYE"), Arm(Timer.F, 32.0))
    flow.on(FINAL, 200).expect(Inform(200)).now(State.TERMINATED)


# All four.


def test_a_lost_transport_is_told_where_it_matters():
    """RFC 3261 §17.1.4, §17.2.4."""
    for flow in (invited(), inviting(), asked(), asking()):
        flow.on(TRANSPORT_FAILED).expect(Fail("transport")).now(State.TERMINATED)
    invited().on(FAILURE, 486).on(TRANSPORT_FAILED).expect(Fail("transport"))
    quiet = [
        invited().on(SUCCESS, 200),
        invited().on(FAILURE, 486).on(ACK),
        inviting().on(SUCCESS, 200),
        inviting().on(FAILURE, 486),
        asked().on(FINAL, 200),
        asking().on(FINAL, 200),
    ]
    for flow in quiet:
        flow.on(TRANSPORT_FAILED).expect().now(State.TERMINATED)


KINDS = [PROVISIONAL, SUCCESS, FAILURE, FINAL, REQUEST, ACK, TRANSPORT_FAILED, *Timer]


@given(st.sampled_from([invited, inviting, asked, asking]), st.booleans(), st.data())
def test_timers_end_every_machine_and_nothing_moves_after_its_end(make, reliable, data):
    flow = make(reliable=reliable)
    armed = {effect.timer for effect in flow.effects if isinstance(effect, Arm)}
    for _ in range(data.draw(st.integers(0, 8))):
        kind = data.draw(st.sampled_from(KINDS))
        if isinstance(kind, Timer) and kind not in armed:
            continue
        before = flow.tx.state
        flow.on(kind, 200)
        armed |= {effect.timer for effect in flow.effects if isinstance(effect, Arm)}
        if before is State.TERMINATED:
            flow.expect().now(State.TERMINATED)
    for timer in sorted(armed):
        flow.on(timer)
        armed |= {effect.timer for effect in flow.effects if isinstance(effect, Arm)}
    user_is_due = {State.TRYING, State.PROCEEDING}
    for timer in (Timer.F, Timer.I, Timer.J, Timer.K):
        if timer in armed:
            flow.on(timer)
    assert flow.tx.state is State.TERMINATED or flow.tx.state in user_is_due
