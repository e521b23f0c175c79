"""Debian's kamailio as an operator's IMS on loopback, with the configuration of ims.cfg.

Root may run it as it is: foreground, a folder of its own, two ports that are free now.
"""

import asyncio
import contextlib
import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

CONFIG = Path(__file__).with_name("ims.cfg")
START_SECONDS = 15.0
OPTIONS = (
    "OPTIONS sip:ims.example SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 127.0.0.1:{port};rport;branch=z9hG4bK{port}\r\n"
    "From: <sip:test@ims.example>;tag=t\r\nTo: <sip:ims.example>\r\n"
    "Call-ID: {port}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


@dataclass(frozen=True, slots=True)
class Ports:
    """Where an IMS is: its edge, its core, and the world that it calls numbers in."""

    edge: int
    core: int
    world: int


class Ims:
    """One kamailio process with its children."""

    def __init__(self, ports: Ports, folder: Path, *, expires_seconds: int = 600) -> None:
        self.ports = ports
        self._folder = folder
        self._expires_seconds = expires_seconds
        self._process: asyncio.subprocess.Process | None = None

    @property
    def edge(self) -> str:
        """The proxy that a trunk is given."""
        return f"127.0.0.1:{self.ports.edge}"

    @property
    def log(self) -> str:
        """What it said."""
        return (self._folder / "log").read_text(errors="replace")

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        program = shutil.which("kamailio", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "install kamailio: apt install kamailio"
        self._folder.mkdir(parents=True, exist_ok=True)
        text = CONFIG.read_text(encoding="utf-8")
        ports = self.ports
        for name, value in (
            ("edge", ports.edge),
            ("core", ports.core),
            ("world", ports.world),
            ("expires", self._expires_seconds),
        ):
            text = text.replace(f"@{name}@", str(value))
        (self._folder / "kamailio.cfg").write_text(text, encoding="utf-8")
        with (self._folder / "log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                program,
                *("-f", str(self._folder / "kamailio.cfg"), "-DD", "-E"),
                *("-Y", str(self._folder), "-m", "16", "-M", "4"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            async with asyncio.timeout(START_SECONDS):
                await self._answers()
        except TimeoutError:
            await self.stop()
            raise AssertionError(f"kamailio does not answer: {self.log[-3000:]}") from None

    async def stop(self) -> None:
        """End it with its children, in the middle of whatever it does."""
        process, self._process = self._process, None
        if process is None:
            return
        # Its group is the one that it was started in: nobody else's processes are there.
        for number, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await process.wait()
                    return

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _answers(self) -> None:
        """Ask until there is an answer."""
        loop = asyncio.get_running_loop()
        heard = asyncio.Event()

        class Ear(asyncio.DatagramProtocol):
            def datagram_received(self, data: bytes, addr: object) -> None:
                heard.set()

        transport, _ = await loop.create_datagram_endpoint(Ear, ("127.0.0.1", 0))
        port = transport.get_extra_info("sockname")[1]
        try:
            while not heard.is_set():
                ended = self._process is None or self._process.returncode is not None
                assert not ended, f"kamailio ended: {self.log[-3000:]}"
                transport.sendto(OPTIONS.format(port=port).encode(), ("127.0.0.1", self.ports.edge))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await heard.wait()
        finally:
            transport.close()
