"""The INVITE server transaction (RFC 3261 §17.2.1, figure 7, as changed by RFC 6026 §7.1).

                    INVITE: the first response is the layer's 100
                       |
                       v
INVITE: last 1xx  +------------+  2xx: send      +----------+  INVITE: absorb
1xx: send         | PROCEEDING |---------------->| ACCEPTED |  2xx: send
                  +------------+                 +----------+  ACK: to the user
                       | 3xx-6xx: send                | L
                       v                              |
INVITE, G: send   +-----------+  H: fail              |
                  | COMPLETED |--------------------+  |
                  +-----------+                    |  |
                       | ACK                       v  v
                       v                       +------------+
                  +-----------+  I             | TERMINATED |
                  | CONFIRMED |--------------->+------------+
                  +-----------+
"""

from collections.abc import Callable
from typing import Any

from callcore.transaction.machine import (
    ACK,
    FAILURE,
    PROVISIONAL,
    REQUEST,
    SUCCESS,
    TRANSPORT_FAILED,
    Arm,
    Effects,
    Event,
    Fail,
    Inform,
    Send,
    State,
)
from callcore.transaction.timers import T1, T2, T4, Timer
from callcore.value import dataclass


@dataclass(frozen=True, slots=True)
class InviteServer:
    """`last` is the response to repeat; `g_seconds` the interval of Timer G."""

    reliable: bool
    state: State = State.PROCEEDING
    last: Any = None
    g_seconds: float = T1


Step = tuple[InviteServer, Effects]


def step(tx: InviteServer, event: Event, now: float) -> Step:
    """One event; what the table does not name is absorbed."""
    handler = TABLE.get((tx.state, event.kind))
    return (tx, []) if handler is None else handler(tx, event)


def send_provisional(tx: InviteServer, event: Event) -> Step:
    """The response is kept, because a retransmitted INVITE asks for it again."""
    last = event.message
    return InviteServer(tx.reliable, State.PROCEEDING, last), [Send(last)]


def repeat(tx: InviteServer, event: Event) -> Step:
    """A retransmitted INVITE gets the most recent response."""
    return tx, [] if tx.last is None else [Send(tx.last)]


def accept(tx: InviteServer, event: Event) -> Step:
    """RFC 6026 §7.1: retransmitting the 2xx is the user's; INVITEs are absorbed for L."""
    return (
        InviteServer(tx.reliable, State.ACCEPTED),
        [Send(event.message), Arm(Timer.L, 64 * T1)],
    )


def send_again(tx: InviteServer, event: Event) -> Step:
    """A 2xx that the user retransmits."""
    return tx, [Send(event.message)]


def reject(tx: InviteServer, event: Event) -> Step:
    """Over unreliable transports Timer G repeats the response until ACK comes."""
    last = event.message
    after: Effects = [Send(last), Arm(Timer.H, 64 * T1)]
    if not tx.reliable:
        after.insert(1, Arm(Timer.G, T1))
    return InviteServer(tx.reliable, State.COMPLETED, last), after


def repeat_and_back_off(tx: InviteServer, event: Event) -> Step:
    """RFC 3261 §17.2.1: Timer G doubles up to T2."""
    g = min(2 * tx.g_seconds, T2)
    return (
        InviteServer(tx.reliable, State.COMPLETED, tx.last, g),
        [Send(tx.last), Arm(Timer.G, g)],
    )


def confirm(tx: InviteServer, event: Event) -> Step:
    """The ACK has come; further copies of it are absorbed for Timer I."""
    if tx.reliable:
        return end(tx, event)
    return InviteServer(tx.reliable, State.CONFIRMED), [Arm(Timer.I, T4)]


def pass_ack(tx: InviteServer, event: Event) -> Step:
    """The ACK of a 2xx that has the branch of its INVITE (RFC 2543 clients)."""
    return tx, [Inform(event.message)]


def no_ack(tx: InviteServer, event: Event) -> Step:
    """Timer H: the user is told."""
    return InviteServer(tx.reliable, State.TERMINATED), [Fail("timeout")]


def lose_transport(tx: InviteServer, event: Event) -> Step:
    """RFC 3261 §17.2.4."""
    return InviteServer(tx.reliable, State.TERMINATED), [Fail("transport")]


def end(tx: InviteServer, event: Event) -> Step:
    """Done."""
    return InviteServer(tx.reliable, State.TERMINATED), []


S = State
TABLE: dict[tuple[str, str], Callable[[InviteServer, Event], Step]] = {
    (S.PROCEEDING, REQUEST): repeat,
    (S.PROCEEDING, PROVISIONAL): send_provisional,
    (S.PROCEEDING, SUCCESS): accept,
    (S.PROCEEDING, FAILURE): reject,
    (S.PROCEEDING, TRANSPORT_FAILED): lose_transport,
    (S.COMPLETED, REQUEST): repeat,
    (S.COMPLETED, ACK): confirm,
    (S.COMPLETED, Timer.G): repeat_and_back_off,
    (S.COMPLETED, Timer.H): no_ack,
    (S.COMPLETED, TRANSPORT_FAILED): lose_transport,
    (S.CONFIRMED, Timer.I): end,
    (S.CONFIRMED, TRANSPORT_FAILED): end,
    (S.ACCEPTED, SUCCESS): send_again,
    (S.ACCEPTED, ACK): pass_ack,
    (S.ACCEPTED, Timer.L): end,
    (S.ACCEPTED, TRANSPORT_FAILED): end,
}
