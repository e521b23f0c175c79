"""A media worker with 200 calls on it is killed: until both parties of each hear the other again.

The whole engine, with a trunk's callers and seats that are judges of our own: every call's parties
talk each 20 ms, and what is heard is marked with who said it. The clock starts with signal 9; a
call is back when both parties have heard the other's mark from the port that a re-INVITE named.
With two workers the calls go to the one that is left; with one to the spare, and without a spare
they wait for the worker's successor, which is measured beside it and has no bar.
"""

import asyncio
import ctypes
import os
import signal
import socket
import sys
import tempfile
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import numpy as np  # noqa: E402
from media_generator import BATCH, LIBC, SO_RCVBUFFORCE, MmsgHdr, messages  # noqa: E402
from outcome import Outcome, parser, percentile, say  # noqa: E402

from phones.engine import Engine  # noqa: E402
from phones.plan import EnginePlan  # noqa: E402
from phones.raw import Address, RawCall, RawEnd, RawMessage, read  # noqa: E402
from phones.sipp import free_port  # noqa: E402

CALLS, QUICK_CALLS = 200, 20
BAR_SECONDS = 2.0
WAIT_SECONDS = 20.0
PATIENCE = 5  # REGISTERs of one seat
START_SECONDS = 60.0  # hundreds of seats, each with a password to be hashed
CALLER, SEAT = 0x2A, 0x6B  # a byte of each one's payload
TRUNK, SEATS = "127.0.0.2", "127.0.0.1"


class Voice:
    """One socket that all calls of a side talk and hear by; a thread of its own serves it."""

    def __init__(self, host: str, says: int, hears: int) -> None:
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        self.socket.setblocking(False)
        self.socket.bind((host, 0))
        self.address: Address = self.socket.getsockname()
        self.hears = hears
        self.first: dict[int, float] = {}  # port of ours -> when the other was heard from there
        self._says = says
        self._targets: list[Address] = []
        self._packets: Any = None
        self._tick = 0
        self._inbox, self._names = np.zeros((BATCH, 184), np.uint8), np.zeros((BATCH, 16), np.uint8)
        self._incoming = messages(self._inbox, self._names)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def send_to(self, remote: Address) -> None:
        """From the next 20 ms on."""
        self._targets.append(remote)

    def close(self) -> None:
        """A call's end: the socket is the others' too."""

    def stop(self) -> None:
        self._over.set()
        self._thread.join()
        self.socket.close()

    def _serve(self) -> None:
        due = time.monotonic()
        while not self._over.is_set():
            self._receive()
            if time.monotonic() >= due:
                due += 0.02
                self._send()
            time.sleep(0.002)

    def _receive(self) -> None:
        got = BATCH
        while got == BATCH:
            got = LIBC.recvmmsg(
                self.socket.fileno(), self._incoming, BATCH, socket.MSG_DONTWAIT, None
            )
            if got > 0:
                now = time.monotonic()
                voiced = self._inbox[:got, 100] == self.hears
                ports = self._names[:got].view(">u2")[voiced, 1]
                for port in np.unique(ports).tolist():
                    self.first.setdefault(port, now)

    def _send(self) -> None:
        targets = list(self._targets)
        if self._packets is None or len(targets) != len(self._packets):
            self._packets = self._plan(targets)
        if not targets:
            return
        self._tick += 1
        self._rows.view(">u2")[:, 1] = self._tick & 0xFFFF
        self._rows.view(">u4")[:, 1] = self._tick * 160 & 0xFFFFFFFF
        done = 0
        while done < len(targets):
            at = ctypes.byref(self._packets, done * ctypes.sizeof(MmsgHdr))
            sent = LIBC.sendmmsg(self.socket.fileno(), at, len(targets) - done, 0)
            done += max(1, sent)  # one that is refused: nobody is there any more

    def _plan(self, targets: list[Address]) -> Any:
        self._rows = np.full((len(targets), 172), self._says, np.uint8)
        self._rows[:, 0], self._rows[:, 1] = 0x80, 8
        self._rows.view(">u4")[:, 2] = self._says
        names = np.zeros((len(targets), 16), np.uint8)
        for name, (host, port) in zip(names, targets, strict=True):
            name[:2] = np.frombuffer(socket.AF_INET.to_bytes(2, sys.byteorder), np.uint8)
            name[2:4] = np.frombuffer(port.to_bytes(2, "big"), np.uint8)
            name[4:8] = np.frombuffer(socket.inet_aton(host), np.uint8)
        return messages(self._rows, names)


