"""The INVITE client transaction (RFC 3261 §17.1.1, figure 5, as changed by RFC 6026 §7.2).

A: send again     +---------+  B: fail                 2xx: to the user
                  | CALLING |------------------+   +------------+
                  +---------+----------------------| ACCEPTED   |<--+
                     | 1xx  |  2xx             |   +------------+   |
                     v      | 3xx-6xx          |       | M          |
1xx: to the user  +------------+  2xx          v       v            |
                  | PROCEEDING |-------------- | ------------------+
                  +------------+            +------------+
                     | 3xx-6xx: ACK         | TERMINATED |
                     v                      +------------+
3xx-6xx: ACK      +-----------+  D                ^
                  | COMPLETED |-------------------+
                  +-----------+
"""

from collections.abc import Callable
from typing import Any

from callcore.transaction.machine import (
    FAILURE,
    PROVISIONAL,
    SUCCESS,
    TRANSPORT_FAILED,
    Acknowledge,
    Arm,
    Effects,
    Event,
    Fail,
    Inform,
    Send,
    State,
)
from callcore.transaction.timers import T1, Timer
from callcore.value import dataclass

WAIT_D = 64 * T1  # §17.1.1.2: at least 32 seconds over unreliable transports, 0 otherwise


@dataclass(frozen=True, slots=True)
class InviteClient:
    """`request` is what Timer A repeats, and `a_seconds` its interval."""

    reliable: bool
    state: State = State.CALLING
    request: Any = None
    a_seconds: float = T1


Step = tuple[InviteClient, Effects]


def start(request: Any, *, reliable: bool) -> Step:
    """RFC 3261 §17.1.1.2: send, and wait for any response."""
    effects: Effects = [Send(request), Arm(Timer.B, 64 * T1)]
    if not reliable:
        effects.insert(1, Arm(Timer.A, T1))
    return InviteClient(reliable, State.CALLING, request), effects


def step(tx: InviteClient, event: Event, now: float) -> Step:
    """One event; what the table does not name is absorbed."""
    handler = TABLE.get((tx.state, event.kind))
    return (tx, []) if handler is None else handler(tx, event)


def repeat_and_double(tx: InviteClient, event: Event) -> Step:
    """Timer A doubles without limit; Timer B ends it."""
    a = 2 * tx.a_seconds
    return (
        InviteClient(tx.reliable, State.CALLING, tx.request, a),
        [Send(tx.request), Arm(Timer.A, a)],
    )


def give_up(tx: InviteClient, event: Event) -> Step:
    """Timer B: nobody answered."""
    return InviteClient(tx.reliable, State.TERMINATED), [Fail("timeout")]


def proceed(tx: InviteClient, event: Event) -> Step:
    """A provisional response stops the retransmissions."""
    if tx.state is not State.PROCEEDING:
        tx = InviteClient(tx.reliable, State.PROCEEDING)
    return tx, [Inform(event.message)]


def accept(tx: InviteClient, event: Event) -> Step:
    """RFC 6026 §7.2: the ACK is the user's; more 2xx may follow from other branches."""
    return (
        InviteClient(tx.reliable, State.ACCEPTED),
        [Inform(event.message), Arm(Timer.M, 64 * T1)],
    )


def pass_up(tx: InviteClient, event: Event) -> Step:
    """A 2xx again, or one of another fork."""
    return tx, [Inform(event.message)]


def reject(tx: InviteClient, event: Event) -> Step:
    """The ACK of a failure belongs to the transaction."""
    effects: Effects = [Acknowledge(event.message), Inform(event.message)]
    if tx.reliable:
        return InviteClient(tx.reliable, State.TERMINATED), effects
    effects.append(Arm(Timer.D, WAIT_D))
    return InviteClient(tx.reliable, State.COMPLETED), effects


def acknowledge_again(tx: InviteClient, event: Event) -> Step:
    """A retransmitted failure: our ACK was lost."""
    return tx, [Acknowledge(event.message)]


def lose_transport(tx: InviteClient, event: Event) -> Step:
    """RFC 3261 §17.1.4."""
    return InviteClient(tx.reliable, State.TERMINATED), [Fail("transport")]


def end(tx: InviteClient, event: Event) -> Step:
    """Done."""
    return InviteClient(tx.reliable, State.TERMINATED), []


S = State
TABLE: dict[tuple[str, str], Callable[[InviteClient, Event], Step]] = {
    (S.CALLING, Timer.A): repeat_and_double,
    (S.CALLING, Timer.B): give_up,
    (S.CALLING, PROVISIONAL): proceed,
    (S.CALLING, SUCCESS): accept,
    (S.CALLING, FAILURE): reject,
    (S.CALLING, TRANSPORT_FAILED): lose_transport,
    (S.PROCEEDING, PROVISIONAL): proceed,
    (S.PROCEEDING, SUCCESS): accept,
    (S.PROCEEDING, FAILURE): reject,
    (S.PROCEEDING, TRANSPORT_FAILED): lose_transport,
    (S.COMPLETED, FAILURE): acknowledge_again,
    (S.COMPLETED, Timer.D): end,
    (S.COMPLETED, TRANSPORT_FAILED): end,
    (S.ACCEPTED, SUCCESS): pass_up,
    (S.ACCEPTED, Timer.M): end,
    (S.ACCEPTED, TRANSPORT_FAILED): end,
}
