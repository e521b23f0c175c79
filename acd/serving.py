"""Offers and agents: a call is reserved for an agent, accepted, bridged, or lost and given back."""

from __future__ import annotations

from acd import agents, offers
from acd.agents import Agent
from acd.agents import Cue as AgentCue
from acd.callers import is_number
from acd.calls import Call
from acd.delays import Delay
from acd.effects import AgentState, Arm, CancelReason, Disarm, Finished, Offer, Result
from acd.events import Accepted, AgentDropped, Bridged, Greeted, Refused
from acd.offers import Reserve
from acd.policies import Stage
from acd.queue import Queue
from acd.seams import Seams

NOTHING = offers.Move()
OFF_DUTY = frozenset(("offline", "not_ready"))


class Serving(Seams):
    """Who rings for whom; waiting and promised callbacks are left to the classes above it."""

    __slots__ = ()

    # Matching

    def _seek_agent(self, call: Call) -> None:
        """Offers the call to the best idle agent able to take it, or lets it wait."""
        agent = self._matcher.best_agent(call, self.now_ms)
        if agent is not None:
            self._offer(call, agent)
        elif call.overdue and not call.rivals:
            self._leave_queue(call)
        else:
            self._wait(call)

    def _serve(self, agent: Agent) -> None:
        """Serves the call that the policies name, or leaves the agent idle."""
        best = self._matcher.best_call(agent, self.now_ms, self._delays)
        call = None if best is None else best[1]
        if self._favourites and (best is None or best[0][0] != Stage.PROMOTED):
            call = self._favoured(agent.user) or call
        if self._due and self._keep_promise(agent, None if best is None else best[0]):
            return
        if call is None:
            self._matcher.add_idle(agent)
        else:
            self._stop_waiting(call)
            self._offer(call, agent)

    # Offers

    def _offer(self, call: Call, agent: Agent) -> None:
        """The seat rings, and the call is nobody else's while it does."""
        user = agent.user
        call.state, call.agent = "ringing", user
        call.token = token = self._reserve(call, user, call.queue.ring_ms)
        self._out += (Offer(call.name, user, token), Arm(token, self._reserves[token].until_ms))

    def _reserve(self, call: Call, user: str, ring_ms: int, place: offers.Place = "seat") -> str:
        now_ms, name = self.now_ms, call.name
        self._tokens = serial = self._tokens + 1
        token = f"offer/{serial}"
        call.offers += 1
        self._reserves[token] = Reserve(
            token, name, user, now_ms + ring_ms, "ringing", place, now_ms
        )
        if user:
            self._move(user, "offered", name, token)
        return token

    def _accept(self, event: Accepted) -> None:
        reserve = self._reserves.get(event.token)
        if reserve is None or reserve.state != "ringing":
            self.ignored += 1
            return
        call = self._calls[reserve.call]
        if call.rivals:
            self._win(call, reserve)
        bridge_ms = call.queue.callback_ms if call.callback else call.queue.bridge_ms
        until_ms = self.now_ms + bridge_ms
        self._step_offer(reserve, "accepted", offers.Move(until_ms))
        self._out.append(Arm(event.token, until_ms))
        if reserve.place == "city":
            return
        if call.accepted_ms is None:
            call.accepted_ms = self.now_ms
        self._move(reserve.agent, "accepted")
        if call.home.stop == "accepted":
            self._stop_clock(call)

    def _win(self, call: Call, winner: Reserve) -> None:
        """The first phone that is picked up has the call; every other one stops ringing."""
        if call.state == "waiting":
            self._stop_waiting(call)
        losers = [one for one in (call.token, *call.rivals) if one not in (None, winner.token)]
        call.state, call.agent = "ringing", winner.agent or None
        call.token, call.rivals = winner.token, ()
        for token in losers:
            self._cancel(self._reserves[token or ""], "completed_elsewhere")

    def _bridge(self, event: Bridged) -> None:
        call = self._calls.get(event.call)
        reserve = self._reserves.get(call.token) if call is not None and call.token else None
        if call is None or not (
            (reserve is not None and reserve.state == "accepted") or call.state == "overflowed"
        ):
            self.ignored += 1
            return
        if reserve is not None:
            self._step_offer(reserve, "bridged", NOTHING)
            call.token = None
            if reserve.place == "city":
                self._hand_to_city(call)
                return
            if (
                reserve.place == "seat" and not call.callback
            ):  # there the citizen has to answer, too
                self._measure(reserve)
        call.taken_ms = self.now_ms
        if call.bridged_ms is None:
            call.bridged_ms = self.now_ms
            if not call.callback:
                waited = (self.now_ms - call.waiter.queued_ms) / 1000
                call.home.measured.waited(waited, False)
        self._disarm_call(call)
        call.state, call.overdue = "talking", False
        call.last_agent = call.agent
        if call.callback:
            self._attempt_over(call, "bridged")
        elif call.arrival.caller in self._numbers:
            self._forget_callback_of(call.arrival.caller)
        if call.queue.remembers and call.agent is not None and is_number(call.arrival.caller):
            self._callers.answer(call.arrival.caller, call.agent, self.now_ms)
        if reserve is None:  # sent elsewhere: its 200 was not told to us, and it greets nobody
            call.accepted_ms = call.accepted_ms or self.now_ms
            call.greeted_ms = self.now_ms
            self._stop_clock(call)
        elif call.home.stop == "bridged":
            self._stop_clock(call)

    def _hand_to_city(self, call: Call) -> None:
        """Answered, but not by us: overflowed, and as long as a talk may last."""
        self._disarm_call(call)
        call.state, call.overdue, call.away = "overflowed", False, True
        self._count_overflowed(call)
        self._plan(call, self.now_ms + self._pace.away_ms, "give_up")

    def _greet(self, event: Greeted) -> None:
        call = self._calls.get(event.call)
        if call is None or call.bridged_ms is None or call.greeted_ms is not None:
            self.ignored += 1
            return
        call.greeted_ms = self.now_ms
        if call.home.stop == "greeted":
            self._stop_clock(call)

    def _refuse(self, event: Refused) -> None:
        reserve = self._reserves.get(event.token)
        if reserve is None:
            self.ignored += 1
        else:
            self._lose_offer(reserve, "refused")

    def _lose_offer(self, reserve: Reserve, cue: offers.Cue) -> None:
        """The agent rests, the call goes back with its original time and prefers others."""
        call = self._calls[reserve.call]
        if call.is_attempt and cue == "timeout" and reserve.state == "accepted":
            self._step_offer(reserve, cue, NOTHING)
            call.token = call.agent = None
            self._attempt_over(call, "unreached")
            self._move(reserve.agent, "withdrawn")  # not the agent's doing
            return
        self._step_offer(reserve, cue, NOTHING)
        rang_out = cue == "timeout" and reserve.state == "ringing" and reserve.place == "seat"
        if rang_out and not call.callback:
            self._measure(reserve)
        if reserve.agent and reserve.agent not in call.tried:
            call.tried += (reserve.agent,)
        if reserve.token != call.token:
            call.rivals = tuple(one for one in call.rivals if one != reserve.token)
        if reserve.agent:
            self._move(reserve.agent, "missed" if reserve.state == "ringing" else "dropped")
        if call.is_attempt:
            self._attempt_over(call, "released")
        elif reserve.token == call.token:
            self._requeue(call)
        elif self._is_lost(call):
            self._stop_waiting(call)
            self._leave_queue(call)

    def _requeue(self, call: Call) -> None:
        """Back with the original time; who lost it is asked last."""
        if call.agent is not None and call.agent not in call.tried:
            call.tried += (call.agent,)
        call.agent = call.token = None
        self._seek_agent(call)

    def _cancel(self, reserve: Reserve, reason: CancelReason) -> None:
        """The offer is taken back: not the agent's doing."""
        self._step_offer(reserve, "cancelled", offers.Move(reason=reason))
        if reserve.agent:
            self._move(reserve.agent, "withdrawn")

    def _step_offer(self, before: Reserve, cue: offers.Cue, move: offers.Move) -> None:
        reserve, effects = offers.step(before, cue, move)
        self._out += effects
        if reserve is None:
            del self._reserves[before.token]
        else:
            self._reserves[before.token] = reserve

    def _measure(self, reserve: Reserve) -> None:
        delay = self._delays.get(reserve.agent)
        if delay is None:
            delay = self._delays[reserve.agent] = Delay()
        delay.add(self.now_ms - reserve.offered_ms)

    # The end

    def _finish(self, call: Call, result: Result, reason: CancelReason) -> None:
        """The call leaves for good; whoever rings or talks is freed."""
        queue, home = call.queue, call.home
        if call.callback:
            self._attempt_over(call, "ended")
        if call.state == "waiting":
            self._stop_waiting(call)
        if not call.answered:
            home.count_ended(call, result, self.now_ms)
        self._disarm_call(call)
        del self._calls[call.name], queue.calls[call.name]
        freed, tokens = call.agent, call.rivals
        self._keep_record(call.record(result, self.now_ms))
        self._out.append(Finished(call.name, result))
        if call.token is not None:
            tokens, freed = (call.token, *tokens), None
        for token in tokens:
            self._cancel(self._reserves[token], reason)
        if freed is not None:
            self._free(call, freed, queue)
        if self._beside:
            self._leave_beside(call)

    def _free(self, call: Call, user: str, queue: Queue) -> None:
        """The agent's part is over: wrap-up, as long as the queue has it."""
        agent = self._agents.get(user)
        if agent is not None and call.bridged_ms is not None:
            busy_ms = self.now_ms - call.taken_ms + queue.wrap_up_ms
            queue.measured.handled(busy_ms / 1000)
        if self._beside and self._goes_on(user, call.name):
            self._owed[user] = queue.wrap_up_ms
        else:
            owed_ms = self._owed.pop(user, 0) if self._owed else 0
            self._move(user, "ended", None, None, "", max(queue.wrap_up_ms, owed_ms))

    def _stop_clock(self, call: Call) -> None:
        if not call.answered:
            call.home.count_answered(call, self.now_ms)

    def _count_overflowed(self, call: Call) -> None:
        if not call.answered and not call.overflowed:
            call.overflowed = True
            call.tally.overflowed += 1

    # Agents

    def _withdraw(
        self,
        user: str,
        cue: AgentCue,
        reason: str = "",
        by: str = "",
        call: str | None = None,
    ) -> None:
        """Away at once; a phone that rings stops and its call seeks another."""
        agent = self._agents.get(user)
        reserve = None
        if agent is not None and agent.state == "ringing" and not agent.mobile and agent.token:
            reserve = self._reserves[agent.token]
        if reserve is None:
            self._move(user, cue, reason=reason, by=by, call=call)
            return
        why: CancelReason = "agent_offline" if cue == "offline" else "agent_not_ready"
        rung = self._calls[reserve.call]
        self._step_offer(reserve, "cancelled", offers.Move(reason=why))
        if reserve.token != rung.token:
            rung.rivals = tuple(one for one in rung.rivals if one != reserve.token)
        self._move(user, cue, reason=reason, by=by, call=call)
        if rung.is_attempt:
            self._attempt_over(rung, "released")
        elif reserve.token == rung.token:
            self._requeue(rung)

    def _drop(self, event: AgentDropped) -> None:
        call = self._calls.get(event.call)
        agent = self._agents.get(call.agent) if call is not None and call.agent else None
        elsewhere = call is not None and agent is None and (call.away or call.heir is not None)
        if call is None or (not elsewhere and (agent is None or agent.state == "ringing")):
            self.ignored += 1
            return
        if call.heir is not None:
            self._disinherit(call)
            self._disarm_call(call)
        if call.away:  # one of ours will do
            self._come_back(call)
        if call.token is not None:
            self._step_offer(self._reserves[call.token], "refused", NOTHING)
            call.token = None
        if agent is not None:
            self._move(agent.user, "dropped")
        if call.is_attempt:
            call.agent = None
            self._finish(call, "failed", "call_ended")
        else:
            self._requeue(call)

    def _on_call(self, name: str, cue: AgentCue) -> None:
        call = self._calls.get(name)
        if call is None or call.state != "talking" or call.agent is None:
            self.ignored += 1
        else:
            self._move(call.agent, cue)

    def _move(
        self,
        user: str,
        cue: AgentCue,
        call: str | None = None,
        token: str | None = None,
        reason: str = "",
        wrap_up_ms: int = 0,
        by: str = "",
    ) -> None:
        """Steps an agent's machine; one that has become ready is served at once."""
        known = self._agents
        before = known.get(user)
        if before is None:
            self.ignored += 1
            return
        self._idles = serial = self._idles + 1
        move = agents.Move(self.now_ms, self._pace, serial, call, token, reason, wrap_up_ms, by)
        after, effects = agents.step(before, cue, move)
        if after is before:
            return
        known[user] = after
        self._out += effects
        state, was = after.state, before.state
        if state in OFF_DUTY or was in OFF_DUTY:
            self._change_duty(after, was)
        if state != was:
            if was == "ready":
                self._matcher.remove_idle(user)
            elif state == "ready":
                self._serve(after)

    def _change_duty(self, agent: Agent, was: AgentState) -> None:
        """Whether the queues may count on the agent; one that is not configured is forgotten."""
        user, off = agent.user, agent.state in OFF_DUTY
        if off is not (was in OFF_DUTY):
            self._matcher.on_duty(user, -1 if off else 1)
        if agent.state == "offline" and user not in self._known:
            del self._agents[user]

    # The call's own timer: the first of its agenda

    def _plan(self, call: Call, at_ms: int, what: str) -> None:
        """Something is due for the call at that time."""
        agenda = call.agenda
        agenda.append((at_ms, what))
        if len(agenda) > 1:
            agenda.sort()
        if agenda[0][0] != call.until_ms:
            call.until_ms = agenda[0][0]
            self._out.append(Arm("call/" + call.name, call.until_ms))

    def _disarm_call(self, call: Call) -> None:
        call.planned = False
        if call.until_ms:
            call.until_ms = 0
            call.agenda.clear()
            self._out.append(Disarm("call/" + call.name))
