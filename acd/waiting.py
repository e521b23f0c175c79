"""Waiting calls: their place, what is done for them while they wait, and how they leave."""

from __future__ import annotations

from collections.abc import Callable

from acd.agents import Agent
from acd.callers import is_number
from acd.calls import Call
from acd.effects import Announce, Arm, Offer, OfferCallback, Overflow, Why
from acd.lines import Line
from acd.policies import Stage
from acd.prediction import predicted_wait
from acd.queue import Queue
from acd.serving import Serving
from acd.settings import OverflowStep

NOBODY = ""  # the favourite of a call that came when the queue was closed
AGAIN_MS = 1000  # a step whose time has come, but not its condition, is looked at again


class Waiting(Serving):
    """The line, the favourites, and each call's agenda."""

    __slots__ = ()

    def _wait(self, call: Call) -> None:
        call.state = "waiting"
        if call.favourite is None:
            call.line.add(call, self.now_ms)
        else:
            self._favourites.setdefault(call.favourite, []).append(call)
        if not call.planned:
            call.planned = True
            self._plan_wait(call, call.queue)

    def _stop_waiting(self, call: Call) -> None:
        if call.entry is not None:
            call.line.remove(call)
        if call.favourite is not None:
            self._forget_favourite(call)

    def _forget_favourite(self, call: Call) -> None:
        user, call.favourite = call.favourite or "", None
        waiting = self._favourites.get(user, [])
        if call in waiting:
            waiting.remove(call)
            if not waiting:
                del self._favourites[user]

    def _favoured(self, user: str) -> Call | None:
        waiting = self._favourites.get(user)
        return waiting[0] if waiting else None

    def _plan_wait(self, call: Call, queue: Queue) -> None:
        """Once, when the call begins to wait; what helps to the first answer only before it."""
        if queue.max_wait_ms:
            self._plan(call, self.now_ms + queue.max_wait_ms, "max_wait")
        if not queue.has_agenda:
            return
        settings, queued_ms = queue.settings, call.waiter.queued_ms
        if settings.announce_seconds:
            self._plan(call, self.now_ms + round(settings.announce_seconds * 1000), "announce")
        if queue.reserve:
            self._plan(call, max(self.now_ms, queued_ms + queue.promise.promotion_ms), "promote")
        for index, widening in enumerate(settings.widening):
            due_ms = queued_ms + round(widening.after_seconds * 1000)
            self._plan(call, max(self.now_ms, due_ms), f"widen/{index}")
        if call.bridged_ms is None:
            for index, one in enumerate(settings.overflow):
                if (one.when == "closed") is not call.closed:
                    continue
                due_ms = queued_ms + round(one.after_seconds * 1000)
                self._plan(call, max(self.now_ms, due_ms), f"step/{index}")

    def _work_off(self, call: Call) -> None:
        """The call's timer fired: all of its agenda that is due."""
        call.until_ms, due = 0, []
        while call.agenda and call.agenda[0][0] <= self.now_ms:
            due.append(call.agenda.pop(0)[1])
        for what in due:
            if self._calls.get(call.name) is not call or (
                call.state not in ("waiting", "ringing") and what != "give_up"
            ):
                break
            name, _, number = what.partition("/")
            AGENDA[name](self, call, int(number or 0))
        if call.agenda and not call.until_ms and call.name in self._calls:
            call.until_ms = call.agenda[0][0]
            self._out.append(Arm("call/" + call.name, call.until_ms))

    def _find_closed(self, call: Call) -> None:
        """Outside of the hours: no agent is sought; the steps for that are taken, or it ends."""
        call.closed, call.favourite = True, NOBODY
        if not any(one.when == "closed" for one in call.queue.settings.overflow):
            self._out.append(Overflow(call.name, "closed"))
            self._stay_elsewhere(call)
            return
        self._wait(call)

    def _is_lost(self, call: Call) -> bool:
        """Whether nothing that is still to come would take the waiting call."""
        if call.state != "waiting" or call.rivals:
            return False
        steps_left = any(what.startswith("step/") for _, what in call.agenda)
        return call.overdue or (call.closed and not steps_left)

    # What may be on the agenda

    def _give_up_waiting(self, call: Call, _: int) -> None:
        if call.state == "waiting" and not call.rivals:
            self._stop_waiting(call)
            self._leave_queue(call)
        else:
            call.overdue = True  # a phone rings for it: overflows if that is not answered

    def _give_up_elsewhere(self, call: Call, _: int) -> None:
        self._finish(call, "answered" if call.bridged_ms else "overflowed", "call_ended")

    def _announce(self, call: Call, _: int) -> None:
        settings = call.queue.settings
        self._plan(call, self.now_ms + round(settings.announce_seconds * 1000), "announce")
        if call.state != "waiting":
            return
        ahead = self._matcher.ahead(call)
        seconds = self.predicted_wait(call, ahead) if settings.announce_wait else None
        position = ahead + 1 if settings.announce_position else None
        if position is not None or seconds is not None:
            self._out.append(
                Announce(call.name, position, None if seconds is None else round(seconds))
            )

    def _promote(self, call: Call, _: int) -> None:
        """Past the cap: the reserve is for this call, too."""
        if call.entry is not None:
            self._stop_waiting(call)
            self._seek_agent(call)

    def _widen(self, call: Call, index: int) -> None:
        """Fewer skills will do."""
        waits, call.widened = call.entry is not None, index + 1
        if waits:
            self._stop_waiting(call)
        call.line = self._line_of(call)
        if waits:
            self._seek_agent(call)

    def _stop_favouring(self, call: Call, _: int) -> None:
        """The bound is over: any able agent will do."""
        if call.favourite is None:
            return
        if call.state == "waiting":
            self._stop_waiting(call)
            self._seek_agent(call)
        else:
            call.favourite = None

    def _line_of(self, call: Call) -> Line:
        queue, wanted = call.queue, frozenset(call.skills)
        if call.widened and call.widened <= len(queue.settings.widening):
            return self._matcher.line(
                queue, wanted | frozenset(queue.settings.widening[call.widened - 1].skills)
            )
        return self._matcher.line(queue, queue.skills | wanted if wanted else queue.skills)

    # Overflow

    def _take_step(self, call: Call, index: int) -> None:
        """One step of the queue's overflow, if its condition holds; else it is looked at again."""
        steps = call.queue.settings.overflow
        if index >= len(steps):
            return
        one = steps[index]
        again = self.now_ms + AGAIN_MS, f"step/{index}"
        won = self._reserves.get(call.token or "")
        waits = (won is not None and won.state == "accepted") or (
            one.when == "predicted" and not self.misses(call)
        )
        if waits or STEPS[one.target](self, call, one):
            self._plan(call, *again)

    def _ring_mobile(self, call: Call, one: OverflowStep) -> bool:
        mobiles = self._matcher.mobiles
        if not mobiles:
            return False
        if not self._rings_at(call, "mobile"):
            idle = [
                (agent.since_ms, user)
                for user, agent in ((user, self._agents[user]) for user in mobiles)
                if agent.state == "offline"
                and self._may_help(user, call)
                and not self._passes_over(user, call)
            ]
            if idle:
                user = min(idle)[1]
                token = self._reserve(call, user, call.queue.mobile_ms, "mobile")
                self._add_rival(call, token)
                self._out.append(
                    Overflow(call.name, why_of(one), "mobile", token, user, mobiles[user])
                )
        return True

    def _ring_supervisor(self, call: Call, one: OverflowStep) -> bool:
        for user in self._matcher.supervisors:
            agent = self._agents[user]
            if agent.state == "ready" and user not in call.tried:
                token = self._reserve(call, user, call.queue.ring_ms)
                self._add_rival(call, token)
                self._out.append(Offer(call.name, user, token))
                return False
        return bool(self._matcher.supervisors)

    def _ring_city(self, call: Call, one: OverflowStep) -> bool:
        """Once; the call keeps its place, so a city that is busy costs nothing."""
        token = self._reserve(call, "", call.queue.mobile_ms, "city")
        self._add_rival(call, token)
        self._out.append(Overflow(call.name, why_of(one), "city", token, "", one.address))
        return False

    def _play_message(self, call: Call, one: OverflowStep) -> bool:
        """Only once no phone rings for the call any more."""
        if call.state != "waiting" or call.rivals:
            return True
        self._stop_waiting(call)
        call.away = True
        self._out.append(Overflow(call.name, why_of(one), "message", address=one.address))
        self._stay_elsewhere(call)
        return False

    def _offer_callback(self, call: Call, one: OverflowStep) -> bool:
        number = call.arrival.caller
        if is_number(number) and number not in self._numbers:
            self._out.append(OfferCallback(call.name))
        return False

    def _rings_at(self, call: Call, place: str) -> bool:
        return any(self._reserves[token].place == place for token in call.rivals)

    def _may_help(self, user: str, call: Call) -> bool:
        skills = call.line.demand.skills
        return user not in call.tried and self._matcher.may_help(user, skills)

    def _passes_over(self, user: str, call: Call) -> bool:
        """Whether an older call past the cap, for which nothing rings, could have this mobile."""
        for line in self._matcher.lines_of(call.queue.name):
            line.refresh(self.now_ms)
            for entry in line.stages[Stage.PROMOTED]:
                other = entry[4]
                if other.waiter.queued_ms >= call.waiter.queued_ms:
                    break
                if not other.rivals and self._may_help(user, other):
                    return True
        return False

    def _add_rival(self, call: Call, token: str) -> None:
        call.rivals += (token,)
        self._out.append(Arm(token, self._reserves[token].until_ms))

    def _leave_queue(self, call: Call) -> None:
        self._out.append(Overflow(call.name, "max_wait"))
        self._stay_elsewhere(call)

    def _stay_elsewhere(self, call: Call) -> None:
        """Out of the queue, and given up when nothing is heard of it any more."""
        call.agenda.clear()
        call.state, call.overdue, call.until_ms = "overflowed", False, 0
        self._count_overflowed(call)
        self._plan(call, self.now_ms + call.queue.overflow_ms, "give_up")

    # Prediction

    def predicted_wait(self, call: Call, ahead: int | None = None) -> float | None:
        """Seconds that the call will yet wait for an agent; None when nobody is on duty for it."""
        if ahead is None:
            ahead = self._matcher.ahead(call)
        return predicted_wait(ahead, self._matcher.servers(call.line), call.queue.measured)

    def misses(self, call: Call) -> bool:
        """Whether the call is predicted not to be answered within the target."""
        left_ms = call.home.settings.rule.target_ms - call.home.wait_ms(call, self.now_ms)
        if call.state == "ringing":
            agent: Agent | None = self._agents.get(call.agent or "")
            delay = self._delays.get(call.agent or "")
            known = None if delay is None else delay.ms
            return (
                agent is not None
                and known is not None
                and agent.since_ms + known > (self.now_ms + left_ms)
            )
        seconds = self.predicted_wait(call)
        return seconds is None or seconds * 1000 + call.queue.delay_ms > left_ms


def why_of(one: OverflowStep) -> Why:
    """The reason that the effect carries."""
    return one.when


AGENDA: dict[str, Callable[[Waiting, Call, int], None]] = {
    "max_wait": Waiting._give_up_waiting,
    "give_up": Waiting._give_up_elsewhere,
    "announce": Waiting._announce,
    "promote": Waiting._promote,
    "widen": Waiting._widen,
    "favourite": Waiting._stop_favouring,
    "step": Waiting._take_step,
}
STEPS: dict[str, Callable[[Waiting, Call, OverflowStep], bool]] = {
    "mobile": Waiting._ring_mobile,
    "supervisor": Waiting._ring_supervisor,
    "city": Waiting._ring_city,
    "message": Waiting._play_message,
    "callback": Waiting._offer_callback,
}
