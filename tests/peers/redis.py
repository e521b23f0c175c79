"""A real redis-server for a test, to be killed, paused and emptied."""

import asyncio
import shutil
import signal
import socket
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from phones.lifetime import bound
from tests.interop.hotline import eventually


class RedisServer:
    """`async with`; on a port of its own, and without a disk unless `keeps`."""

    def __init__(self, folder: Path, *, keeps: bool = False) -> None:
        self._program = shutil.which("redis-server")
        if self._program is None:
            pytest.skip("redis-server is not installed")
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self._port = found.getsockname()[1]
        self._folder, self._keeps = folder, keeps
        self._process: asyncio.subprocess.Process | None = None
        self.url = f"redis://127.0.0.1:{self._port}"
        self.client = Redis.from_url(self.url)

    async def __aenter__(self) -> "RedisServer":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()
        await self.kill()

    async def start(self) -> None:
        """Up when it answers."""
        command = [str(self._program), "--port", str(self._port), "--bind", "127.0.0.1"]
        command += ["--save", "", "--appendonly", "yes" if self._keeps else "no"]
        command += ["--appendfsync", "always", "--dir", str(self._folder)]
        self._process = await asyncio.create_subprocess_exec(
            *bound(command), stdout=asyncio.subprocess.DEVNULL
        )
        await eventually(self._answers, 20, 0.02)

    async def _answers(self) -> bool:
        try:
            return bool(await self.client.ping())
        except (RedisError, OSError):
            return False

    async def kill(self) -> None:
        """Signal 9."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    def pause(self) -> None:
        """It takes connections and answers nothing."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on where it was."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    async def empty(self) -> None:
        """Everything is forgotten."""
        await self.client.flushall()
