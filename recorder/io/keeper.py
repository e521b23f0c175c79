"""The keeper: from the spool to the store, and nothing leaves the spool before the store has it."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from recorder.approvers import Approvers
from recorder.events import (
    Delayed,
    Event,
    Failed,
    Outcome,
    SpaceChanged,
    StoreBack,
    Stored,
    StoreLost,
)
from recorder.io import audit, playback
from recorder.io.audit import Verification
from recorder.io.custodian import Custodian
from recorder.io.hands import Apart, Hands, HandsLost, Threads
from recorder.io.index import Entry, IndexFailed, Query
from recorder.io.playback import Playback
from recorder.io.settings import KeeperSettings, open_vault
from recorder.io.spooled import KeeperError, Snapshot
from recorder.io.store import Store, StoreError
from recorder.io.vault import StillOpen, Vault
from recorder.io.warden import Warden
from recorder.room import Room, Watermarks, judge

__all__ = ["Keeper", "KeeperError", "KeeperSettings", "KeeperStatus", "Playback", "open_vault"]

STILL_OPEN_SECONDS = 0.2
PROBE_SECONDS = 30.0
AWAY_PROBE_SECONDS = 10.0  # a store that is back is not to be waited for: asking costs nothing

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class KeeperStatus:
    spooled: int  # recordings in the spool, those that still grow included
    stored: int  # since start
    failed: int  # since start
    spool_bytes: int
    oldest_unstored_seconds: float
    store_ok: bool
    free_bytes: int
    space: str  # ok, low, full
    alerts: tuple[str, ...]


@dataclass(slots=True)
class Job:
    """One finished recording on its way; `since` is monotonic seconds."""

    recording: str
    extra: dict[str, Any] | None
    since: float
    attempts: int = 0
    why: str = ""


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
        self._where = ", ".join(map(str, self._spooled.folders))
        self._jobs: dict[str, Job] = {}
        self._queue: asyncio.Queue[Job] = asyncio.Queue()
        self._store_up = asyncio.Event()
        self._store_up.set()
        self._timers: set[asyncio.TimerHandle] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._held: set[str] = set()  # written by a worker that outlived its engine
        self._seen: set[str] = set()
        self._snapshot = Snapshot(frozenset(), 0, 0, {})
        self._room = Room()
        self._failing = 0  # spool folders that cannot be written to
        self._try_out_at = 0.0
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

    async def start(self) -> None:
        """Recovers what a killed engine left in the spool, then keeps what is finished.

        Starts with the store or the database away as well; raises KeeperError for the spool.
        """
        self._locks = await self._in_thread(self._spooled.lock)
        await self._look()
        for recording in self._spooled.noted():
            self._recover(recording, 0.0)
        for recording, age in self._snapshot.idle.items():
            self._recover(recording, age)
        self._held = set(self._snapshot.names) - set(self._jobs)
        self._spawn(self._watch())
        self._spawn(self.warden.find_abilities(self._store_up))
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
        self._judge_space()

    def status(self) -> KeeperStatus:
        now = time.monotonic()
        oldest = max((now - job.since for job in self._jobs.values()), default=0.0)
        return KeeperStatus(
            spooled=len(self._seen | self._jobs.keys()),
            stored=self._counts["stored"],
            failed=self._counts["failed"],
            spool_bytes=self._snapshot.spool_bytes,
            oldest_unstored_seconds=oldest,
            store_ok=self._store_up.is_set(),
            free_bytes=self._snapshot.free_bytes,
            space=self._room.state,
            alerts=tuple(self._whys[name] for name in sorted(self._whys)),
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
        if not idle:  # whatever is in the middle of an upload keeps the lock
            return
        self._vault.index.close()
        for descriptor in self._locks:
            os.close(descriptor)
        self._locks = []

    def _busy(self) -> bool:
        waiting = any(not job.attempts for job in self._jobs.values())
        return bool(self._keeping) or (waiting and self._store_up.is_set())

    def _recover(self, recording: str, age_seconds: float) -> None:
        if recording in self._jobs:
            return
        job = self._jobs[recording] = Job(recording, None, time.monotonic() - age_seconds)
        self._held.discard(recording)
        self._queue.put_nowait(job)

    async def _work(self) -> None:
        while True:
            job = await self._queue.get()
            await self._store_up.wait()
            await self._attempt(job)

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
            self._whys["spool"] = f"{self._where}: {error.strerror or error}"
        except IndexFailed as error:
            self._whys["database"] = str(error)

    async def _attempt(self, job: Job) -> None:
        self._keeping += 1
        told = job.extra
        try:
            outcome = await self._hands.keep(job.recording, told)
        except StillOpen:
            self._later(job, STILL_OPEN_SECONDS)
        except Exception as error:  # whatever it is, the recording stays in the spool
            self._failed_attempt(job, error)
        else:
            self._done(job, outcome)
            if job.extra is not told:  # something was added meanwhile: it goes behind
                self._begin(job)
        finally:
            self._keeping -= 1

    def _done(self, job: Job, outcome: Outcome) -> None:
        del self._jobs[job.recording]
        self._seen.discard(job.recording)
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
                self._store_lost(job.why)
        elif isinstance(error, IndexFailed):
            self._whys["database"] = job.why
        else:
            self._whys["sealing"] = f"recording {job.recording} cannot be sealed: {job.why}"
        delay = self._back_off(job.attempts)
        self._tell(Delayed(job.recording, job.why, delay))
        self._later(job, delay)

    def _later(self, job: Job, delay: float) -> None:
        def due() -> None:
            self._timers.discard(timer)
            self._queue.put_nowait(job)

        timer = asyncio.get_running_loop().call_later(delay, due)
        self._timers.add(timer)

    def _back_off(self, attempts: int) -> float:
        """Doubles up to the last; the half of it is chance, so that many do not come at once."""
        whole = self._settings.first_retry_seconds * 2 ** min(attempts - 1, 20)
        return float(min(self._settings.last_retry_seconds, whole) * random.uniform(0.5, 1.0))

    def _store_lost(self, why: str) -> None:
        if self._store_up.is_set():
            self._store_up.clear()
            self._tell(StoreLost(why))
            self._spawn(self._probe_until_back())

    async def _probe_until_back(self) -> None:
        """While the store is away nothing is sealed or sent: the spool grows, memory does not."""
        since = time.monotonic()
        attempts = 0
        while not self._store_up.is_set():
            attempts += 1
            await asyncio.sleep(min(AWAY_PROBE_SECONDS, self._back_off(attempts)))
            if await self._probe():
                self._store_up.set()
                self._whys.pop("store", None)
                self._tell(StoreBack(time.monotonic() - since))

    async def _probe(self) -> bool:
        try:
            await self._in_thread(self._vault.store.probe)
        except StoreError as error:
            self._whys["store"] = str(error)
            return False
        return True

    async def _watch(self) -> None:
        """Space, orphans and the health of store and database, also when nobody calls."""
        probed = float("-inf")
        while True:
            if time.monotonic() - probed >= PROBE_SECONDS:
                probed = time.monotonic()
                await self._check_health()
            await self._look()
            for recording, age in self._snapshot.idle.items():
                if recording in self._held or age >= self._settings.orphan_seconds:
                    self._recover(recording, age)
            await asyncio.sleep(self._settings.watch_seconds)

    async def _check_health(self) -> None:
        if self._store_up.is_set() and not await self._probe():
            self._store_lost(self._whys["store"])
        try:
            await self._in_thread(self._vault.index.prepare)
            self._whys.pop("database", None)
        except IndexFailed as error:
            self._whys["database"] = str(error)

    async def _look(self) -> None:
        """What lies in the spool, and whether it takes more; folders that fail are tried out."""
        try:
            # One and a half times the watermark: what can go goes before there is an alert.
            low = self._settings.low_free_bytes * 3 // 2
            await self._in_thread(self._vault.kept.let_go, time.time(), low)
            self._snapshot = await self._in_thread(self._spooled.snapshot)
            self._seen = set(self._snapshot.names)
            failing = self._snapshot.trouble
            if self._whys.keys() & {"spool", "sink"} or time.monotonic() >= self._try_out_at:
                self._try_out_at = time.monotonic() + PROBE_SECONDS
                failing = await self._in_thread(self._spooled.trouble)
                if len(failing) < len(self._spooled.folders):
                    self._whys.pop("sink", None)
        except OSError as error:
            failing = (f"{self._where}: {error.strerror or error}",) * len(self._spooled.folders)
        self._failing = len(failing)
        if failing:
            self._whys["spool"] = "; ".join(dict.fromkeys(failing))
        else:
            self._whys.pop("spool", None)
        self._judge_space()

    def _judge_space(self) -> None:
        free = self._snapshot.free_bytes
        failing, lost = self._whys.get("spool", ""), self._whys.get("sink", "")
        if self._failing == len(self._spooled.folders):
            lost = lost or failing
        marks = Watermarks(self._settings.low_free_bytes, self._settings.full_free_bytes)
        room = judge(self._room, free, marks, failing, lost)
        if room.state == "ok":
            self._whys.pop("space", None)
        else:
            self._whys["space"] = f"{self._where}: {free >> 20} MiB free: {room.why}"
        if room.state != self._room.state:
            self._tell(SpaceChanged(room.state, free, room.why))
        self._room = room

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
