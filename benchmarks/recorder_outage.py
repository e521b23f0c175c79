#!/usr/bin/env python3
"""The store away for ten minutes under 100 recorded calls: nothing lost, caught up, memory flat.

Calls write their spool as media workers do, each half second; the keeper seals and uploads what
has ended to an S3 server (moto, a process of its own) behind a proxy that is cut for the outage.
--quick has an outage of 30 seconds. Peer: boto3 alone putting as many bytes as
waited at the end of the outage, with nothing to seal.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.outcome import Outcome, parser, say
from benchmarks.recorder import conversation
from benchmarks.s3_server import KEYS, client_of, s3_server
from recorder.events import Event, Failed, StoreBack, Stored
from recorder.io.keeper import Keeper, KeeperSettings
from recorder.io.spool import SpoolSink
from tests.peers.fault_proxy import FaultProxy

CALLS = 100
BLOCK_FRAMES = 25
BLOCK_SECONDS = 0.5
BUCKET = "outage"
CATCH_UP_SHARE = 0.3  # of the outage: three minutes of ten
FLAT_MIB = 48
PAGE_BYTES = 4096


@dataclass
class Plan:
    """Seconds of each stretch, and how long a call lasts."""

    before: float
    away: float
    call: tuple[float, float] = (30.0, 180.0)


@dataclass
class Tally:
    """What was recorded and what became of it."""

    frames: dict[str, int] = field(default_factory=dict)
    stored: dict[str, Stored] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)
    known_back: float = 0.0  # monotonic seconds

    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[[], bool], seconds: float) -> None:
        """Or until the time is over; looked at when the keeper tells something."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not condition():
                    self.news.clear()
                    await self.news.wait()

    def hear(self, event: Event) -> None:
        self.news.set()
        if isinstance(event, Stored):
            self.stored[event.recording] = event
        elif isinstance(event, Failed):
            self.failed.append(event.recording)
        elif isinstance(event, StoreBack):
            self.known_back = time.monotonic()

    @property
    def missing(self) -> list[str]:
        return [name for name in self.frames if name not in self.stored]


def rss_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * PAGE_BYTES / 2**20


