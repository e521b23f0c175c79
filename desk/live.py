"""`/api/v1/live`: every event as JSON over a WebSocket, numbered, with catching up.

A client connects with `?since=N` (the last number it saw) and misses nothing; without it, it gets
what happens from now on. A client too slow to read is cut off and may come back with its number.
"""

import asyncio

from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from desk.accounts import Accounts
from desk.masking import hidden
from desk.origins import is_foreign
from hotline.commands import HotlineCommands

router = APIRouter()
SLOW_SECONDS = 10.0
TOKEN_NEEDED = 4401
WRONG_ORIGIN = 4403


@router.websocket("/live")
async def live(socket: WebSocket, since: int | None = None) -> None:
    """Stream the hub's events to one client until it goes."""
    hotline: HotlineCommands = socket.app.state.hotline
    accounts: Accounts = socket.app.state.accounts
    await socket.accept()
    person = accounts.who(socket.headers, socket.cookies)
    if person is None or "operate" not in person.rights:
        await socket.close(TOKEN_NEEDED, "a token is needed")
        return
    if not same_origin(socket):
        await socket.close(WRONG_ORIGIN, "another site's page may not listen")
        return
    last = hotline.last_sequence if since is None else since
    await follow(socket, hotline, last, hides="reveal" not in person.rights)


def same_origin(socket: WebSocket) -> bool:
    """Browsers let any page open a WebSocket: only our own page, or no browser, may listen."""
    return not is_foreign(socket.headers)


async def follow(
    socket: WebSocket, hotline: HotlineCommands, last: int, *, hides: bool = False
) -> None:
    """Send all after `last`, then each event as it comes; `hides`: with masked numbers."""
    changed = asyncio.Event()
    changed.set()  # what came before we listened
    stop_listening = hotline.listen(changed.set)
    reader = asyncio.create_task(drain(socket))
    waiter = asyncio.create_task(changed.wait())
    try:
        while not reader.done():
            await asyncio.wait({reader, waiter}, return_when=asyncio.FIRST_COMPLETED)
            if not waiter.done():
                break
            changed.clear()
            waiter = asyncio.create_task(changed.wait())
            for document in hotline.events_since(last):
                async with asyncio.timeout(SLOW_SECONDS):
                    await socket.send_json(hidden(document) if hides else document)
                last = document["sequence"]
    except (WebSocketDisconnect, TimeoutError, RuntimeError):
        pass  # the client went, or reads too slowly: it comes back with its number
    finally:
        stop_listening()
        # No await here: when the server cancels us, a wait in between would be cancelled once
        # more, and that second cancellation nobody would take for the server's own.
        reader.cancel()
        waiter.cancel()


async def drain(socket: WebSocket) -> None:
    """Read and drop what the client says, until it goes."""
    try:
        while True:
            await socket.receive_text()
    except (WebSocketDisconnect, KeyError):
        return
