"""What the core shows to the desk and to the metrics: plain values, copied when asked for."""

from __future__ import annotations

import msgspec

from acd.events import AgentState
from acd.service_level import Levels, Tally


class QueueView(msgspec.Struct, frozen=True, gc=False):
    """One queue: today's counts, and `total` since the journal began (for counters)."""

    name: str
    waiting: int  # in line, no phone ringing for them
    ringing: int
    talking: int
    offered: int
    answered: int
    abandoned: int
    overflowed: int
    failed: int
    answered_in_target: int
    service_level: Levels
    total: Tally
    oldest_queued_ms: int | None  # of the calls not yet answered

    def longest_wait_seconds(self, now_ms: int) -> float:
        """The wait so far of the caller who waits the longest."""
        if self.oldest_queued_ms is None:
            return 0.0
        return max(0, now_ms - self.oldest_queued_ms) / 1000


class AgentView(msgspec.Struct, frozen=True, gc=False):
    """One agent."""

    user: str
    state: AgentState
    since_ms: int
    call: str | None
    reason: str = ""
