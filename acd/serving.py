"""Offers and agents: a call is reserved for an agent, accepted, bridged, or lost and given back."""

from __future__ import annotations

from acd import agents, offers
from acd.agents import Agent
from acd.agents import Cue as AgentCue
from acd.board import Board
from acd.callbacks import Cue as CallbackCue
from acd.calls import Call
from acd.delays import Delay
from acd.effects import Arm, CancelReason, Disarm, Finished, Offer, Result
from acd.events import Accepted, AgentDropped, Bridged, Greeted, Refused
from acd.offers import Reserve
from acd.policies import Stage
from acd.queue import Queue

NOTHING = offers.Move()
OFF_DUTY = ("offline", "not_ready")


class Serving(Board):
    """Who rings for whom; waiting and promised callbacks are left to the classes above it."""

    def _wait(self, call: Call) -> None:
        """The call waits from now on."""
        raise NotImplementedError

    def _stop_waiting(self, call: Call) -> None:
        """The call waits no longer, whether in line or for one agent."""
        raise NotImplementedError

    def _favoured(self, user: str) -> Call | None:
        """The call that waits for this agent alone."""
        raise NotImplementedError

    def _keep_promise(self, agent: Agent, before: tuple[int, int, int, int] | None) -> bool:
        """Dials a callback for the agent, if one is due before the call of that rank."""
        raise NotImplementedError

    def _attempt_over(self, call: Call, cue: CallbackCue) -> None:
        """What became of the call, which is an attempt at a callback."""
        raise NotImplementedError

    def _forget_callback_of(self, number: str) -> None:
        """The citizen of this number has been answered."""
        raise NotImplementedError

    def _leave_queue(self, call: Call) -> None:
        """Nobody takes the call any more: it overflows."""
        raise NotImplementedError

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
        delay = self._delays.get(agent.user)
        best = self._matcher.best_call(agent, self.now_ms, None if delay is None else delay.ms)
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
        call.state, call.agent = "ringing", agent.user
        call.token = token = self._reserve(call, agent.user, call.queue.ring_ms)
        self._out += (
            Offer(call.name, agent.user, token),
            Arm(token, self._reserves[token].until_ms),
        )

    def _reserve(self, call: Call, user: str, ring_ms: int, place: offers.Place = "seat") -> str:
        self._tokens += 1
        token = f"offer/{self._tokens}"
        call.offers += 1
        reserve = Reserve(
            token, call.name, user, self.now_ms + ring_ms, "ringing", place, self.now_ms
        )
        self._reserves[token] = reserve
        if user:
            self._move(user, "offered", reserve)
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
        self._stop_clock(call, "accepted")

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
            if reserve.place == "seat":
                self._measure(reserve)
        first = call.bridged_ms is None
        if first:
            call.bridged_ms = self.now_ms
            if not call.callback:
                waited = (self.now_ms - call.waiter.queued_ms) / 1000
                call.home.measured.waited(waited, gave_up=False)
        self._disarm_call(call)
        call.state, call.overdue = "talking", False
        call.last_agent = call.agent
        if call.callback:
            self._attempt_over(call, "bridged")
        elif call.arrival.caller in self._numbers:
            self._forget_callback_of(call.arrival.caller)
        if call.queue.remembers and call.agent is not None and call.arrival.caller:
            self._callers.answer(call.arrival.caller, call.agent, self.now_ms)
        if reserve is None:  # sent elsewhere: its 200 was not told to us, and it greets nobody
            call.accepted_ms = call.accepted_ms or self.now_ms
            call.greeted_ms = self.now_ms
            self._stop_clock(call, call.home.settings.rule.stop)
        else:
            self._stop_clock(call, "bridged")

    def _hand_to_city(self, call: Call) -> None:
        """Answered, but not by us: overflowed, and as long as a talk may last."""
        self._disarm_call(call)
        call.state, call.overdue, call.away = "overflowed", False, True
        self._count_overflowed(call)
        self._plan(call, self.now_ms + self._pace.talking_ms, "give_up")

    def _greet(self, event: Greeted) -> None:
        call = self._calls.get(event.call)
        if call is None or call.bridged_ms is None or call.greeted_ms is not None:
            self.ignored += 1
            return
        call.greeted_ms = self.now_ms
        self._stop_clock(call, "greeted")

    def _refuse(self, event: Refused) -> None:
        reserve = self._reserves.get(event.token)
        if reserve is None:
            self.ignored += 1
        else:
            self._lose_offer(reserve, "refused")

    def _lose_offer(self, reserve: Reserve, cue: offers.Cue) -> None:
        """The agent rests, the call goes back with its original time and prefers others."""
        call = self._calls[reserve.call]
        if call.callback and cue == "timeout" and reserve.state == "accepted":
            self._attempt_over(call, "unreached")
            return
        self._step_offer(reserve, cue, NOTHING)
        if cue == "timeout" and reserve.state == "ringing" and reserve.place == "seat":
            self._measure(reserve)
        if reserve.agent and reserve.agent not in call.tried:
            call.tried += (reserve.agent,)
        if reserve.token != call.token:
            call.rivals = tuple(one for one in call.rivals if one != reserve.token)
        if reserve.agent:
            self._move(reserve.agent, "missed" if reserve.state == "ringing" else "dropped")
        if call.callback:
            self._attempt_over(call, "released")
        elif reserve.token == call.token:
            self._requeue(call)
        elif call.state == "waiting" and call.overdue and not call.rivals:
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
        if reserve.until_ms:
            self._reserves[reserve.token] = reserve
        else:
            del self._reserves[reserve.token]

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
        elif call.state == "waiting":
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

    def _free(self, call: Call, user: str, queue: Queue) -> None:
        """The agent's part is over: wrap-up, as long as the queue has it."""
        agent = self._agents.get(user)
        if agent is not None and call.bridged_ms is not None:
            busy_ms = self.now_ms - call.bridged_ms + queue.wrap_up_ms
            queue.measured.handled(busy_ms / 1000)
        self._move(user, "ended", wrap_up_ms=queue.wrap_up_ms)

    def _stop_clock(self, call: Call, stop: str) -> None:
        if not call.answered and call.home.settings.rule.stop == stop:
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
        if rung.callback:
            self._attempt_over(rung, "released")
        elif reserve.token == rung.token:
            self._requeue(rung)

    def _drop(self, event: AgentDropped) -> None:
        call = self._calls.get(event.call)
        agent = self._agents.get(call.agent) if call is not None and call.agent else None
        if call is None or agent is None or agent.state == "ringing":
            self.ignored += 1
            return
        if call.token is not None:
            self._step_offer(self._reserves[call.token], "refused", NOTHING)
            call.token = None
        self._move(agent.user, "dropped")
        if call.callback:
            call.agent = None
            self._finish(call, "answered" if call.bridged_ms else "failed", "call_ended")
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
        reserve: Reserve | None = None,
        *,
        reason: str = "",
        wrap_up_ms: int = 0,
        by: str = "",
        call: str | None = None,
    ) -> None:
        """Steps an agent's machine; one that has become ready is served at once."""
        before = self._agents.get(user)
        if before is None:
            self.ignored += 1
            return
        self._idles += 1
        token = None
        if reserve is not None:
            call, token = reserve.call, reserve.token
        after, effects = agents.step(
            before,
            cue,
            agents.Move(self.now_ms, self._pace, self._idles, call, token, reason, wrap_up_ms, by),
        )
        self._agents[user] = after
        self._out += effects
        if after.state != before.state:
            if (after.state in OFF_DUTY) is not (before.state in OFF_DUTY):
                self._matcher.on_duty(user, -1 if after.state in OFF_DUTY else 1)
            if after.state == "ready":
                self._serve(after)
        if after.state == "offline" and user not in self._known:
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
