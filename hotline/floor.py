"""Queues, agents and promised callbacks as the desk sees and steers them."""

from typing import Literal

from acd.callbacks import Callback
from acd.events import (
    AgentNotReady,
    AgentReady,
    CallbackCancelled,
    CallerCleared,
    CallerMarked,
    CallerReviewed,
    Prioritised,
    WrapUpExtended,
)
from acd.marks import CallerMark
from acd.views import AgentView
from hotline.clock import iso
from hotline.commands import (
    AgentStatus,
    CallbackStatus,
    CallRecord,
    MarkStatus,
    NotAllowed,
    QueueStatus,
    ServiceLevels,
    UnknownThing,
    WrongState,
)
from hotline.conductor import Conductor

Wanted = Literal["ready", "not_ready"]
AT_REST = ("ready", "not_ready", "wrap_up")


class Floor:
    """The part of the facade that fronts the queue's core."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor
        self._parts = conductor.parts
        self._queues = {q.name: q for q in conductor.parts.config.queues}
        self._seats = {s.user: s for s in conductor.parts.config.seats}
        self._reasons = tuple(one.name for one in conductor.parts.config.agents.reasons)

    # Queues -----------------------------------------------------------------------------------

    def queues(self) -> list[QueueStatus]:
        """All queues."""
        return [self.queue(name) for name in self._queues]

    def queue(self, name: str) -> QueueStatus:
        """One queue; UnknownThing when there is none of that name."""
        settings = self._queues.get(name)
        if settings is None:
            known = ", ".join(self._queues)
            raise UnknownThing(f"no queue {name!r}; there are: {known}")
        now_ms = self._parts.clock.wall_ms()
        view = self._parts.queueing.core.queue(name, now_ms)
        return QueueStatus(
            name=name,
            waiting=view.waiting + view.ringing,
            offered=view.offered,
            answered=view.answered,
            abandoned=view.abandoned,
            answered_in_target=view.answered_in_target,
            overflowed=view.overflowed,
            service_level=ServiceLevels(*(getattr(view.service_level, k) for k in "ABCDE")),
            longest_wait_seconds=view.longest_wait_seconds(now_ms),
            target_seconds=settings.target_seconds,
            target_ratio=settings.target_ratio,
            policy=settings.policy,
            called_back=view.called_back,
            rejected=view.rejected,
            callbacks=view.callbacks,
            predicted_wait_seconds=view.predicted_wait_seconds,
            handle_seconds=view.handle_seconds,
            patience_seconds=view.patience_seconds,
        )

    # Agents -----------------------------------------------------------------------------------

    def agents(self) -> list[AgentStatus]:
        """All seats, in the configuration's order."""
        return [self._agent(self._view(user)) for user in self._seats]

    def set_agent_state(self, user: str, state: Wanted, reason: str) -> AgentStatus:
        """The agent's own wish; UnknownThing, NotAllowed, or WrongState while offline or busy."""
        before = self._known(user)
        if before.state not in AT_REST:
            raise WrongState(
                f"seat {user} is {before.state}: {state} fits ready, not_ready, wrap_up"
            )
        self._tell_state(user, state, reason or "asked", "")
        after = self._view(user)
        if after.state != state:
            raise WrongState(f"seat {user} was made {after.state} by the supervisor")
        return self._agent(after)

    def force_agent_state(self, user: str, state: Wanted, reason: str, by: str) -> AgentStatus:
        """The supervisor's word; while the agent talks it holds from the end of the call on.

        UnknownThing, NotAllowed, or WrongState while the seat is offline.
        """
        before = self._known(user)
        if before.state == "offline":
            raise WrongState(f"seat {user} is offline: its phone has to register first")
        self._tell_state(user, state, reason or "forced", by)
        return self._agent(self._view(user))

    def extend_wrap_up(self, user: str) -> AgentStatus:
        """The wrap-up's time once more; WrongState outside of one, or the second time."""
        before = self._known(user)
        if before.state != "wrap_up":
            raise WrongState(f"seat {user} is {before.state}: only a wrap_up can be extended")
        self._parts.queueing.tell(WrapUpExtended(self._parts.clock.wall_ms(), user))
        after = self._view(user)
        if after.until_ms == before.until_ms:
            raise WrongState(f"seat {user} has extended its wrap_up already: once is all")
        return self._agent(after)

    def _tell_state(self, user: str, state: Wanted, reason: str, by: str) -> None:
        now_ms = self._parts.clock.wall_ms()
        if state == "ready":
            self._parts.queueing.tell(AgentReady(now_ms, user, by))
            return
        if not by and self._reasons and reason not in self._reasons:
            raise NotAllowed(f"no reason {reason!r}; there are: {', '.join(self._reasons)}")
        self._parts.queueing.tell(AgentNotReady(now_ms, user, reason, by))

    def _known(self, user: str) -> AgentView:
        if user not in self._seats:
            raise UnknownThing(f"no seat {user!r}")
        return self._view(user)

    def _view(self, user: str) -> AgentView:
        view = self._parts.queueing.core.agent(user)
        assert view is not None  # every seat of the configuration is one of the core's agents
        return view

    def _agent(self, view: AgentView) -> AgentStatus:
        user = view.user
        seat = self._seats[user]
        return AgentStatus(
            user=user,
            name=seat.name or user,
            role=seat.role,
            state=view.state,
            since=iso(view.since_ms),
            reason=view.reason,
            call_id=view.call,
            skills=tuple(seat.skills),
            registered=user in self._conductor.presence.registered,
            until=iso(view.until_ms) if view.until_ms else None,
            mobile=view.mobile,
            answer_delay_ms=view.delay_ms,
        )

    # Callbacks and marks ----------------------------------------------------------------------

    def callbacks(self) -> list[CallbackStatus]:
        """Those promised, and the latest that are over."""
        return [status_of(one) for one in self._parts.queueing.core.callbacks()]

    def cancel_callback(self, callback: str) -> CallbackStatus:
        """Not wanted any more; UnknownThing, or WrongState while it is talked, or over."""
        core = self._parts.queueing.core
        found = {one.callback: one for one in core.callbacks()}.get(callback)
        if found is None:
            raise UnknownThing(f"no callback {callback!r}")
        if found.state in ("talking", "over"):
            raise WrongState(f"callback {callback} is {found.result or found.state}")
        self._parts.queueing.tell(CallbackCancelled(self._parts.clock.wall_ms(), callback))
        after = {one.callback: one for one in core.callbacks()}
        return status_of(after.get(callback, found))

    def marks(self) -> list[MarkStatus]:
        """Numbers that people marked; those of the configuration stand there."""
        return [mark_status(one) for one in self._parts.queueing.core.marks()]

    def mark_caller(self, wanted: MarkStatus) -> MarkStatus:
        """Block a number or make it a VIP; a nuisance mark waits for the supervisor's review."""
        if wanted.agent and wanted.agent not in self._seats:
            raise NotAllowed(f"no seat {wanted.agent!r}")
        self._parts.queueing.tell(
            CallerMarked(
                self._parts.clock.wall_ms(),
                wanted.number,
                wanted.kind,
                wanted.by,
                wanted.review == "proposed",
                wanted.note,
                wanted.priority,
                wanted.agent,
            )
        )
        return self._mark(wanted.number)

    def review_mark(self, number: str, *, keep: bool, by: str) -> MarkStatus:
        """Block a number that an agent marked, or not; WrongState when it waits for no review."""
        if self._mark(number).review != "proposed":
            raise WrongState(f"the mark of {number} waits for no review")
        self._parts.queueing.tell(CallerReviewed(self._parts.clock.wall_ms(), number, keep, by))
        return self._mark(number)

    def clear_mark(self, number: str, by: str) -> None:
        """Take a mark back; UnknownThing when the number has none."""
        self._mark(number)
        self._parts.queueing.tell(CallerCleared(self._parts.clock.wall_ms(), number, by))

    def _mark(self, number: str) -> MarkStatus:
        for one in self._parts.queueing.core.marks():
            if one.number == number:
                return mark_status(one)
        raise UnknownThing(f"nobody marked {number}")

    def prioritise(self, call_id: str, priority: int, keyword: str) -> CallRecord:
        """An agent's mark: the call comes earlier when it waits (again); it never comes later."""
        record = self._parts.book.get(call_id)
        if record is None:
            raise UnknownThing(f"no call {call_id!r}")
        if self._parts.queueing.core.call(call_id) is None:
            raise WrongState(f"call {call_id} has ended")
        now_ms = self._parts.clock.wall_ms()
        self._parts.queueing.tell(Prioritised(now_ms, call_id, priority, keyword))
        return record


def status_of(one: Callback) -> CallbackStatus:
    """A callback of the core as the desk shows it."""
    return CallbackStatus(
        callback=one.callback,
        number=one.number,
        queue=one.queue,
        call_id=one.call,
        queued=iso(one.queued_ms),
        asked=iso(one.asked_ms),
        state=one.state,
        due=iso(one.until_ms) if one.until_ms else None,
        attempts=one.attempts,
        result=one.result,
    )


def mark_status(one: CallerMark) -> MarkStatus:
    """A mark of the core as the desk shows it."""
    return MarkStatus(
        number=one.number,
        kind=one.kind,
        review=one.review,
        by=one.by,
        at=iso(one.at_ms),
        note=one.note,
        reviewed_by=one.reviewed_by,
        priority=one.priority,
        agent=one.agent,
    )
