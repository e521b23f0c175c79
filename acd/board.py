"""What can be asked of the core between two steps; nothing here changes it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec

from acd.agents import Agent, timer_of
from acd.calendar import entry_at, is_open, local_minute
from acd.callbacks import Callback
from acd.callbacks import timer_of as callback_timer
from acd.callers import Callers
from acd.calls import Call, CallRecord
from acd.delays import Delay
from acd.effects import Effect
from acd.marks import CallerMark, Marks
from acd.matching import Matcher
from acd.offers import Reserve
from acd.paces import Pace
from acd.policies import Waiter, order
from acd.prediction import predicted_wait
from acd.queue import Queue
from acd.service_level import Tally, tally
from acd.settings import AcdSettings, CalendarEntry, Rule
from acd.views import AgentView, QueueView


class Board:
    """The core's state and its read side (slots make a decision 5 % shorter)."""

    __slots__ = (
        "_agents",
        "_arrivals",
        "_beside",
        "_callbacks",
        "_callers",
        "_calls",
        "_delays",
        "_due",
        "_favourites",
        "_has_hours",
        "_idles",
        "_known",
        "_marks",
        "_matcher",
        "_numbers",
        "_out",
        "_over",
        "_owed",
        "_pace",
        "_promised",
        "_queues",
        "_reserves",
        "_settings",
        "_tokens",
        "ended",
        "ignored",
        "now_ms",
        "rejected",
    )

    def __init__(self) -> None:
        self.now_ms = 0
        self.ignored = 0  # stale tokens and timers, unknown calls: told too late, or twice
        self.rejected = 0  # arrivals for a queue that does not exist
        self.ended: deque[CallRecord] = deque()
        self._arrivals = self._tokens = self._idles = self._promised = 0
        self._out: list[Effect] = []
        self._settings: AcdSettings
        self._pace: Pace
        self._matcher: Matcher
        self._known: frozenset[str] = frozenset()  # agents of the configuration
        self._queues: dict[str, Queue] = {}
        self._agents: dict[str, Agent] = {}
        self._calls: dict[str, Call] = {}
        self._reserves: dict[str, Reserve] = {}
        self._delays: dict[str, Delay] = {}  # of each agent, from the offer to the bridge
        self._favourites: dict[str, list[Call]] = {}  # calls that wait for one agent alone
        self._beside: dict[str, dict[str, None]] = {}  # agents' calls that no queue gave them
        self._owed: dict[str, int] = {}  # wrap-up, ms, of agents who are on such a call still
        self._callers = Callers(0)
        self._marks = Marks()
        self._has_hours = False  # whether any queue is ever closed
        self._callbacks: dict[str, Callback] = {}
        self._due: dict[str, None] = {}  # callbacks to be dialled as soon as agents are idle
        self._numbers: dict[str, str] = {}  # whom an active callback is promised
        self._over: deque[str] = deque()  # callbacks that are done, the oldest first

    def _keep_record(self, record: CallRecord) -> None:
        self.ended.append(record)
        if len(self.ended) > self._settings.kept_calls:
            self.ended.popleft()

    def queue(self, name: str, now_ms: int | None = None) -> QueueView:
        """The queue as it is; KeyError for one that does not exist."""
        queue = self._queues[name]
        at_ms = self.now_ms if now_ms is None else now_ms
        return queue.view(at_ms, self._promised_in(name), self._expect(queue, at_ms))

    def _expect(self, queue: Queue, now_ms: int) -> float | None:
        """Seconds that a caller who arrived now would wait; None when nobody is on duty."""
        line = self._matcher.line(queue, queue.skills)
        if line.demand.idle():
            return 0.0
        waiter = Waiter(now_ms, 0)
        place = line.place(waiter, line.promise, now_ms)
        rank = (place.stage, *order(waiter, place), self._arrivals + 1)
        ahead = self._matcher.before(queue.skills, rank)
        return predicted_wait(ahead, self._matcher.servers(line), queue.measured)

    def queues(self) -> list[str]:
        """Names of all queues."""
        return list(self._queues)

    def intervals(self, queue: str) -> dict[int, Tally]:
        """Exact counts of a queue by interval of arrival (its start); do not change them."""
        return self._queues[queue].ledger.intervals

    def agents(self) -> list[AgentView]:
        """All agents."""
        return [self._view(one) for one in self._agents.values()]

    def agent(self, user: str) -> AgentView | None:
        """One agent, or None."""
        one = self._agents.get(user)
        if one is None:
            return None
        return self._view(one)

    def _view(self, one: Agent) -> AgentView:
        delay = self._delays.get(one.user)
        return AgentView(
            one.user,
            one.state,
            one.since_ms,
            one.call,
            one.reason,
            one.until_ms,
            one.mobile,
            None if delay is None else delay.ms,
        )

    @property
    def calls(self) -> list[CallRecord]:
        """The live calls, in order of arrival."""
        return [call.record() for call in self._calls.values()]

    def call(self, call: str) -> CallRecord | None:
        """One live call, or None."""
        live = self._calls.get(call)
        return None if live is None else live.record()

    def records(self) -> Iterator[CallRecord]:
        """Ended calls as far as they are kept, then the live ones."""
        return chain(self.ended, self.calls)

    def count(self, queue: str, from_ms: int, rule: Rule | None = None) -> Tally:
        """Counts of the calls that arrived since, under any rule, from the records kept."""
        rule = rule or self._queues[queue].settings.rule
        return tally(
            (
                one
                for one in self.records()
                if one.queue == queue and one.queued_ms >= from_ms and not one.callback
            ),
            rule,
        )

    def timers(self) -> dict[str, int]:
        """Every armed timer and when it fires."""
        armed = {timer_of(one.user): one.until_ms for one in self._agents.values()}
        armed.update((one.token, one.until_ms) for one in self._reserves.values())
        armed.update(("call/" + name, one.until_ms) for name, one in self._calls.items())
        armed.update((callback_timer(name), one.until_ms) for name, one in self._callbacks.items())
        return {timer: at_ms for timer, at_ms in armed.items() if at_ms}

    def reserves(self) -> list[Reserve]:
        """The live offers."""
        return list(self._reserves.values())

    def is_able(self, user: str, call: str) -> bool:
        """Whether the agent's skills allow the call."""
        return self._matcher.is_able(user, self._calls[call].line.demand.skills)

    def callbacks(self) -> list[Callback]:
        """The callbacks that are promised, and the latest that are over."""
        return list(self._callbacks.values())

    def mark_of(self, number: str) -> CallerMark | None:
        """The mark in force for a caller's number."""
        return self._marks.find(number)

    def marks(self) -> list[CallerMark]:
        """Marks made by people, not those of the configuration."""
        return list(self._marks.made.values())

    def announcement(self, queue: str, now_ms: int) -> str:
        """What the calendar wants callers of the queue to hear first; "" = as always."""
        entry = self._entry_of(queue, now_ms)
        return "" if entry is None else entry.announcement

    def is_open(self, queue: str, now_ms: int) -> bool:
        """Whether callers of the queue are served now."""
        settings, entry = self._queues[queue].settings, self._entry_of(queue, now_ms)
        minute = local_minute(now_ms, self._settings.utc_offset_minutes)
        return is_open(settings.opening, entry, minute)

    def _entry_of(self, queue: str, now_ms: int) -> CalendarEntry | None:
        minute = local_minute(now_ms, self._settings.utc_offset_minutes)
        return entry_at(self._settings.calendar, queue, minute)

    def is_held_for(self, call: str) -> str | None:
        """Whom alone the call waits for, until its bound is over; "" = nobody, it came too late."""
        return self._calls[call].favourite

    def _promised_in(self, queue: str) -> int:
        """Callbacks of the queue that are yet to be made."""
        names = self._numbers.values()
        return sum(self._callbacks[name].queue == queue for name in names)

    def snapshot(self) -> dict[str, Any]:
        """All of the state in plain values: equal after equal events; ready for JSON."""
        state = {
            "now_ms": self.now_ms,
            "ignored": self.ignored,
            "rejected": self.rejected,
            "queues": {name: self.queue(name) for name in self._queues},
            "intervals": {name: self.intervals(name) for name in self._queues},
            "agents": list(self._agents.values()),
            "calls": self.calls,
            "ended": list(self.ended),
            "reserves": self.reserves(),
            "timers": self.timers(),
            "callbacks": self.callbacks(),
            "marks": self.marks(),
            "delays": {user: one.ms for user, one in self._delays.items()},
            "beside": {user: list(calls) for user, calls in self._beside.items()},
        }
        plain: dict[str, Any] = msgspec.to_builtins(state, str_keys=True)
        return plain
