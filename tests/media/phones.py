"""RTP parties on real sockets, and what they hear."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from media.events import Event
from media.g711 import CODECS, decode, encode
from media.io.plane import MediaPlane, MediaSettings, Remote

FOLDER = Path(__file__).parents[2] / "media" / "prompts"
PROMPTS = {name: str(FOLDER / f"{name}.wav") for name in ("welcome", "hold", "busy")}
PORTS_WANTED = 64


# All of 127/8 is loopback: an address of this process's own, so that test runs side by side
# never race for ports.
ADDRESS = f"127.{64 + os.getpid() % 128}.{os.getpid() // 128 % 256}.1"


def free_range(first: int = 20000) -> int:
    """The start of a run of ports that nobody uses right now."""
    while True:
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, first + PORTS_WANTED):
                    probe = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
                    probe.bind((ADDRESS, port))
            except OSError:
                first += PORTS_WANTED
                continue
            return first


def power(samples: NDArray[np.int16], hertz: float) -> float:
    """Share of the signal's energy at a frequency: 1 for a pure tone (Goertzel's sum)."""
    signal = samples.astype(np.float64)
    at = np.arange(len(signal)) / 8000
    energy = float((signal**2).sum())
    if not energy:
        return 0.0
    correlation = np.abs((signal * np.exp(-2j * np.pi * hertz * at)).sum())
    return float(2 * correlation**2 / len(signal) / energy)


class Phone:
    """Sends a tone each 20 ms, keeps what arrives; times are the loop's."""

    def __init__(self, hertz: float = 440, codec: str = "PCMA", ssrc: int = 0) -> None:
        self.codec = codec
        self.kind = 8 if codec == "PCMA" else 0
        self.hertz = hertz
        self.ssrc = ssrc or int(hertz)
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.sequence = 65500  # wraps soon
        self.timestamp = 2**32 - 8000
        self.sent = 0
        self.packets: list[tuple[float, bytes]] = []
        self.arrived = asyncio.Event()
        self.talking: asyncio.Task[None] | None = None
        self.target: tuple[str, int] = ("127.0.0.1", 9)
        asyncio.get_running_loop().add_reader(self.socket.fileno(), self._read)

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def remote(self, **changes: Any) -> Remote:
        values = {"dtmf_payload_type": 101, **changes}
        return Remote("127.0.0.1", self.port, self.codec, self.kind, **values)

    def frame(self) -> bytes:
        at = (self.sent * 160 + np.arange(160)) / 8000
        tone = np.rint(8000 * np.sin(2 * np.pi * self.hertz * at)).astype(np.int16)
        return encode(tone, CODECS[self.codec]).tobytes()

    def packet(self, payload: bytes, kind: int | None = None, marker: bool = False) -> bytes:
        kind = self.kind if kind is None else kind
        head = bytes([0x80, kind | (0x80 if marker else 0)])
        numbers = self.sequence.to_bytes(2, "big") + self.timestamp.to_bytes(4, "big")
        return head + numbers + self.ssrc.to_bytes(4, "big") + payload

    def send(self, data: bytes | None = None) -> None:
        """One packet of the tone, or these bytes as they are."""
        if data is None:
            data = self.packet(self.frame())
            self.sent += 1
            self.sequence = (self.sequence + 1) & 0xFFFF
            self.timestamp = (self.timestamp + 160) & 0xFFFFFFFF
        self.socket.sendto(data, self.target)

    def talk(self, port: int) -> None:
        self.target = (ADDRESS, port)
        self.talking = asyncio.create_task(self._talk())

    async def _talk(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self.send()
            due += 0.02
            await asyncio.sleep(max(0, due - loop.time()))

    async def hush(self) -> None:
        if self.talking is not None:
            self.talking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.talking
            self.talking = None

    def _read(self) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            while True:
                data = self.socket.recv(2048)
                self.packets.append((asyncio.get_running_loop().time(), data))
                self.arrived.set()

    def audio(self, last: int = 0) -> NDArray[np.int16]:
        """What was heard, decoded; the last so many packets."""
        mine = [data for _, data in self.packets if data[1] & 0x7F == self.kind]
        payload = b"".join(data[12:] for data in mine[-last:])
        return decode(np.frombuffer(payload, np.uint8), CODECS[self.codec])

    async def until(self, condition: Callable[[], bool], seconds: float = 30) -> None:
        """Wait, packet by packet, until it holds."""
        async with asyncio.timeout(seconds):
            while not condition():
                self.arrived.clear()
                await self.arrived.wait()

    async def tick(self) -> None:
        """Until the next packet: the plane has gone on by a tick, so it takes what is sent now."""
        count = len(self.packets)
        await self.until(lambda: len(self.packets) > count)

    async def hears(self, hertz: float, packets: int = 20, share: float = 0.9) -> None:
        await self.until(
            lambda: len(self.packets) >= packets and power(self.audio(packets), hertz) > share
        )

    async def hang_up(self) -> None:
        await self.hush()
        asyncio.get_running_loop().remove_reader(self.socket.fileno())
        self.socket.close()


class Exchange:
    """A plane with its events; `wait` for one of a kind."""

    def __init__(self, **changes: Any) -> None:
        first = free_range()
        values: dict[str, Any] = {
            "address": ADDRESS,
            "first_port": first,
            "last_port": first + PORTS_WANTED - 1,
            "workers": 1,
            "prompts": PROMPTS,
            "sink": "tests.media.sinks:FileSink",
            "sink_arguments": {"folder": "/nonexistent"},
            "realtime": False,
            **changes,
        }
        self.events: list[Event] = []
        self._changed = asyncio.Event()
        self.plane = MediaPlane(MediaSettings(**values), self._note)
        self.phones: list[Phone] = []

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self._changed.set()

    async def wait(self, kind: type[Event], count: int = 1, seconds: float = 30) -> list[Any]:
        """The events of a kind, once there are so many."""
        async with asyncio.timeout(seconds):
            while len(found := [e for e in self.events if isinstance(e, kind)]) < count:
                self._changed.clear()
                await self._changed.wait()
        return found

    def phone(self, leg: str, hertz: float, codec: str = "PCMA", near: str | None = None) -> Phone:
        """A phone that talks to a leg of its own."""
        phone = Phone(hertz, codec)
        self.phones.append(phone)
        address = self.plane.open(leg, near)
        self.plane.connect(leg, phone.remote())
        phone.talk(address.port)
        return phone


@contextlib.asynccontextmanager
async def exchange(**changes: Any) -> AsyncIterator[Exchange]:
    """Started and, whatever happens, stopped."""
    it = Exchange(**changes)
    await it.plane.start()
    try:
        yield it
    finally:
        for phone in it.phones:
            await phone.hang_up()
        await it.plane.stop()
