"""The machine of one agent: offline, ready, ringing, talking, held, wrap_up, not_ready.

Ringing is ended by the offer's timer; talking, held, wrap_up and not_ready have the agent's own.
An agent whose seat is offline may be rung at its mobile: the same states, and offline after it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec
from msgspec.structs import replace

from acd.effects import (
    AgentState,
    AgentStateChanged,
    Arm,
    Disarm,
    Effect,
    Overstayed,
    Sidelined,
)
from acd.paces import Pace

Cue: TypeAlias = Literal[
    "ready",  # the agent (or auto_ready) says so
    "break",  # the agent asks for a break
    "offline",  # the phone is gone
    "offered",  # a call is reserved for the agent
    "withdrawn",  # the offer was taken back: not the agent's doing
    "missed",  # did not answer, or refused
    "accepted",  # the agent's 200 OK
    "dropped",  # the agent's leg died, or never got media
    "held",
    "resumed",
    "ended",  # the call is over
    "extend",  # the agent needs its wrap-up once more
    "seized",  # a call that the queue did not give it
    "timeout",  # the agent's own timer
]
Aim: TypeAlias = Literal["ready", "not_ready", "offline"]
REST = "rest"
NO_ANSWER = "no_answer"


class Agent(msgspec.Struct, frozen=True, gc=False):
    """One agent; `until_ms` is when the agent's timer fires, 0 without one."""

    user: str
    state: AgentState = "offline"
    since_ms: int = 0
    until_ms: int = 0
    idle: int = 0  # place in the order of the idle: the smaller, the longer idle
    call: str | None = None
    token: str | None = None
    misses: int = 0  # offers missed in a row
    aim: Aim = "ready"  # where to go after the call
    reason: str = ""  # why not_ready
    mobile: bool = False  # ringing or talking at the mobile, not at the seat
    wrap_up_ms: int = 0  # of the wrap-up that is on, while it can be extended
    forced: bool = False  # not_ready by the supervisor's word: only a supervisor ends it


class Move(msgspec.Struct, frozen=True, gc=False):
    """What the machine is told beside the cue."""

    at_ms: int
    pace: Pace
    serial: int = 0  # the place in the idle order, should the agent become ready
    call: str | None = None
    token: str | None = None
    reason: str = ""
    wrap_up_ms: int = 0
    by: str = ""  # the supervisor


def timer_of(user: str) -> str:
    """Name of the agent's own timer."""
    return "agent/" + user


def step(agent: Agent, cue: Cue, move: Move) -> tuple[Agent, tuple[Effect, ...]]:
    """One transition; a cue that the state does not know changes nothing."""
    act = ACTS[agent.state].get(cue)
    if act is None:
        return agent, ()
    after = act(agent, move)
    news: tuple[Effect, ...] = ()
    if after.state != agent.state:
        news = (AgentStateChanged(after.user, after.state, after.since_ms, after.reason),)
        if cue == "missed" and after.reason == NO_ANSWER:
            news += (Sidelined(after.user, after.misses, move.at_ms),)
    elif cue == "break" and after.state == "not_ready" and after is not agent:
        news = (AgentStateChanged(after.user, after.state, after.since_ms, after.reason),)
    elif cue == "timeout":
        news = (Overstayed(after.user, after.state, after.since_ms),)
    until_ms = after.until_ms
    if until_ms != agent.until_ms:
        if until_ms:
            return after, (*news, Arm("agent/" + after.user, until_ms))
        if cue != "timeout":  # one that has just fired is not armed
            return after, (*news, Disarm("agent/" + after.user))
    return after, news


def get_ready(agent: Agent, move: Move) -> Agent:
    """To the end of the idle order, with a clean slate."""
    return Agent(agent.user, "ready", move.at_ms, _idle_until(move), move.serial)


def stop_break(agent: Agent, move: Move) -> Agent:
    """Ready again; what a supervisor has forced, only a supervisor ends."""
    return agent if agent.forced and not move.by else get_ready(agent, move)


def forgive(agent: Agent, move: Move) -> Agent:
    """Ready after a rest: the count of misses goes on."""
    until_ms = _idle_until(move)
    return Agent(agent.user, "ready", move.at_ms, until_ms, move.serial, None, None, agent.misses)


def take_break(agent: Agent, move: Move) -> Agent:
    """Not ready for the agent's own reason, reported when it lasts."""
    if agent.forced and not move.by:
        return agent
    since_ms = agent.since_ms if agent.state == "not_ready" else move.at_ms
    return _break(agent, move, since_ms, move.reason, bool(move.by))


def go_offline(agent: Agent, move: Move) -> Agent:
    """The phone is gone; misses are forgotten, the next log-in is a new start."""
    return Agent(agent.user, "offline", move.at_ms)


