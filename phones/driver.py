"""Softphones as objects: spawns each in its own process, waits for its events, ends it.

async with Softphone(SoftphoneOptions(user="8001", tone=440)) as phone:
    await phone.wait("registered")
"""

import asyncio
import collections
import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parent.parent
LOG_LINES = 25


class PhoneError(AssertionError):
    """A phone did not do what was waited for; the message says what it did do."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a phone: its name, the monotonic clock in seconds, the wall clock, the rest."""

    name: str
    t: float
    wall_ms: int
    fields: dict[str, Any]

    def __getitem__(self, key: str) -> Any:
        return self.fields[key]

    def get(self, key: str, default: Any = None) -> Any:
        """A field, or the default."""
        return self.fields.get(key, default)


def parse_event(line: bytes) -> Event | None:
    """An event of a line; None of a line that is none."""
    try:
        said = json.loads(line)
        return Event(said.pop("event"), said.pop("t"), said.pop("wall_ms"), said)
    except (ValueError, KeyError, AttributeError):
        return None


@dataclass(frozen=True, slots=True)
class SoftphoneOptions:
    """The options of phones/softphone.py by name; None and False are left out."""

    user: str = "phone"
    password: str | None = None
    domain: str | None = None
    registrar: str | None = None
    transport: str | None = None
    address: str | None = None
    local_port: int | None = None
    codec: str | None = None
    expires: int | None = None
    play: Path | None = None
    tone: int | None = None
    record: Path | None = None
    auto_answer: str | None = None
    no_answer: bool = False
    refuse: int | None = None
    talk_mean: float | None = None
    talk_cv: float | None = None
    talk: str | None = None
    calls: int | None = None
    seed: int | None = None
    script: Path | None = None
    log_level: int | None = None
    ca: Path | None = None
    srtp: str | None = None
    keys: str | None = None
    module: str = field(default="phones.softphone", kw_only=True)

    def arguments(self) -> list[str]:
        """The command line."""
        line: list[str] = []
        for name in self.__slots__:
            value = getattr(self, name)
            if name == "module" or value is None or value is False:
                continue
            line.append("--" + name.replace("_", "-"))
            if value is not True:
                line.append(str(value))
        return line


class PhoneProcess:
    """A child that speaks JSON lines: any phone, the callers, a script of ours."""

    def __init__(self, name: str, module: str, arguments: list[str]) -> None:
        self.name = name
        self.command = [sys.executable, "-m", module, *arguments]
        self.events: list[Event] = []
        self.fresh: collections.deque[Event] = collections.deque()
        self.log: collections.deque[str] = collections.deque(maxlen=LOG_LINES)
        self.ended = False
        self._changed = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Spawns the process; events are read from then on."""
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self._process = await asyncio.create_subprocess_exec(
            *self.command,
            "--parent",
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # a terminal's Ctrl-C is for the parent alone
        )
        self._tasks = [
            asyncio.create_task(self._read_events()),
            asyncio.create_task(self._read_log()),
        ]

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The child; PhoneError before start()."""
        if self._process is None:
            raise PhoneError(f"{self.name} has not been started")
        return self._process

    @property
    def pid(self) -> int:
        """The child's process number."""
        return self.process.pid

    async def _read_events(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            event = parse_event(line)
            async with self._changed:
                if event is None:
                    self.log.append(line.decode(errors="replace").rstrip())
                else:
                    self.events.append(event)
                    self.fresh.append(event)
                    self.heard(event)
                self._changed.notify_all()
        async with self._changed:
            self.ended = True
            self._changed.notify_all()

    def heard(self, event: Event) -> None:
        """For subclasses: each event as it arrives."""

    async def _read_log(self) -> None:
        assert self.process.stderr is not None
        while line := await self.process.stderr.readline():
            self.log.append(line.decode(errors="replace").rstrip())

    def send(self, do: str, **fields: Any) -> None:
        """A command to the phone."""
        assert self.process.stdin is not None
        with contextlib.suppress(ConnectionError):
            self.process.stdin.write((json.dumps({"do": do, **fields}) + "\n").encode())

    async def wait(self, name: str, timeout_seconds: float = 30.0, **match: Any) -> Event:
        """The first event of that name, not waited for before, whose fields match; PhoneError."""
        try:
            async with asyncio.timeout(timeout_seconds), self._changed:
                while True:
                    if event := self._take(name, match):
                        return event
                    if self.ended:
                        raise PhoneError(self._story(f"ended before {name!r} {match or ''}"))
                    await self._changed.wait()
        except TimeoutError:
            story = self._story(f"no {name!r} {match or ''} within {timeout_seconds} s")
            raise PhoneError(story) from None

    def _take(self, name: str, match: dict[str, Any]) -> Event | None:
        for event in self.fresh:
            if event.name == name and all(event.get(k) == v for k, v in match.items()):
                self.fresh.remove(event)
                return event
        return None

    def _story(self, what: str) -> str:
        said = "\n  ".join(f"{e.t:.3f} {e.name} {e.fields}" for e in self.events[-LOG_LINES:])
        log = "\n  ".join(self.log)
        return f"{self.name}: {what}\nits events:\n  {said}\nits log:\n  {log}"

    async def stop(self, timeout_seconds: float = 8.0) -> int:
        """Quits; SIGKILL to this one process when it does not; its exit code."""
        process = self._process
        if process is None:
            return 0
        if process.returncode is None and process.stdin is not None:
            self.send("quit")
            process.stdin.close()
        try:
            async with asyncio.timeout(timeout_seconds):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        await asyncio.gather(*self._tasks)
        return int(process.returncode or 0)

    def terminate(self) -> None:
        """SIGTERM to this one process."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)


class Softphone(PhoneProcess):
    """A softphone; with `module="phones.pyvoip_phone"` one of the second make."""

    def __init__(self, options: SoftphoneOptions) -> None:
        super().__init__(f"softphone {options.user}", options.module, options.arguments())
        self.options = options
        self.address = ""

    async def start(self) -> None:
        """Spawns it and waits until it has its SIP address."""
        await super().start()
        self.address = str((await self.wait("started", 20))["address"])

    @property
    def uri(self) -> str:
        """The SIP URI under which the phone can be called directly."""
        transport = f";transport={self.options.transport}" if self.options.transport else ""
        return f"sip:{self.options.user}@{self.address}{transport}"

    def call(self, to: str, **fields: Any) -> None:
        """Places a call."""
        self.send("call", to=to, **fields)
