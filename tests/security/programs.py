"""Attack programs in processes of their own: what they say, and never longer than they may."""

import asyncio
import os
import shutil
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from tests.interop.hotline import eventually


@dataclass(frozen=True, slots=True)
class Said:
    """How a program ended (None: it was stopped), and what it wrote."""

    code: int | None
    text: str


async def attack(
    folder: Path,
    *command: str,
    seconds: float = 60.0,
    until: Callable[[], Awaitable[bool]] | None = None,
) -> Said:
    """Run to the end, or stop it; its sessions and files stay in `folder`.

    `until` stops it as soon as it has got what it deserves.
    """
    program = shutil.which(command[0])
    assert program, f"install {command[0]}: apt install sipvicious sipsak"
    process = await asyncio.create_subprocess_exec(
        program,
        *command[1:],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env={**os.environ, "HOME": str(folder), "PYTHONWARNINGS": "ignore"},
    )
    assert process.stdout is not None
    heard: list[bytes] = []

    async def listen() -> None:
        assert process.stdout is not None
        while data := await process.stdout.read(65536):
            heard.append(data)

    async def watch() -> None:
        if until is not None:
            await eventually(until, seconds)
            process.kill()

    watching = asyncio.create_task(watch())
    try:
        async with asyncio.timeout(seconds):
            await listen()
            code = await process.wait()
    except TimeoutError:
        process.kill()
        code = await process.wait()
    finally:
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
    code = None if code == -signal.SIGKILL else code
    return Said(code, b"".join(heard).decode(errors="replace"))
