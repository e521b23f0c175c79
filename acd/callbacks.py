"""The machine of one promised callback: resting, due, dialling, talking, then over.

Resting (before its hour, or between two attempts) has the callback's own timer, dialling the
offer's, talking the agent's; a due one waits for enough idle agents.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from acd.effects import Arm, CallbackEnd, CallbackEnded, Disarm, Effect
from acd.settings import CallbackSettings

State: TypeAlias = Literal["resting", "due", "dialling", "talking", "over"]
Cue: TypeAlias = Literal[
    "timeout",  # the rest is over
    "dialled",  # an agent is reserved, both legs are being called
    "released",  # the agent could not be had: not the citizen's doing
    "postponed",  # nor could the engine call: nobody's doing
    "unreached",  # the citizen could not be had
    "bridged",
    "ended",
    "cancelled",
]
DAY_MS = 86_400_000


class Callback(msgspec.Struct, frozen=True, gc=False):
    """One promise; times in milliseconds since the epoch."""

    callback: str
    number: str
    queue: str
    call: str  # the call that it was promised in
    queued_ms: int  # its place is that of the call
    asked_ms: int
    priority: int = 0
    skills: tuple[str, ...] = ()
    state: State = "resting"
    until_ms: int = 0  # the end of the rest
    attempts: int = 0
    live: str = ""  # the call of the attempt that is on
    result: CallbackEnd | None = None


class Move(msgspec.Struct, frozen=True, gc=False):
    """What the machine is told beside the cue."""

    at_ms: int
    settings: CallbackSettings
    offset_minutes: int
    live: str = ""


def timer_of(callback: str) -> str:
    """Name of the callback's own timer."""
    return "callback/" + callback


def opening(at_ms: int, settings: CallbackSettings, offset_minutes: int) -> int:
    """The first moment from `at_ms` on at which callbacks are dialled."""
    from_ms, to_ms = settings.from_minute * 60_000, settings.to_minute * 60_000
    offset_ms = offset_minutes * 60_000
    clock_ms = (at_ms + offset_ms) % DAY_MS
    if from_ms <= clock_ms < to_ms:
        return at_ms
    return at_ms + (from_ms - clock_ms) % DAY_MS


def begin(promised: Callback, move: Move) -> tuple[Callback, list[Effect]]:
    """Due at once, or when the hours begin."""
    return _rest(promised, move, move.at_ms)


def step(promised: Callback, cue: Cue, move: Move) -> tuple[Callback, list[Effect]]:
    """One transition; a cue that the state does not know changes nothing."""
    act = TABLE.get((promised.state, cue))
    return (promised, []) if act is None else act(promised, move)


Step: TypeAlias = tuple[Callback, list[Effect]]


def become_due(promised: Callback, move: Move) -> Step:
    """The rest is over, if the hours still allow it (they may have been changed)."""
    return _rest(promised, move, move.at_ms)


def dial(promised: Callback, move: Move) -> Step:
    """An agent is reserved."""
    return replace(promised, state="dialling", live=move.live), []


def wait_on(promised: Callback, move: Move) -> Step:
    """Another agent will do; no attempt is spent."""
    return _rest(replace(promised, live=""), move, move.at_ms)


def postpone(promised: Callback, move: Move) -> Step:
    """After the pause between two tries; no attempt is spent."""
    retry_ms = round(move.settings.retry_seconds * 1000)
    return _rest(replace(promised, live=""), move, move.at_ms + retry_ms)


def count_attempt(promised: Callback, move: Move) -> Step:
    """Again later, as often as the settings allow."""
    tried = replace(promised, attempts=promised.attempts + 1, live="")
    if tried.attempts >= move.settings.attempts:
        return _end(tried, "given_up")
    return _rest(tried, move, move.at_ms + round(move.settings.retry_seconds * 1000))


def talk(promised: Callback, move: Move) -> Step:
    """The promise is kept."""
    return replace(promised, state="talking", attempts=promised.attempts + 1), []


def finish(promised: Callback, move: Move) -> Step:
    """The talk is over."""
    return _end(promised, "answered")


def cancel(promised: Callback, move: Move) -> Step:
    """Not wanted any more; an attempt that is on goes on and is the last."""
    return _end(promised, "cancelled")


def _rest(promised: Callback, move: Move, from_ms: int) -> Step:
    due_ms = opening(from_ms, move.settings, move.offset_minutes)
    if due_ms <= move.at_ms:
        return replace(promised, state="due", until_ms=0), []
    effects: list[Effect] = [Arm(timer_of(promised.callback), due_ms)]
    return replace(promised, state="resting", until_ms=due_ms), effects


def _end(promised: Callback, result: CallbackEnd) -> Step:
    effects: list[Effect] = []
    if promised.until_ms:
        effects.append(Disarm(timer_of(promised.callback)))
    effects.append(CallbackEnded(promised.callback, result, promised.attempts))
    return replace(promised, state="over", until_ms=0, result=result, live=""), effects


TABLE: dict[tuple[State, Cue], Callable[[Callback, Move], Step]] = {
    ("resting", "timeout"): become_due,
    ("resting", "cancelled"): cancel,
    ("due", "dialled"): dial,
    ("due", "cancelled"): cancel,
    ("dialling", "released"): wait_on,
    ("dialling", "postponed"): postpone,
    ("dialling", "unreached"): count_attempt,
    ("dialling", "bridged"): talk,
    ("dialling", "cancelled"): cancel,
    ("talking", "released"): finish,
    ("talking", "ended"): finish,
}