def ring(agent: Agent, move: Move) -> Agent:
    """Reserved by one token; the place in the idle order is kept for a withdrawal."""
    return Agent(
        agent.user, "ringing", move.at_ms, 0, agent.idle, move.call, move.token, agent.misses
    )


def ring_away(agent: Agent, move: Move) -> Agent:
    """The mobile rings: nothing that it does counts against the seat."""
    return Agent(
        agent.user, "ringing", move.at_ms, 0, 0, move.call, move.token, aim="offline", mobile=True
    )


def stop_ringing_for_a_break(agent: Agent, move: Move) -> Agent:
    """The seat stops; a mobile goes on, and the break comes after it."""
    return aim_at_break(agent, move) if agent.mobile else take_break(agent, move)


def stop_ringing(agent: Agent, move: Move) -> Agent:
    """The seat's phone is gone; a mobile's is another one."""
    return aim_at_offline(agent, move) if agent.mobile else go_offline(agent, move)


def step_back(agent: Agent, move: Move) -> Agent:
    """The offer was withdrawn: ready at the old place, as if it had not rung."""
    if agent.aim != "ready" or agent.mobile:
        return settle(agent, move)
    until_ms = _idle_until(move)
    return Agent(agent.user, "ready", move.at_ms, until_ms, agent.idle, None, None, agent.misses)


def miss(agent: Agent, move: Move) -> Agent:
    """A short rest, so that others are rung first; not ready after too many misses in a row."""
    if agent.mobile:
        return settle(agent, move)
    misses = agent.misses + 1
    over = misses >= move.pace.no_answer_limit
    reason = NO_ANSWER if over else REST
    until_ms = move.at_ms + move.pace.rest_ms
    if over:
        until_ms = _end_of(move.pace.break_ms(NO_ANSWER), move)
    return Agent(
        agent.user, "not_ready", move.at_ms, until_ms, 0, None, None, misses, "ready", reason
    )


def answer(agent: Agent, move: Move) -> Agent:
    """The agent's 200 OK; the offer's timer watches until the media is bridged."""
    until_ms = _end_of(move.pace.talking_ms, move)
    if agent.aim == "ready" and not agent.mobile:
        return Agent(
            agent.user, "talking", move.at_ms, until_ms, agent.idle, agent.call, agent.token
        )
    return replace(agent, state="talking", since_ms=move.at_ms, until_ms=until_ms, misses=0)


def seize(agent: Agent, move: Move) -> Agent:
    """On a call of its own; afterwards where it was or wanted to go, the last of the idle."""
    aim: Aim = agent.aim if agent.state == "wrap_up" else "ready"
    if agent.state in ("offline", "not_ready"):
        aim = agent.state if agent.reason != REST else "ready"
    until_ms = _end_of(move.pace.talking_ms, move)
    return Agent(
        agent.user,
        "talking",
        move.at_ms,
        until_ms,
        call=move.call,
        aim=aim,
        reason=agent.reason if aim == "not_ready" else "",
        forced=agent.forced,
    )


def change_call(agent: Agent, move: Move) -> Agent:
    """Its talk is in another call from now on: one that it took over, or the one beside."""
    if agent.state == "talking":
        return replace(agent, call=move.call)
    return replace(resume(agent, move), call=move.call)


def lose(agent: Agent, move: Move) -> Agent:
    """The agent's leg died: a rest for the phone to come back."""
    if agent.aim != "ready" or agent.mobile:
        return settle(agent, move)
    until_ms = move.at_ms + move.pace.rest_ms
    return Agent(agent.user, "not_ready", move.at_ms, until_ms, reason=REST)


def hold(agent: Agent, move: Move) -> Agent:
    """The caller is on hold, with a limit of its own."""
    until_ms = _end_of(move.pace.held_ms, move)
    return replace(agent, state="held", since_ms=move.at_ms, until_ms=until_ms)


def resume(agent: Agent, move: Move) -> Agent:
    """Back from hold."""
    until_ms = _end_of(move.pace.talking_ms, move)
    return replace(agent, state="talking", since_ms=move.at_ms, until_ms=until_ms)


def wrap_up(agent: Agent, move: Move) -> Agent:
    """After the call; an agent whose phone is gone, or who had a mobile in hand, needs none."""
    if agent.aim == "offline" or agent.mobile or move.wrap_up_ms <= 0:
        return settle(agent, move)
    return Agent(
        agent.user,
        "wrap_up",
        move.at_ms,
        move.at_ms + move.wrap_up_ms,
        aim=agent.aim,
        reason=agent.reason,
        wrap_up_ms=move.wrap_up_ms,
        forced=agent.forced,
    )


