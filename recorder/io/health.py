"""Whether store and database can be used: both are asked now and then, and must answer in time.

A folder on a server that has gone and a database whose machine stopped raise nothing: they hang.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from recorder.events import Event, StoreBack, StoreLost
from recorder.io.index import IndexFailed
from recorder.io.jobs import back_off
from recorder.io.objects import StoreError
from recorder.io.settings import KeeperSettings
from recorder.io.vault import Vault

PROBE_SECONDS = 30.0
AWAY_PROBE_SECONDS = 10.0  # a store that is back is not to be waited for: asking costs nothing


class Silent(Exception):
    """No answer in time, and none yet."""


@dataclass(slots=True)
class Health:
    """`whys` is the keeper's, and so is `takes_one`: whether the store took a recording, or none
    waits. All methods are for the event loop's thread.
    """

    vault: Vault
    settings: KeeperSettings
    tell: Callable[[Event], None]
    whys: dict[str, str]
    takes_one: Callable[[], Awaitable[bool]]
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    store_up: asyncio.Event = field(default_factory=asyncio.Event)
    _database_seen: bool = False
    _asked: dict[str, asyncio.Future[None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store_up.set()

    @property
    def database_ok(self) -> bool:
        """False until the first look at it."""
        return self._database_seen and "database" not in self.whys

    async def watch(self) -> None:
        """Also when nobody calls."""
        while True:
            await asyncio.gather(self._look_at_store(), self._look_at_database())
            await asyncio.sleep(PROBE_SECONDS if self.database_ok else AWAY_PROBE_SECONDS)

    def lose_store(self, why: str) -> None:
        """Nothing is sealed or sent from now on: the spool grows, memory does not."""
        if self.store_up.is_set():
            self.store_up.clear()
            self.tell(StoreLost(why))
            self.spawn(self._until_back())

    def stop(self) -> None:
        """What has not answered is not waited for."""
        for asked in self._asked.values():
            asked.cancel()

    async def _until_back(self) -> None:
        """A store that answers may still take nothing (rights, a quota, its key service): one
        recording is tried before the others come.
        """
        since = time.monotonic()
        attempts = 0
        while True:
            attempts += 1
            await asyncio.sleep(min(AWAY_PROBE_SECONDS, back_off(self.settings, attempts)))
            if await self._store_answers() and await self.takes_one():
                break
        self.store_up.set()
        self.whys.pop("store", None)
        self.tell(StoreBack(time.monotonic() - since))

    async def _look_at_store(self) -> None:
        if self.store_up.is_set() and not await self._store_answers():
            self.lose_store(self.whys["store"])

    async def _store_answers(self) -> bool:
        store = self.vault.store
        try:
            await self._in_time("store", store.probe)
        except StoreError as error:
            self.whys["store"] = str(error)
        except Silent as silent:
            self.whys["store"] = f"{store.url}: {silent}"
        else:
            return True
        return False

    async def _look_at_database(self) -> None:
        index = self.vault.index
        try:
            await self._in_time("database", index.prepare)
        except IndexFailed as error:
            self.whys["database"] = str(error)
        except Silent as silent:
            self.whys["database"] = f"{index.where}: {silent}"
        else:
            self._database_seen = True
            self.whys.pop("database", None)

    async def _in_time(self, name: str, work: Callable[[], None]) -> None:
        """Raises Silent; what still hangs from the last time is waited for, not asked again."""
        asked = self._asked.get(name)
        if asked is None or asked.done():
            asked = self._asked[name] = in_daemon(work)
        await asyncio.wait({asked}, timeout=self.settings.answer_seconds)
        if not asked.done():
            raise Silent(f"it has not answered for {self.settings.answer_seconds:g} s")
        asked.result()


def in_daemon(work: Callable[[], None]) -> asyncio.Future[None]:
    """In a thread of its own that the end of the process does not wait for."""
    done: concurrent.futures.Future[None] = concurrent.futures.Future()
    done.set_running_or_notify_cancel()  # from here on it ends by itself alone

    def run() -> None:
        try:
            work()
        except Exception as error:
            done.set_exception(error)
        else:
            done.set_result(None)

    threading.Thread(target=run, name="keeper-health", daemon=True).start()
    future = asyncio.wrap_future(done)
    future.add_done_callback(lambda one: one.cancelled() or one.exception())  # heard, if late
    return future
