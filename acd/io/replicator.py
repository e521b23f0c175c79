"""The leader's side of the stream: events in batches, in order, at once or from the disk later."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from acd.core import Core
from acd.io.files import JournalDamaged, entries, head_of, segments
from acd.io.journal import Journal
from acd.io.recovery import build, newest_snapshot, snapshots
from acd.io.shared import Fenced, Shared, SharedAway, SharedForgotten, SharedGap, Writer
from acd.snapshot import Snapshot, freeze, pack

BATCH_EVENTS = 512
TAIL_EVENTS = 50_000  # kept in memory; what is older is read from the disk again
RETRY_SECONDS = 0.2


class Replicator:
    """Sends what it is offered; decisions never wait for it.

    With Redis away events wait in memory, then on the disk. `nudge` is called when Redis says that
    we may not lead: whoever owns the lease has to ask.
    """

    def __init__(self, shared: Shared, keep_events: int, nudge: Callable[[], None]) -> None:
        self.acked = 0  # the last event that the stream has
        self.offered = 0
        self.refused = 0  # batches that were fenced off
        self._shared, self._keep, self._nudge = shared, keep_events, nudge
        self._writer: Writer | None = None
        self._journal: Journal | None = None
        self._core: Callable[[], Core] | None = None
        self._tail: deque[tuple[int, bytes]] = deque(maxlen=TAIL_EVENTS)
        self._backlog: deque[tuple[int, bytes]] = deque()
        self._must_seed = False
        self._uploaded = 0
        self._wake, self._idle = asyncio.Event(), asyncio.Event()

    @property
    def lag(self) -> int:
        """Events that the stream does not have yet."""
        return max(0, self.offered - self.acked)

    def begin(
        self, writer: Writer, journal: Journal, core: Callable[[], Core], last: int, *, anew: bool
    ) -> None:
        """Write under this epoch, from the stream's last event on; `anew`: it was emptied."""
        self._writer, self._journal, self._core = writer, journal, core
        self.acked, self.offered = last, journal.sequence
        self._tail.clear()
        self._backlog.clear()
        self._must_seed = anew
        self._idle.clear()
        self._wake.set()

    def reseed(self) -> None:
        """Redis was emptied: begin with the snapshot."""
        self._must_seed = True
        self._wake.set()

    def end(self) -> None:
        """Send no more."""
        self._writer = None

    def offer(self, sequence: int, written: bytes) -> None:
        """One event, just journalled."""
        self._tail.append((sequence, written))
        self.offered = sequence
        self._idle.clear()
        self._wake.set()

    async def run(self) -> None:
        """For as long as the process lives."""
        while True:
            if not self.lag or self._writer is None:
                self._idle.set()
            await self._wake.wait()
            self._wake.clear()
            try:
                while self._writer is not None and (self.lag or self._must_seed):
                    await self._send(self._writer)
            except SharedGap as gap:
                self.acked = gap.last
                self._backlog.clear()
                self._wake.set()
            except Fenced:
                self.refused += 1
                self._writer = None
                self._nudge()
            except (SharedAway, SharedForgotten, OSError):
                self._nudge()
                await asyncio.sleep(RETRY_SECONDS)
                self._wake.set()

    async def drained(self, timeout_seconds: float) -> bool:
        """Waits until the stream has everything; for a clean end."""
        self._wake.set()
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._idle.wait()
        except TimeoutError:
            return False
        return not self.lag

    async def upload(self) -> None:
        """A newer snapshot, so that who comes late need not read from the beginning."""
        journal, writer = self._journal, self._writer
        if journal is None or writer is None:
            return
        found = snapshots(journal.folder)
        number = int(found[0].stem.rpartition("-")[2]) if found else 0
        if number > self._uploaded and number <= self.acked:
            data = await asyncio.to_thread(found[0].read_bytes)
            await self._shared.put_snapshot(writer, number, data, anew=False)
            self._uploaded = number

    async def _send(self, writer: Writer) -> None:
        if self._must_seed:
            await self._seed(writer)
            return
        batch = self._next()
        if not batch:
            await self._load()
            batch = self._next()
        if not batch:
            if self.lag:  # nor has the disk what comes next
                await self._seed(writer, past=self.acked)
            return
        frames = [one for _, one in batch]
        self.acked = await self._shared.append(writer, batch[0][0], frames, self._keep)

    def _next(self) -> list[tuple[int, bytes]]:
        for source in (self._backlog, self._tail):
            while source and source[0][0] <= self.acked:
                source.popleft()
            if source and source[0][0] == self.acked + 1:
                return [
                    one
                    for place, one in enumerate(islice(source, BATCH_EVENTS), self.acked + 1)
                    if one[0] == place  # a batch ends where the journal has a hole
                ]
        return []

    async def _load(self) -> None:
        """What is no longer in memory."""
        assert self._journal is not None
        journal, after = self._journal, self.acked

        def read(folder: Path) -> list[tuple[int, bytes]]:
            journal.flush(1.0)
            found: list[tuple[int, bytes]] = []
            with contextlib.suppress(JournalDamaged):  # as good as gone: the state is sent instead
                for one in islice(entries(folder, after), TAIL_EVENTS):
                    found.append((one.sequence, one.frame))
            return found

        self._backlog = deque(await asyncio.to_thread(read, journal.folder))

    async def _seed(self, writer: Writer, past: int = -1) -> None:
        """Begins the stream anew behind a snapshot of more than the first `past` events."""
        assert self._journal is not None
        assert self._core is not None
        folder = self._journal.folder
        found = await asyncio.to_thread(newest_snapshot, folder)
        begins_late = found is None and not _has_first(folder)
        if begins_late or (0 if found is None else found.sequence) <= past:
            # What comes before or next is gone from the disk: the state itself is all there is.
            journal, state = self._journal, freeze(self._core())
            found = Snapshot(journal.sequence, journal.epoch, build(), state)
        sequence, data = (0, b"") if found is None else (found.sequence, pack(found))
        await self._shared.put_snapshot(writer, sequence, data, anew=True)
        self._backlog.clear()
        self.acked, self._uploaded, self._must_seed = sequence, sequence, False


def _has_first(folder: Path) -> bool:
    """Whether the files that can be read begin with the first event of all."""
    files = segments(folder)
    try:
        head = head_of(files[0]) if files else None
    except JournalDamaged:
        return False
    return head is None or head.first == 1
