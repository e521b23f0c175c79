"""JSON lines: events out with both clocks, commands in without blocking."""

import contextlib
import json
import os
import select
import time
from typing import Any


class EventWriter:
    """Writes one JSON object a line: `event`, `t` (monotonic seconds), `wall_ms`, and fields."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def emit(self, event: str, **fields: Any) -> None:
        """A reader that is gone is no error: the phone ends by the end of its input."""
        line = {
            "event": event,
            "t": time.clock_gettime(time.CLOCK_MONOTONIC),
            "wall_ms": time.time_ns() // 1_000_000,
            **fields,
        }
        with contextlib.suppress(BrokenPipeError):
            os.write(self.descriptor, (json.dumps(line, ensure_ascii=False) + "\n").encode())


def take_standard_output() -> EventWriter:
    """Keeps standard output for events; whatever a library prints goes to standard error."""
    mine = os.dup(1)
    os.dup2(2, 1)
    return EventWriter(mine)


class CommandReader:
    """Reads JSON lines from a descriptor when there are some; `closed` after its end."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.closed = False
        self.rest = b""

    def poll(self, timeout_seconds: float = 0.0) -> list[dict[str, Any]]:
        """The commands that have arrived; a line that is no JSON object becomes do="?"."""
        if self.closed or not select.select([self.descriptor], [], [], timeout_seconds)[0]:
            return []
        data = os.read(self.descriptor, 65536)
        self.closed = not data
        *lines, self.rest = (self.rest + data).split(b"\n")
        return [_command(line) for line in lines if line.strip()]


def _command(line: bytes) -> dict[str, Any]:
    try:
        command = json.loads(line)
    except ValueError:
        command = None
    return command if isinstance(command, dict) else {"do": "?", "line": line.decode("latin-1")}
