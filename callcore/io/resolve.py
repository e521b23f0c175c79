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


def outward_host(host: str) -> str:
    """The address that packets leave from, for a listener bound to all of them.

    Connecting a UDP socket sends nothing; it asks the kernel for the route. Without a route
    the loopback address is all that can be reached.
    """
    if host not in ("0.0.0.0", "::"):
        return host
    is_v6 = host == "::"
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("2001:db8::1" if is_v6 else "192.0.2.1", 9))
        except OSError:
            return "::1" if is_v6 else "127.0.0.1"
        return str(probe.getsockname()[0])
