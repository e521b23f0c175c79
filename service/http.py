"""The desk's HTTP server inside the engine's loop."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn
from fastapi import FastAPI

from config.values import Address


class EmbeddedServer(uvicorn.Server):
    """uvicorn that leaves the signals to us: SIGTERM drains the engine first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Catch nothing."""
        yield


class HttpServer:
    """One listener and its application."""

    def __init__(self, app: FastAPI, address: Address) -> None:
        self._address = address
        settings = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="websockets-sansio",
            timeout_graceful_shutdown=1,
        )
        self._server = EmbeddedServer(settings)
        self._task: asyncio.Task[None] | None = None
        self.url = ""

    async def start(self) -> None:
        """Bind and serve; OSError when the address cannot be had."""
        family = socket.AF_INET6 if ":" in self._address.host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._address.host, self._address.port))
        except OSError as error:
            listener.close()
            raise OSError(error.errno, f"http://{self._address}: {error.strerror}") from None
        host, port = listener.getsockname()[:2]
        self.url = (
            f"http://[{host}]:{port}" if family == socket.AF_INET6 else f"http://{host}:{port}"
        )
        self._task = asyncio.create_task(self._server.serve([listener]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
                raise OSError("the HTTP server ended while it started")
            await asyncio.sleep(0.01)

    async def stop(self) -> None:
        """Close the listener and what is open; at most a second for answers under way."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task
