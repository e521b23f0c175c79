"""A listener at /api/v1/live that remembers all it was told."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.interop.hotline import Hotline

Told = dict[str, Any]


class Live:
    """Events since the number given; without one, from now on."""

    def __init__(self, hotline: Hotline, since: int | None = None) -> None:
        self.events: list[Told] = []
        query = "" if since is None else f"?since={since}"
        self._url = f"ws{hotline.engine.http.removeprefix('http')}/api/v1/live{query}"
        self._changed = asyncio.Condition()
        self._socket: ClientConnection
        self._reading: asyncio.Task[None]

    async def __aenter__(self) -> Self:
        self._socket = await connect(self._url)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()
        await self._reading

    async def _read(self) -> None:
        try:
            async for message in self._socket:
                async with self._changed:
                    self.events.append(json.loads(message))
                    self._changed.notify_all()
        except ConnectionClosed:
            return

    async def until(
        self, holds: Callable[[list[Told]], object], timeout_seconds: float = 30.0
    ) -> list[Told]:
        """All events as soon as that holds of them; AssertionError when it never does."""
        try:
            async with asyncio.timeout(timeout_seconds), self._changed:
                await self._changed.wait_for(lambda: holds(self.events))
        except TimeoutError:
            raise AssertionError(f"not told within {timeout_seconds} s: {self.events}") from None
        return list(self.events)

    async def event(self, timeout_seconds: float = 30.0, **match: Any) -> Told:
        """The first event with these fields."""

        def found(events: list[Told]) -> list[Told]:
            return [one for one in events if match.items() <= one.items()]

        return found(await self.until(found, timeout_seconds))[0]

    def states(self, call_id: str) -> list[str]:
        """The states that a call went through."""
        return [e["state"] for e in self.events if e["event"] == "call" and e["call_id"] == call_id]