class Side(RawEnd):
    """All callers, or all seats, on one SIP socket; re-INVITEs are answered and noted."""

    def __init__(self, user: str, voice: Voice) -> None:
        super().__init__(user, 0, 0)
        self.voice = voice
        self.ports: dict[str, list[int]] = {}  # Call-ID -> the ports that its voice came to be at

    def datagram_received(self, data: bytes, address: Address) -> None:
        if data.startswith(b"INVITE "):
            invite = read(data)
            call = self.calls.get(invite.get("call-id"))
            if call is not None:
                if invite.rtp_address()[1] != self.ports[call.call_id][-1]:
                    self._move(call.call_id, invite)
                self.respond(invite, address, "200 OK", self.description(self.voice.address))
                return
        super().datagram_received(data, address)

    def _move(self, call_id: str, message: RawMessage) -> None:
        remote = message.rtp_address()
        self.ports.setdefault(call_id, []).append(remote[1])
        self.voice.send_to(remote)

    async def _call(self, call_id: str, remote: Address) -> RawCall:
        return self.calls.setdefault(
            call_id,
            RawCall(_Told(self, call_id), self.voice.address, call_id, remote),  # type: ignore[arg-type]
        )

    async def enrol(self, user: str, registrar: Address) -> None:
        """A seat more, at this socket."""
        self.user = user
        for _ in range(PATIENCE):
            status = await self.register(registrar, "hotline.local", f"secret-{user}")
            if status != 503:  # too many at once: a phone comes again
                break
            await asyncio.sleep(1.0)
        if status != 200:
            raise SystemExit(f"seat {user} could not register: {status}")


@dataclass(frozen=True)
class House:
    """The media processes of an engine."""

    workers: int
    spare: bool = False


@dataclass
class _Told:
    """What a raw call takes for its audio: where we are to send to is told to the side's voice."""

    side: Side
    call_id: str

    def send_to(self, remote: Address) -> None:
        self.side.ports.setdefault(self.call_id, []).append(remote[1])
        self.side.voice.send_to(remote)

    def close(self) -> None: ...


