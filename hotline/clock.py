"""The two clocks: the loop's for timers, and wall time that never jumps for the records."""

import asyncio
import time
from datetime import UTC, datetime
from functools import lru_cache

SECOND = len("2026-01-01T00:00:00")


class Clock:
    """Wall time carried forward by the monotonic clock.

    A step of the system's clock (NTP, an operator) must not move a deadline or a wait: wall time
    is read once, at the start, and counted on from there.
    """

    def __init__(self) -> None:
        self._wall_ms = time.time_ns() // 1_000_000
        self._start = time.monotonic()

    def now(self) -> float:
        """Seconds on the loop's clock."""
        return asyncio.get_running_loop().time()

    def anywhere(self) -> float:
        """The same, in a thread that has no loop: asyncio's and uvloop's clock is this one."""
        return time.monotonic()

    def wall_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self._wall_ms + round((time.monotonic() - self._start) * 1000)

    def at_ms(self, then: float) -> int:
        """Milliseconds since the epoch of a moment on the loop's clock."""
        return self._wall_ms + round((then - self._start) * 1000)

    def iso_now(self) -> str:
        """Wall time as text."""
        return iso(self.wall_ms())

    def utc_offset_minutes(self) -> int:
        """Of the machine's zone, now."""
        offset = datetime.fromtimestamp(self.wall_ms() / 1000, UTC).astimezone().utcoffset()
        return 0 if offset is None else round(offset.total_seconds() / 60)


def iso(at_ms: int) -> str:
    """ISO 8601 with milliseconds, in local time with its offset."""
    seconds, milliseconds = divmod(at_ms, 1000)
    second, offset = _local(seconds)
    return f"{second}.{milliseconds:03d}{offset}"


@lru_cache(maxsize=64)
def _local(seconds: int) -> tuple[str, str]:
    """To ask for the zone's offset costs as much as all the rest of a live event."""
    moment = datetime.fromtimestamp(seconds, UTC).astimezone()
    text = moment.isoformat(timespec="seconds")
    return text[:SECOND], text[SECOND:]
