"""Whether a process that gives no sign of life is stuck, or only waits for a processor."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SUSPICIOUS = 0.5  # of the limit: from then on is looked at what the process does
PATIENCE_SECONDS = 20.0  # for one that gets no processor


@dataclass(frozen=True, slots=True)
class Usage:
    """proc(5), /proc/PID/stat: its state, and the time that it has run, in clock ticks."""

    state: str
    ticks: int


def usage_of(pid: int) -> Usage | None:
    """None where there is no such process, or no such file."""
    try:
        # The name stands in brackets, and may hold some itself.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return Usage(fields[0], int(fields[11]) + int(fields[12]))
    except (OSError, IndexError, ValueError):
        return None


class Pulse:
    """Of one process; asked again and again with the time since its last sign of life.

    Who is ready to run and has not run since the last look is starved: another process in its place
    would be starved, too, and its calls would have to move for nothing.
    """

    def __init__(self, look: Callable[[int], Usage | None] = usage_of) -> None:
        self._look = look
        self._before: Usage | None = None

    def is_stuck(self, pid: int, silent_seconds: float, limit_seconds: float) -> bool:
        """Whether it is to be killed."""
        if silent_seconds < SUSPICIOUS * limit_seconds:
            self._before = None
            return False
        before, self._before = self._before, self._look(pid)
        if silent_seconds <= limit_seconds:
            return False
        starved = before is not None and before == self._before and before.state == "R"
        return not starved or silent_seconds > PATIENCE_SECONDS
