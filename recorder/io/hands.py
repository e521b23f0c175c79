"""Who does the keeper's work on recordings: threads of this process, or a process of its own.

Measured with 25 calls/s: sealing takes 8 ms of processor time a recording, and threads that do it
hold the interpreter's lock whenever the loop's thread comes back from a system call. A seat then
waited 171 ms for its next call (median), and 33 ms without them (docs/decisions/0054).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import sys
from collections.abc import Awaitable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from recorder.events import Outcome
from recorder.io.vault import Vault

HEAD = 4
MODULE = "recorder.io.worker"


class HandsLost(Exception):
    """The process that kept recordings ended in the middle of one: what it did is done again."""


@dataclass(frozen=True, slots=True)
class Task:
    """`what` is keep or note; as Vault has them."""

    number: int
    what: str
    recording: str
    extra: dict[str, Any] | None
    announces: bool = False


class Hands(Protocol):
    """Both raise what the vault raises, and HandsLost."""

    def keep(self, recording: str, extra: dict[str, Any] | None) -> Awaitable[Outcome]:
        """From the spool to the store."""

    def note(self, recording: str, extra: dict[str, Any], announces: bool) -> Awaitable[None]:
        """What is known at the end of a call, into the spool and (`announces`) the index."""

    async def stop(self) -> bool:
        """No more work; whether nothing is still being done."""


class Threads:
    """In this process: for tests, and for stores that exist only here."""

    def __init__(self, vault: Vault, workers: int) -> None:
        self._vault = vault
        self._keepers = ThreadPoolExecutor(workers, "keeper")
        self._noters = ThreadPoolExecutor(1, "keeper-note")
        self._keeping: set[Future[Outcome]] = set()

    def keep(self, recording: str, extra: dict[str, Any] | None) -> Awaitable[Outcome]:
        future = self._keepers.submit(self._vault.keep, recording, extra)
        self._keeping.add(future)
        future.add_done_callback(self._keeping.discard)
        return asyncio.wrap_future(future)

    def note(self, recording: str, extra: dict[str, Any], announces: bool) -> Awaitable[None]:
        future = self._noters.submit(self._vault.note, recording, extra, announces)
        return asyncio.wrap_future(future)

    async def stop(self) -> bool:
        """A thread in the middle of an upload goes on until the process ends."""
        self._keepers.shutdown(wait=False, cancel_futures=True)
        self._noters.shutdown(wait=False, cancel_futures=True)
        return not self._keeping


class Apart:
    """In a process of low priority, started with the first task and again whenever it has ended.

    `settings` are a KeeperSettings: they go through the pipe, since a command line shows secrets.
    """

    def __init__(self, settings: Any) -> None:
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self._starting: asyncio.Task[None] | None = None
        self._unsent: list[bytes] = []
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._stopping = False

    def keep(self, recording: str, extra: dict[str, Any] | None) -> Awaitable[Outcome]:
        return self._ask("keep", recording, extra)

    def note(self, recording: str, extra: dict[str, Any], announces: bool) -> Awaitable[None]:
        return self._ask("note", recording, extra, announces)

    async def stop(self) -> bool:
        """Killed in the middle of a recording it does no harm: each step may be done twice."""
        self._stopping = True
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        if self._starting is not None:
            await asyncio.gather(self._starting, return_exceptions=True)
        return True

    def _ask(
        self, what: str, recording: str, extra: dict[str, Any] | None, announces: bool = False
    ) -> asyncio.Future[Any]:
        loop = asyncio.get_running_loop()
        self._number += 1
        future = self._waiting[self._number] = loop.create_future()
        data = frame(Task(self._number, what, recording, extra, announces))
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(data)
        else:
            self._unsent.append(data)
            if self._starting is None:
                self._starting = loop.create_task(self._live())
        return future

    async def _live(self) -> None:
        """One life of the process, from its first task to its end."""
        why = "it ended"
        try:
            await self._run()
        except Exception as error:  # whatever it sent: its tasks are done again by the next one
            why = str(error) or type(error).__name__
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._process = self._starting = None
        self._unsent.clear()
        lost, self._waiting = self._waiting, {}
        for future in lost.values():
            if not future.done():
                future.set_exception(HandsLost(f"the keeping process: {why}"))

    async def _run(self) -> None:
        # It finds the same modules as we do, a customer's key service too.
        paths = os.pathsep.join(path for path in sys.path if path)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", MODULE),
            env={**os.environ, "PYTHONPATH": paths},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        if self._stopping:
            process.kill()
        process.stdin.write(frame(self._settings) + b"".join(self._unsent))
        self._unsent.clear()
        while head := await process.stdout.read(HEAD):
            head += await process.stdout.readexactly(HEAD - len(head))
            body = await process.stdout.readexactly(int.from_bytes(head, "big"))
            number, outcome = pickle.loads(body)
            future = self._waiting.pop(number, None)
            if future is None or future.done():
                continue
            if isinstance(outcome, Exception):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)


def frame(message: object) -> bytes:
    """Four bytes of length, then a pickle: both ends are ours, and nobody else has the pipe."""
    body = pickle.dumps(message)
    return len(body).to_bytes(HEAD, "big") + body
