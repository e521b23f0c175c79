"""`make run`: the demo answers calls, stops cleanly, and leaves no process behind."""

import asyncio
import contextlib
import json
import os
import re
import secrets
import signal
import socket
import sys
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from phones.engine import ROOT
from phones.sipp import free_port
from tests.interop.hotline import eventually, free_media_ports

pytestmark = pytest.mark.interop

DEMO = ROOT / "config" / "demo.toml"
SEATS = 14


def demo_configuration(folder: Path, seats: int = SEATS) -> tuple[Path, str]:
    """The demo's own, on free ports, in a folder of its own; and its HTTP address."""
    text = DEMO.read_text(encoding="utf-8")
    head, *tables = text.split("[[seats]]")
    text = "[[seats]]".join([head, *tables[:seats]])
    for port in sorted(set(re.findall(r"127\.0\.0\.1:(\d+)", text))):
        text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{port_free_for_both()}")
    text = re.sub(r'ports = ".*"', f'ports = "{free_media_ports()}"', text)
    path = folder / "demo.toml"
    path.write_text(text.replace("var/", f"{folder}/"), encoding="utf-8")
    (http,) = re.findall(r'\[http\]\nlisten = "(.*)"', text)
    return path, http


def port_free_for_both() -> int:
    """Free for UDP and TCP alike."""
    while True:
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port := free_port("udp")))
            return port


def processes(mark: str) -> list[str]:
    """The command lines of all processes that inherited the mark in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # gone meanwhile, or somebody else's
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


class Demo:
    """scripts/demo.py as somebody at a terminal starts it."""

    def __init__(self, folder: Path, seats: int, *arguments: str) -> None:
        self.config, self.http = demo_configuration(folder, seats)
        pace = ("--every", "0.8", "--talk", "2", "--answer-after", "0.5,0.4", "--seed", "1")
        self.command = [sys.executable, str(ROOT / "scripts" / "demo.py")]
        self.command += ["--config", str(self.config), *pace, *arguments]
        self.mark = f"CALLCORE_TEST_MARK={secrets.token_hex(8)}"
        self.process: asyncio.subprocess.Process

    async def start(self) -> None:
        name, _, value = self.mark.partition("=")
        self.process = await asyncio.create_subprocess_exec(
            *self.command, stdout=asyncio.subprocess.PIPE, env={**os.environ, name: value}
        )

    async def get(self, path: str) -> Any:
        """A document of the demo's API; None while it does not answer."""

        def fetch() -> Any:
            with urllib.request.urlopen(f"http://{self.http}{path}", timeout=5) as answer:
                return json.load(answer)

        try:
            return await asyncio.to_thread(fetch)
        except OSError:
            return None

    async def answered(self) -> int:
        """How many calls were answered so far."""
        queue = await self.get("/api/v1/queues/12345")
        return int(queue["answered"]) if queue else 0

    async def registered(self) -> int:
        """How many seats have a phone."""
        return sum(agent["registered"] for agent in await self.get("/api/v1/agents") or ())

    async def nothing_runs(self) -> bool:
        return not await asyncio.to_thread(processes, self.mark)


@contextlib.asynccontextmanager
async def demo(folder: Path, seats: int, *arguments: str) -> AsyncIterator[Demo]:
    """A demo that is ended whatever happens."""
    one = Demo(folder, seats, *arguments)
    await one.start()
    try:
        yield one
    finally:
        if one.process.returncode is None:
            one.process.kill()
        await one.process.communicate()


async def test_the_demo_answers_calls_and_ends_by_itself(tmp_path: Path) -> None:
    async with demo(tmp_path, SEATS, "--seconds", "12") as one:

        async def all_registered() -> bool:
            return await one.registered() == SEATS

        async def some_answered() -> bool:
            return await one.answered() >= 3

        await eventually(all_registered, 60)
        await eventually(some_answered)
        assert len(await asyncio.to_thread(processes, one.mark)) > SEATS
        calls = await one.get("/api/v1/calls")
        assert not [call for call in calls if call["result"] in ("failed", "rejected")]
        async with asyncio.timeout(45):
            out, _ = await one.process.communicate()
        assert one.process.returncode == 0, out.decode()
        assert "stopped" in out.decode()
        await eventually(one.nothing_runs)
    assert list((tmp_path / "recordings").rglob("*.flac"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
async def test_a_demo_that_is_interrupted_or_killed_leaves_no_process_behind(
    tmp_path: Path, number: signal.Signals
) -> None:
    """Ctrl-C ends it in order; after signal 9 the kernel ends what it had started."""
    async with demo(tmp_path, 3) as one:

        async def busy() -> bool:
            calls = await one.get("/api/v1/calls?active=true") or []
            return any(call["state"] == "talking" for call in calls)

        await eventually(busy, 60)
        one.process.send_signal(number)
        async with asyncio.timeout(20):
            await one.process.communicate()
        assert one.process.returncode == (0 if number == signal.SIGINT else -number)
        await eventually(one.nothing_runs)
