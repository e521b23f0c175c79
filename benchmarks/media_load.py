"""What the media benchmarks share: legs of many shapes on one core, packets from another process.

CPU counts the whole worker, its writer thread included. The raw pair is one UDP sendto and one
recv_into of the same size on the same core, in the same run: what a leg and tick would cost if the
plane did nothing else.
"""

import asyncio
import json
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from media.events import Event, WorkerLost
from media.io.plane import MediaPlane, MediaSettings, Remote
from media.messages import LATE_BUCKETS_MS, Heartbeat
from media.outgoing import PACKET
from media.srtp import Keys
from media.types import TICK_SECONDS

ADDRESS = "127.77.0.1"  # a loopback address of our own: all its ports are free
WORKER_CORE, GENERATOR_CORE = 0, 1
TICK_US = 20000
TICKS_A_SECOND = 50
MOST_WARM_SECONDS = 4.0
PROMPTS = Path(__file__).parent.parent / "media" / "prompts"
PAYLOAD_TYPES = {"PCMA": 8, "PCMU": 0}
GENERATOR_LATE_MS = 100  # a generator that is later offers less load than it says: no figure
STALLED_SECONDS = 5.0  # a worker that opens no leg for so long has no time for commands: it is full
FULL_BUSY = 0.98  # of the tick; beyond it nothing is left for whoever commands the worker
SLEEPER = """
import json, os, select, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
try:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(11))
except OSError:
    pass
period, ticks, late, worst = float(sys.argv[2]), 0, 0, 0.0
deadline = time.monotonic()
while True:
    deadline += period
    if select.select([sys.stdin], [], [], max(0.0, deadline - time.monotonic()))[0]:
        break
    by = time.monotonic() - deadline
    ticks, late, worst = ticks + 1, late + (by > 0.002), max(worst, by)
    if by > period:
        deadline += by // period * period
real = os.sched_getscheduler(0) == os.SCHED_FIFO
print(json.dumps({"late": late / max(1, ticks), "worst_ms": 1000 * worst, "real_time": real}))
"""
# A process that does nothing but read SIP, as a signalling process at its limit does.
SIGNALLING = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
from callcore.message.parse import parse
data = open(sys.argv[2], "rb").read()
while True:
    parse(data)
"""


@dataclass(frozen=True)
class Shape:
    """What runs on the legs: `party` legs in each bridge, a recording of each, how protected."""

    party: int = 2
    record: bool = True
    srtp: bool = False
    codecs: tuple[str, ...] = ("PCMA",)  # in turn
    mixed: bool = False  # what is heard cannot be told by its bytes


class Full(Exception):
    """The worker has no time for so many legs: it could not even be measured."""


@dataclass(frozen=True)
class Load:
    """One measured run."""

    legs: int
    us_per_leg_tick: float
    busy: float
    late_over_2_ms_share: float
    skipped_ticks: int
    kb_per_leg: float
    packets: int
    packets_lost: int
    delay_ms: dict[str, float]
    generator_late_ms: float
    threads_busy: float = 0.0  # of a core: the writer of recordings and whatever else is not tick
    blocks_dropped: int = 0

    @property
    def too_much(self) -> str:
        """Why one core does not carry so many legs; empty where it does."""
        if self.skipped_ticks:
            return f"{self.skipped_ticks} ticks left out"
        return f"{self.busy:.0%} busy" if self.busy > FULL_BUSY else ""

    @property
    def legs_at_80(self) -> int:
        return int(self.legs * 0.8 / self.busy)

    @property
    def ms_a_second_and_leg(self) -> float:
        return self.us_per_leg_tick * TICKS_A_SECOND / 1000

    def figures(self) -> dict[str, Any]:
        return {
            name: round(value, 5) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


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


def files() -> None:
    """As many open files as we may: three sockets a leg."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def key_of(leg: int, side: int) -> bytes:
    """Known to both sides without being sent: this is a benchmark."""
    return bytes([side]) + leg.to_bytes(4, "big") + bytes(range(25))


