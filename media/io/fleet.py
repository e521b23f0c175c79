"""Several processes of one kind: they start together, are watched, and stop together.

One more may wait, started, for one of them to die.
"""

import asyncio
import contextlib

from media.errors import NotStarted
from media.io.process import WorkerProcess

START_SECONDS = 20.0
SPARE_SECONDS = 3.0  # until a spare is started: others need the processor first
SPARE = -1  # its number


class Fleet:
    """`processes` are the owner's; one without a life sign for `limit_seconds` is killed."""

    def __init__(self, what: str, limit_seconds: float) -> None:
        self.processes: list[WorkerProcess] = []
        self.spare: WorkerProcess | None = None
        self._what = what
        self._limit_seconds = limit_seconds
        self._watch: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """All are up, and watched from now on; NotStarted when one is not."""
        try:
            async with asyncio.timeout(START_SECONDS):
                for process in self.processes:
                    await asyncio.shield(process.ready)
        except TimeoutError:
            raise NotStarted(f"no {self._what} within {START_SECONDS:.0f} s") from None
        self._watch = asyncio.create_task(self._look_after())

    def keep(self, spare: WorkerProcess) -> None:
        """One that nobody waits for, to take the place of another."""
        self.spare = spare
        spare.start()
        spare.rest(SPARE_SECONDS)

    def stand_in(self, place: int) -> WorkerProcess | None:
        """The spare, in the place of a process that died and is the spare when it is up again.

        None when there is none that is up.
        """
        spare, lost = self.spare, self.processes[place]
        if spare is None or not spare.up:
            return None
        spare.number, lost.number = lost.number, spare.number
        spare.setup, lost.setup = lost.setup, spare.setup
        lost.rest(SPARE_SECONDS)
        self.processes[place], self.spare = spare, lost
        return spare

    def _all(self) -> list[WorkerProcess]:
        return [*self.processes, *([self.spare] if self.spare is not None else [])]

    async def stop(self, seconds: float) -> None:
        """Each has so long to end by itself."""
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        await asyncio.gather(*(process.stop(seconds) for process in self._all()))
        for process in self._all():
            if process.ready.done() and not process.ready.cancelled():
                process.ready.exception()  # looked at, so that nobody is warned
        self.processes.clear()
        self.spare = None

    async def _look_after(self) -> None:
        """Kill processes without a life sign; a pause of our own loop is not held against them."""
        loop = asyncio.get_running_loop()
        period = min(0.5, self._limit_seconds / 4)
        while True:
            asleep = loop.time()
            await asyncio.sleep(period)
            now = loop.time()
            for process in self._all():
                process.heard = min(now, process.heard + now - asleep - period)
                allowed = self._limit_seconds if process.up else START_SECONDS
                if process.pid is not None and process.pulse.is_stuck(
                    process.pid, now - process.heard, allowed
                ):
                    process.kill()
