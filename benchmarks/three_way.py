"""60 three-way calls at once through the whole engine, recorded, its media on one core.

Raw citizens call the queue, raw seats answer, each call's agent adds a mobile by the API, and all
of them talk: 180 legs of SIP and RTP, 120 recordings. The worker has a core of its own; the engine,
the recorder and these phones share the other. Late ticks are the worker's own (/metrics). The limit
beside it: the same worker with a third of the calls, which is late only where the machine is.
"""

import asyncio
import os
import re
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import uvloop

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.outcome import Outcome, cpu_seconds, parser, percentile, say, two_cores  # noqa: E402
from benchmarks.transfer import (  # noqa: E402
    CITIZEN_HZ,
    MIXED,
    MOBILE_HZ,
    NUMBER,
    SEAT_HZ,
    Desk,
    listen_for,
)
from phones import raw  # noqa: E402
from phones.engine import Engine  # noqa: E402
from phones.plan import EnginePlan  # noqa: E402
from phones.raw import RawEnd, RtpEnd  # noqa: E402
from phones.sipp import free_port  # noqa: E402

CALLS, QUICK_CALLS = 60, 9
SECONDS, QUICK_SECONDS = 40.0, 5.0
TICKS_A_SECOND = 50
LATE = re.compile(
    r'^callcore_media_tick_late_seconds_bucket\{le="(0\.002|\+Inf)"\} (\S+)', re.MULTILINE
)


@dataclass(frozen=True, slots=True)
class Window:
    """What was seen while so many calls talked."""

    calls: int
    legs: int
    ticks: int
    late_over_2_ms_share: float
    worker_busy: float
    packets_due: int
    packets_heard_share: float  # of those that the phones were due
    phones_late_ms: float  # how late the phones' own clock was, at worst: theirs, not the worker's


def descendants(pid: int) -> Iterator[tuple[int, str]]:
    """Processes below one, with their command lines."""
    parents, lines = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text(encoding="ascii")
            lines[int(folder.name)] = (folder / "cmdline").read_text(encoding="utf-8")
        except OSError:
            continue
        parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    below = {pid}
    while more := {child for child, parent in parents.items() if parent in below} - below:
        below |= more
    for one in below:
        yield one, lines.get(one, "")


def pin(engine: Engine) -> int:
    """The media worker alone on one core, all others on the other; the worker's pid."""
    mine, load = two_cores()
    found = 0
    for pid, line in descendants(engine.pid):
        is_worker = "media.io.worker" in line
        found = pid if is_worker else found
        for task in Path(f"/proc/{pid}/task").glob("*"):
            os.sched_setaffinity(int(task.name), {mine if is_worker else load})
    os.sched_setaffinity(0, {load})
    if not found:
        raise SystemExit("no media worker below the engine")
    return found


