"""The client transaction of every method but INVITE (RFC 3261 §17.1.2, figure 6).

E: send again     +--------+  F: fail
                  | TRYING |----------------------------+
                  +--------+                            |
                     | 1xx: to the user                 |
                     v                                  v
E: send again     +------------+  F: fail         +------------+
1xx: to the user  | PROCEEDING |----------------->| TERMINATED |
                  +------------+                  +------------+
                     | 2xx-6xx: to the user             ^
                     v    (from TRYING too)             |
                  +-----------+  K                      |
                  | COMPLETED |-------------------------+
                  +-----------+
"""

from collections.abc import Callable
from typing import Any

from callcore.transaction.machine import (
    FINAL,
    PROVISIONAL,
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
class Client:
    """`request` is what Timer E repeats, and `e_seconds` its interval."""

    reliable: bool
    state: State = State.TRYING
    request: Any = None
    e_seconds: float = T1


Step = tuple[Client, Effects]


def start(request: Any, *, reliable: bool) -> Step:
    """RFC 3261 §17.1.2.2: send, and wait for a final response."""
    effects: Effects = [Send(request), Arm(Timer.F, 64 * T1)]
    if not reliable:
        effects.insert(1, Arm(Timer.E, T1))
    return Client(reliable, State.TRYING, request), effects


def step(tx: Client, event: Event, now: float) -> Step:
    """One event; what the table does not name is absorbed."""
    handler = TABLE.get((tx.state, event.kind))
    return (tx, []) if handler is None else handler(tx, event)


def repeat_and_back_off(tx: Client, event: Event) -> Step:
    """Timer E doubles up to T2."""
    e = min(2 * tx.e_seconds, T2)
    return Client(tx.reliable, State.TRYING, tx.request, e), [Send(tx.request), Arm(Timer.E, e)]


def repeat_slowly(tx: Client, event: Event) -> Step:
    """A provisional response slows the retransmissions to T2, it does not stop them."""
    return tx, [Send(tx.request), Arm(Timer.E, T2)]


def give_up(tx: Client, event: Event) -> Step:
    """Timer F: no final response."""
    return Client(tx.reliable, State.TERMINATED), [Fail("timeout")]


def proceed(tx: Client, event: Event) -> Step:
    """The peer works on it."""
    return Client(tx.reliable, State.PROCEEDING, tx.request, T2), [Inform(event.message)]


def complete(tx: Client, event: Event) -> Step:
    """The final response; retransmissions of it are absorbed for Timer K."""
    if tx.reliable:
        return Client(tx.reliable, State.TERMINATED), [Inform(event.message)]
    return Client(tx.reliable, State.COMPLETED), [Inform(event.message), Arm(Timer.K, T4)]


def lose_transport(tx: Client, event: Event) -> Step:
    """RFC 3261 §17.1.4."""
    return Client(tx.reliable, State.TERMINATED), [Fail("transport")]


def end(tx: Client, event: Event) -> Step:
    """Done."""
    return Client(tx.reliable, State.TERMINATED), []


S = State
TABLE: dict[tuple[str, str], Callable[[Client, Event], Step]] = {
    (S.TRYING, Timer.E): repeat_and_back_off,
    (S.TRYING, Timer.F): give_up,
    (S.TRYING, PROVISIONAL): proceed,
    (S.TRYING, FINAL): complete,
    (S.TRYING, TRANSPORT_FAILED): lose_transport,
    (S.PROCEEDING, Timer.E): repeat_slowly,
    (S.PROCEEDING, Timer.F): give_up,
    (S.PROCEEDING, PROVISIONAL): proceed,
    (S.PROCEEDING, FINAL): complete,
    (S.PROCEEDING, TRANSPORT_FAILED): lose_transport,
    (S.COMPLETED, Timer.K): end,
    (S.COMPLETED, TRANSPORT_FAILED): end,
}