async def generator(legs: int, seconds: float, shape: Shape) -> asyncio.subprocess.Process:
    transcoded = len(set(shape.codecs)) > 1
    kind = "srtp" if shape.srtp else "mixed" if shape.mixed or transcoded else "plain"
    folder = str(Path(__file__).parent)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *(
            "-c",
            f"import sys; sys.path.insert(0, {folder!r}); import media_generator as g; g.main()",
        ),
        *map(str, (legs, seconds, GENERATOR_CORE, kind, ",".join(shape.codecs))),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )


async def measure(legs: int, seconds: float, shape: Shape) -> Load:
    """The first third of the time, or a few seconds, is not counted."""
    with tempfile.TemporaryDirectory() as folder:
        settings = MediaSettings(
            address=ADDRESS,
            first_port=10000,
            last_port=29999,
            workers=1,
            prompts={"hold": str(PROMPTS / "hold.wav")},
            sink="recorder.io.spool:SpoolSink",
            sink_arguments={"folders": folder},
            heartbeat_timeout_seconds=10.0,
        )
        lost: list[Event] = []
        plane = MediaPlane(
            settings, lambda e: lost.append(e) if isinstance(e, WorkerLost) else None
        )
        await plane.start()
        try:
            pin(plane.stats().pids[0])
            done = await drive(plane, legs, seconds, shape)
        finally:
            await plane.stop()
        if lost:
            raise Full("the worker gave no sign of life and was replaced")
        return done


async def drive(plane: MediaPlane, legs: int, seconds: float, shape: Shape) -> Load:
    process = await generator(legs, seconds, shape)
    assert process.stdin is not None
    assert process.stdout is not None
    pid = plane.stats().pids[0]
    before = resident_kb(pid)
    try:
        ports = await set_up(plane, json.loads(await process.stdout.readline()), shape)
    except Full:
        process.kill()
        await process.wait()
        raise
    process.stdin.write(json.dumps([ADDRESS, ports]).encode() + b"\n")
    await process.stdin.drain()
    warm = max(1.5, min(MOST_WARM_SECONDS, seconds / 3))
    await asyncio.sleep(warm)
    first, threads = plane.stats().heartbeats[0], threads_seconds(pid)
    await asyncio.sleep(seconds - warm - 0.6)
    last, threads = plane.stats().heartbeats[0], threads_seconds(pid) - threads
    memory = (resident_kb(pid) - before) / legs
    report = json.loads(await process.stdout.readline())
    await process.wait()
    done = load(legs, (first, last), memory, report)
    busy = threads / (last.ticks - first.ticks) * TICKS_A_SECOND
    return replace(done, threads_busy=busy, blocks_dropped=last.blocks_dropped)


def threads_seconds(pid: int) -> float:
    """CPU of all threads but the first one, which ticks (proc(5), /proc/PID/task/TID/stat)."""
    ticks = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        if int(task.name) != pid:
            fields = (task / "stat").read_text(encoding="ascii").rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_kb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


def pin(pid: int) -> None:
    """Every thread of the worker to its core, ours away from it."""
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), {WORKER_CORE})
    os.sched_setaffinity(0, {GENERATOR_CORE})


def remote(number: int, port: int, shape: Shape) -> Remote:
    codec = shape.codecs[number % len(shape.codecs)]
    keys = None
    if shape.srtp:
        keys = Keys("AES_CM_128_HMAC_SHA1_80", key_of(number, 1), key_of(number, 2))
    return Remote("127.0.0.1", port, codec, PAYLOAD_TYPES[codec], 101, srtp=keys)


