"""Recorded two-party bridges on one core, beside the raw cost of sending and receiving.

Packets come from a process of its own on another core; CPU counts the whole worker, its writer
thread included. The raw pair is one UDP sendto and one recv_into of the same size on the same
core, in the same run: what a leg and tick would cost if the plane did nothing else.
"""

import argparse
import asyncio
import importlib.util
import json
import os
import resource
import socket
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from media.io.plane import MediaPlane, MediaSettings, Remote
from media.messages import LATE_BUCKETS_MS, Heartbeat
from media.outgoing import PACKET

ADDRESS = "127.77.0.1"  # a loopback address of our own: all its ports are free
WORKER_CORE, GENERATOR_CORE = 0, 1
TICK_US = 20000
RAW_FACTOR_BAR, LEGS_BAR, LATE_BAR = 7.0, 2000, 0.001
GENERATOR_LATE_MS = 100  # a generator that is later offers less load than it says: no figure
PROMPTS = Path(__file__).parent.parent / "media" / "prompts"


@dataclass(frozen=True)
class Load:
    """One measured run."""

    legs: int
    us_per_leg_tick: float
    busy: float
    late_share: float
    skipped: int
    generator: dict[str, Any]

    @property
    def legs_at_80(self) -> int:
        return int(self.legs * 0.8 / self.busy)


def raw_pair_us(sockets: int) -> float:
    """CPU microseconds of one sendto and one recv_into, on the worker's core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {WORKER_CORE})
    rounds = max(1, 4000 // sockets)
    packet, buffer = bytes(PACKET), bytearray(640)
    senders = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(sockets)]
    receivers = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(sockets)]
    for sock in receivers:
        sock.bind((ADDRESS, 0))
    work = [
        (a.sendto, b.recv_into, b.getsockname()) for a, b in zip(senders, receivers, strict=True)
    ]
    figures = []
    for _ in range(9):
        start = time.process_time()
        for _ in range(rounds):
            for send, _, address in work:
                send(packet, address)
            for _, receive, _ in work:
                receive(buffer)
        figures.append((time.process_time() - start) / rounds / sockets * 1e6)
    for sock in (*senders, *receivers):
        sock.close()
    os.sched_setaffinity(0, before)
    return statistics.median(figures)


def sink(folder: str) -> tuple[str, dict[str, str]]:
    """The product's own spool where it is there."""
    if importlib.util.find_spec("recorder.io.spool") is not None:
        return "recorder.io.spool:SpoolSink", {"folder": folder}
    return "media_sink:FileSink", {"folder": folder}


async def measure(legs: int, seconds: float, folder: str) -> Load:
    """Bridges of two with a recording each; the first third of the time is not counted."""
    name, arguments = sink(folder)
    settings = MediaSettings(
        address=ADDRESS,
        first_port=10000,
        last_port=29999,
        workers=1,
        prompts={"hold": str(PROMPTS / "hold.wav")},
        sink=name,
        sink_arguments=arguments,
    )
    plane = MediaPlane(settings, lambda event: None)
    await plane.start()
    try:
        pin(plane.stats().pids[0])
        generator = await asyncio.create_subprocess_exec(
            sys.executable,
            str(Path(__file__).parent / "media_generator.py"),
            *map(str, (legs, seconds, GENERATOR_CORE)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=1 << 20,
        )
        assert generator.stdin is not None
        assert generator.stdout is not None
        ports = await set_up(plane, json.loads(await generator.stdout.readline()))
        generator.stdin.write(json.dumps([ADDRESS, ports]).encode() + b"\n")
        await generator.stdin.drain()
        await asyncio.sleep(max(1.5, seconds / 3))
        first = plane.stats().heartbeats[0]
        await asyncio.sleep(seconds - max(1.5, seconds / 3) - 0.6)
        last = plane.stats().heartbeats[0]
        report = json.loads(await generator.stdout.readline())
        await generator.wait()
    finally:
        await plane.stop()
    return load(legs, first, last, report)


def pin(pid: int) -> None:
    """Every thread of the worker to its core, ours away from it."""
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), {WORKER_CORE})
    os.sched_setaffinity(0, {GENERATOR_CORE})


