"""How long agents may be in a state, in milliseconds: the settings that their machine needs."""

from __future__ import annotations

import msgspec

from acd.settings import AcdSettings

DAY_MS = 86_400_000


class Pace(msgspec.Struct, frozen=True, gc=False):
    """The settings that the machine needs, in milliseconds; a limit of 0 is none."""

    talking_ms: int
    held_ms: int
    not_ready_ms: int
    rest_ms: int
    no_answer_limit: int
    ready_ms: int = 0
    reasons: tuple[tuple[str, float], ...] = ()

    @property
    def away_ms(self) -> int:
        """How long a call may be in other hands than ours: longer than a talk, not for ever."""
        return max(self.talking_ms, DAY_MS)

    def break_ms(self, reason: str) -> int:
        """How long a break for this reason may last; 0 = as long as it likes."""
        for name, seconds in self.reasons:
            if name == reason:
                return round(seconds * 1000)
        return self.not_ready_ms


def pace_of(settings: AcdSettings) -> Pace:
    """Settings in milliseconds."""
    limits = settings.limits
    return Pace(
        round(limits.talking_seconds * 1000),
        round(limits.held_seconds * 1000),
        round(limits.not_ready_seconds * 1000),
        round(settings.rest_seconds * 1000),
        settings.no_answer_limit,
        round(limits.ready_seconds * 1000),
        limits.reasons,
    )
