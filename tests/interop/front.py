"""What stands between SIPp and the engine: rain over UDP, a relay over TCP, and TLS.

Debian's SIPp has no TLS, so the front speaks it; and it registers a seat whose calls SIPp takes.
"""

import asyncio
import random
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from phones.raw import Address, RawMessage, digest, read
from phones.sipp import SippOptions

LOST, LATE = 0.05, 0.05  # shares of the datagrams, each way
LATE_SECONDS = 0.03


@dataclass(frozen=True)
class FrontOptions:
    """Where the engine is, how it is reached, from which address, and the source of chance."""

    engine: Address
    transport: str
    host: str
    ca: Path | None = None
    seed: int = 0
    loses: bytes = b""  # the first datagram from SIPp that begins so is lost


@dataclass
class Front:
    """`address` is where SIPp sends to (UAC); `seen` is what the engine is told to send to."""

    options: FrontOptions
    sipp: Address | None = None  # of a UAS
    address: Address = ("", 0)
    seen: Address = ("", 0)
    lost_first: bool = False
    _closers: list = field(default_factory=list)

    async def open(self) -> None:
        """Binds: the addresses are known from then on."""
        self._chance = random.Random(self.options.seed)
        self._answers: asyncio.Queue[RawMessage] = asyncio.Queue()
        self._registering = False
        await (self._open_udp() if self.options.transport == "udp" else self._open_stream())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for close in self._closers:
            close()

    # --- UDP with rain

    async def _open_udp(self) -> None:
        loop, host = asyncio.get_running_loop(), self.options.host
        self._inner, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self._from_sipp), local_addr=(host, 0)
        )
        self._outer, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self._from_engine), local_addr=(host, 0)
        )
        self.address = self._inner.get_extra_info("sockname")
        self.seen = self._outer.get_extra_info("sockname")
        self._closers += [self._inner.close, self._outer.close]

    def _from_sipp(self, data: bytes, source: Address) -> None:
        self.sipp = source
        loses = self.options.loses
        if loses and not self.lost_first and data.startswith(loses):
            self.lost_first = True
            return
        self._rain(self._outer, data, self.options.engine)

    def _from_engine(self, data: bytes, source: Address) -> None:
        if self._registering:
            self._answers.put_nowait(read(data))
        elif self.sipp is not None:
            self._rain(self._inner, data, self.sipp)

    def _rain(self, to: asyncio.DatagramTransport, data: bytes, address: Address) -> None:
        drawn = self._chance.random()
        if drawn < LOST:
            return
        if drawn < LOST + LATE:
            loop = asyncio.get_running_loop()
            loop.call_later(LATE_SECONDS, lambda: to.is_closing() or to.sendto(data, address))
        else:
            to.sendto(data, address)

    # --- streams

    async def _open_stream(self) -> None:
        server = await asyncio.start_server(self._sipp_connected, self.options.host, 0)
        self.address = self.seen = server.sockets[0].getsockname()[:2]
        self._closers.append(server.close)

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context = None
        if self.options.transport == "tls":
            context = ssl.create_default_context(cafile=self.options.ca)
        host, port = self.options.engine
        reader, writer = await asyncio.open_connection(
            host, port, ssl=context, local_addr=(self.options.host, 0)
        )
        self._closers.append(writer.transport.abort)
        return reader, writer

    async def _sipp_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._closers.append(writer.transport.abort)
        outer_reader, outer_writer = await self._dial()
        await self._relay((reader, writer), (outer_reader, outer_writer))

    async def _relay(self, *ends: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        (one, to_one), (other, to_other) = ends
        await asyncio.gather(_copy(one, to_other), _copy(other, to_one))

    # --- a seat

    async def register(self, user: str, sipp: Address) -> None:
        """Registers a seat by the flow that its calls then come by, and hands them to SIPp."""
        if self.options.transport == "udp":
            self._registering = True
            await self._register(user, lambda text: self._outer.sendto(text, self.options.engine))
            self._registering, self.sipp = False, sipp
            return
        reader, writer = await self._dial()

        async def answers() -> None:
            while True:
                self._answers.put_nowait(read(await reader.readuntil(b"\r\n\r\n")))

        listening = asyncio.create_task(answers())
        await self._register(user, writer.write)
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
        inner = await asyncio.open_connection(*sipp)
        self._closers.append(inner[1].transport.abort)
        relaying = asyncio.create_task(self._relay(inner, (reader, writer)))
        self._closers.append(relaying.cancel)

    async def _register(self, user: str, send) -> None:
        transport = self.options.transport
        host, port = self.seen
        party, proof = f"<sip:{user}@hotline.local>", ""
        for number in (1, 2):
            branch = f"z9hG4bK{user}{number}"
            lines = [
                "REGISTER sip:hotline.local SIP/2.0",
                f"Via: SIP/2.0/{transport.upper()} {host}:{port};branch={branch};rport",
                f"From: {party};tag=f{number}",
                f"To: {party}",
                f"Call-ID: front-{user}-{transport}",
                f"CSeq: {number} REGISTER",
                "Max-Forwards: 70",
                f"Contact: <sip:{user}@{host}:{port};transport={transport}>",
                *([f"Authorization: {proof}"] if proof else []),
                "Content-Length: 0",
            ]
            send("\r\n".join([*lines, "", ""]).encode())
            async with asyncio.timeout(10):
                answer = await self._answers.get()
            if answer.status == 200:
                return
            challenge = answer.get("www-authenticate")
            proof = digest(challenge, "REGISTER", "sip:hotline.local", user, f"secret-{user}")
        raise AssertionError(f"{user} was not registered: {answer.start}")


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, take) -> None:
        self.datagram_received = take

    def error_received(self, error: Exception) -> None:
        """SIPp has ended before its last message came."""


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


def behind(front: Front, text: str, values: dict[str, str] | None = None, **more) -> SippOptions:
    """SIPp behind a front, whose addresses stand in its messages.

    Over UDP a message may overtake another, or come twice: what is not expected is let pass.
    """
    transport = front.options.transport
    seen = {
        "host": front.seen[0],
        "port": str(front.seen[1]),
        "via": transport.upper(),
        "transport": transport,
    }
    return SippOptions(
        "of ours",
        text=text,
        values=seen | (values or {}),
        transport="udp" if transport == "udp" else "tcp",
        patient=transport == "udp",
        timeout_seconds=110,
        **more,
    )
