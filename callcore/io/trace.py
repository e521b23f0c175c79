"""The tap: every SIP message as it passes, for those who trace; nothing at all when nobody does."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from callcore.engine import Engine
from callcore.flow import Flow

MOST_WAITING = 2000  # messages of one tracer that reads slowly; older ones are dropped


@dataclass(frozen=True, slots=True)
class Packet:
    """One message; `at_us` is wall time in microseconds."""

    at_us: int
    direction: Literal["in", "out"]
    flow: Flow
    data: bytes


class Trace:
    """What one tracer has not read yet."""

    def __init__(self, wake: Callable[[], None], close: Callable[["Trace"], None]) -> None:
        self.dropped = 0
        self._packets: deque[Packet] = deque()
        self._wake = wake
        self._close = close

    def put(self, packet: Packet) -> None:
        """Keep a message, and say so."""
        if len(self._packets) >= MOST_WAITING:
            self._packets.popleft()
            self.dropped += 1
        self._packets.append(packet)
        self._wake()

    def take(self) -> list[Packet]:
        """All that came since."""
        taken = list(self._packets)
        self._packets.clear()
        return taken

    def close(self) -> None:
        """Read no more."""
        self._close(self)


class Tracer:
    """Hands what passes an engine to all who trace; the engine is asked only while there are any.

    `put` runs within the engine's own step, so it only keeps the bytes; waking is the loop's.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._traces: list[Trace] = []

    def __len__(self) -> int:
        return len(self._traces)

    def open(self, wake: Callable[[], None]) -> Trace:
        """Begin to trace; `wake` is called soon after each message."""
        loop = asyncio.get_running_loop()

        def wake_soon() -> None:
            loop.call_soon(wake)

        trace = Trace(wake_soon, self._closed)
        self._traces.append(trace)
        self._engine.reception.tap = self._passed
        return trace

    def _closed(self, trace: Trace) -> None:
        if trace in self._traces:
            self._traces.remove(trace)
        if not self._traces:
            self._engine.reception.tap = None

    def _passed(self, direction: Literal["in", "out"], data: bytes, flow: Flow) -> None:
        packet = Packet(time.time_ns() // 1000, direction, flow, data)
        for trace in self._traces:
            trace.put(packet)
