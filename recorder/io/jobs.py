"""What is on its way from the spool to the store, and how long it waits between two attempts."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from recorder.io.settings import KeeperSettings


@dataclass(slots=True)
class Job:
    """One finished recording on its way; `since` is monotonic seconds."""

    recording: str
    extra: dict[str, Any] | None
    since: float
    attempts: int = 0
    why: str = ""

    @property
    def amends(self) -> bool:
        """A word after the end of the call: nothing of it need lie in the spool."""
        return bool(self.extra and self.extra.get("order") and "ended_ms" not in self.extra)


def back_off(settings: KeeperSettings, attempts: int) -> float:
    """Seconds; doubles up to the last, and half of it is chance: many must not come at once."""
    whole = settings.first_retry_seconds * 2 ** min(attempts - 1, 20)
    return float(min(settings.last_retry_seconds, whole) * random.uniform(0.5, 1.0))
