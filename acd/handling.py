"""What agents do beyond answering: hand over, transfer, mark, and calls of their own."""

from __future__ import annotations

from msgspec.structs import replace

from acd.agents import Agent
from acd.callers import is_number
from acd.calls import Call
from acd.events import (
    AgentReleased,
    AgentSeized,
    CallerCleared,
    CallerMarked,
    CallerReviewed,
    Departed,
    HandedOver,
    Prioritised,
    Transferred,
)
from acd.marks import KINDS, CallerMark, Review
from acd.offers import Reserve
from acd.promises import Promises

BUSY = ("talking", "held")


class Handling(Promises):
    """Transfers, calls that the queue did not give, and callers who are known."""

    __slots__ = ()

    def _seize(self, event: AgentSeized) -> None:
        """A phone that rings for the queue stops ringing: its agent has dialled out.

        A phone may have several calls at once: its agent is free when the last of them is over.
        """
        agent = self._agents.get(event.agent)
        if agent is None:
            self.ignored += 1
            return
        self._beside.setdefault(event.agent, {})[event.call] = None
        if agent.state not in BUSY and not agent.mobile:
            self._withdraw(event.agent, "seized", call=event.call)

    def _release(self, event: AgentReleased) -> None:
        if event.call not in self._beside.get(event.agent, ()):
            self.ignored += 1
        elif not self._goes_on(event.agent, event.call):
            wrap_up_ms = self._owed.pop(event.agent, 0)
            if event.wrap_up:
                wrap_up_ms = next((one.wrap_up_ms for one in self._queues.values()), 0)
            self._end_beside(event, wrap_up_ms)

    def _end_beside(self, event: AgentReleased, wrap_up_ms: int) -> None:
        """The agent's last call, unless it has one of the queue's, which ends by other events."""
        agent, call = self._agents.get(event.agent), self._calls.get(event.call)
        if agent is None or agent.state not in BUSY or agent.call != event.call:
            return
        if call is None or call.agent != event.agent:
            self._move(event.agent, "ended", wrap_up_ms=wrap_up_ms)

    def _goes_on(self, user: str, without: str) -> bool:
        calls, agent = self._beside.get(user), self._agents.get(user)
        if calls is None:
            return False
        calls.pop(without, None)
        if not calls:
            del self._beside[user]
            return False
        if agent is None or agent.state not in BUSY:
            return False
        if agent.call == without:
            name = next(iter(calls))
            self._move(user, "seized", name)
            call = self._calls.get(name)
            if call is not None and call.heir == user:
                self._inherit(call, user)
        return True

    def _no_longer_beside(self, user: str, name: str) -> None:
        """It is the agent's own call now, if it was beside another."""
        calls = self._beside.get(user, {})
        calls.pop(name, None)
        if not calls:
            self._beside.pop(user, None)

    def _inherit(self, call: Call, user: str) -> None:
        """Given to an agent who had another call: its agent, now that it has none."""
        self._no_longer_beside(user, call.name)
        call.heir, call.agent, call.taken_ms = None, user, self.now_ms
        if call.state == "away":
            self._disarm_call(call)
            call.state = "talking"

    def _disinherit(self, call: Call) -> None:
        """Whoever had it beside another call has it no more."""
        user, call.heir = call.heir, None
        if user is not None:
            self._release(AgentReleased(self.now_ms, user, call.name))

    def _leave_beside(self, call: Call) -> None:
        """A seat that called the queue itself is free when its phone is: it may leave a message."""
        name, caller = call.name, call.arrival.caller
        for user in [user for user, calls in self._beside.items() if name in calls]:
            if user != caller:
                self._release(AgentReleased(self.now_ms, user, name))

    def _hand_over(self, event: HandedOver) -> None:
        call = self._calls.get(event.call)
        agent = self._agents.get(event.agent)
        if call is None or agent is None or event.agent in (call.agent, call.heir):
            self.ignored += 1
            return
        reserve = self._reserves.get(call.token or "")
        if call.is_attempt and reserve is not None and reserve.state == "accepted":
            self._hand_attempt_over(call, agent, reserve)
            return
        if call.state != "talking" and call.heir is None and not call.away:
            self.ignored += 1  # away: from the city's agent to one of ours
            return
        if self._has_its_own(agent):
            self._depart(Departed(event.at_ms, event.call))
            self._beside.setdefault(event.agent, {})[call.name] = None
            call.heir = event.agent
            return
        self._disinherit(call)
        if call.state == "away":
            self._disarm_call(call)
            call.state = "talking"
        before, call.agent = call.agent, event.agent
        self._no_longer_beside(event.agent, call.name)
        self._withdraw(event.agent, "seized", call=call.name)
        if before is not None:
            self._free(call, before, call.queue)
        call.taken_ms = self.now_ms

    def _has_its_own(self, agent: Agent) -> bool:
        """Whether it has a call of the queue's, which nobody else may take from it."""
        if agent.state == "ringing":
            return agent.mobile  # else its phone rings no more: it has picked another call up
        call = self._calls.get(agent.call or "")
        return call is not None and call.agent == agent.user

    def _hand_attempt_over(self, call: Call, agent: Agent, reserve: Reserve) -> None:
        """Who was to call back is another agent, and the citizen has not answered yet."""
        before, user = reserve.agent, "" if self._has_its_own(agent) else agent.user
        self._reserves[reserve.token] = replace(reserve, agent=user)
        call.agent = user or None
        if user:
            self._no_longer_beside(user, call.name)
            self._withdraw(user, "seized", call=call.name)
        if not self._goes_on(before, call.name):
            self._move(before, "withdrawn")

    def _come_back(self, call: Call) -> None:
        """From the city's platform: overflowed no more, and not answered by us for that."""
        self._disarm_call(call)
        call.away = False
        if call.overflowed:
            call.overflowed = False
            call.tally.overflowed -= 1

    def _depart(self, event: Departed) -> None:
        call = self._calls.get(event.call)
        if call is not None and call.heir is not None:
            self._disinherit(call)
            return
        if call is None or call.agent is None or not (call.state == "talking" or call.away):
            self.ignored += 1
            return
        user, call.agent, call.last_agent = call.agent, None, call.agent
        if call.state == "talking":
            call.state = "away"
            self._plan(call, self.now_ms + self._pace.away_ms, "give_up")
        self._free(call, user, call.queue)

    def _transfer(self, event: Transferred) -> None:
        """The agent wraps up; the caller waits with its original time, and is counted once."""
        call = self._calls.get(event.call)
        if call is None or not (call.state in ("talking", "away") or call.away):
            self.ignored += 1
            return
        queue = self._queues.get(event.queue) if event.queue else call.queue
        if queue is None:
            self.ignored += 1
            return
        self._disinherit(call)
        self._disarm_call(call)
        if call.away:
            self._come_back(call)
        user, call.agent = call.agent, None
        call.tried = () if user is None else (user,)
        del call.queue.calls[call.name]
        before, call.queue = call.queue, queue
        queue.calls[call.name] = call
        call.skills, call.widened, call.favourite = event.skills, 0, None
        call.line = self._line_of(call)
        if event.priority > call.waiter.priority:
            call.waiter = replace(call.waiter, priority=event.priority)
        self._seek_agent(call)
        if user is not None:
            self._free(call, user, before)

    def _prioritise(self, event: Prioritised) -> None:
        call = self._calls.get(event.call)
        if call is None:
            self.ignored += 1
            return
        if event.priority <= call.waiter.priority:
            return
        waits = call.entry is not None
        if waits:
            self._stop_waiting(call)
        call.waiter = replace(call.waiter, priority=event.priority)
        if waits:  # the reserve is for this call, too
            self._seek_agent(call)

    # Callers who are known

    def _recognise(self, call: Call) -> None:
        """Repeat callers come earlier; the last agent, or the VIP's own, is asked first."""
        settings, number = call.queue.settings.affinity, call.arrival.caller
        user = call.arrival.agent
        if call.queue.remembers and is_number(number):
            known = self._callers.arrive(number, self.now_ms, settings)
            if known.priority > call.waiter.priority:
                call.waiter = replace(call.waiter, priority=known.priority)
            user = user or known.agent
        mark = self._marks.find(number) if number else None
        if mark is not None:
            if mark.priority > call.waiter.priority:
                call.waiter = replace(call.waiter, priority=mark.priority)
            user = user or mark.agent
        agent = self._agents.get(user)
        skills = call.line.demand.skills
        if agent is None or not self._matcher.is_able(user, skills):
            self._seek_agent(call)
        elif agent.state == "ready" and self._matcher.takes_calls(user):
            self._offer(call, agent)
        elif (
            settings.bound_seconds
            and self._matcher.takes_calls(user)
            and agent.state in ("ringing", "talking", "held", "wrap_up")
        ):
            call.favourite = user
            self._wait(call)
            bound_ms = round(settings.bound_seconds * 1000)
            self._plan(call, self.now_ms + bound_ms, "favourite")
        else:
            self._seek_agent(call)

    def _mark_caller(self, event: CallerMarked) -> None:
        if event.kind not in KINDS or not event.number:
            self.ignored += 1
            return
        review: Review = "proposed" if event.proposed else "in_force"
        self._marks.propose(
            CallerMark(
                event.number,
                event.kind,
                review,
                event.by,
                self.now_ms,
                event.note,
                priority=event.priority,
                agent=event.agent,
            )
        )

    def _review_caller(self, event: CallerReviewed) -> None:
        if not self._marks.review(event.number, event.keep, event.by, self.now_ms):
            self.ignored += 1

    def _clear_caller(self, event: CallerCleared) -> None:
        if not self._marks.remove(event.number):
            self.ignored += 1
