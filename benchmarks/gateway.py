"""CPU of the browser seats' gateway a second and seat, beside aiortc's own echo.

Each seat is a browser's session in full (ICE, DTLS, SRTP): 50 packets a second from the browser
and 50 from the media plane, all of a tone. aiortc's echo decodes, hands the frames over and encodes
them again, which is what a gateway made of it would do at least. One process on a core of its own,
the load on the other one.
"""

import asyncio
import contextlib
import os
import socket
import struct
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.gateway_peer import Clients  # noqa: E402
from benchmarks.outcome import (  # noqa: E402
    Outcome,
    cpu_seconds,
    parser,
    percentile,
    say,
    two_cores,
)
from media.g711 import PCMA, encode  # noqa: E402
from media.gateway.messages import Codec  # noqa: E402
from media.gateway.opus import Encoder  # noqa: E402
from media.io.gateway import Gateway, GatewaySettings  # noqa: E402
from tests.media.gateway.browser import ALAW, OPUS, Browser, rtp, tone  # noqa: E402

HOST = "127.0.0.1"
FRAME_SECONDS = 0.02
SEATS, QUICK_SEATS = 30, 8
ECHOES, QUICK_ECHOES = 3, 2  # more of them and a core is full
SECONDS, QUICK_SECONDS = 15.0, 4.0
WARM_SECONDS = 2.0
SERVER = "import asyncio; from benchmarks.gateway_peer import serve; asyncio.run(serve())"
BAR_MS = 20.0  # ms of CPU a second and seat with Opus
BAR_RATIO = 0.5  # of aiortc's echo


@dataclass
class Seat:
    """A browser and its plane's leg on sockets of the generator's."""

    browser: Browser
    web: socket.socket
    plane: socket.socket
    frames: list[bytes]  # what it says, coded
    kind: int
    step: int
    sent_at: dict[int, float] = field(default_factory=dict)
    delays_ms: list[float] = field(default_factory=list)
    plain_heard: int = 0
    web_heard: int = 0
    sequence: int = 0


def udp() -> socket.socket:
    sock = socket.socket(type=socket.SOCK_DGRAM)
    sock.bind((HOST, 0))
    sock.setblocking(False)
    return sock


def coded(codec: Codec) -> list[bytes]:
    """A second of 1150 Hz."""
    samples = tone(1150, 50)
    if codec.name != "opus":
        return [encode(frame, PCMA).tobytes() for frame in samples]
    encoder = Encoder()
    return [encoder.encode(frame) for frame in samples]


async def connect(gateway: Gateway, name: str, codec: Codec) -> Seat:
    """Offer, check, handshake."""
    web, plane = udp(), udp()
    ends = gateway.open(name, plane.getsockname())
    web.connect(ends.candidates[0])
    plane.connect(ends.plain)
    browser = Browser(ufrag=ends.ufrag, password=ends.password)
    gateway.connect(browser.agreed(name, codec))
    loop = asyncio.get_running_loop()
    web.send(browser.check())
    browser.shake()
    async with asyncio.timeout(5):
        while browser.sending is None:
            for datagram in browser.out:
                web.send(datagram)
            browser.out = []
            browser.hear(await loop.sock_recv(web, 2048))
    for datagram in browser.out:
        web.send(datagram)
    browser.out = []
    step = 960 if codec.name == "opus" else 160
    return Seat(browser, web, plane, coded(codec), codec.send, step)


def drain(seat: Seat, now: float) -> None:
    """Count what has come; the delay through the gateway is told by the sequence number."""
    while True:
        try:
            data = seat.web.recv(2048)
        except BlockingIOError:
            break
        if data[0] >= 128:
            seat.web_heard += 1
            (sequence,) = struct.unpack_from("!H", data, 2)
            sent_at = seat.sent_at.pop(sequence, None)
            if sent_at is not None:
                seat.delays_ms.append((now - sent_at) * 1000)
    while True:
        try:
            seat.plane.recv(2048)
        except BlockingIOError:
            return
        seat.plain_heard += 1


def say_one(seat: Seat, number: int, voice: bytes) -> None:
    """One packet from each side."""
    seat.web.send(seat.browser.protect(seat.kind, seat.frames[number % 50], seat.step))
    sequence = seat.sequence = (seat.sequence + 1) & 0xFFFF
    seat.sent_at[sequence] = time.monotonic()
    seat.plane.send(rtp(8, sequence, 160 * number & 0xFFFFFFFF, voice))


def talk(seats: list[Seat], seconds: float) -> None:
    """All seats, spread over each 20 ms as real ones are."""
    voice = [encode(frame, PCMA).tobytes() for frame in tone(440, 50)]
    begin = time.monotonic()
    gap = FRAME_SECONDS / len(seats)
    for number in range(round(seconds / FRAME_SECONDS)):
        for place, seat in enumerate(seats):
            due = begin + number * FRAME_SECONDS + place * gap
            while (now := time.monotonic()) < due:
                for other in seats:
                    drain(other, now)
                time.sleep(min(0.0005, max(0.0, due - time.monotonic())))
            say_one(seat, number, voice[number % 50])
    time.sleep(0.2)
    for seat in seats:
        drain(seat, time.monotonic())


