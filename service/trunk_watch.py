"""An engine whose messages are looked at, and a voice that counts what it hears."""

import asyncio
import contextlib
from dataclasses import dataclass

from callcore.call.settings import EngineSettings
from callcore.engine import Effect, Engine
from callcore.errors import RemoteProtocolError
from callcore.flow import Flow
from callcore.identifiers import Identifiers
from callcore.message import Framer, Ping, Request, Response, parse
from callcore.transaction import Transmit
from config.values import Ports

SILENCE = b"\xd5" * 160  # 20 ms of A-law
TICK_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request of ours, and the responses that came, with their times."""

    request: Request
    remote: tuple[str, int]
    at: float
    responses: tuple[tuple[float, Response], ...] = ()

    @property
    def final(self) -> tuple[float, Response] | None:
        """The answer that decided."""
        return next((one for one in self.responses if one[1].status >= 200), None)


class WatchedEngine(Engine):
    """Remembers each request of ours with what came of it."""

    def __init__(self, settings: EngineSettings, identifiers: Identifiers) -> None:
        super().__init__(settings, identifiers)
        self.exchanges: dict[tuple[str, int, str], Exchange] = {}
        self._framers: dict[Flow, Framer] = {}
        self._now = 0.0

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """As Engine does."""
        self._now = now
        for message in self._messages(data, flow):
            if isinstance(message, Response):
                key = (message.call_id, message.cseq.number, message.cseq.method)
                known = self.exchanges.get(key)
                if known is not None:
                    answers = (*known.responses, (now, message))
                    self.exchanges[key] = Exchange(known.request, known.remote, known.at, answers)
        super().receive(data, flow, now)

    def start(self, now: float, *, registering: bool = True) -> None:
        """As Engine does."""
        self._now = now
        super().start(now, registering=registering)

    def fire(self, now: float) -> None:
        """As Engine does."""
        self._now = now
        super().fire(now)

    def take(self) -> list[Effect]:
        """As Engine does."""
        effects = super().take()
        for effect in effects:
            message = effect.message if isinstance(effect, Transmit) else None
            if isinstance(message, Request) and isinstance(effect, Transmit):
                key = (message.call_id, message.cseq.number, message.method)
                begun = Exchange(message, effect.flow.remote, self._now)
                self.exchanges.setdefault(key, begun)
        return effects

    def of(self, method: str) -> list[Exchange]:
        """Exchanges of a method, in order."""
        return [one for one in self.exchanges.values() if one.request.method == method]

    def _messages(self, data: bytes, flow: Flow) -> list[Request | Response]:
        found: list[Request | Response] = []
        with contextlib.suppress(RemoteProtocolError):
            if flow.transport == "udp":
                found.append(parse(data))
            else:
                for item in self._framers.setdefault(flow, Framer()).feed(data):
                    if not isinstance(item, Ping):
                        found.append(parse(item))
        return found


class Voice(asyncio.DatagramProtocol):
    """Says silence every 20 ms, and counts the packets that come."""

    def __init__(self) -> None:
        self.heard = 0
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None
        self._speaking: asyncio.Task[None] | None = None

    async def open(self, host: str, ports: Ports) -> None:
        """Bind an even port of the range; OSError when none is free."""
        loop = asyncio.get_running_loop()
        for port in range(ports.first + ports.first % 2, ports.last, 2):
            try:
                self._transport, _ = await loop.create_datagram_endpoint(
                    lambda: self, local_addr=(host, port)
                )
            except OSError:
                continue
            self.port = port
            return
        raise OSError(f"no UDP port of {ports} is free at {host}")

    def datagram_received(self, data: bytes, addr: object) -> None:
        """Anything that looks like RTP."""
        self.heard += len(data) >= 12 and data[0] >> 6 == 2

    def speak(self, remote: tuple[str, int], payload_type: int) -> None:
        """Begin; a firewall often lets in only what was sent out first."""
        self._speaking = asyncio.create_task(self._speak(remote, payload_type))

    async def _speak(self, remote: tuple[str, int], payload_type: int) -> None:
        assert self._transport is not None
        number = 0
        while True:
            head = bytes((0x80, payload_type)) + number.to_bytes(2, "big")
            head += (number * 160).to_bytes(4, "big") + b"call"
            self._transport.sendto(head + SILENCE, remote)
            number = (number + 1) & 0xFFFF
            await asyncio.sleep(TICK_SECONDS)

    async def close(self) -> None:
        """Be silent."""
        if self._speaking is not None:
            self._speaking.cancel()
            await asyncio.gather(self._speaking, return_exceptions=True)
        if self._transport is not None:
            self._transport.close()
