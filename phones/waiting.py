"""Waiting for what nobody announces: files, processes, sockets."""

import asyncio
from collections.abc import Callable


async def until(
    condition: Callable[[], object], timeout_seconds: float = 30.0, every_seconds: float = 0.01
) -> None:
    """Looks again and again; TimeoutError when it never comes true."""
    async with asyncio.timeout(timeout_seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(every_seconds)