async def measure_gateway(codec: Codec, count: int, seconds: float) -> dict[str, float]:
    """CPU, and what was lost on the way."""
    core, other = two_cores()
    gateway = Gateway(GatewaySettings(HOST, (HOST,), 19000, 19999, HOST))
    await gateway.start()
    try:
        (pid,) = gateway.stats().pids
        os.sched_setaffinity(pid, {core})
        os.sched_setaffinity(0, {other})
        seats = [await connect(gateway, f"leg{n}", codec) for n in range(count)]
        await asyncio.to_thread(talk, seats, WARM_SECONDS)
        for seat in seats:
            seat.delays_ms.clear()
            seat.plain_heard = seat.web_heard = 0
        before = cpu_seconds(pid)
        await asyncio.to_thread(talk, seats, seconds)
        used = cpu_seconds(pid) - before
        for seat in seats:
            gateway.close(f"leg{seats.index(seat)}")
    finally:
        await gateway.stop()
        os.sched_setaffinity(0, {core, other})
    due = 2 * count * round(seconds / FRAME_SECONDS)
    heard = sum(seat.plain_heard + seat.web_heard for seat in seats)
    delays = [delay for seat in seats for delay in seat.delays_ms]
    for seat in seats:
        seat.web.close()
        seat.plane.close()
    return {
        "cpu_ms": round(1000 * used / seconds / count, 2),
        "lost": round(1 - heard / due, 5),
        "p50_ms": round(percentile(delays, 0.5), 2),
        "p99_ms": round(percentile(delays, 0.99), 2),
    }


async def measure_echo(count: int, seconds: float) -> dict[str, float]:
    """aiortc's echo, its clients in this process."""
    core, other = two_cores()
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SERVER,
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    os.sched_setaffinity(server.pid, {core})
    os.sched_setaffinity(0, {other})
    clients = Clients(server)
    try:
        for _ in range(count):
            await clients.add()
        async with asyncio.timeout(20):
            while min(clients.heard) < 25:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        before, heard, begin = cpu_seconds(server.pid), sum(clients.heard), time.monotonic()
        await asyncio.sleep(seconds)
        used, elapsed = cpu_seconds(server.pid) - before, time.monotonic() - begin
        frames = sum(clients.heard) - heard
        await clients.close()
    finally:
        server.kill()
        await server.wait()
        os.sched_setaffinity(0, {core, other})
    return {
        "cpu_ms": round(1000 * used / elapsed / count, 2),
        "lost": round(1 - frames / (count * elapsed / FRAME_SECONDS), 5),
    }


async def main() -> None:
    """The run and its bars."""
    given = parser("gateway", __doc__).parse_args()
    with contextlib.suppress(OSError):  # a generator that is late measures only itself
        os.nice(-15)
    seats = QUICK_SEATS if given.quick else SEATS
    echoes = QUICK_ECHOES if given.quick else ECHOES
    seconds = QUICK_SECONDS if given.quick else SECONDS
    say(f"gateway, {seats} seats with Opus")
    opus = await measure_gateway(OPUS, seats, seconds)
    say(f"  {opus}\ngateway, {seats} seats with A-law")
    alaw = await measure_gateway(ALAW, seats, seconds)
    say(f"  {alaw}\naiortc's echo, {echoes} connections")
    echo = await measure_echo(echoes, seconds)
    say(f"  {echo}")
    outcome = Outcome("gateway")
    outcome.figures = {
        "seats": seats,
        "opus_cpu_ms_a_second_and_seat": opus["cpu_ms"],
        "opus_lost": opus["lost"],
        "opus_delay_p50_ms": opus["p50_ms"],
        "opus_delay_p99_ms": opus["p99_ms"],
        "alaw_cpu_ms_a_second_and_seat": alaw["cpu_ms"],
        "alaw_delay_p50_ms": alaw["p50_ms"],
        "echo_connections": echoes,
        "aiortc_echo_cpu_ms_a_second_and_seat": echo["cpu_ms"],
        "aiortc_echo_lost": echo["lost"],
        "ratio": round(opus["cpu_ms"] / echo["cpu_ms"], 3),
    }
    outcome.bar("opus_cpu_ms_a_second_and_seat", BAR_MS, opus["cpu_ms"] <= BAR_MS)
    outcome.bar("ratio", BAR_RATIO, opus["cpu_ms"] <= BAR_RATIO * echo["cpu_ms"])
    outcome.bar("opus_lost", 0.001, opus["lost"] <= 0.001)
    outcome.finish()


if __name__ == "__main__":
    asyncio.run(main())
