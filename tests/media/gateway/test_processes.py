"""A real gateway process on real sockets: reached, watched, replaced."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from media import events
from media.errors import LocalProtocolError
from media.g711 import PCMA, encode
from media.io.gateway import Ends, Gateway, GatewaySettings
from tests.media.gateway.browser import OPUS, Browser, rtp, tone
from tests.media.phones import ADDRESS


class Line:
    """A browser and a leg of the plane on sockets of their own."""

    def __init__(self) -> None:
        self.browser = Browser()
        self.web, self.plane = (self._socket() for _ in range(2))

    @staticmethod
    def _socket() -> socket.socket:
        sock = socket.socket(type=socket.SOCK_DGRAM)
        sock.bind((ADDRESS, 0))
        sock.setblocking(False)
        return sock

    async def enter(self, ends: Ends) -> None:
        """Check and handshake."""
        loop = asyncio.get_running_loop()
        self.browser.ufrag, self.browser.password = ends.ufrag, ends.password
        await loop.sock_connect(self.web, ends.candidates[0])
        await loop.sock_connect(self.plane, ends.plain)
        self.browser.out.append(self.browser.check())
        self.browser.shake()
        async with asyncio.timeout(10):
            while True:
                for datagram in self.browser.out:
                    self.web.send(datagram)
                self.browser.out = []
                if self.browser.sending is not None:
                    return
                self.browser.hear(await loop.sock_recv(self.web, 2048))

    async def voice_passes(self) -> None:
        """One packet each way."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            self.web.send(self.browser.say(tone(440, 1)[0]))
            assert len(await loop.sock_recv(self.plane, 2048)) == 172
            self.plane.send(rtp(8, 1, 160, encode(tone(440, 1)[0], PCMA).tobytes()))
            while not self.browser.heard:
                self.browser.hear(await loop.sock_recv(self.web, 2048))

    def close(self) -> None:
        self.web.close()
        self.plane.close()


@contextlib.asynccontextmanager
async def gateway(seen: asyncio.Queue[events.Event], **changes: float) -> AsyncIterator[Gateway]:
    settings = GatewaySettings(ADDRESS, (ADDRESS,), 19000, 19099, ADDRESS, **changes)  # type: ignore[arg-type]
    one = Gateway(settings)
    one.on_event = seen.put_nowait
    await one.start()
    try:
        yield one
    finally:
        await one.stop()


@contextlib.contextmanager
def line() -> Iterator[Line]:
    one = Line()
    try:
        yield one
    finally:
        one.close()


async def test_a_stuck_process_is_replaced_on_its_port_and_proves_to_be_another():
    seen: asyncio.Queue[events.Event] = asyncio.Queue()
    async with gateway(seen, heartbeat_timeout_seconds=1.5) as one:
        with line() as here:
            ends = one.open("leg", here.plane.getsockname())
            one.connect(here.browser.agreed(codec=OPUS, ufrag=ends.ufrag, password=ends.password))
            await here.enter(ends)
            await here.voice_passes()
            (pid,) = one.stats().pids
            os.kill(pid, signal.SIGSTOP)
            async with asyncio.timeout(20):
                assert await seen.get() == events.GatewayLost(0, ("leg",))
        assert one.stats().lost == 1
        with line() as again:
            after = one.open("leg", again.plane.getsockname(), wait=True)
            assert after.candidates == ends.candidates
            assert after.fingerprint != ends.fingerprint
            one.connect(
                again.browser.agreed(codec=OPUS, ufrag=after.ufrag, password=after.password)
            )
            # The new process may still be starting: the sockets keep what comes meanwhile.
            await again.enter(after)
            await again.voice_passes()
            one.close("leg")
            one.close("leg")


async def test_a_browser_that_never_comes_is_told_of_by_its_leg():
    seen: asyncio.Queue[events.Event] = asyncio.Queue()
    async with gateway(seen, connect_seconds=0.3) as one:
        with line() as here:
            ends = one.open("leg", here.plane.getsockname())
            with pytest.raises(LocalProtocolError, match="open already"):
                one.open("leg", here.plane.getsockname())
            one.connect(here.browser.agreed(ufrag=ends.ufrag, password=ends.password))
            async with asyncio.timeout(10):
                failed = await seen.get()
        assert failed == events.GatewayFailed("leg", "no connectivity check came")
        assert one.stats().failed == 1
        one.close("leg")
        with pytest.raises(LocalProtocolError, match="no session leg"):
            one.renew("leg")


async def test_ports_that_are_taken_are_named():
    with socket.socket(type=socket.SOCK_DGRAM) as other:
        other.bind((ADDRESS, 0))
        port = other.getsockname()[1]
        one = Gateway(GatewaySettings(ADDRESS, (ADDRESS,), port, port, ADDRESS))
        with pytest.raises(OSError, match=f"gateway {ADDRESS}, ports {port}-{port}"):
            await one.start()
        assert not one.is_up
