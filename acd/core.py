"""Who answers whom: one deterministic writer, facts in and effects out, no clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from acd import agents, events, offers
from acd.agents import Agent
from acd.agents import Cue as AgentCue
from acd.board import Board
from acd.calls import Call
from acd.events import (
    AgentStateChanged,
    Arm,
    Disarm,
    Effect,
    Event,
    Finished,
    Offer,
    Overflow,
    Result,
)
from acd.ledger import Ledger
from acd.matching import Matcher
from acd.offers import Reserve
from acd.queue import Queue
from acd.settings import AcdSettings

NOTHING = offers.Move()


class Core(Board):
    """The state of all queues and agents, a fold over the events given to `step`."""

    def __init__(self, settings: AcdSettings) -> None:
        super().__init__()
        self._known: frozenset[str] = frozenset()
        self._arrivals = self._tokens = self._idles = 0
        self._out: list[Effect] = []
        self._acts: dict[type, Callable[[Any], None]] = {
            events.Arrived: self._arrive,
            events.HungUp: self._hang_up,
            events.AgentReady: lambda one: self._move(one.agent, "ready"),
            events.AgentNotReady: lambda one: self._withdraw(one.agent, "break", one.reason),
            events.AgentOffline: lambda one: self._withdraw(one.agent, "offline"),
            events.Accepted: self._accept,
            events.Bridged: self._bridge,
            events.Greeted: self._greet,
            events.Held: lambda one: self._on_call(one.call, "held"),
            events.Resumed: lambda one: self._on_call(one.call, "resumed"),
            events.Refused: self._refuse,
            events.CallEnded: self._end,
            events.AgentDropped: self._drop,
            events.Fired: self._fire,
            events.Configured: lambda one: self._configure(one.settings),
            events.Restarted: self._restart,
        }
        self._configure(settings)

    def step(self, event: Event) -> list[Effect]:
        """Takes one fact; a time before the last one's counts as the last one's."""
        if event.at_ms > self.now_ms:
            self.now_ms = event.at_ms
        self._out = []
        self._acts[event.__class__](event)
        return self._out

    # Callers

    def _arrive(self, event: events.Arrived) -> None:
        queue = self._queues.get(event.queue)
        if event.call in self._calls:
            self.ignored += 1
        elif queue is None:
            self.rejected += 1
            self._out.append(Finished(event.call, "rejected"))
        else:
            skills = queue.skills.union(event.skills) if event.skills else queue.skills
            line = self._matcher.line(event.queue, skills, queue.policy, queue.promise)
            self._arrivals += 1
            call = Call(event, queue, self.now_ms, self._arrivals, line)
            call.tally = queue.ledger.tally(self.now_ms)
            call.tally.offered += 1
            self._calls[event.call] = queue.calls[event.call] = call
            self._seek_agent(call, queue)

    def _hang_up(self, event: events.HungUp) -> None:
        call = self._calls.get(event.call)
        if call is None:
            self.ignored += 1
        else:
            self._finish(call, "answered" if call.bridged_ms else "abandoned", "caller_hung_up")

    def _end(self, event: events.CallEnded) -> None:
        call = self._calls.get(event.call)
        if call is None:
            self.ignored += 1
        elif call.bridged_ms:
            self._finish(call, "answered", "call_ended")
        else:
            overflowed = call.state == "overflowed"
            self._finish(call, "overflowed" if overflowed else "failed", "call_ended")

    def _greet(self, event: events.Greeted) -> None:
        call = self._calls.get(event.call)
        if call is None or call.bridged_ms is None or call.greeted_ms is not None:
            self.ignored += 1
            return
        call.greeted_ms = self.now_ms
        self._stop_clock(call, "greeted")

    def _finish(self, call: Call, result: Result, reason: events.CancelReason) -> None:
        """The call leaves for good; whoever rang or talked is freed."""
        queue = call.queue
        if call.state == "waiting":
            call.line.remove(call)
        if not call.answered:
            if result in ("answered", "abandoned"):
                queue.count_abandoned(call, self.now_ms)
            elif result == "failed":
                call.tally.failed += 1
        self._disarm_call(call)
        del self._calls[call.name], queue.calls[call.name]
        freed = call.agent
        self.ended.append(call.record(result, self.now_ms))
        if len(self.ended) > self._settings.kept_calls:
            self.ended.popleft()
        self._out.append(Finished(call.name, result))
        if call.token is not None:
            self._step_offer(call, "cancelled", offers.Move(reason=reason))
            self._move(freed, "withdrawn")
        elif freed is not None:
            self._move(freed, "ended", wrap_up_ms=queue.wrap_up_ms)

    # Offers

    def _seek_agent(self, call: Call, queue: Queue) -> None:
        """Offers the call to the longest idle agent able to take it, or lets it wait."""
        agent = self._matcher.best_agent(call)
        if agent is not None:
            self._offer(call, agent)
        elif call.overdue:
            self._overflow(call, queue)
        else:
            call.state = "waiting"
            call.line.add(call, self.now_ms)
            if queue.max_wait_ms and not call.until_ms:
                call.until_ms = self.now_ms + queue.max_wait_ms
                self._out.append(Arm("call/" + call.name, call.until_ms))

    def _seek_call(self, agent: Agent) -> None:
        """Serves the call that the policies name, or leaves the agent idle."""
        call = self._matcher.best_call(agent.user, self.now_ms)
        if call is None:
            self._matcher.add_idle(agent)
        else:
            call.line.remove(call)
            self._offer(call, agent)

    def _offer(self, call: Call, agent: Agent) -> None:
        self._tokens += 1
        token = f"offer/{self._tokens}"
        name, until_ms = call.name, self.now_ms + call.queue.ring_ms
        call.state, call.agent, call.token = "ringing", agent.user, token
        call.offers += 1
        reserve = self._reserves[token] = Reserve(token, name, agent.user, until_ms)
        self._move(agent.user, "offered", reserve)
        self._out += (Offer(name, agent.user, token), Arm(token, until_ms))

    def _accept(self, event: events.Accepted) -> None:
        reserve = self._reserves.get(event.token)
        if reserve is None or reserve.state != "ringing":
            self.ignored += 1
            return
        call = self._calls[reserve.call]
        until_ms = self.now_ms + call.queue.bridge_ms
        self._step_offer(call, "accepted", offers.Move(until_ms))
        self._out.append(Arm(event.token, until_ms))
        if call.accepted_ms is None:
            call.accepted_ms = self.now_ms
        self._move(reserve.agent, "accepted")
        self._stop_clock(call, "accepted")

    def _bridge(self, event: events.Bridged) -> None:
        call = self._calls.get(event.call)
        reserve = self._reserves.get(call.token) if call is not None and call.token else None
        if call is None or not (
            (reserve is not None and reserve.state == "accepted") or call.state == "overflowed"
        ):
            self.ignored += 1
            return
        if reserve is not None:
            self._step_offer(call, "bridged", NOTHING)
        if call.bridged_ms is None:
            call.bridged_ms = self.now_ms
        self._disarm_call(call)
        call.state, call.overdue = "talking", False
        if reserve is None:  # a mobile: its 200 was not told to us, and it greets nobody
            call.accepted_ms = call.accepted_ms or self.now_ms
            call.greeted_ms = self.now_ms
            self._stop_clock(call, call.queue.settings.rule.stop)
        else:
            self._stop_clock(call, "bridged")

    def _refuse(self, event: events.Refused) -> None:
        reserve = self._reserves.get(event.token)
        if reserve is None:
            self.ignored += 1
        else:
            self._lose_offer(reserve, "refused")

    def _lose_offer(self, reserve: Reserve, cue: offers.Cue) -> None:
        """The agent rests, the call goes back with its original time and prefers others."""
        call = self._calls[reserve.call]
        self._step_offer(call, cue, NOTHING)
        self._move(reserve.agent, "missed" if reserve.state == "ringing" else "dropped")
        self._requeue(call)

    def _requeue(self, call: Call) -> None:
        if call.agent is not None and call.agent not in call.tried:
            call.tried += (call.agent,)
        call.agent = call.token = None
        self._seek_agent(call, call.queue)

    def _step_offer(self, call: Call, cue: offers.Cue, move: offers.Move) -> None:
        assert call.token is not None
        reserve, effects = offers.step(self._reserves[call.token], cue, move)
        self._out += effects
        if reserve.until_ms:
            self._reserves[reserve.token] = reserve
        else:
            del self._reserves[reserve.token]
            call.token = None

    def _stop_clock(self, call: Call, stop: str) -> None:
        queue = call.queue
        if not call.answered and queue.settings.rule.stop == stop:
            queue.count_answered(call, self.now_ms)

    def _overflow(self, call: Call, queue: Queue) -> None:
        call.state, call.overdue = "overflowed", False
        if not call.answered and not call.overflowed:
            call.overflowed = True
            call.tally.overflowed += 1
        call.until_ms = self.now_ms + queue.overflow_ms
        name = call.name
        self._out += (Overflow(name, "max_wait"), Arm("call/" + name, call.until_ms))

    def _disarm_call(self, call: Call) -> None:
        if call.until_ms:
            call.until_ms = 0
            self._out.append(Disarm("call/" + call.name))

    # Agents

    def _withdraw(self, user: str, cue: AgentCue, reason: str = "") -> None:
        """Away at once; a phone that rings stops and its call seeks another."""
        agent = self._agents.get(user)
        call = (
            self._calls[agent.call] if agent and agent.call and agent.state == "ringing" else None
        )
        if call is not None:
            why: events.CancelReason = "agent_offline" if cue == "offline" else "agent_not_ready"
            self._step_offer(call, "cancelled", offers.Move(reason=why))
        self._move(user, cue, reason=reason)
        if call is not None:
            self._requeue(call)

    def _drop(self, event: events.AgentDropped) -> None:
        call = self._calls.get(event.call)
        agent = self._agents.get(call.agent) if call is not None and call.agent else None
        if call is None or agent is None or agent.state == "ringing":
            self.ignored += 1
            return
        if call.token is not None:
            self._step_offer(call, "refused", NOTHING)
        self._move(agent.user, "dropped")
        self._requeue(call)

    def _on_call(self, name: str, cue: AgentCue) -> None:
        call = self._calls.get(name)
        if call is None or call.state != "talking" or call.agent is None:
            self.ignored += 1
        else:
            self._move(call.agent, cue)

    def _move(
        self,
        user: str | None,
        cue: AgentCue,
        reserve: Reserve | None = None,
        *,
        reason: str = "",
        wrap_up_ms: int = 0,
    ) -> None:
        """Steps an agent's machine; one that has become ready is served at once."""
        before = self._agents.get(user) if user is not None else None
        if before is None:
            self.ignored += 1
            return
        self._idles += 1
        call, token = (reserve.call, reserve.token) if reserve is not None else (None, None)
        move = agents.Move(self.now_ms, self._pace, self._idles, call, token, reason, wrap_up_ms)
        after, effects = agents.step(before, cue, move)
        self._agents[before.user] = after
        self._out += effects
        if after.state == "ready":
            if before.state != "ready":
                self._seek_call(after)
        elif after.state == "offline" and after.user not in self._known:
            del self._agents[after.user]

    # Timers

    def _fire(self, event: events.Fired) -> None:
        """A timer that is not armed is ignored; one that comes early is armed again."""
        kind, _, name = event.timer.partition("/")
        owner: Reserve | Agent | Call | None
        if kind == "offer":
            owner = self._reserves.get(event.timer)
        else:
            owner = self._agents.get(name) if kind == "agent" else self._calls.get(name)
        if owner is None or not owner.until_ms:
            self.ignored += 1
        elif owner.until_ms > self.now_ms:
            self._out.append(Arm(event.timer, owner.until_ms))
        elif isinstance(owner, Reserve):
            self._lose_offer(owner, "timeout")
        elif isinstance(owner, Agent):
            self._move(owner.user, "timeout")
        else:
            self._give_up_waiting(owner)

    def _give_up_waiting(self, call: Call) -> None:
        call.until_ms = 0
        if call.state == "waiting":
            call.line.remove(call)
            self._overflow(call, call.queue)
        elif call.state == "overflowed":
            self._finish(call, "answered" if call.bridged_ms else "overflowed", "call_ended")
        else:
            call.overdue = True  # a phone rings for it: overflows if that is not answered

    # Settings and crashes

    def _configure(self, settings: AcdSettings) -> None:
        """Lines and idle agents are built anew; queues that are gone keep their counts."""
        self._settings = settings
        self._pace = agents.pace_of(settings)
        interval_ms = settings.interval_minutes * 60_000
        for one in settings.queues:
            queue = self._queues.get(one.name)
            if queue is None:
                ledger = Ledger(interval_ms, settings.kept_intervals, settings.utc_offset_minutes)
                self._queues[one.name] = Queue(one, ledger)
            else:
                queue.configure(one)
        self._known = frozenset(one.user for one in settings.agents)
        for user in [user for user in self._agents if user not in self._known]:
            self._withdraw(user, "offline")
            if user in self._agents and self._agents[user].state == "offline":
                del self._agents[user]
        for agent in settings.agents:
            self._agents.setdefault(agent.user, Agent(agent.user))
        self._rebuild()

    def _rebuild(self) -> None:
        self._matcher = Matcher(self._agents, self._settings.agents)
        for call in self._calls.values():
            queue, skills = call.queue, frozenset(call.arrival.skills)
            line = self._matcher.line(
                call.arrival.queue, queue.skills | skills, queue.policy, queue.promise
            )
            call.line = line
            if call.state == "waiting":
                line.add(call, self.now_ms)
        idle = [one for one in self._agents.values() if one.state == "ready"]
        for agent in sorted(idle, key=lambda one: one.idle):
            self._seek_call(agent)

    def _restart(self, event: events.Restarted) -> None:
        """Calls died with their dialogs; breaks and wrap-ups go on, others register again."""
        del event
        self._reserves.clear()
        for agent in list(self._agents.values()):
            if agent.state not in ("wrap_up", "not_ready", "offline"):
                self._agents[agent.user] = Agent(agent.user, "offline", self.now_ms)
                self._out.append(AgentStateChanged(agent.user, "offline", self.now_ms))
        for call in list(self._calls.values()):
            call.token, call.until_ms = None, 0  # offers and timers died with the process
            overflowed = call.state == "overflowed"
            result: Result = "overflowed" if overflowed else "failed"
            self._finish(call, "answered" if call.bridged_ms else result, "call_ended")
        self._out += [Arm(timer, at_ms) for timer, at_ms in self.timers().items()]
