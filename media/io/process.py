"""One worker process as its parent sees it: started, fed, watched, killed, started again."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, cast

import msgspec

from media import messages as m
from media.errors import NotStarted
from media.io.channel import Unpacker, pack
from media.io.pulse import Pulse

# A process is for one core: where it is bound to one, a tick of real-time priority that waited for
# threads of the linear algebra would never let them run.
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
FIRST_DELAY_SECONDS = 0.5  # before a worker that died young is started again; then doubled
LAST_DELAY_SECONDS = 30.0
YOUNG_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Kind:
    """What is run, and the messages that have a meaning for whoever looks after it."""

    name: str
    module: str
    reports: Any  # the union that a decoder takes
    ready: type[msgspec.Struct]
    heartbeat: type[msgspec.Struct]
    stop: msgspec.Struct
    gathers: bool = False  # what it is told in one turn of the loop goes in one write


MEDIA = Kind(
    "media worker", "media.io.worker", m.AnyReport, m.Ready, m.Heartbeat, m.Stop(), gathers=True
)


class WorkerProcess(asyncio.Protocol):
    """Commands are buffered without limit and sent in order; a stuck worker is killed for it."""

    def __init__(
        self,
        number: int,
        setup: msgspec.Struct,
        on_report: Callable[[int, msgspec.Struct], None],
        on_lost: Callable[[int], None],
        kind: Kind = MEDIA,
    ) -> None:
        self.number = number
        self.kind = kind
        self.inherited: tuple[int, ...] = ()  # descriptors that the process has from us
        self.setup = setup
        self.on_report = on_report
        self.on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self.ready: asyncio.Future[None] = self._loop.create_future()
        self.heartbeat: Any = kind.heartbeat()
        self.told: Any = None  # the ready message of this life of it
        self.heard = 0.0  # loop time of the last life sign
        self.pulse = Pulse()
        self.process: subprocess.Popen[bytes] | None = None
        self.closing = False
        self.up = False  # this life of it, where `ready` is the first
        self.closed = asyncio.Event()
        self._decoder = msgspec.msgpack.Decoder(kind.reports)
        self._delay_seconds = 0.0
        self._started = 0.0
        self._pending: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Spawn; commands may be sent at once, they wait for the channel."""
        self._unpacker = Unpacker()
        self._pending = []
        self._spawn(self._start())

    def rest(self, seconds: float) -> None:
        """To be started so much later, where `start` was called in this turn of the loop."""
        self._delay_seconds = max(self._delay_seconds, seconds)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    async def _start(self) -> None:
        """As often as it takes: a system without files or processes to spare has them again."""
        while True:
            await asyncio.sleep(self._delay_seconds)
            if self.closing:
                self.closed.set()
                return
            try:
                ours = self._launch()
                break
            except OSError as error:
                print(f"{self.kind.name} {self.number}: {error}", file=sys.stderr)
                self._not_ready(error.strerror or str(error))
                self._rest_longer()
        loop = asyncio.get_running_loop()
        self._started = self.heard = loop.time()
        await loop.create_unix_connection(lambda: self, sock=ours)

    def _launch(self) -> socket.socket:
        """Our end of the channel to a new process; OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            try:
                self._popen(theirs.fileno())
            except OSError:
                ours.close()
                raise
        ours.setblocking(False)
        return ours

    def _popen(self, descriptor: int) -> None:
        setup = msgspec.json.encode(self.setup).decode()
        command = [sys.executable, "-m", self.kind.module, str(descriptor), setup]
        # It finds the same modules as we do, the sink's too, wherever we got them from.
        paths = os.pathsep.join(path for path in sys.path if path)
        # A process is made in about a millisecond (vfork); a thread for it would cost as much.
        self.process = subprocess.Popen(
            command,
            pass_fds=[descriptor, *self.inherited],
            stdin=subprocess.DEVNULL,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": paths},
        )

    def _rest_longer(self) -> None:
        self._delay_seconds = min(
            max(FIRST_DELAY_SECONDS, 2 * self._delay_seconds), LAST_DELAY_SECONDS
        )

    def _not_ready(self, why: str) -> None:
        if not self.ready.done():
            told = f"{self.kind.name} {self.number} does not start: {why}"
            self.ready.set_exception(NotStarted(told))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def send(self, command: msgspec.Struct) -> None:
        """What is sent in one turn of the loop goes in one write: each would wake the worker."""
        if not self.kind.gathers:
            self._pending.append(pack(command))
            self._flush()
            return
        if not self._pending and self._transport is not None:
            self._loop.call_soon(self._flush)
        self._pending.append(pack(command))

    def _flush(self) -> None:
        """Between two lives all of it waits: who is told of the loss begins anew at once."""
        if self._transport is not None and self._pending:
            self._transport.write(b"".join(self._pending))
            self._pending = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes: only what they do can be asked for.
        self._transport = cast(asyncio.Transport, transport)
        self._flush()

    def data_received(self, data: bytes) -> None:
        self.heard = asyncio.get_running_loop().time()
        for body in self._unpacker.feed(data):
            report = self._decoder.decode(body)
            if isinstance(report, self.kind.heartbeat):
                self.heartbeat = report
            elif isinstance(report, self.kind.ready):
                self.up, self.told = True, report
                if not self.ready.done():
                    self.ready.set_result(None)
            else:
                self.on_report(self.number, report)

    def connection_lost(self, exc: Exception | None) -> None:
        """The worker died, or ended because it was told to."""
        self._transport = None
        self.up = False
        process = self.process
        if process is not None and not self.closing:
            process.kill()  # its end is closed: it cannot be of use any more
        self._spawn(self._bury())

    async def _bury(self) -> None:
        process = self.process
        if process is not None:
            await asyncio.to_thread(process.wait)
            self.process = None
        if self.closing:
            self.closed.set()
            return
        age = asyncio.get_running_loop().time() - self._started
        if age >= YOUNG_SECONDS:
            self._delay_seconds = 0.0
        else:
            self._rest_longer()
        self._not_ready("it ended at once")
        self.start()
        self.on_lost(self.number)

    def kill(self) -> None:
        """It does not answer: no grace."""
        if self.process is not None:
            self.process.kill()

    async def stop(self, timeout_seconds: float) -> None:
        """Ask it to end, wait, kill when it does not."""
        self.closing = True
        if self._transport is None:  # between two lives
            for task in self._tasks:
                task.cancel()
            if self.process is not None:
                self.process.kill()
                await asyncio.to_thread(self.process.wait)
            return
        self.send(self.kind.stop)
        try:
            await asyncio.wait_for(self.closed.wait(), timeout_seconds)
        except TimeoutError:
            self.kill()
            await self.closed.wait()
