"""What lies in the spool, and whether it takes more: looked at again and again, and judged."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from recorder.events import Event, SpaceChanged
from recorder.io.settings import KeeperSettings
from recorder.io.spooled import Snapshot
from recorder.io.vault import Vault
from recorder.room import Room, Watermarks, judge

TRY_OUT_SECONDS = 30.0
T = TypeVar("T")


@dataclass(slots=True)
class Lookout:
    """`whys` is the keeper's: what is wrong now, by what it is wrong with."""

    vault: Vault
    settings: KeeperSettings
    tell: Callable[[Event], None]
    whys: dict[str, str]
    snapshot: Snapshot = field(default_factory=lambda: Snapshot(frozenset(), 0, 0, {}))
    room: Room = field(default_factory=Room)
    _failing: int = 0  # spool folders that cannot be written to
    _try_out_at: float = 0.0
    # Its own: whoever listens to long recordings must not keep it from looking.
    _threads: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, "keeper-lookout")
    )

    @property
    def where(self) -> str:
        return ", ".join(map(str, self.vault.spooled.folders))

    async def look(self) -> bool:
        """Whether `snapshot` is new; folders that fail are tried out."""
        spooled = self.vault.spooled
        is_new = False
        try:
            # One and a half times the watermark: what can go goes before there is an alert.
            low = self.settings.low_free_bytes * 3 // 2
            await self._in_thread(lambda: self.vault.kept.let_go(time.time(), low))
            self.snapshot = await self._in_thread(spooled.snapshot)
            is_new = True
            failing = self.snapshot.trouble
            if self.whys.keys() & {"spool", "sink"} or time.monotonic() >= self._try_out_at:
                self._try_out_at = time.monotonic() + TRY_OUT_SECONDS
                failing = await self._in_thread(spooled.trouble)
                if len(failing) < len(spooled.folders):
                    self.whys.pop("sink", None)
        except OSError as error:
            failing = (f"{self.where}: {error.strerror or error}",) * len(spooled.folders)
        self._failing = len(failing)
        self._say("spool", failing)
        self._say("unreadable", self.snapshot.unreadable)
        self.judge()
        return is_new

    def judge(self) -> None:
        """Room by what is known now."""
        free = self.snapshot.free_bytes
        failing, lost = self.whys.get("spool", ""), self.whys.get("sink", "")
        if self._failing == len(self.vault.spooled.folders):
            lost = lost or failing
        marks = Watermarks(self.settings.low_free_bytes, self.settings.full_free_bytes)
        room = judge(self.room, free, marks, failing, lost)
        if room.state == "ok":
            self.whys.pop("space", None)
        else:
            self.whys["space"] = f"{self.where}: {free >> 20} MiB free: {room.why}"
        if room.state != self.room.state:
            self.tell(SpaceChanged(room.state, free, room.why))
        self.room = room

    def stop(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _say(self, name: str, lines: tuple[str, ...]) -> None:
        if lines:
            self.whys[name] = "; ".join(dict.fromkeys(lines))
        else:
            self.whys.pop(name, None)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)