def extend(agent: Agent, move: Move) -> Agent:
    """The same time again, once."""
    return replace(agent, until_ms=agent.until_ms + agent.wrap_up_ms, wrap_up_ms=0)


def settle(agent: Agent, move: Move) -> Agent:
    """To where the agent wanted to go after the call."""
    if agent.aim == "offline":
        return go_offline(agent, move)
    if agent.aim == "not_ready":
        return _break(agent, move, move.at_ms, agent.reason, agent.forced)
    return get_ready(agent, move)


def aim_at_ready(agent: Agent, move: Move) -> Agent:
    """Takes an earlier wish for a break (or a lost registration) back."""
    if agent.forced and not move.by:
        return agent
    return replace(agent, aim="ready", reason="", forced=False)


def aim_at_break(agent: Agent, move: Move) -> Agent:
    """A break once the call and its wrap-up are over."""
    if agent.forced and not move.by:
        return agent
    return replace(agent, aim="not_ready", reason=move.reason, forced=bool(move.by))


def aim_at_offline(agent: Agent, move: Move) -> Agent:
    """The registration is gone but the call goes on."""
    return replace(agent, aim="offline", reason="", forced=False)


def overstay(agent: Agent, move: Move) -> Agent:
    """Reported, and again after the same time."""
    pace = move.pace
    again_ms = {"held": pace.held_ms, "talking": pace.talking_ms, "ready": pace.ready_ms}
    return replace(agent, until_ms=_end_of(again_ms[agent.state], move))


def end_rest(agent: Agent, move: Move) -> Agent:
    """A rest ends by itself; any other break is only reported."""
    if agent.reason == REST:
        return forgive(agent, move)
    return replace(agent, until_ms=_end_of(move.pace.break_ms(agent.reason), move))


def _break(agent: Agent, move: Move, since_ms: int, reason: str, forced: bool) -> Agent:
    length_ms = move.pace.break_ms(reason)
    until_ms = _end_of(length_ms, move)
    return Agent(agent.user, "not_ready", since_ms, until_ms, reason=reason, forced=forced)


def _idle_until(move: Move) -> int:
    return _end_of(move.pace.ready_ms, move)


def _end_of(length_ms: int, move: Move) -> int:
    """When a state of this length is over; a limit of 0 is none."""
    return move.at_ms + length_ms if length_ms else 0


TABLE: dict[tuple[AgentState, Cue], Callable[[Agent, Move], Agent]] = {
    ("offline", "ready"): get_ready,
    ("offline", "break"): take_break,
    ("offline", "offered"): ring_away,
    ("offline", "seized"): seize,
    ("ready", "offered"): ring,
    ("ready", "break"): take_break,
    ("ready", "offline"): go_offline,
    ("ready", "seized"): seize,
    ("ready", "timeout"): overstay,
    ("ringing", "accepted"): answer,
    ("ringing", "withdrawn"): step_back,
    ("ringing", "missed"): miss,
    ("ringing", "ready"): aim_at_ready,
    ("ringing", "break"): stop_ringing_for_a_break,
    ("ringing", "offline"): stop_ringing,
    ("ringing", "seized"): seize,
    ("talking", "held"): hold,
    ("talking", "ended"): wrap_up,
    ("talking", "withdrawn"): step_back,
    ("talking", "dropped"): lose,
    ("talking", "ready"): aim_at_ready,
    ("talking", "break"): aim_at_break,
    ("talking", "offline"): aim_at_offline,
    ("talking", "timeout"): overstay,
    ("talking", "seized"): change_call,
    ("held", "resumed"): resume,
    ("held", "ended"): wrap_up,
    ("held", "dropped"): lose,
    ("held", "seized"): change_call,
    ("held", "ready"): aim_at_ready,
    ("held", "break"): aim_at_break,
    ("held", "offline"): aim_at_offline,
    ("held", "timeout"): overstay,
    ("wrap_up", "ready"): stop_break,
    ("wrap_up", "extend"): extend,
    ("wrap_up", "seized"): seize,
    ("wrap_up", "break"): take_break,
    ("wrap_up", "offline"): go_offline,
    ("wrap_up", "timeout"): settle,
    ("not_ready", "ready"): stop_break,
    ("not_ready", "seized"): seize,
    ("not_ready", "break"): take_break,
    ("not_ready", "offline"): go_offline,
    ("not_ready", "timeout"): end_rest,
}
ACTS: dict[AgentState, dict[Cue, Callable[[Agent, Move], Agent]]] = {}
for (_state, _cue), _act in TABLE.items():  # by state, then cue: no key is built to look up
    ACTS.setdefault(_state, {})[_cue] = _act