def ticks(url: str) -> tuple[int, int]:
    """The worker's ticks so far, and those that were late by more than 2 ms."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=5) as answer:
        counted = dict(LATE.findall(answer.read().decode()))
    every = int(float(counted["+Inf"]))
    return every, every - int(float(counted["0.002"]))


class Party:
    """The phones of all calls, and the desk that confers."""

    def __init__(self, plan: EnginePlan, engine: Engine, stack: AsyncExitStack) -> None:
        host, _, port = plan.sip.partition(":")
        self.plan, self.engine, self.target, self._stack = plan, engine, (host, int(port)), stack
        self.citizens = RawEnd("trunk", CITIZEN_HZ, SEAT_HZ)
        self.mobiles = RawEnd("mobile", MOBILE_HZ, CITIZEN_HZ)
        self.ears: list[RtpEnd] = []

    async def open(self) -> None:
        await self.citizens.open(self.plan.trunk)
        await self.mobiles.open(self.plan.trunk, 5060)
        self._stack.callback(self.citizens.close)
        self._stack.callback(self.mobiles.close)

    async def call(self, user: str) -> None:
        """A seat comes to work, a citizen calls it, and a mobile is added."""
        seat = RawEnd(user, SEAT_HZ, CITIZEN_HZ)
        await seat.open()
        self._stack.callback(seat.close)
        if await seat.register(self.target, "hotline.local", f"secret-{user}") != 200:
            raise SystemExit(f"seat {user} could not register")
        accepting = asyncio.create_task(seat.accept())
        outer = await self.citizens.place(self.target, "12345", f"139{user:>08}")
        inner = await accepting
        desk = Desk(self.engine.http)  # an idle connection is closed after seconds
        call_id = (await asyncio.to_thread(desk.ask, "GET", "/calls?limit=1"))[0]["call_id"]
        path = f"/calls/{call_id}/conference"
        adding = asyncio.to_thread(desk.ask, "POST", path, {"add": NUMBER})
        asking = asyncio.create_task(adding)
        far = await self.mobiles.accept()
        await asking
        listen_for(outer.rtp, MOBILE_HZ)
        listen_for(inner.rtp, MOBILE_HZ)
        async with asyncio.timeout(10):
            await asyncio.gather(*(one.rtp.heard.wait() for one in (outer, inner, far)))
        self.ears += [outer.rtp, inner.rtp, far.rtp]

    async def watch(self, calls: int, seconds: float, worker: int) -> Window:
        """What happens in so many seconds of talk."""
        heard = sum(one.received for one in self.ears)
        (every, late), busy = await asyncio.to_thread(ticks, self.engine.http), cpu_seconds(worker)
        begun, lateness = time.monotonic(), []
        while time.monotonic() < begun + seconds:
            due = time.monotonic() + raw.FRAME_SECONDS
            await asyncio.sleep(raw.FRAME_SECONDS)
            lateness.append((time.monotonic() - due) * 1000)
        took, busy = time.monotonic() - begun, cpu_seconds(worker) - busy
        heard = sum(one.received for one in self.ears) - heard
        now = await asyncio.to_thread(ticks, self.engine.http)
        due_packets = round(took * TICKS_A_SECOND * len(self.ears))
        counted = now[0] - every
        return Window(
            calls,
            len(self.ears),
            counted,
            round((now[1] - late) / max(1, counted), 5),
            round(busy / took, 3),
            due_packets,
            round(heard / due_packets, 4),
            round(percentile(lateness, 1.0), 1),
        )


async def measure(plan: EnginePlan, calls: int, seconds: float) -> list[Window]:
    """A third of the calls, then all of them, on one engine."""
    with (plan.folder / "engine.log").open("wb") as log:
        async with Engine(plan.write(), log) as engine, AsyncExitStack() as stack:
            party = Party(plan, engine, stack)
            await party.open()
            worker = pin(engine)
            windows = []
            for number, user in enumerate(plan.users, 1):
                await party.call(user)
                if number in (calls // 3, calls):
                    windows.append(await party.watch(number, seconds, worker))
                    say(f"  {windows[-1]}")
            recorded = await engine.get("/api/v1/calls?limit=1000")
            parts = sum(len(one["recordings"]) for one in recorded)
            if parts != 2 * calls:
                raise SystemExit(f"{parts} recordings of {calls} calls: two each are due")
            return windows


async def main() -> None:
    """Both windows and the bars."""
    given = parser("three_way", __doc__).parse_args()
    calls, seconds = (QUICK_CALLS, QUICK_SECONDS) if given.quick else (CALLS, SECONDS)
    raw.HEARD = MIXED
    with tempfile.TemporaryDirectory(prefix="three-way-") as folder:
        ports = free_port(), free_port("tcp")
        plan = EnginePlan(Path(folder), sip_port=ports[0], http_port=ports[1], seats=calls)
        few, full = await measure(plan, calls, seconds)
    outcome = Outcome("three_way")
    outcome.figures = {**asdict(full), "few": asdict(few)}
    allowed = max(few.late_over_2_ms_share, 0.001)
    late, heard = full.late_over_2_ms_share, full.packets_heard_share
    outcome.bar("late_over_2_ms_share", round(allowed, 5), late <= allowed)
    outcome.bar("packets_heard_share", 0.99, heard >= 0.99)
    outcome.finish()


if __name__ == "__main__":
    uvloop.run(main())
