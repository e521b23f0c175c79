"""Who answers whom: one deterministic writer, facts in and effects out, no clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from acd import events
from acd.agents import Agent
from acd.callbacks import Callback
from acd.calls import Call
from acd.effects import AgentStateChanged, Arm, Effect, Finished, Result
from acd.events import Event
from acd.handling import Handling
from acd.ledger import Ledger
from acd.matching import Matcher
from acd.offers import Reserve
from acd.paces import pace_of
from acd.queue import Queue
from acd.settings import AcdSettings


class Core(Handling):
    """The state of all queues and agents, a fold over the events given to `step`."""

    __slots__ = ("_acts",)

    def __init__(self, settings: AcdSettings) -> None:
        super().__init__()
        self._acts: dict[type, Callable[[Any], None]] = {
            events.Arrived: self._arrive,
            events.HungUp: self._hang_up,
            events.AgentReady: lambda one: self._move(one.agent, "ready", by=one.by),
            events.AgentNotReady: lambda one: self._withdraw(
                one.agent, "break", one.reason, one.by
            ),
            events.AgentOffline: lambda one: self._withdraw(one.agent, "offline"),
            events.WrapUpExtended: lambda one: self._move(one.agent, "extend"),
            events.AgentSeized: self._seize,
            events.AgentReleased: self._release,
            events.Accepted: self._accept,
            events.Bridged: self._bridge,
            events.Greeted: self._greet,
            events.Held: lambda one: self._on_call(one.call, "held"),
            events.Resumed: lambda one: self._on_call(one.call, "resumed"),
            events.Refused: self._refuse,
            events.CallEnded: self._end,
            events.AgentDropped: self._drop,
            events.HandedOver: self._hand_over,
            events.Transferred: self._transfer,
            events.Departed: self._depart,
            events.Prioritised: self._prioritise,
            events.Turned: self._turn_away,
            events.CallbackAsked: self._ask_callback,
            events.CallbackPromised: self._promise_callback,
            events.CallbackUnreached: self._unreached,
            events.CallbackPostponed: self._postpone,
            events.CallbackCancelled: self._cancel_callback,
            events.CallerMarked: self._mark_caller,
            events.CallerReviewed: self._review_caller,
            events.CallerCleared: self._clear_caller,
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
        self._acts[type(event)](event)
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
            now_ms = self.now_ms
            self._arrivals = serial = self._arrivals + 1
            line = self._matcher.line_of(queue, event.skills)
            call = Call(event, queue, now_ms, serial, line)
            call.tally = tally = queue.ledger.tally(now_ms)
            tally.offered += 1
            self._calls[event.call] = queue.calls[event.call] = call
            if self._has_hours and not self.is_open(queue.name, now_ms):
                self._find_closed(call)
            elif queue.remembers or event.agent or self._marks:
                self._recognise(call)
            else:
                self._seek_agent(call)

    def _turn_away(self, event: events.Turned) -> None:
        queue = self._queues.get(event.queue)
        if queue is None:
            self.rejected += 1
        else:
            self._keep_record(queue.turn_away(event, self.now_ms))

    def _hang_up(self, event: events.HungUp) -> None:
        call = self._calls.get(event.call)
        if call is None:
            self.ignored += 1
        elif call.callback and call.bridged_ms is None:
            self._attempt_over(call, "unreached")
        else:
            result: Result = "overflowed" if call.away else "abandoned"
            self._finish(call, "answered" if call.bridged_ms else result, "caller_hung_up")

    def _end(self, event: events.CallEnded) -> None:
        call = self._calls.get(event.call)
        if call is None:
            self.ignored += 1
        elif call.callback and call.bridged_ms is None:
            self._attempt_over(call, "unreached")
        elif call.bridged_ms:
            self._finish(call, "answered", "call_ended")
        else:
            overflowed = call.state == "overflowed"
            self._finish(call, "overflowed" if overflowed else "failed", "call_ended")

    # Timers

    def _fire(self, event: events.Fired) -> None:
        """A timer that is not armed is ignored; one that comes early is armed again."""
        timer = event.timer
        kind, _, name = timer.partition("/")
        owner: Reserve | Agent | Call | Callback | None
        if kind == "agent":
            owner = self._agents.get(name)
        elif kind == "offer":
            owner = self._reserves.get(timer)
        else:
            owner = self._calls.get(name) if kind == "call" else self._callbacks.get(name)
        until_ms = 0 if owner is None else owner.until_ms
        if owner is None or not until_ms:
            self.ignored += 1
        elif until_ms > self.now_ms:
            self._out.append(Arm(timer, until_ms))
        elif isinstance(owner, Agent):
            self._move(name, "timeout")
        elif isinstance(owner, Reserve):
            self._lose_offer(owner, "timeout")
        elif isinstance(owner, Callback):
            self._fire_callback(owner)
        else:
            self._work_off(owner)

    # Settings and crashes

    def _configure(self, settings: AcdSettings) -> None:
        """Lines and idle agents are built anew; queues that are gone keep their counts."""
        self._settings = settings
        self._pace = pace_of(settings)
        self._callers.kept = settings.kept_callers
        self._marks.configure(settings.callers)
        self._has_hours = bool(settings.calendar) or any(one.opening for one in settings.queues)
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
            known = self._agents.get(agent.user)
            if known is None or (known.state == "offline" and not known.since_ms):
                # Not seen yet; the core may have been made before there was a time.
                self._agents[agent.user] = Agent(agent.user, "offline", self.now_ms)
        self._rebuild()

    def _rebuild(self) -> None:
        self._matcher = Matcher(self._agents, self._settings.agents)
        for call in self._calls.values():
            waits, call.entry = call.entry is not None, None
            call.line = self._line_of(call)
            if waits:
                call.line.add(call, self.now_ms)
        idle = [one for one in self._agents.values() if one.state == "ready"]
        idle.sort(key=lambda one: one.idle)
        for agent in idle:
            self._matcher.add_idle(agent)
        for agent in idle:
            if self._agents[agent.user] is agent and (self._due or self._matcher.waits()):
                self._matcher.remove_idle(agent.user)
                self._serve(agent)

    def _restart(self, event: events.Restarted) -> None:
        """Calls died with their dialogs; breaks and wrap-ups go on, others register again."""
        del event
        self._reserves.clear()
        self._beside.clear()
        self._owed.clear()
        for agent in list(self._agents.values()):
            if agent.state not in ("wrap_up", "not_ready", "offline"):
                self._agents[agent.user] = Agent(agent.user, "offline", self.now_ms)
                self._matcher.remove_idle(agent.user)
                self._matcher.on_duty(agent.user, -1)
                self._out.append(AgentStateChanged(agent.user, "offline", self.now_ms))
            if agent.user not in self._known and self._agents[agent.user].state == "offline":
                del self._agents[agent.user]
        self._restart_promises()
        for call in list(self._calls.values()):
            call.token, call.rivals, call.agent, call.until_ms = None, (), None, 0
            overflowed = call.state == "overflowed"
            result: Result = "overflowed" if overflowed else "failed"
            self._finish(call, "answered" if call.bridged_ms else result, "call_ended")
        self._out += [Arm(timer, at_ms) for timer, at_ms in self.timers().items()]
