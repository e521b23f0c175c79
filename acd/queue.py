"""One queue of the core: its settings in milliseconds, its live calls and its counts."""

from __future__ import annotations

from acd.calls import Call, CallRecord
from acd.demands import Skills
from acd.effects import Result
from acd.events import Turned
from acd.ledger import Ledger
from acd.policies import policy_named, promise_of
from acd.prediction import Measured
from acd.service_level import Tally, in_target, levels
from acd.settings import QueueSettings
from acd.views import QueueView


class Queue:
    """One queue; the core's own, changed by nobody else."""

    def __init__(self, settings: QueueSettings, ledger: Ledger) -> None:
        self.ledger = ledger
        self.calls: dict[str, Call] = {}  # live, in order of arrival
        self.callbacks = Tally()  # of attempts to keep promised callbacks: counted apart
        self.measured = Measured(
            settings.expected_handle_seconds, settings.expected_patience_seconds
        )
        self.configure(settings)

    def configure(self, settings: QueueSettings) -> None:
        """Takes new settings; ValueError for an unknown policy."""
        self.policy = policy_named(settings.policy)
        self.reserve = max(settings.reserve_agents, self.policy.reserve)
        self.settings = settings
        self.name = settings.name
        self.promise = promise_of(settings)
        self.stop = settings.rule.stop
        self.from_queued = settings.rule.start == "queued"
        self.in_time_ms = self.promise.in_time_ms  # a wait this long, and no longer, is in target
        self.skills: Skills = frozenset(settings.skills)
        self.ring_ms = round(settings.ring_seconds * 1000)
        self.bridge_ms = round(settings.bridge_seconds * 1000)
        self.callback_ms = round(settings.callback.ring_seconds * 1000)
        self.mobile_ms = round(settings.mobile_ring_seconds * 1000)
        self.wrap_up_ms = round(settings.wrap_up_seconds * 1000)
        self.max_wait_ms = round(settings.max_wait_seconds * 1000)
        self.overflow_ms = round(settings.overflow_seconds * 1000)
        self.delay_ms = round(settings.answer_delay_seconds * 1000)
        self.remembers = bool(
            settings.affinity.last_agent_seconds or settings.affinity.repeat_calls
        )
        self.has_agenda = bool(
            settings.widening or settings.overflow or settings.announce_seconds or self.reserve
        )

    def wait_ms(self, call: Call, stop_ms: int) -> int:
        """The wait by the queue's clock start, as `service_level.outcome` has it."""
        start_ms = call.waiter.queued_ms
        if self.from_queued:
            return stop_ms - start_ms
        arrival = call.arrival
        if self.settings.rule.start == "invited":
            start_ms = arrival.invited_ms or arrival.connected_ms or start_ms
        else:
            start_ms = arrival.connected_ms or start_ms
        return stop_ms - start_ms

    def count_answered(self, call: Call, stop_ms: int) -> None:
        """Once a call, at the clock's stop; an overflowed one that is answered is answered."""
        tally = call.tally
        call.answered = True
        if call.overflowed:
            call.overflowed = False
            tally.overflowed -= 1
        wait_ms = self.wait_ms(call, stop_ms)
        tally.answered += 1
        tally.answered_wait_ms += wait_ms
        tally.answered_in_target += wait_ms <= self.in_time_ms

    def turn_away(self, event: Turned, now_ms: int) -> CallRecord:
        """Offered and rejected at once."""
        tally = self.ledger.tally(now_ms)
        tally.offered += 1
        tally.rejected += 1
        return CallRecord(
            event.call,
            self.name,
            event.caller,
            0,
            "ended",
            "rejected",
            None,
            0,
            now_ms,
            ended_ms=now_ms,
        )

    def count_ended(self, call: Call, result: Result, ended_ms: int) -> None:
        """A call left that had not been answered before the clock's stop."""
        tally = call.tally
        if result in ("answered", "abandoned"):
            self.count_abandoned(call, ended_ms)
        elif result == "failed":
            tally.failed += 1
        elif result == "called_back":
            tally.called_back += 1

    def count_abandoned(self, call: Call, ended_ms: int) -> None:
        """The caller gave up before the clock's stop, in the queue or after it overflowed."""
        tally, rule = call.tally, self.settings.rule
        if call.overflowed:
            call.overflowed = False
            tally.overflowed -= 1
        wait_ms = self.wait_ms(call, ended_ms)
        if call.bridged_ms is None:
            self.measured.waited((ended_ms - call.waiter.queued_ms) / 1000, gave_up=True)
        tally.abandoned += 1
        tally.abandoned_in_target += in_target(wait_ms, rule)
        tally.abandoned_short += wait_ms < rule.short_abandon_ms

    def view(self, now_ms: int, callbacks: int, predicted_wait_seconds: float | None) -> QueueView:
        """The queue as it is now."""
        today: Tally = self.ledger.today(now_ms)
        states = [call.state for call in self.calls.values()]
        unanswered = [
            call.waiter.queued_ms
            for call in self.calls.values()
            if call.state in ("waiting", "ringing")
        ]
        return QueueView(
            name=self.settings.name,
            waiting=states.count("waiting"),
            ringing=states.count("ringing"),
            talking=states.count("talking"),
            offered=today.offered,
            answered=today.answered,
            abandoned=today.abandoned,
            overflowed=today.overflowed,
            failed=today.failed,
            called_back=today.called_back,
            rejected=today.rejected,
            answered_in_target=today.answered_in_target,
            service_level=levels(today),
            total=self.ledger.total(),
            oldest_queued_ms=min(unanswered, default=None),
            callbacks=callbacks,
            predicted_wait_seconds=predicted_wait_seconds,
            handle_seconds=self.measured.handle_seconds,
            patience_seconds=self.measured.patience_seconds,
        )
