"""The keeper: from the spool to the store, and nothing leaves the spool before the store has it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from recorder.approvers import Approvers
from recorder.events import Delayed, Event, Failed, Outcome, Stored
from recorder.io import audit, playback
from recorder.io.audit import Verification
from recorder.io.custodian import Custodian
from recorder.io.hands import Apart, Hands, HandsLost, Threads
from recorder.io.health import Health
from recorder.io.index import Entry, IndexFailed, Query
from recorder.io.jobs import Job, back_off
from recorder.io.lookout import Lookout
from recorder.io.playback import Playback
from recorder.io.settings import KeeperSettings, open_vault
from recorder.io.spooled import KeeperError
from recorder.io.store import Store, StoreError
from recorder.io.vault import StillOpen, Vault
from recorder.io.warden import Warden

__all__ = ["Keeper", "KeeperError", "KeeperSettings", "KeeperStatus", "Playback", "open_vault"]

STILL_OPEN_SECONDS = 0.2

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeeperStatus:
    spooled: int  # recordings in the spool, those that still grow included
    stored: int  # since start
    failed: int  # since start
    spool_bytes: int
    oldest_unstored_seconds: float
    store_ok: bool
    database_ok: bool  # False until the first look at it
    free_bytes: int
    space: str  # ok, low, full
    alerts: tuple[str, ...]
    alert_names: tuple[str, ...]  # what each is about: store, database, spool, guard, ...


class Keeper:
    """One a process and spool folder. All methods are for the event loop's thread."""

    def __init__(
        self,
        settings: KeeperSettings,
        on_event: Callable[[Event], None],
        store: Store | None = None,
    ) -> None:
        self._settings = settings
        self._on_event = on_event
        self._vault = open_vault(settings, store)
        self._spooled = self._vault.spooled
        self._jobs: dict[str, Job] = {}
        self._queue: asyncio.Queue[Job] = asyncio.Queue()
        self._timers: set[asyncio.TimerHandle] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: set[str] = set()  # written by a worker that outlived its engine
        self._seen: set[str] = set()
        self._finished: set[str] = set()  # since the last look at the spool began
        self._counts = {"stored": 0, "failed": 0}
        self._keeping = 0
        self._noting: set[asyncio.Task[None]] = set()
        self._whys: dict[str, str] = {}  # what is wrong now, by what it is wrong with
        self._locks: list[int] = []
        self._hands: Hands = (
            Apart(settings)
            if settings.apart and store is None
            else Threads(self._vault, settings.workers)
        )
        self._others = ThreadPoolExecutor(4, "keeper-desk")
        self.custodian = Custodian(self._vault, Approvers(dict(settings.approvers)))
        self.warden = Warden(self._vault, self.custodian, self._others, self._tell, self._whys)
        self._lookout = Lookout(self._vault, settings, self._tell, self._whys)
        self._health = Health(
            self._vault, settings, self._tell, self._whys, self._takes_one, self._spawn
        )

    async def start(self) -> None:
        """Recovers what a killed engine left in the spool, then keeps what is finished.

        Starts with the store or the database away as well; raises KeeperError for the spool.
        """
        self._locks = await self._in_thread(self._spooled.lock)
        await self._look()
        for recording in self._spooled.noted():
            self._recover(recording, 0.0)
        for recording, age in self._lookout.snapshot.idle.items():
            self._recover(recording, age)
        self._held = set(self._lookout.snapshot.names) - set(self._jobs)
        self._spawn(self._watch())
        self._spawn(self._health.watch())
        self._spawn(self.warden.find_abilities(self._health.store_up))
        self._spawn(self.warden.guard(self._settings.guard_per_day))
        for _ in range(self._settings.workers):
            self._spawn(self._work())

    def finish(self, recording: str, extra: dict[str, Any]) -> None:
        """The recording is closed; `extra` (ended_ms, agent, queue, ...) goes over its header.

        Once more with an `order`, whenever that is known, also when it was stored long ago.
        """
        job = self._jobs.get(recording)
        if job is not None:
            job.extra = {**(job.extra or {}), **extra}
            self._noting_task(job)
            return
        self._held.discard(recording)
        self._begin(Job(recording, dict(extra), time.monotonic()))

    def _begin(self, job: Job) -> None:
        """Its note first: a kill must not lose what is known."""
        self._jobs[job.recording] = job
        self._noting_task(job).add_done_callback(lambda _: self._queue.put_nowait(job))

    def sink_failed(self, recording: str, why: str) -> None:
        """A media worker could not write; the alert stays until the spool can be written again."""
        self._whys["sink"] = f"recording {recording} loses audio: {why}"
        self._lookout.judge()

    def status(self) -> KeeperStatus:
        now = time.monotonic()
        jobs = self._jobs.values()
        ages = [now - job.since for job in jobs]
        # Nobody writes these any more, and nobody has told their end: it may never come.
        idle = self._lookout.snapshot.idle.items()
        ages += [age for name, age in idle if name in self._seen and name not in self._jobs]
        return KeeperStatus(
            spooled=len(self._seen | {job.recording for job in jobs if not job.amends}),
            stored=self._counts["stored"],
            failed=self._counts["failed"],
            spool_bytes=self._lookout.snapshot.spool_bytes,
            oldest_unstored_seconds=max(ages, default=0.0),
            store_ok=self._health.store_up.is_set(),
            database_ok=self._health.database_ok,
            free_bytes=self._lookout.snapshot.free_bytes,
            space=self._lookout.room.state,
            alerts=tuple(self._whys[name] for name in sorted(self._whys)),
            alert_names=tuple(sorted(self._whys)),
        )

    @property
    def vault(self) -> Vault:
        """Store, index and spool; its methods block."""
        return self._vault

    async def ask(self, work: Callable[..., T], *arguments: Any) -> T:
        """What the desk wants done in a thread: index, store and files block."""
        return await self._in_thread(work, *arguments)

    async def get(self, recording: str) -> Entry | None:
        return await self._in_thread(self._vault.index.get, recording)

    async def find(self, query: Query) -> list[Entry]:
        return await self._in_thread(self._vault.index.find, query)

    async def read(self, recording: str, form: str = "flac") -> Playback | None:
        """`form` is "flac" or "wav"; what is still in the spool can be heard as well."""
        return await self._in_thread(playback.play, self._vault, recording, form)

    async def run(self, work: Callable[..., T], *arguments: Any) -> T:
        """For the custodian's calls, which block."""
        return await self._in_thread(work, *arguments)

    async def verify(self) -> Verification:
        """Works on a keeper that was never started too; raises StoreError or IndexFailed."""
        vault = self._vault
        return await self._in_thread(audit.verify, vault.index, vault.store, vault.keys)

    async def stop(self) -> None:
        """Ends what can be within `stop_seconds`; the rest waits in the spool for next time."""
        if self._noting:
            await asyncio.wait(set(self._noting))
        end = time.monotonic() + self._settings.stop_seconds
        while self._busy() and time.monotonic() < end:  # noqa: ASYNC110 (threads set no event)
            await asyncio.sleep(0.02)
        for timer in self._timers:
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        idle = await self._hands.stop()
        self._others.shutdown(wait=False, cancel_futures=True)
        self._lookout.stop()
        self._health.stop()
        if not idle:  # whatever is in the middle of an upload keeps the lock
            return
        self._vault.index.close()
        for descriptor in self._locks:
            os.close(descriptor)
        self._locks = []

    def _busy(self) -> bool:
        waiting = any(not job.attempts for job in self._jobs.values())
        return bool(self._keeping) or (waiting and self._health.store_up.is_set())

    def _recover(self, recording: str, age_seconds: float) -> None:
        if recording in self._jobs:
            return
        job = self._jobs[recording] = Job(recording, None, time.monotonic() - age_seconds)
        self._held.discard(recording)
        self._queue.put_nowait(job)

    async def _work(self) -> None:
        while True:
            await self._health.store_up.wait()
            job = await self._queue.get()
            if self._health.store_up.is_set():
                await self._attempt(job)
            else:  # lost meanwhile: it waits with the others
                self._queue.put_nowait(job)

    async def _takes_one(self) -> bool:
        while self._jobs:
            if not self._queue.empty():
                return await self._attempt(self._queue.get_nowait())
            await asyncio.sleep(STILL_OPEN_SECONDS)  # all of them wait for their next attempt
        return True

    def _noting_task(self, job: Job) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(self._note(job))
        self._noting.add(task)
        task.add_done_callback(self._noting.discard)
        return task

    async def _note(self, job: Job) -> None:
        """Best effort: the facts are also in memory, and the index row is only for the eye."""
        extra = dict(job.extra or {})
        announces = "database" not in self._whys
        try:
            try:
                await self._hands.note(job.recording, extra, announces)
            except HandsLost:
                await self._in_thread(self._vault.note, job.recording, extra, announces)
        except OSError as error:
            self._whys["spool"] = f"{self._lookout.where}: {error.strerror or error}"
        except IndexFailed as error:
            self._whys["database"] = str(error)

    async def _attempt(self, job: Job) -> bool:
        """False: the store as a whole does not work."""
        self._keeping += 1
        told = job.extra
        try:
            outcome = await self._hands.keep(job.recording, told)
        except StillOpen:
            self._later(job, STILL_OPEN_SECONDS)
        except Exception as error:  # whatever it is, the recording stays in the spool
            self._failed_attempt(job, error)
            return not (isinstance(error, StoreError) and error.store_away)
        else:
            self._done(job, outcome)
            if job.extra is not told:  # something was added meanwhile: it goes behind
                self._begin(job)
        finally:
            self._keeping -= 1
        return True

    def _done(self, job: Job, outcome: Outcome) -> None:
        del self._jobs[job.recording]
        self._seen.discard(job.recording)
        self._finished.add(job.recording)
        if not any(job.attempts for job in self._jobs.values()):  # else theirs may still hold
            for why in ("store", "database", "sealing"):
                self._whys.pop(why, None)
        self._counts["stored"] += isinstance(outcome, Stored)
        self._counts["failed"] += isinstance(outcome, Failed)
        self._tell(outcome)

    def _failed_attempt(self, job: Job, error: Exception) -> None:
        job.attempts += 1
        job.why = str(error) or type(error).__name__
        if isinstance(error, StoreError):
            self._whys["store"] = job.why
            if error.store_away:
                self._health.lose_store(job.why)
        elif isinstance(error, IndexFailed):
            self._whys["database"] = job.why
        else:
            self._whys["sealing"] = f"recording {job.recording} cannot be sealed: {job.why}"
        delay = back_off(self._settings, job.attempts)
        self._tell(Delayed(job.recording, job.why, delay))
        self._later(job, delay)

    def _later(self, job: Job, delay: float) -> None:
        def due() -> None:
            self._timers.discard(timer)
            self._queue.put_nowait(job)

        timer = asyncio.get_running_loop().call_later(delay, due)
        self._timers.add(timer)

    async def _watch(self) -> None:
        """Space and orphans, also when nobody calls."""
        while True:
            await self._look()
            for recording, age in self._lookout.snapshot.idle.items():
                if recording in self._held or age >= self._settings.orphan_seconds:
                    self._recover(recording, age)
            await asyncio.sleep(self._settings.watch_seconds)

    async def _look(self) -> None:
        self._finished.clear()
        if await self._lookout.look():
            self._seen = set(self._lookout.snapshot.names) - self._finished

    def _tell(self, event: Event) -> None:
        """Not from here: a listener's error must not stop the keeper."""
        asyncio.get_running_loop().call_soon(self._on_event, event)

    def _spawn(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._others, work, *arguments)
