"""Attack programs in processes of their own: what they say, and never longer than they may."""

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Said:
    """How a program ended (None: it was stopped), and what it wrote."""

    code: int | None
    text: str


async def attack(folder: Path, *command: str, seconds: float = 20.0) -> Said:
    """Run to the end, or stop it; its sessions and files stay in `folder`."""
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

    code: int | None = None
    try:
        async with asyncio.timeout(seconds):
            await listen()
            code = await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
    return Said(code, b"".join(heard).decode(errors="replace"))
