"""Promised callbacks: asked for by a waiting caller, kept when enough agents are idle."""

from __future__ import annotations

from msgspec.structs import replace

from acd import callbacks
from acd.agents import Agent
from acd.callbacks import Callback
from acd.callbacks import Cue as CallbackCue
from acd.callers import is_number
from acd.calls import Call
from acd.effects import Arm, CallBack
from acd.events import (
    Arrived,
    CallbackAsked,
    CallbackCancelled,
    CallbackPostponed,
    CallbackPromised,
    CallbackUnreached,
)
from acd.lines import Line, Rank
from acd.policies import Waiter, order
from acd.queue import Queue
from acd.waiting import Waiting

KEPT = 1000  # callbacks that are over and can still be looked up


class Promises(Waiting):
    """The callbacks of all queues; each attempt at one is a call of its own, counted apart."""

    __slots__ = ()

    def _ask_callback(self, event: CallbackAsked) -> None:
        """The caller leaves and keeps its place; one active callback a number."""
        call = self._calls.get(event.call)
        number = event.number or (call.arrival.caller if call is not None else "")
        if (
            call is None
            or call.callback
            or call.state not in ("waiting", "ringing")
            or call.bridged_ms is not None
            or not is_number(number)
            or number in self._numbers
        ):
            self.ignored += 1
            return
        promised = Callback(
            self._next_callback(),
            number,
            call.queue.name,
            call.name,
            call.waiter.queued_ms,
            self.now_ms,
            call.waiter.priority,
            tuple(sorted(call.line.demand.skills)),
        )
        self._finish(call, "called_back", "call_ended")
        self._begin_callback(promised)

    def _promise_callback(self, event: CallbackPromised) -> None:
        """A message is as good as the wish to be called back, with the place of its call."""
        queue = self._queues.get(event.queue)
        if queue is None or not is_number(event.number) or event.number in self._numbers:
            self.ignored += 1
            return
        name, skills = self._next_callback(), tuple(queue.settings.skills)
        asked = (event.queued_ms, self.now_ms, 0, skills)
        self._begin_callback(Callback(name, event.number, event.queue, event.call, *asked))

    def _next_callback(self) -> str:
        self._promised += 1
        return f"callback-{self._promised}"

    def _begin_callback(self, promised: Callback) -> None:
        self._callbacks[promised.callback] = promised
        self._numbers[promised.number] = promised.callback
        promised, effects = callbacks.begin(promised, self._promise_move(promised))
        self._keep(promised)
        self._out += effects
        if promised.state == "due":
            self._dial_due(promised)

    def _cancel_callback(self, event: CallbackCancelled) -> None:
        promised = self._callbacks.get(event.callback)
        if promised is None or promised.state in ("talking", "over"):
            self.ignored += 1
            return
        live = self._calls.get(promised.live)
        self._step_promise(promised, "cancelled")
        if live is not None:
            self._finish(live, "failed", "call_ended")

    def _forget_callback_of(self, number: str) -> None:
        """The citizen has been answered meanwhile: nobody needs to call back."""
        promised = self._callbacks.get(self._numbers.get(number, ""))
        if promised is not None and promised.state in ("resting", "due"):
            self._step_promise(promised, "cancelled")

    def _unreached(self, event: CallbackUnreached) -> None:
        call = self._calls.get(event.call)
        if call is None or not call.callback or call.bridged_ms is not None:
            self.ignored += 1
        else:
            self._attempt_over(call, "unreached")

    def _postpone(self, event: CallbackPostponed) -> None:
        call = self._calls.get(event.call)
        if call is None or not call.is_attempt:
            self.ignored += 1
            return
        self._step_promise(self._callbacks[call.callback], "postponed")
        self._finish(call, "failed", "call_ended")

    def _fire_callback(self, promised: Callback) -> None:
        promised = self._step_promise(promised, "timeout")
        if promised.state == "due":
            self._dial_due(promised)

    # Dialling

    def _dial_due(self, promised: Callback) -> None:
        """At once, if enough agents are idle already."""
        queue = self._queues[promised.queue]
        line = self._line_for(promised, queue)
        wanted = max(1, queue.settings.callback.idle_agents)
        if line.demand.idle() >= wanted:
            self._dial(promised, queue, line, self._agents[line.demand.best(())])

    def _keep_promise(self, agent: Agent, before: Rank | None) -> bool:
        """The first due callback that the agent may serve, unless a waiting call comes first."""
        if not self._matcher.takes_calls(agent.user):
            return False
        for name in self._due:
            promised = self._callbacks[name]
            queue = self._queues[promised.queue]
            line = self._line_for(promised, queue)
            if not self._matcher.is_able(agent.user, line.demand.skills):
                continue
            wanted = queue.settings.callback.idle_agents - 1
            if line.demand.idle() < wanted:
                continue
            if before is None or self._rank_of(promised, line) < before:
                self._dial(promised, queue, line, agent)
                return True
        return False

    def _rank_of(self, promised: Callback, line: Line) -> Rank:
        waiter = Waiter(promised.queued_ms, promised.priority)
        place = line.place(waiter, line.promise, self.now_ms)
        return (place.stage, *order(waiter, place), 0)

    def _line_for(self, promised: Callback, queue: Queue) -> Line:
        return self._matcher.line(queue, frozenset(promised.skills))

    def _dial(self, promised: Callback, queue: Queue, line: Line, agent: Agent) -> None:
        self._arrivals += 1
        name = f"{promised.callback}.{self._arrivals}"
        arrival = Arrived(
            self.now_ms, name, promised.queue, promised.number, promised.priority, promised.skills
        )
        call = Call(arrival, queue, promised.queued_ms, self._arrivals, line)
        call.callback, call.tally = promised.callback, queue.callbacks
        call.tally.offered += 1
        call.state, call.agent = "ringing", agent.user
        self._calls[name] = queue.calls[name] = call
        self._step_promise(promised, "dialled", name)
        call.token = token = self._reserve(call, agent.user, queue.callback_ms)
        self._out += (
            CallBack(
                promised.callback,
                name,
                agent.user,
                token,
                promised.number,
                promised.queue,
                queue.settings.callback.order,
            ),
            Arm(token, self._reserves[token].until_ms),
        )

    def _attempt_over(self, call: Call, cue: CallbackCue) -> None:
        promised = self._callbacks[call.callback]
        if promised.live == call.name:
            promised = self._step_promise(promised, cue)
        if cue == "released":  # the agent's leg is gone already
            call.token = call.agent = None
        if cue in ("released", "unreached"):
            self._finish(call, "failed", "unreached")
            if promised.state == "due":
                self._dial_due(promised)

    # The machine

    def _step_promise(self, before: Callback, cue: CallbackCue, live: str = "") -> Callback:
        promised, effects = callbacks.step(before, cue, self._promise_move(before, live))
        self._out += effects
        self._keep(promised)
        return promised

    def _promise_move(self, promised: Callback, live: str = "") -> callbacks.Move:
        settings = self._queues[promised.queue].settings.callback
        return callbacks.Move(self.now_ms, settings, self._settings.utc_offset_minutes, live)

    def _keep(self, promised: Callback) -> None:
        name = promised.callback
        self._callbacks[name] = promised
        if promised.state == "due":
            self._due[name] = None
        else:
            self._due.pop(name, None)
        if promised.state == "over" and self._numbers.get(promised.number) == name:
            del self._numbers[promised.number]
            self._over.append(name)
            if len(self._over) > KEPT:
                del self._callbacks[self._over.popleft()]

    def _restart_promises(self) -> None:
        """Attempts died with their calls; who was talking has been called back."""
        for promised in list(self._callbacks.values()):
            if promised.state == "talking":
                self._step_promise(promised, "ended")
            elif promised.state == "dialling":
                self._keep(replace(promised, live=""))
                self._step_promise(self._callbacks[promised.callback], "released")
