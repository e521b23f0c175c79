"""SIP over WebSocket (RFC 7118) with real clients of the `websockets` package."""

import asyncio
import contextlib
import socket
import ssl

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from callcore.call.events import Ended, Registered, Unregistered
from callcore.call.placement import Party, SeatTarget
from callcore.call.settings import Trunk
from callcore.flow import Flow
from callcore.io.streams import StreamLimits
from callcore.io.websocket import WebSocketLayer
from callcore.message import parse, render, response
from tests.callcore.io.test_server import Writer, proof, until
from tests.callcore.stage import SDP

HOST = "df7jal23ls0d.invalid"


class Browser:
    """What a browser's SIP stack does: a host nobody can look up, everything by one socket."""

    def __init__(self, socket, scheme):
        self.socket = socket
        self.requests = Writer((HOST, 0), scheme)

    @classmethod
    async def connect(cls, server, scheme="ws", **more):
        uri = f"{scheme}://localhost:{server.ports[scheme]}/"
        return cls(await connect(uri, subprotocols=["sip"], **more), scheme)

    def write(self, *arguments, **more):
        text = self.requests.request(*arguments, **more).decode()
        return text.replace(f"{HOST}:0;rport", HOST).replace(
            f"@{HOST}:0>", f"@{HOST};transport=ws>"
        )

    async def ask(self, *arguments, **more):
        await self.socket.send(self.write(*arguments, **more))
        return await self.next()

    async def next(self):
        found = await asyncio.wait_for(self.socket.recv(), 3)
        return parse(found.encode() if isinstance(found, str) else found)

    async def register(self):
        challenged = await self.ask("REGISTER", to="")
        return await self.ask("REGISTER", to="", headers=[proof(challenged)])

    async def close(self):
        await self.socket.close()


@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_a_browser_registers_is_called_and_is_gone_with_its_connection(
    secure_serve, authority, scheme
):
    server = await secure_serve()
    more = {}
    if scheme == "wss":
        more = {"ssl": ssl.create_default_context(cafile=str(authority.path))}
    browser = await Browser.connect(server, scheme, **more)
    assert browser.socket.subprotocol == "sip"
    granted = await browser.register()
    assert granted.status == 200
    assert HOST in granted.get("Contact")
    assert granted.via.params["received"] == "127.0.0.1"
    await until(lambda: server.events)
    assert isinstance(server.events[0], Registered)
    server.place("L", SeatTarget("8001"), Party("0551"), SDP)
    invite = await browser.next()
    assert HOST in invite.uri
    assert invite.via.transport == scheme.upper()
    assert invite.get("Contact") == f"<sip:127.0.0.1:{server.ports[scheme]};transport=ws>"
    await browser.socket.send(render(response(invite, 486, to_tag="t")).decode())
    assert (await browser.next()).method == "ACK"
    assert [e.status for e in server.events if isinstance(e, Ended)] == [486]
    await browser.close()
    await until(lambda: any(isinstance(e, Unregistered) for e in server.events))


async def test_a_browser_on_a_trunks_host_is_a_seat(secure_serve):
    server = await secure_serve(Trunk("ims", peers=("127.0.0.1:5060",), probe_seconds=0))
    browser = await Browser.connect(server)
    assert (await browser.ask("INVITE", body=SDP)).status == 401
    await browser.close()


async def test_text_binary_fragments_and_keep_alives(secure_serve):
    server = await secure_serve()
    browser = await Browser.connect(server)
    message = browser.write("OPTIONS")
    await browser.socket.send(message.encode())
    assert (await browser.next()).status == 200
    assert server.streams.counters["binary"] == 1
    await browser.socket.send([message[:50], message[50:60], message[60:]])
    assert (await browser.next()).status == 200
    await browser.socket.send("\r\n\r\n")
    assert await asyncio.wait_for(browser.socket.recv(), 3) == "\r\n"
    await (await browser.socket.ping())
    # One message a frame: what is no message harms nobody.
    await browser.socket.send("nonsense")
    await browser.socket.send(b"\xff\xfe\x00")
    assert (await browser.ask("OPTIONS")).status == 200
    assert server.engine.counters["in", "malformed", 400] == 2
    await browser.close()


async def test_the_bytes_of_a_websocket_may_come_one_by_one(secure_serve):
    server = await secure_serve()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.ports["ws"])
    upgrade = (
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: sip\r\n\r\n"
    )
    data = Writer((HOST, 5060), "ws").request("OPTIONS")
    frame = b"\x81\xfe" + len(data).to_bytes(2, "big") + bytes(4) + data
    for byte in upgrade + frame + frame:
        writer.write(bytes([byte]))
        await writer.drain()
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 3)
    assert b" 101 " in head
    assert b"Sec-WebSocket-Protocol: sip" in head
    for _ in range(2):
        await reader.readexactly(2)
        length = int.from_bytes(await reader.readexactly(2), "big")
        assert parse(await reader.readexactly(length)).status == 200
    writer.close()