async def set_up(plane: MediaPlane, remotes: list[int]) -> list[int]:
    ports = []
    for number, port in enumerate(remotes):
        leg = f"leg-{number}"
        ports.append(plane.open(leg, None).port)
        plane.connect(leg, Remote("127.0.0.1", port, "PCMA", 8, 101))
        if number % 2:
            pair = (f"leg-{number - 1}", leg)
            plane.bridge(f"bridge-{number}", pair)
            plane.record(f"recording-{number}", *pair, header={"recording": f"recording-{number}"})
    async with asyncio.timeout(20):
        while plane.stats().heartbeats[0].legs < len(remotes):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return ports


def load(legs: int, first: Heartbeat, last: Heartbeat, report: dict[str, Any]) -> Load:
    ticks = last.ticks - first.ticks
    cpu_us = (last.cpu_seconds - first.cpu_seconds) * 1e6
    late = [b - a for a, b in zip(first.late, last.late, strict=True)]
    beyond = sum(late[LATE_BUCKETS_MS.index(2.0) + 1 :])
    return Load(
        legs=legs,
        us_per_leg_tick=cpu_us / ticks / legs,
        busy=cpu_us / ticks / TICK_US,
        late_share=beyond / ticks,
        skipped=last.skipped_ticks - first.skipped_ticks,
        generator=report,
    )


def figures_of(run: Load) -> dict[str, Any]:
    return {
        "legs": run.legs,
        "us_per_leg_tick": round(run.us_per_leg_tick, 2),
        "busy": round(run.busy, 3),
        "late_over_2_ms_share": round(run.late_share, 5),
        "skipped_ticks": run.skipped,
        "packets": run.generator["sent"],
        "packets_lost": run.generator["missing"],
        "delay_ms": run.generator["delay_ms"],
        "generator_late_ms": round(run.generator["generator_late_ms"], 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer legs, about 15 seconds")
    parser.add_argument("--legs", type=int, help="one run with so many legs")
    parser.add_argument("--seconds", type=float, help="of each run")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sizes = [options.legs] if options.legs else [800] if options.quick else [1000, 2000]
    seconds = options.seconds or (6.0 if options.quick else 15.0)
    raw, runs = [raw_pair_us(1)], []
    spread = raw_pair_us(1000)
    for legs in sizes:
        print(f"{legs} legs for {seconds:g} s ...", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            runs.append(asyncio.run(measure(legs, seconds, folder)))
        print(json.dumps(figures_of(runs[-1])), file=sys.stderr)
        raw.append(raw_pair_us(1))
    return report(runs, statistics.median(raw), spread)


def report(runs: list[Load], pair: float, spread: float) -> int:
    best, half = runs[-1], runs[0]
    factor = best.us_per_leg_tick / pair
    figures = {
        "us_per_leg_tick": round(best.us_per_leg_tick, 2),
        "raw_pair_us": round(pair, 2),
        "raw_pair_1000_sockets_us": round(spread, 2),
        "times_raw_pair": round(factor, 2),
        "legs_a_core_at_80_percent": best.legs_at_80,
        "late_over_2_ms_share_at_half_load": round(half.late_share, 5),
        "runs": [figures_of(run) for run in runs],
    }
    bars = {
        "times_raw_pair": RAW_FACTOR_BAR,
        "legs_a_core_at_80_percent": LEGS_BAR,
        "late_over_2_ms_share_at_half_load": LATE_BAR,
    }
    kept_up = all(run.generator["generator_late_ms"] <= GENERATOR_LATE_MS for run in runs)
    figures["generator_kept_up"] = kept_up
    ok = (
        kept_up
        and factor <= RAW_FACTOR_BAR
        and best.legs_at_80 >= LEGS_BAR
        and half.late_share <= LATE_BAR
        and half.generator["missing"] == 0
    )
    print(json.dumps({"name": "media", "figures": figures, "bars": bars, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
