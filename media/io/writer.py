"""The thread that gives recordings to the sink, so that no disk ever delays a tick."""

import queue
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from media import events
from media.taps import Block

LIMIT_BYTES = 64 << 20  # waiting for a stuck disk; beyond it blocks are dropped and told


class Sink(Protocol):
    """Where recordings go; may raise anything, may block."""

    def open(self, recording: str, header: dict[str, Any]) -> Any: ...
    def write(
        self, handle: Any, first_frame: int, frames: bytes, private: int, sides: bytes
    ) -> None: ...
    def close(self, handle: Any) -> None: ...


class SinkWriter:
    """Puts are cheap and never block; events are fetched by the tick loop with `take`."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._jobs: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._ready: list[tuple[str, Any]] = []
        self._events: deque[events.Event] = deque()
        self._handles: dict[str, Any] = {}
        self._headers: dict[str, dict[str, Any]] = {}
        self._failing: set[str] = set()
        self._overrun: set[str] = set()
        self._waiting = 0  # bytes put, by the loop; `_written` by the thread
        self._written = 0
        self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="sink", daemon=True)
        self._thread.start()

    def open(self, recording: str, header: dict[str, Any]) -> None:
        self._ready.append(("open", (recording, header)))

    def write(self, block: Block) -> None:
        if self._waiting - self._written > LIMIT_BYTES:
            self.dropped += 1
            if block.recording not in self._overrun:
                self._overrun.add(block.recording)
                why = "the sink is too slow: blocks are dropped"
                self._events.append(events.SinkFailed(block.recording, why))
            return
        self._overrun.discard(block.recording)
        self._waiting += len(block.frames)
        self._ready.append(("write", block))

    def close(self, recording: str) -> None:
        self._overrun.discard(recording)
        self._ready.append(("close", recording))

    def flush(self) -> None:
        """Hand over what a tick gathered in one go, after its sends: one wake-up a tick."""
        if self._ready:
            ready, self._ready = self._ready, []
            self._jobs.put(("batch", ready))

    def take(self) -> list[events.Event]:
        """What happened in the thread since the last call."""
        taken = []
        while self._events:
            taken.append(self._events.popleft())
        return taken

    def stop(self, timeout_seconds: float) -> None:
        """Write what waits, then end the thread."""
        self.flush()
        self._jobs.put(("stop", None))
        self._thread.join(timeout_seconds)

    def _run(self) -> None:
        act: dict[str, Callable[[Any], None]] = {
            "open": self._open,
            "write": self._write,
            "close": self._close,
        }
        while True:
            kind, batch = self._jobs.get()
            if kind == "stop":
                return
            for what, argument in batch:
                act[what](argument)

    def _guard(self, recording: str, work: Callable[[], Any]) -> Any:
        """Do it; the first failure of a row of failures is told."""
        try:
            result = work()
        except Exception as error:  # the sink is somebody else's code: nothing may end this thread
            if recording not in self._failing:
                self._failing.add(recording)
                self._events.append(events.SinkFailed(recording, f"{error}" or repr(error)))
            return None
        self._failing.discard(recording)
        return result

    def _open(self, job: tuple[str, dict[str, Any]]) -> None:
        recording, self._headers[recording] = job
        self._reopen(recording)

    def _reopen(self, recording: str) -> None:
        header = self._headers[recording]
        handle = self._guard(recording, lambda: self._sink.open(recording, header))
        if handle is not None:
            self._handles[recording] = handle

    def _write(self, block: Block) -> None:
        """A recording that could not be opened is tried again with every block."""
        self._written += len(block.frames)
        if block.recording not in self._handles:
            self._reopen(block.recording)
        handle = self._handles.get(block.recording)
        if handle is not None:
            work = self._sink.write
            self._guard(
                block.recording,
                lambda: work(handle, block.first_frame, block.frames, block.private, block.sides),
            )

    def _close(self, recording: str) -> None:
        handle = self._handles.pop(recording, None)
        if handle is not None:
            self._guard(recording, lambda: self._sink.close(handle))
        self._headers.pop(recording, None)
        self._failing.discard(recording)
        self._events.append(events.RecordingClosed(recording))
