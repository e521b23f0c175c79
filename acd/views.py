"""What the core shows to the desk and to the metrics: plain values, copied when asked for."""

from __future__ import annotations

import msgspec

from acd.effects import AgentState
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
    called_back: int
    rejected: int
    answered_in_target: int
    service_level: Levels
    total: Tally
    oldest_queued_ms: int | None  # of the calls not yet answered
    callbacks: int  # promised and not yet made
    predicted_wait_seconds: float | None  # of a caller who arrived now; None = nobody on duty
    handle_seconds: float  # talk and wrap-up, as measured
    patience_seconds: float  # of the callers, as measured

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
    until_ms: int = 0  # when its state ends, or is reported; 0 = never
    mobile: bool = False  # rings or talks at the mobile
    delay_ms: int | None = None  # its own answer delay, as measured
