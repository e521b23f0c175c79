"""A server on every transport, and certificates of an authority of its own."""

import asyncio

import pytest

from callcore.call.settings import EngineSettings, Seat
from callcore.engine import Engine
from callcore.io.certificates import TlsSettings
from callcore.io.identifiers import RandomIdentifiers
from callcore.io.server import ServerSettings, SipServer
from callcore.io.streams import StreamLimits
from tests.callcore.io.authority import Authority

ALL = ("udp", "tcp", "tls", "ws", "wss")


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
async def secure_serve(authority):
    """`await secure_serve(*trunks, tls=..., limits=...)`: a server on loopback, all transports."""
    servers, problems = [], []
    asyncio.get_running_loop().set_exception_handler(lambda loop, c: problems.append(c))
    certificate, key = authority.issue("server", "127.0.0.1", "localhost", "hotline.local")

    async def start(*trunks, tls=None, limits=None, resolver=None, schemes=ALL, watch=0.0):
        settings = EngineSettings(
            "hotline.local", {"8001": Seat("8001", "secret-8001")}, tuple(trunks)
        )
        chosen = {"certificate": certificate, "key": key, **(tls or {})}
        more = {"resolver": resolver} if resolver is not None else {}
        server = SipServer(
            Engine(settings, RandomIdentifiers()),
            [f"{scheme}://127.0.0.1:0" for scheme in schemes],
            ServerSettings(
                limits or StreamLimits(), TlsSettings(**chosen), watch_seconds=watch, **more
            ),
        )
        server.events = []
        server.on_event = server.events.append
        await server.start()
        servers.append(server)
        server.ports = {scheme: port for scheme, _, port in server.addresses}
        return server

    yield start
    for server in servers:
        await server.stop()
    assert problems == []
