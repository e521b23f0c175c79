"""What can be asked of the core between two steps; nothing here changes it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Any

import msgspec

from acd.agents import Agent, timer_of
from acd.calls import Call, CallRecord
from acd.matching import Matcher
from acd.offers import Reserve
from acd.queue import Queue
from acd.service_level import Tally, tally
from acd.settings import Rule
from acd.views import AgentView, QueueView


class Board:
    """The core's state and its read side."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.ignored = 0  # stale tokens and timers, unknown calls: told too late, or twice
        self.rejected = 0  # arrivals for a queue that does not exist
        self.ended: deque[CallRecord] = deque()
        self._matcher: Matcher
        self._queues: dict[str, Queue] = {}
        self._agents: dict[str, Agent] = {}
        self._calls: dict[str, Call] = {}
        self._reserves: dict[str, Reserve] = {}

    def queue(self, name: str, now_ms: int | None = None) -> QueueView:
        """The queue as it is; KeyError for one that does not exist."""
        return self._queues[name].view(self.now_ms if now_ms is None else now_ms)

    def queues(self) -> list[str]:
        """Names of all queues."""
        return list(self._queues)

    def intervals(self, queue: str) -> dict[int, Tally]:
        """Exact counts of a queue by interval of arrival (its start); do not change them."""
        return self._queues[queue].ledger.intervals

    def agents(self) -> list[AgentView]:
        """All agents."""
        return [
            AgentView(one.user, one.state, one.since_ms, one.call, one.reason)
            for one in self._agents.values()
        ]

    def agent(self, user: str) -> AgentView | None:
        """One agent, or None."""
        one = self._agents.get(user)
        if one is None:
            return None
        return AgentView(one.user, one.state, one.since_ms, one.call, one.reason)

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
            (one for one in self.records() if one.queue == queue and one.queued_ms >= from_ms),
            rule,
        )

    def timers(self) -> dict[str, int]:
        """Every armed timer and when it fires."""
        armed = {timer_of(one.user): one.until_ms for one in self._agents.values()}
        armed.update((one.token, one.until_ms) for one in self._reserves.values())
        armed.update(("call/" + name, one.until_ms) for name, one in self._calls.items())
        return {timer: at_ms for timer, at_ms in armed.items() if at_ms}

    def reserves(self) -> list[Reserve]:
        """The live offers."""
        return list(self._reserves.values())

    def is_able(self, user: str, call: str) -> bool:
        """Whether the agent's skills allow the call."""
        return self._matcher.is_able(user, self._calls[call])

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
        }
        plain: dict[str, Any] = msgspec.to_builtins(state, str_keys=True)
        return plain
