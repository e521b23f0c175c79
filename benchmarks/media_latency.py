"""What the plane adds to a voice's way, packet in to packet out, and how its buffers follow jitter.

Part one: two-party bridges, senders without jitter in a process of their own; every packet is
found again by its mark, so every delay is a packet's. Part two: one sender whose packets come at
random up to 60 ms late for a while; the worker is asked four times a second how deep the buffer is,
which is how long a packet waits that came at once (RFC 3611 §4.7.7).
"""

import asyncio
import contextlib
import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np

from benchmarks.outcome import Outcome, parser, say
from media.events import Event, Measured
from media.g711 import PCMA, encode
from media.io.plane import MediaPlane, MediaSettings, Remote

ADDRESS = "127.75.0.1"
LATENCY_BAR_MS = 45
FOLLOW_BAR_SECONDS = 5.0
JITTER_MS = 60
SMOOTH = 4  # looks
LOW_MS, HIGH_MS = 20, 40  # depth beside the jitter: a tick less, or the two that it is without any
GENERATOR_LATE_MS = 8  # a generator that is later measures itself
IMAGE = Path(__file__).parent.parent / "docs" / "images" / "media_latency.png"


def settings() -> MediaSettings:
    return MediaSettings(
        address=ADDRESS,
        first_port=20000,
        last_port=23999,
        workers=1,
        prompts={},
        sink="media_sink:FileSink",
        sink_arguments={"folder": "/nonexistent"},
    )


async def latency(legs: int, seconds: float) -> dict[str, Any]:
    """The generator's report on so many legs."""
    plane = MediaPlane(settings(), lambda event: None)
    await plane.start()
    try:
        generator = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).parent / "media_generator.py"),
            *(str(legs), str(seconds), "1", "plain"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        assert generator.stdin is not None
        assert generator.stdout is not None
        ports = []
        for number, port in enumerate(json.loads(await generator.stdout.readline())):
            ports.append(plane.open(f"leg-{number}").port)
            plane.connect(f"leg-{number}", Remote("127.0.0.1", port, "PCMA", 8, 101))
            if number % 2:
                plane.bridge(f"bridge-{number}", (f"leg-{number - 1}", f"leg-{number}"))
        async with asyncio.timeout(20):
            while plane.stats().heartbeats[0].legs < legs:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        generator.stdin.write(json.dumps([ADDRESS, ports]).encode() + b"\n")
        await generator.stdin.drain()
        report: dict[str, Any] = json.loads(await generator.stdout.readline())
        await generator.wait()
        return report
    finally:
        await plane.stop()


class Watch:
    """A sender with a law of jitter, and what the worker says of its buffer."""

    def __init__(self, phases: list[tuple[float, float]]) -> None:
        self.phases = phases  # seconds, jitter in ms
        self.seen: list[tuple[float, int, int]] = []  # seconds, depth, spread
        self.began = 0.0
        self.plane = MediaPlane(settings(), self._note)

    def _note(self, event: Event) -> None:
        if isinstance(event, Measured):
            at = time.monotonic() - self.began
            self.seen.append((at, event.sound.depth_ms, event.sound.spread_ms))

    async def run(self) -> list[tuple[float, int, int]]:
        await self.plane.start()
        with socket.socket(type=socket.SOCK_DGRAM) as sock:
            sock.bind((ADDRESS, 0))
            address = self.plane.open("leg")
            self.plane.connect("leg", Remote(*sock.getsockname(), "PCMA", 8))
            self.began = time.monotonic()
            asking = asyncio.create_task(self._ask())
            try:
                await asyncio.to_thread(self._talk, sock, tuple(address))
            finally:
                asking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await asking
                await self.plane.stop()
        return self.seen

    async def _ask(self) -> None:
        while True:
            self.plane.measure("leg")
            await asyncio.sleep(0.25)

    def _talk(self, sock: socket.socket, target: tuple[str, int]) -> None:
        rng = np.random.default_rng(1)
        tone = np.rint(8000 * np.sin(2 * np.pi * 300 * np.arange(160) / 8000)).astype(np.int16)
        payload = encode(tone, PCMA).tobytes()
        plan, at = [], 0.0
        for seconds, jitter in self.phases:
            for _ in range(round(seconds / 0.02)):
                plan.append((at + rng.uniform(0, jitter) / 1000, len(plan)))
                at += 0.02
        for due, number in sorted(plan):
            time.sleep(max(0.0, self.began + due - time.monotonic()))
            head = bytes([0x80, 8]) + number.to_bytes(2, "big") + (number * 160).to_bytes(4, "big")
            sock.sendto(head + b"\0\0\0\5" + payload, target)


def follows(seen: list[tuple[float, int, int]], begin: float, end: float, jitter: float) -> float:
    """Seconds from the change until the depth was, and stayed, beside the jitter."""
    last = begin
    for place in range(SMOOTH, len(seen)):
        at = seen[place][0]
        # The median of a second.
        depth = np.median([depth for _, depth, _ in seen[place - SMOOTH : place + 1]])
        if begin <= at < end and not jitter - LOW_MS <= depth <= jitter + HIGH_MS:
            last = at + 0.25
    return last - begin


def plot(seen: list[tuple[float, int, int]], phases: list[tuple[float, float]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(8, 3.2))
    edges = np.cumsum([0.0, *(seconds for seconds, _ in phases)])
    axis.stairs([jitter for _, jitter in phases], edges, fill=True, alpha=0.3, label="jitter sent")
    axis.plot([at for at, *_ in seen], [depth for _, depth, _ in seen], label="buffer's depth")
    axis.plot([at for at, *_ in seen], [s for *_, s in seen], "--", label="spread measured")
    axis.set(xlabel="seconds", ylabel="ms")
    axis.legend()
    figure.tight_layout()
    figure.savefig(IMAGE, dpi=100)


def main() -> None:
    options = parser("media_latency", __doc__).parse_args()
    sys.path.insert(0, str(Path(__file__).parent))
    legs, seconds = (40, 6.0) if options.quick else (200, 15.0)
    report = asyncio.run(latency(legs, seconds))
    say(f"{legs} legs: {report}")
    length = 7.0 if options.quick else 12.0
    phases = [(length, 0.0), (length, float(JITTER_MS)), (length, 0.0)]
    seen = asyncio.run(Watch(phases).run())
    up = follows(seen, length, 2 * length, JITTER_MS)
    down = follows(seen, 2 * length, 3 * length, 0.0)
    say(f"depth follows {JITTER_MS} ms in {up:.1f} s, back in {down:.1f} s")
    outcome = Outcome("media_latency")
    outcome.figures = {
        "legs": legs,
        "delay_ms": report["delay_ms"],
        "packets": report["sent"],
        "packets_lost": report["missing"],
        "generator_late_ms": round(report["generator_late_ms"], 1),
        "follows_up_seconds": round(up, 2),
        "follows_down_seconds": round(down, 2),
    }
    kept = report["generator_late_ms"] <= GENERATOR_LATE_MS
    outcome.bar("generator_late_ms", GENERATOR_LATE_MS, kept)
    outcome.bar("delay_ms_p99", LATENCY_BAR_MS, report["delay_ms"]["99"] <= LATENCY_BAR_MS)
    outcome.bar("follow_seconds", FOLLOW_BAR_SECONDS, max(up, down) <= FOLLOW_BAR_SECONDS)
    if not options.quick:
        plot(seen, phases)
    outcome.finish()


if __name__ == "__main__":
    main()
