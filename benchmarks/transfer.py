"""Transfers to a mobile over the trunk and three-way calls, measured at the harness's own sockets.

A raw citizen, a raw seat and a raw mobile say a tone each. The clock of the switch starts when the
mobile's 200 leaves its socket and stops when both ends have received a packet with the other's
tone; that of a command starts when the HTTP request is sent and stops when the INVITE arrives.
"""

import asyncio
import http.client
import json
import socket
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.outcome import Outcome, parser, percentile, say  # noqa: E402
from phones import raw  # noqa: E402
from phones.engine import Engine  # noqa: E402
from phones.plan import EnginePlan  # noqa: E402
from phones.raw import RawCall, RawEnd, RtpEnd  # noqa: E402
from phones.sipp import free_port  # noqa: E402

CALLS, QUICK_CALLS = 100, 10
SWITCH_MS, THREE_WAY_MS, COMMAND_MS, MINUTES_OFF_MS = 200.0, 300.0, 20.0, 50.0
CITIZEN_HZ, SEAT_HZ, MOBILE_HZ = 1150, 1900, 2600
MIXED = 0.3  # in a three-way call a tone is about half of what is heard
NUMBER = "13800000009"
WARM_UP = 99_999_999


@dataclass(frozen=True, slots=True)
class Sample:
    """One call, in milliseconds: command to INVITE, 200 to two-way audio, the minutes' error."""

    command_ms: float
    audio_ms: float
    minutes_off_ms: float


class Desk:
    """One connection to the API, kept open."""

    def __init__(self, url: str) -> None:
        self._client = http.client.HTTPConnection(url.removeprefix("http://"), timeout=5)
        self._client.connect()
        # Head and body are two segments: without this the second waits 40 ms for an ACK.
        self._client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """JSON of an answer; SystemExit for any other status than 2xx."""
        data = None if body is None else json.dumps(body)
        self._client.request(method, f"/api/v1{path}", data, {"Content-Type": "application/json"})
        answer = self._client.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise SystemExit(f"{path}: {answer.status} {text.decode()}")
        return json.loads(text)


def listen_for(ear: RtpEnd, hz: int) -> None:
    """From now on for that tone."""
    ear.hears_hz, ear.heard_at = hz, 0.0
    ear.heard.clear()


class Bench:
    """The three ends and the desk."""

    def __init__(self, plan: EnginePlan, desk: Desk) -> None:
        host, _, port = plan.sip.partition(":")
        self.plan, self.desk, self.target = plan, desk, (host, int(port))
        self.citizen = RawEnd("trunk", CITIZEN_HZ, SEAT_HZ)
        self.seat = RawEnd("8001", SEAT_HZ, CITIZEN_HZ)
        self.mobile = RawEnd("mobile", MOBILE_HZ, CITIZEN_HZ)

    async def open(self) -> None:
        await self.citizen.open(self.plan.trunk)
        await self.seat.open()
        await self.mobile.open(self.plan.trunk, 5060)
        if await self.seat.register(self.target, "hotline.local", "secret-8001") != 200:
            raise SystemExit("the seat could not register")

    async def one(self, index: int, command: str) -> Sample:
        """A talk, the command, the mobile's answer, and the end."""
        accepting = asyncio.create_task(self.seat.accept())
        outer = await self.citizen.place(self.target, "12345", f"139{index:08d}")
        inner = await accepting
        async with asyncio.timeout(5):
            await asyncio.gather(outer.rtp.heard.wait(), inner.rtp.heard.wait())
        call_id = self.desk.ask("GET", "/calls?limit=1")[0]["call_id"]
        listen_for(outer.rtp, MOBILE_HZ)
        sent = time.monotonic()
        body = {"to": NUMBER} if command == "transfer" else {"add": NUMBER}
        asked = asyncio.to_thread(self.desk.ask, "POST", f"/calls/{call_id}/{command}", body)
        asking = asyncio.create_task(asked)
        async with asyncio.timeout(5):
            invite = await self.mobile.incoming.get()
        self.mobile.incoming.put_nowait(invite)
        far = await self.mobile.accept()
        await asking
        async with asyncio.timeout(5):
            await asyncio.gather(outer.rtp.heard.wait(), far.rtp.heard.wait())
        heard_at = max(outer.rtp.heard_at, far.rtp.heard_at)
        await asyncio.sleep(0.2)
        ended_at = time.monotonic()
        await self.mobile.hang_up(far)
        await self._end(outer, inner, far, command)
        record = self.desk.ask("GET", f"/calls/{call_id}")
        real = ended_at - far.answered_at
        return Sample(
            (invite[2] - sent) * 1000,
            (heard_at - far.answered_at) * 1000,
            abs(record["outgoing_seconds"] - real) * 1000,
        )

    async def _end(self, outer: RawCall, inner: RawCall, far: RawCall, command: str) -> None:
        if command != "transfer":
            await self.seat.hang_up(inner)
        async with asyncio.timeout(5):
            await outer.over.wait()
        self.citizen.finish(outer)
        self.seat.finish(inner)
        self.mobile.finish(far)

    def close(self) -> None:
        for end in (self.citizen, self.seat, self.mobile):
            end.close()


async def measure(plan: EnginePlan, calls: int) -> dict[str, list[Sample]]:
    """All calls one after the other, on an engine of its own."""
    found: dict[str, list[Sample]] = {"transfer": [], "conference": []}
    with (plan.folder / "engine.log").open("wb") as log:
        async with Engine(plan.write(), log) as engine:
            bench = Bench(plan, Desk(engine.http))
            await bench.open()
            try:
                for command in found:
                    await bench.one(WARM_UP, command)  # what is loaded at first use
                for index in range(calls):
                    for command, samples in found.items():
                        samples.append(await bench.one(index, command))
                    if (index + 1) % 10 == 0:
                        say(f"  {index + 1} of each, last {found['transfer'][-1]}")
            finally:
                bench.close()
    return found


async def main() -> None:
    """The run and its bars."""
    options = parser("transfer", __doc__)
    given = options.parse_args()
    calls = QUICK_CALLS if given.quick else CALLS
    raw.HEARD = MIXED
    with tempfile.TemporaryDirectory(prefix="transfer-") as folder:
        plan = EnginePlan(Path(folder), sip_port=free_port(), http_port=free_port("tcp"), seats=1)
        found = await measure(plan, calls)
    every = [*found["transfer"], *found["conference"]]
    outcome = Outcome("transfer")
    figures = {
        "calls": len(every),
        "switch_p50_ms": percentile([one.audio_ms for one in found["transfer"]], 0.5),
        "switch_p99_ms": percentile([one.audio_ms for one in found["transfer"]], 0.99),
        "three_way_p99_ms": percentile([one.audio_ms for one in found["conference"]], 0.99),
        "command_p50_ms": percentile([one.command_ms for one in every], 0.5),
        "command_p99_ms": percentile([one.command_ms for one in every], 0.99),
        "minutes_off_max_ms": max(one.minutes_off_ms for one in every),
    }
    outcome.figures = {name: round(value, 1) for name, value in figures.items()}
    for name, limit in (
        ("switch_p99_ms", SWITCH_MS),
        ("three_way_p99_ms", THREE_WAY_MS),
        ("command_p99_ms", COMMAND_MS),
        ("minutes_off_max_ms", MINUTES_OFF_MS),
    ):
        outcome.bar(name, limit, figures[name] <= limit)
    outcome.finish()


if __name__ == "__main__":
    asyncio.run(main())