async def talk(sink: SpoolSink, keeper: Keeper, tally: Tally, plan: Plan, line: int) -> None:
    """One line's calls, one after the other, until it is cancelled; the last one ends then."""
    chance = random.Random(line)
    number = 0
    while True:
        name = f"line{line}-{number}"
        number += 1
        header = {"call_id": name, "started_ms": int(time.time() * 1000)}
        handle = sink.open(name, header)
        seconds = chance.uniform(*plan.call)
        if number == 1:  # calls are of any age when we begin
            seconds *= chance.random()
        blocks = max(1, int(seconds / BLOCK_SECONDS))
        at = line * BLOCK_FRAMES
        written = 0
        over = False
        for block in range(blocks):
            frames = AUDIO[at * 320 : (at + BLOCK_FRAMES) * 320]
            sink.write(handle, block * BLOCK_FRAMES, frames)
            written += BLOCK_FRAMES
            at = (at + BLOCK_FRAMES) % (len(AUDIO) // 320 - BLOCK_FRAMES)
            try:
                await asyncio.sleep(BLOCK_SECONDS)
            except asyncio.CancelledError:
                over = True
                break
        sink.close(handle)
        tally.frames[name] = written
        keeper.finish(name, {"agent": str(line)})
        if over:
            return


AUDIO = conversation()


async def run(folder: str, proxy: FaultProxy, plan: Plan) -> tuple[Outcome, Tally]:
    outcome = Outcome("recorder_outage")
    tally = Tally()
    settings = KeeperSettings(
        f"{folder}/spool",
        f"s3://{BUCKET}/calls",
        f"sqlite:///{folder}/index.db",
        endpoint=proxy.endpoint,
        low_free_bytes=0,
        last_retry_seconds=min(60.0, plan.away / 10),  # as in the product where it is ten minutes
        **KEYS,
    )
    keeper = Keeper(settings, tally.hear)
    await keeper.start()
    sink = SpoolSink(settings.spool)
    lines = [asyncio.create_task(talk(sink, keeper, tally, plan, n)) for n in range(CALLS)]
    say(f"{CALLS} calls for {plan.before:.0f} s, the store is there")
    await asyncio.sleep(plan.before)
    say(f"the store is away for {plan.away:.0f} s")
    before_mib = rss_mib()
    proxy.refuses = True
    proxy.cut()
    peak_mib = 0.0
    end = time.monotonic() + plan.away
    while time.monotonic() < end:
        await asyncio.sleep(1.0)
        peak_mib = max(peak_mib, rss_mib())
    waiting, spool_bytes = keeper.status().spooled, keeper.status().spool_bytes
    known_away = not keeper.status().store_ok
    proxy.heal()
    back, stored_then = time.monotonic(), len(tally.stored)
    due = set(tally.missing)
    say(f"the store is back; {len(due)} recordings wait, calls go on")
    await tally.until(lambda: not due & set(tally.missing), plan.away)
    caught_up = time.monotonic() - back
    after_mib = rss_mib()
    for line in lines:
        line.cancel()
    await asyncio.gather(*lines, return_exceptions=True)
    await tally.until(lambda: not tally.missing, 60)
    say(f"caught up after {caught_up:.1f} s; all are read back")
    whole = await keeper.verify()
    await keeper.stop()
    sent = sum(tally.stored[name].size for name in due if name in tally.stored)
    outcome.figures |= {
        "calls": CALLS,
        "away_seconds": plan.away,
        "recordings": len(tally.frames),
        "waited_in_the_spool": waiting,
        "spool_mib_at_the_end_of_the_outage": round(spool_bytes / 2**20, 1),
        "stored_before_the_outage_ended": stored_then,
        "known_to_be_back_seconds": round(tally.known_back - back, 1),
        "caught_up_seconds": round(caught_up, 1),
        "caught_up_share_of_the_outage": round(caught_up / plan.away, 3),
        "rss_mib_before": round(before_mib, 1),
        "rss_mib_peak_while_away": round(peak_mib, 1),
        "rss_mib_after": round(after_mib, 1),
        "backlog_mib": round(sent / 2**20, 1),
    }
    short = [
        name
        for name, stored in tally.stored.items()
        if stored.duration_ms != tally.frames[name] * 20
    ]
    lost = len(tally.missing) + len(tally.failed) + len(short)
    outcome.figures["lost_or_short"] = lost
    outcome.bar("lost_or_short", {"at_most": 0}, lost == 0)
    outcome.bar("verified", True, whole.ok and whole.checked == len(tally.frames))
    outcome.bar("known_to_be_away", True, known_away)
    share = CATCH_UP_SHARE
    outcome.bar("caught_up_share_of_the_outage", {"at_most": share}, caught_up <= share * plan.away)
    grown = peak_mib - before_mib
    outcome.figures["rss_mib_grown_while_away"] = round(grown, 1)
    outcome.bar("rss_mib_grown_while_away", {"at_most": FLAT_MIB}, grown <= FLAT_MIB)
    return outcome, tally


def peer(endpoint: str, tally: Tally, backlog_mib: float) -> float:
    """Seconds that boto3 alone takes to put as many bytes, two at a time as we do."""
    from concurrent.futures import ThreadPoolExecutor

    client = client_of(endpoint)
    mean = sum(one.size for one in tally.stored.values()) // max(1, len(tally.stored))
    body = random.Random(1).randbytes(mean)
    count = max(20, min(200, int(backlog_mib * 2**20 / max(1, mean))))
    begun = time.perf_counter()
    with ThreadPoolExecutor(2) as threads:
        list(
            threads.map(
                lambda n: client.put_object(Bucket=BUCKET, Key=f"peer/{n}", Body=body),
                range(count),
            )
        )
    return (time.perf_counter() - begun) / count * (backlog_mib * 2**20 / max(1, mean))


def main() -> None:
    options = parser("recorder_outage", __doc__)
    quick = options.parse_args().quick
    plan = Plan(5.0 if quick else 30.0, 30.0 if quick else 600.0)
    with (
        s3_server(BUCKET) as port,
        tempfile.TemporaryDirectory() as folder,
        FaultProxy(port) as proxy,
    ):
        outcome, tally = asyncio.run(run(folder, proxy, plan))
        say("boto3 alone puts as much ...")
        alone = peer(f"http://127.0.0.1:{port}", tally, outcome.figures["backlog_mib"])
        outcome.figures["boto3_alone_seconds"] = round(alone, 1)
    outcome.finish()


if __name__ == "__main__":
    main()
