"""A keeper with folders of its own, and a store whose faults can be turned on."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

from recorder.io.keeper import Keeper, KeeperSettings
from recorder.io.objects import NO_TERMS
from recorder.io.store import DirectoryStore, StoreError, WrongHash


class House:
    """A keeper with folders of its own, and what it told."""

    def __init__(self, tmp_path: Path) -> None:
        self.spool = tmp_path / "spool"
        self.store = tmp_path / "store"
        self.told: list = []
        self.news = asyncio.Event()
        self.options = {
            "spool": str(self.spool),
            "store": f"file:{self.store}",
            "database_url": f"sqlite:///{tmp_path}/index.db",
            "first_retry_seconds": 0.02,
            "last_retry_seconds": 0.1,
            "watch_seconds": 0.05,
            "stop_seconds": 3.0,
        }
        self.keepers: list[Keeper] = []
        self.spool.mkdir()

    def keeper(self, store=None, **options) -> Keeper:
        settings = KeeperSettings(**{**self.options, **options})
        self.keepers.append(Keeper(settings, self.hear, store))
        return self.keepers[-1]

    def hear(self, event) -> None:
        self.told.append(event)
        self.news.set()

    async def wait(self, kind: type, count: int = 1) -> list:
        async with asyncio.timeout(15):
            while True:
                found = [event for event in self.told if isinstance(event, kind)]
                if len(found) >= count:
                    return found
                await self.news.wait()
                self.news.clear()

    async def until(self, condition) -> None:
        """For what the keeper's own watch finds out; nothing tells of it."""
        async with asyncio.timeout(15):
            while not condition():  # noqa: ASYNC110
                await asyncio.sleep(0.005)


class FaultyStore(DirectoryStore):
    """A directory whose faults are turned on and off."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.away = False
        self.wrong = 0
        self.at_once: dict[str, int] = {}
        self.most_at_once = 0
        self.guard = threading.Lock()

    def put(self, key, path, sha256, content_type, terms=NO_TERMS):
        with self.guard:
            self.at_once[key] = self.at_once.get(key, 0) + 1
            self.most_at_once = max(self.most_at_once, self.at_once[key])
        try:
            self.probe()
            time.sleep(0.01)
            if self.wrong and key.endswith(".flac"):
                self.wrong -= 1
                raise WrongHash("the store: read back as beef")
            super().put(key, path, sha256, content_type, terms)
        finally:
            with self.guard:
                self.at_once[key] -= 1

    def stat(self, key):
        self.probe()
        return super().stat(key)

    def holds(self, key, path, sha256):
        self.probe()
        return super().holds(key, path, sha256)

    def probe(self):
        if self.away:
            raise StoreError("the store: it does not answer")
        super().probe()