async def until(condition: Any, seconds: float) -> bool:
    """Whether it came to be true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        await asyncio.sleep(0.02)
    return bool(condition())


def configuration(folder: Path, seats: int, house: House) -> tuple[EnginePlan, Address]:
    plan = EnginePlan(
        folder,
        sip_port=free_port(),
        http_port=free_port("tcp"),
        seats=seats,
        trunk=TRUNK,
        spare=house.spare,
    )
    path = plan.write()
    text = path.read_text(encoding="utf-8").replace("workers = 1", f"workers = {house.workers}")
    path.write_text(text.replace("max_calls = 200", f"max_calls = {seats}"), encoding="utf-8")
    host, _, port = plan.sip.partition(":")
    return plan, (host, int(port))


async def measure(calls: int, house: House) -> dict[str, Any]:
    """Kill one of the workers, which share the calls evenly."""
    total = calls * house.workers
    with tempfile.TemporaryDirectory(prefix="media-reanchor-") as name:
        folder = Path(name)
        plan, target = configuration(folder, total, house)
        voices = Voice(TRUNK, CALLER, SEAT), Voice(SEATS, SEAT, CALLER)
        callers, seats = Side("trunk", voices[0]), Side("8001", voices[1])
        with (folder / "engine.log").open("wb") as log:
            engine = Engine(folder / "engine.toml", log)
            try:
                await engine.start(START_SECONDS)
                await callers.open(TRUNK)
                await seats.open(SEATS)
                await talk(callers, seats, target, total)
                if house.spare:
                    await spare_is_up(plan.http_port)
                return await kill(engine.pid, callers, seats, calls)
            finally:
                for side in (callers, seats):
                    if side.address[1]:
                        side.close()
                for voice in voices:
                    voice.stop()
                await engine.stop()


async def talk(callers: Side, seats: Side, target: Address, total: int) -> None:
    """So many calls, all of which have voice both ways."""
    for number in range(total):
        await seats.enrol(str(8001 + number), target)
    accepting = asyncio.create_task(accept(seats, total))
    for number in range(total):
        await callers.place(target, "12345", f"139{number:08d}")
    await accepting
    if not await until(lambda: all(hears(side) == total for side in (callers, seats)), 30):
        raise SystemExit(f"voice in {hears(callers)} and {hears(seats)} of {total} calls")
    say(f"{total} calls talk")


async def spare_is_up(http_port: int) -> None:
    async with asyncio.timeout(START_SECONDS):
        while not await asyncio.to_thread(waiting, http_port):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def accept(seats: Side, total: int) -> None:
    for _ in range(total):
        await seats.accept(60.0)


def hears(side: Side) -> int:
    """How many of its calls hear the other party where they are now."""
    return sum(ports[-1] in side.voice.first for ports in side.ports.values())


async def kill(engine: int, callers: Side, seats: Side, calls: int) -> dict[str, Any]:
    workers = media_workers(engine)
    begin = time.monotonic()
    os.kill(workers[0], signal.SIGKILL)
    sides = (callers, seats)
    moved = lambda side: [p for p in side.ports.values() if len(p) > 1]  # noqa: E731
    back = lambda side: [  # noqa: E731
        side.voice.first[p[-1]] - begin for p in moved(side) if p[-1] in side.voice.first
    ]
    await until(lambda: all(len(back(side)) >= calls for side in sides), WAIT_SECONDS)
    times = sorted(back(callers) + back(seats))
    figures = {
        "workers_and_spares": len(workers),
        "calls_moved": min(len(moved(side)) for side in sides),
        "calls_back": min(len(back(side)) for side in sides),
        "first_seconds": round(min(times, default=0.0), 3),
        "median_seconds": round(percentile(times, 0.5), 3) if times else None,
        "last_seconds": round(max(times), 3) if times else None,
    }
    say(f"{figures}")
    return figures


def waiting(http_port: int) -> int:
    """Spares that are up, as the engine tells (docs/metrics.md)."""
    with urllib.request.urlopen(f"http://127.0.0.1:{http_port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    found = next(line for line in lines if line.startswith("callcore_media_spare_workers "))
    return int(float(found.split()[1]))


def media_workers(engine: int) -> list[int]:
    """Its children that are media workers, the oldest first."""
    children = Path(f"/proc/{engine}/task/{engine}/children").read_text(encoding="ascii").split()
    told = {pid: Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return [int(pid) for pid in children if b"media.io.worker" in told[pid]]


ALONE = House(1)
HOUSES = {"to_another": House(2), "to_the_spare": House(1, spare=True), "to_its_successor": ALONE}


def main() -> None:
    """Two workers, one with a spare, one alone."""
    given = parser("media_reanchor", __doc__).parse_args()
    calls = QUICK_CALLS if given.quick else CALLS
    outcome = Outcome("media_reanchor")
    for name, house in HOUSES.items():
        figures = asyncio.run(measure(calls, house))
        outcome.figures[name] = figures
        if house == ALONE:
            continue
        outcome.bar(f"calls_back_{name}", calls, figures["calls_back"] >= calls)
        late = figures["last_seconds"]
        outcome.bar(f"seconds_{name}", BAR_SECONDS, late is not None and late <= BAR_SECONDS)
    outcome.finish()


if __name__ == "__main__":
    main()