async def test_who_does_not_ask_for_sip_gets_no_connection(secure_serve):
    server = await secure_serve()
    uri = f"ws://127.0.0.1:{server.ports['ws']}/"
    with pytest.raises(InvalidStatus):
        await connect(uri)
    with pytest.raises(InvalidStatus):
        await connect(uri, subprotocols=["mqtt"])
    reader, writer = await asyncio.open_connection("127.0.0.1", server.ports["ws"])
    writer.write(Writer((HOST, 5060), "tcp").request("OPTIONS"))
    await asyncio.wait_for(reader.read(), 3)
    writer.close()
    await until(lambda: not server.streams.flows)
    assert server.streams.counters["handshake"] == 3


async def test_an_oversized_frame_or_handshake_is_cut_off_and_counted(secure_serve):
    server = await secure_serve()
    browser = await Browser.connect(server)
    await browser.socket.send("x" * 100_000)
    with pytest.raises(ConnectionClosed) as closed:
        await asyncio.wait_for(browser.socket.recv(), 3)
    assert closed.value.rcvd.code == 1009
    fragments = await Browser.connect(server)
    with contextlib.suppress(ConnectionClosed):
        await fragments.socket.send(["x" * 40_000] * 4)
    with pytest.raises(ConnectionClosed):
        await asyncio.wait_for(fragments.socket.recv(), 3)
    assert server.streams.counters["too large"] == 2
    reader, writer = await asyncio.open_connection("127.0.0.1", server.ports["ws"])
    writer.write(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000)
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 3)
    writer.close()
    await until(lambda: not server.streams.flows)
    assert server.streams.counters["handshake"] == 1


async def test_an_upgrade_that_drips_is_cut_off(secure_serve):
    server = await secure_serve(limits=StreamLimits(first_bytes_seconds=0.3))
    _, writer = await asyncio.open_connection("127.0.0.1", server.ports["ws"])
    for byte in b"GET / HTTP/1.1\r\nHost: example.com\r\nX: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa":
        with contextlib.suppress(ConnectionError):
            writer.write(bytes([byte]))
        await asyncio.sleep(0.02)
        if server.streams.counters["silent"]:
            break
    assert server.streams.counters["silent"] == 1
    writer.close()


async def test_a_silent_browser_is_asked_and_a_dead_one_is_gone(secure_serve):
    """RFC 7118 §6: a bound connection lives as long as it answers pings."""
    limits = StreamLimits(ping_seconds=0.2, idle_seconds=0.2)
    server = await secure_serve(limits=limits)
    browser = await Browser.connect(server, ping_interval=None)
    assert (await browser.register()).status == 200
    await asyncio.sleep(1.0)
    assert server.engine.registrations == 1
    browser.socket.transport.pause_reading()
    await until(lambda: any(isinstance(e, Unregistered) for e in server.events))
    assert server.streams.counters["dead"] == 1
    browser.socket.transport.abort()


async def test_a_server_that_stops_says_so(secure_serve):
    server = await secure_serve(schemes=("udp", "ws"))
    browser = await Browser.connect(server)
    await server.stop()
    with pytest.raises(ConnectionClosed) as closed:
        await asyncio.wait_for(browser.socket.recv(), 3)
    assert closed.value.rcvd.code == 1001


async def test_a_browser_that_vanishes_is_a_closed_connection(secure_serve):
    server = await secure_serve()
    browser = await Browser.connect(server)
    assert (await browser.register()).status == 200
    browser.socket.transport.get_extra_info("socket").setsockopt(
        socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0"
    )
    browser.socket.transport.abort()
    await until(lambda: any(isinstance(e, Unregistered) for e in server.events))
    flow = Flow("ws", ("127.0.0.1", 1), ("127.0.0.1", 2), 99)
    assert not server.streams.send(flow, b"x")


def test_control_frames_may_come_between_fragments():
    layer = WebSocketLayer()
    layer.receive(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Protocol: sip\r\n\r\n"
    )
    assert layer.is_ready
    mask = b"\x80\x00\x00\x00\x00"
    assert layer.receive(b"\x01\x82\0\0\0\0ab") == []
    assert layer.is_waiting
    assert layer.receive(b"\x8a" + mask + b"\x89" + mask) == []
    assert layer.receive(b"\x80\x81\0\0\0\0c") == [b"abc"]
    assert not layer.is_waiting
