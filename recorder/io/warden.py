"""What the keeper does for the auditor: what the store can do, recordings proved, and expired."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

from recorder.due import Look, believed
from recorder.events import Event, Expired, GuardChecked, StoreLimits
from recorder.io import guard
from recorder.io.audit import Problem
from recorder.io.custodian import Custodian
from recorder.io.database import IndexFailed
from recorder.io.expiry import expire
from recorder.io.guard import Checked
from recorder.io.index import Entry
from recorder.io.objects import Abilities, StoreError
from recorder.io.vault import Vault

ABILITIES_SECONDS = 3600.0
ASK_AGAIN_SECONDS = 10.0
DAY_SECONDS = 86_400.0
EXPIRED_AT_ONCE = 50


@dataclass(slots=True)
class Warden:
    """`whys` is the keeper's: what is wrong now, by what it is wrong with."""

    vault: Vault
    custodian: Custodian
    threads: Executor
    tell: Callable[[Event], None]
    whys: dict[str, str]
    abilities: Abilities | None = None  # until the store has told them
    played: int = 0
    failed: int = 0
    played_at: float | None = None  # seconds since the epoch; None before the first
    looked: Look | None = None  # at the clocks

    async def find_abilities(self, store_up: asyncio.Event) -> None:
        """What the store does not do by itself is said at the start, and when it changes."""
        while True:
            await store_up.wait()
            try:
                self._found(await self._asked())
            except StoreError:
                await asyncio.sleep(ASK_AGAIN_SECONDS)  # the keeper's own look tells of it
            else:
                await asyncio.sleep(ABILITIES_SECONDS)

    async def _asked(self) -> Abilities:
        """In a thread: a store in a network is asked several things, and may take its time."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.threads, self.vault.store.abilities)

    def _found(self, abilities: Abilities) -> None:
        self.abilities = abilities
        lacks = abilities.warnings(self.vault.retention_days)
        told = f"{self.vault.store.url}: {'; '.join(lacks)}" if lacks else ""
        if told and told != self.whys.get("abilities"):
            self.tell(StoreLimits(lacks))
        self.whys.pop("abilities", None)
        if told:
            self.whys["abilities"] = told

    async def guard(self, per_day: float) -> None:
        """At moments at random, so that nothing else that is daily meets it each time."""
        while per_day:
            await asyncio.sleep(DAY_SECONDS / per_day * random.uniform(0.5, 1.5))
            try:
                await self.prove_one()
                await self.expire_due(Look(int(time.time() * 1000), time.monotonic()))
            except (StoreError, IndexFailed):
                continue  # said elsewhere
            except Exception as error:  # no room to decode in, a document that cannot be read ...
                told = getattr(error, "strerror", None) or str(error) or type(error).__name__
                self.whys["guard"] = f"no recording could be proved: {told}"  # and tomorrow again

    async def prove_one(self) -> Checked | None:
        """Fetches and plays a recording at random; None when there is none."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self.threads, self._prove)
        if found is None:
            return None
        self.whys.pop("guard", None)
        if found.why:
            self.failed += 1
            self.whys["guard"] = f"recording {found.recording} does not play: {found.why}"
        else:
            self.played += 1
            self.played_at = time.time()
        self.tell(GuardChecked(found.recording, found.why, found.seconds))
        return found

    async def expire_due(self, look: Look) -> None:
        """Once a day, what is past its date in a store that has no rule of its own for that."""
        if not (await self._asked()).ours:
            return
        self.looked, until_ms = believed(self.looked, look)
        if until_ms is None:
            return
        self.whys.pop("expiry", None)
        loop = asyncio.get_running_loop()
        going = expire(self.vault, self.custodian, until_ms)
        while found := await loop.run_in_executor(self.threads, _some, going):
            for one in found:
                self._tell_expired(one)

    def _tell_expired(self, one: Entry | Problem) -> None:
        if isinstance(one, Problem):
            self.whys["expiry"] = f"recording {one.recording} cannot be expired: {one.why}"
        else:
            self.tell(Expired(one.recording, one.retain_until_ms))

    def _prove(self) -> Checked | None:
        entry = guard.pick(self.vault, random.random)
        if entry is None:
            return None
        return guard.check(self.vault, self.custodian, entry, int(time.time() * 1000))


def _some(going: Iterator[Entry | Problem]) -> list[Entry | Problem]:
    """The next few, so that each is told soon after it was done; blocks."""
    return list(itertools.islice(going, EXPIRED_AT_ONCE))