async def set_up(plane: MediaPlane, remotes: list[int], shape: Shape) -> list[int]:
    ports = []
    for number, port in enumerate(remotes):
        leg = f"leg-{number}"
        ports.append(plane.open(leg, None).port)
        plane.connect(leg, remote(number, port, shape))
        if number % shape.party == shape.party - 1:
            first = number - shape.party + 1
            members = tuple(f"leg-{n}" for n in range(first, number + 1))
            plane.bridge(f"bridge-{number}", members)
            if shape.record:
                name = f"recording-{number}"
                plane.record(name, members[0], members[1:], header={"recording": name})
    await opened(plane, len(remotes))
    return ports


async def opened(plane: MediaPlane, legs: int) -> None:
    """Until the worker has all legs; Full when it does not get on with them."""
    clock = asyncio.get_running_loop().time
    there, since = 0, clock()
    while there < legs:
        await asyncio.sleep(0.1)
        now = plane.stats().heartbeats[0].legs
        if now > there:
            there, since = now, clock()
        elif clock() - since > STALLED_SECONDS:
            raise Full(f"{there} of {legs} legs could be opened")


def load(
    legs: int, beats: tuple[Heartbeat, Heartbeat], kb_per_leg: float, report: dict[str, Any]
) -> Load:
    first, last = beats
    wrong = {name: last.counts.get(name, 0) for name in ("unnegotiated", "malformed")}
    if any(wrong.values()):
        raise SystemExit(f"the parties sent what no leg plays: {wrong}")
    ticks = last.ticks - first.ticks
    cpu_us = (last.cpu_seconds - first.cpu_seconds) * 1e6
    late = [b - a for a, b in zip(first.late, last.late, strict=True)]
    beyond = sum(late[LATE_BUCKETS_MS.index(2.0) + 1 :])
    return Load(
        legs=legs,
        us_per_leg_tick=cpu_us / ticks / legs,
        busy=cpu_us / ticks / TICK_US,
        late_over_2_ms_share=beyond / ticks,
        skipped_ticks=last.skipped_ticks - first.skipped_ticks,
        kb_per_leg=kb_per_leg,
        packets=report["sent"],
        packets_lost=report["missing"],
        delay_ms=report["delay_ms"],
        generator_late_ms=report["generator_late_ms"],
    )


def run(legs: int, seconds: float, shape: Shape) -> Load:
    """One run, told on standard error."""
    print(f"{legs} legs for {seconds:g} s: {shape}", file=sys.stderr, flush=True)
    done = asyncio.run(measure(legs, seconds, shape))
    os.sched_setaffinity(0, {WORKER_CORE, GENERATOR_CORE})
    print(json.dumps(done.figures()), file=sys.stderr, flush=True)
    return done


def sleeper() -> subprocess.Popen[str]:
    """A loop that does nothing but sleep to the next 20 ms, where the worker ticks.

    One real-time step before the worker, so that it waits for no tick, but for what the kernel
    does not interrupt.
    """
    return subprocess.Popen(
        [sys.executable, "-c", SLEEPER, str(WORKER_CORE), str(TICK_SECONDS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def signalling() -> subprocess.Popen[bytes]:
    """A signalling process at full load, on the generator's core."""
    message = Path(tempfile.gettempdir()) / f"invite-{os.getpid()}.sip"
    message.write_bytes(INVITE)
    root = str(Path(__file__).parent.parent)
    command = [sys.executable, "-c", SIGNALLING, str(GENERATOR_CORE), str(message)]
    return subprocess.Popen(command, cwd=root, env={**os.environ, "PYTHONPATH": root})


INVITE = (
    b"INVITE sip:12345@hotline.local SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds\r\nMax-Forwards: 70\r\n"
    b"To: <sip:12345@hotline.local>\r\nFrom: <sip:13800138000@ims>;tag=1928301774\r\n"
    b"Call-ID: a84b4c76e66710\r\nCSeq: 314159 INVITE\r\nContact: <sip:ims@192.0.2.1>\r\n"
    b"Content-Length: 0\r\n\r\n"
)
