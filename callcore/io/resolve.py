"""Host names of peers: looked up in the background, looked up again before they grow old."""

import asyncio
import socket
from collections.abc import Callable

REFRESH_SECONDS = 300.0
RETRY_SECONDS = 15.0


class Resolver:
    """Keeps the addresses of the names given fresh; tells them by `on_resolved`.

    A lookup that fails tells nothing: the addresses known so far stay in use.
    """

    def __init__(self, on_resolved: Callable[[str, tuple[str, ...]], None]) -> None:
        self._on_resolved = on_resolved
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def resolve(self, host: str) -> None:
        """Start to follow a name."""
        if host not in self._tasks:
            self._tasks[host] = asyncio.create_task(self._follow(host))

    async def stop(self) -> None:
        """Follow none any more."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    async def _follow(self, host: str) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                found = await loop.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
            except OSError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            addresses = tuple(dict.fromkeys(str(address[0]) for *_, address in found))
            self._on_resolved(host, addresses)
            await asyncio.sleep(REFRESH_SECONDS)
