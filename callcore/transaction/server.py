"""The server transaction of every method but INVITE (RFC 3261 §17.2.2, figure 8).

request: absorb   +--------+  2xx-6xx: send
                  | TRYING |--------------------+
                  +--------+                    |
                     | 1xx: send                |
                     v                          v
request: last     +------------+  2xx-6xx    +-----------+  J   +------------+
1xx: send         | PROCEEDING |------------>| COMPLETED |----->| TERMINATED |
                  +------------+  send       +-----------+      +------------+
                                             request: send
"""

from collections.abc import Callable
from typing import Any

from callcore.transaction.machine import (
    FINAL,
    PROVISIONAL,
    REQUEST,
    TRANSPORT_FAILED,
    Arm,
    Effects,
    Event,
    Fail,
    Send,
    State,
)
from callcore.transaction.timers import T1, Timer
from callcore.value import dataclass


@dataclass(frozen=True, slots=True)
class Server:
    """`last` is the response to repeat."""

    reliable: bool
    state: State = State.TRYING
    last: Any = None


Step = tuple[Server, Effects]


def step(tx: Server, event: Event, now: float) -> Step:
    """One event; what the table does not name is absorbed."""
    handler = TABLE.get((tx.state, event.kind))
    return (tx, []) if handler is None else handler(tx, event)


def send_provisional(tx: Server, event: Event) -> Step:
    """The response is kept for retransmitted requests."""
    return Server(tx.reliable, State.PROCEEDING, event.message), [Send(event.message)]


def repeat(tx: Server, event: Event) -> Step:
    """A retransmitted request gets the most recent response."""
    return tx, [Send(tx.last)]


def complete(tx: Server, event: Event) -> Step:
    """The final response; over unreliable transports it is kept for Timer J."""
    if tx.reliable:
        return Server(tx.reliable, State.TERMINATED), [Send(event.message)]
    return (
        Server(tx.reliable, State.COMPLETED, event.message),
        [Send(event.message), Arm(Timer.J, 64 * T1)],
    )


def lose_transport(tx: Server, event: Event) -> Step:
    """RFC 3261 §17.2.4."""
    return Server(tx.reliable, State.TERMINATED), [Fail("transport")]


def end(tx: Server, event: Event) -> Step:
    """Done."""
    return Server(tx.reliable, State.TERMINATED), []


S = State
TABLE: dict[tuple[str, str], Callable[[Server, Event], Step]] = {
    (S.TRYING, PROVISIONAL): send_provisional,
    (S.TRYING, FINAL): complete,
    (S.TRYING, TRANSPORT_FAILED): lose_transport,
    (S.PROCEEDING, REQUEST): repeat,
    (S.PROCEEDING, PROVISIONAL): send_provisional,
    (S.PROCEEDING, FINAL): complete,
    (S.PROCEEDING, TRANSPORT_FAILED): lose_transport,
    (S.COMPLETED, REQUEST): repeat,
    (S.COMPLETED, Timer.J): end,
    (S.COMPLETED, TRANSPORT_FAILED): end,
}
