"""The product as a child process: started by its command line, known by its `ready` line."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import urllib.request
from pathlib import Path
from typing import IO, Any, Self

from phones.lifetime import bound

ROOT = Path(__file__).resolve().parent.parent


class EngineError(AssertionError):
    """The engine did not start, or ended by itself."""


def engine_command(config: Path) -> list[str]:
    """The one place that knows how the engine is started."""
    return [sys.executable, "-m", "service.cli", "run", "--config", str(config)]


class Engine:
    """`callcore run` on a configuration, with its HTTP API."""

    def __init__(self, config: Path, log: IO[bytes] | None = None, cwd: Path = ROOT) -> None:
        self.config = config.resolve()
        self.log = log
        self.cwd = cwd
        self.ready: dict[str, Any] = {}
        self._process: asyncio.subprocess.Process | None = None
        self._drain: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The child; EngineError before start()."""
        if self._process is None:
            raise EngineError("not started")
        return self._process

    @property
    def pid(self) -> int:
        """The child's process number."""
        return self.process.pid

    async def start(self, timeout_seconds: float = 60.0) -> None:
        """Starts it and reads its line `ready {json}`; all listeners are up then."""
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        self._process = await asyncio.create_subprocess_exec(
            *bound(engine_command(self.config)),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=self.log,
            cwd=self.cwd,
            env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,  # a terminal's Ctrl-C is for the parent alone
        )
        assert self._process.stdout is not None
        try:
            async with asyncio.timeout(timeout_seconds):
                while not self.ready:
                    line = await self._process.stdout.readline()
                    if not line:
                        code = await self._process.wait()
                        raise EngineError(f"the engine ended with {code} before it was ready")
                    if line.startswith(b"ready "):
                        self.ready = json.loads(line[6:])
        except TimeoutError:
            raise EngineError(f"the engine was not ready within {timeout_seconds} s") from None
        self._drain = asyncio.create_task(self._read_on(self._process.stdout))

    async def _read_on(self, source: asyncio.StreamReader) -> None:
        while await source.readline():
            pass

    @property
    def http(self) -> str:
        """The base URL of its HTTP API, without a slash at the end."""
        where = str(self.ready["http"]).rstrip("/")
        return where if where.startswith("http") else f"http://{where}"

    async def get(self, path: str) -> Any:
        """GET of a path below the base URL, as JSON; OSError when it does not answer."""

        def fetch() -> Any:
            with urllib.request.urlopen(self.http + path, timeout=5) as answer:
                return json.load(answer)

        return await asyncio.to_thread(fetch)

    async def stop(self, patience_seconds: float = 8.0) -> int:
        """SIGTERM, then SIGKILL to this one process; its exit code."""
        if self._process is None:
            return 0
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(patience_seconds):
                    await self._process.wait()
            except TimeoutError:
                self._process.kill()
                await self._process.wait()
        if self._drain is not None:
            await self._drain
        return int(self._process.returncode or 0)
