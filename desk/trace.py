"""`/api/v1/trace`: SIP messages as they pass, over a WebSocket; `callcore sip-trace` reads it.

`?call=ID` takes one call alone (an id of ours, or a Call-ID). Numbers are masked; `?reveal=1`
shows them to who has the token, and is written to the audit log.
"""

import asyncio
import base64
from typing import Any

import structlog
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from desk.accounts import Accounts
from desk.live import SLOW_SECONDS, TOKEN_NEEDED, WRONG_ORIGIN, drain, same_origin
from hotline.commands import HotlineCommands, SipPacket, SipTrace

router = APIRouter()
audit = structlog.get_logger("audit")
NO_TOKEN_SET = 4403


@router.websocket("/trace")
async def trace(socket: WebSocket, call: str = "", reveal: bool = False) -> None:
    """Stream what passes to one client until it goes."""
    hotline: HotlineCommands = socket.app.state.hotline
    accounts: Accounts = socket.app.state.accounts
    await socket.accept()
    person = accounts.who(socket.headers, socket.cookies)
    if person is None or "operate" not in person.rights:
        await socket.close(TOKEN_NEEDED, "a token is needed")
        return
    if not same_origin(socket):
        await socket.close(WRONG_ORIGIN, "another site's page may not look")
        return
    if reveal and (accounts.is_open or "reveal" not in person.rights):
        await socket.close(NO_TOKEN_SET, "numbers are shown only where [http] token is set")
        return
    host = socket.client.host if socket.client else "unknown"
    who = host if accounts.is_open else f"{person.name} at {host}"
    audit.info("sip trace revealed" if reveal else "sip trace", traced=call or "all", by=who)
    passed = asyncio.Event()
    opened = hotline.trace(passed.set, call=call, reveal=reveal)
    try:
        await follow(socket, opened, passed)
    finally:
        opened.close()


async def follow(socket: WebSocket, opened: SipTrace, passed: asyncio.Event) -> None:
    """Send each message as it passes, until the client goes or reads too slowly."""
    reader = asyncio.create_task(drain(socket))
    dropped = 0
    try:
        await socket.send_json({"tracing": True})
        while not reader.done():
            waiter = asyncio.create_task(passed.wait())
            await asyncio.wait({reader, waiter}, return_when=asyncio.FIRST_COMPLETED)
            waiter.cancel()
            passed.clear()
            for packet in opened.take():
                async with asyncio.timeout(SLOW_SECONDS):
                    await socket.send_json(document(packet))
            if opened.dropped != dropped:
                dropped = opened.dropped
                await socket.send_json({"dropped": dropped})
    except (WebSocketDisconnect, TimeoutError, RuntimeError):
        pass  # the client went
    finally:
        reader.cancel()


def document(packet: SipPacket) -> dict[str, Any]:
    """A message as JSON; its bytes in base64, for they need not be text."""
    return {
        "at_us": packet.at_us,
        "direction": packet.direction,
        "transport": packet.transport,
        "local": list(packet.local),
        "remote": list(packet.remote),
        "sip_call_id": packet.sip_call_id,
        "call": packet.call,
        "data": base64.b64encode(packet.data).decode("ascii"),
    }
