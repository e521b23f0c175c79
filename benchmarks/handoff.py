"""Hand-off at one queue: from a seat's BYE to the next INVITE at that seat, and calls a second.

SIPp on both sides of the whole engine (media, recording and journal on): citizens who wait, and 14
seats without a wrap-up. Every seat talks and hangs up while callers wait: the time until its phone
rings again, by SIPp's own log of messages. First at 7 hand-offs a second, a hundred times the pace
of a hotline with 14 seats; then with calls of 0.3 s, as many as there can be, where a hand-off also
waits for those of other seats. Then short calls at a rate that one core of the engine must hold,
answered at once. There the engine, its media worker and its recorder have one core, SIPp the other;
what SIPp itself takes stands beside.
"""

import asyncio
import os
import re
import resource
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.outcome import Outcome, cpu_seconds, parser, percentile, say, two_cores  # noqa: E402
from phones.engine import Engine  # noqa: E402
from phones.laws import Law  # noqa: E402
from phones.plan import EnginePlan  # noqa: E402
from phones.raw import RawEnd  # noqa: E402
from phones.sipp import Sipp, SippOptions, SippResult, free_port  # noqa: E402

HANDOFF_BAR_MS, RATE_BAR, GOOD_BAR = 20.0, 400, 0.999
RATES = (400, 300, 250, 200, 175, 150, 100, 50)  # less is asked for until all calls are good
PACED, PACED_CALLS_PER_SECOND = Law(2.0, kind="exponential"), 7
TALK, MOMENT = Law(0.3), Law(0.0)
PARTS = {b"media.io.worker": "media", b"recorder.io.worker": "recorder"}
STAMP = re.compile(r"^-{20,} [\d-]+[T\t ](\d+):(\d+):(\d+\.\d+)")
SEAT = re.compile(r"INVITE sips?:([^@;]+)@")
CALL_ID = re.compile(r"^Call-ID: *(\S+)", re.IGNORECASE | re.MULTILINE)


def handoffs(log: str) -> list[float]:
    """Milliseconds from each seat's BYE to its next INVITE, from SIPp's trace of the seats."""
    seat_of: dict[str, str] = {}
    left: dict[str, float] = {}
    found: list[float] = []
    for block in re.split(r"(?m)^(?=-{20,} )", log):
        stamp, call = STAMP.match(block), CALL_ID.search(block)
        if stamp is None or call is None:
            continue
        hours, minutes, seconds = (float(one) for one in stamp.groups())
        at_ms = (hours * 3600 + minutes * 60 + seconds) * 1000
        invite = SEAT.search(block)
        if invite is not None and "message received" in block:
            if call[1] in seat_of:
                continue  # retransmitted
            seat_of[call[1]] = invite[1]
            if invite[1] in left:
                found.append(at_ms - left.pop(invite[1]))
        elif "\nBYE " in block and "message sent" in block and call[1] in seat_of:
            left.setdefault(seat_of[call[1]], at_ms)
    return found


class Hotline:
    """The engine on one core, its seats registered at the port of one SIPp."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.plan = EnginePlan(folder, free_port(), free_port("tcp"))
        self.seats = free_port()
        self.engine = Engine(self._configuration())
        self.core, self.load_core = two_cores()

    def _configuration(self) -> Path:
        path = self.plan.write()
        text = path.read_text(encoding="utf-8")
        for key in ("max_calls", "calls_per_second"):
            text = re.sub(rf"(?m)^{key} = .*", f"{key} = 5000", text)
        path.write_text(text, encoding="utf-8")
        return path

    async def start(self) -> None:
        """The engine with its media worker, and every seat registered."""
        await self.engine.start()
        for user in self.plan.users:
            end = RawEnd(user, 0, 0)
            await end.open(port=self.seats)
            password = f"secret-{user}"
            status = await end.register(
                ("127.0.0.1", self.plan.sip_port), "hotline.local", password
            )
            end.close()
            await asyncio.sleep(0)  # the socket closes in the next turn of the loop
            if status != 200:
                raise SystemExit(f"seat {user} could not register: {status}")

    def processes(self) -> dict[int, str]:
        """The engine, its media worker and the recorder's process."""
        found = {self.engine.pid: "engine"}
        for task in Path(f"/proc/{self.engine.pid}/task").iterdir():
            for one in (task / "children").read_text().split():
                line = Path(f"/proc/{one}/cmdline").read_bytes()
                named = (name for module, name in PARTS.items() if module in line)
                found[int(one)] = next(named, "other")
        return found

    def pin(self) -> None:
        """One core for all of it from now on."""
        for pid in self.processes():
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setaffinity(int(task.name), {self.core})

    def spent(self) -> dict[str, float]:
        """CPU seconds of each process so far; the load's, of all SIPps that have ended."""
        load = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = {name: cpu_seconds(pid) for pid, name in self.processes().items()}
        return found | {"load": load.ru_utime + load.ru_stime}

    def phones(self, scenario: str, talk: Law, *, trace: bool) -> Sipp:
        """All seats."""
        return Sipp(
            SippOptions(
                scenario,
                local_port=self.seats,
                calls=0,
                pause=talk,
                timeout_seconds=170,
                cores=(self.load_core,),
                trace=trace,
            )
        )

    def citizens(self, scenario: str, rate: int, calls: int, limit: int) -> Sipp:
        """All callers."""
        return Sipp(
            SippOptions(
                scenario,
                remote=self.plan.sip,
                address=self.plan.trunk,
                calls=calls,
                rate=rate,
                limit=limit,
                pause=MOMENT,
                values={"ringing_optional": "true"},
                timeout_seconds=calls / rate + 60,
                cores=(self.load_core,),
            )
        )

    async def hand_off(self, talk: Law, calls: int) -> tuple[list[float], SippResult]:
        """Twice as many callers as seats are there at any time, so that some always wait."""
        async with self.phones("uas_talks", talk, trace=True) as seats:
            async with self.citizens("uac_waits", 200, calls, 28 + 14) as citizens:
                result = await citizens.wait()
            await seats.stop()
            logs = "".join(path.read_text("latin-1") for path in seats.folder.glob("*messages.log"))
        return handoffs(logs), result

    async def burst(self, rate: int, seconds: int) -> tuple[SippResult, dict[str, float]]:
        """Short calls at a rate; what each part spent on one, in milliseconds of CPU."""
        calls = rate * seconds
        before = self.spent()
        seats = self.phones("uas", MOMENT, trace=False)
        async with seats, self.citizens("uac", rate, calls, rate * 5) as citizens:
            result = await citizens.wait()
        after = self.spent()
        per_call = {
            name: round((spent - before.get(name, 0.0)) / calls * 1000, 2)
            for name, spent in after.items()
        }
        return result, per_call


async def main() -> None:
    """Both measurements, then the bars."""
    given = parser("handoff", __doc__).parse_args()
    outcome = Outcome("handoff")
    seconds = 3 if given.quick else 10
    scenes = {
        "handoff": (PACED, PACED_CALLS_PER_SECOND * (12 if given.quick else 40)),
        "handoff_at_full_load": (TALK, 150 if given.quick else 1500),
    }
    with tempfile.TemporaryDirectory() as folder:
        hotline = Hotline(Path(folder))
        await hotline.start()
        try:
            await hotline.hand_off(TALK, 30)  # the first recording starts the recorder's process
            for scene, (talk, calls) in scenes.items():
                times, result = await hotline.hand_off(talk, calls)
                outcome.figures[f"{scene}_calls"], outcome.figures[f"{scene}_failed"] = (
                    len(times),
                    result.failed,
                )
                for name, share in (("median", 0.5), ("p99", 0.99), ("worst", 1.0)):
                    found = round(percentile(times or [1e9], share), 2)
                    outcome.figures[f"{scene}_{name}_ms"] = found
                say(f"{scene}: {outcome.figures}")
            hotline.pin()
            for rate in RATES:
                result, spent = await hotline.burst(rate, seconds)
                good = result.successful / (rate * seconds)
                load_ms = spent.pop("load")
                cpu_ms = round(sum(spent.values()), 2)
                say(f"{rate}/s: {good:.4f} good, {cpu_ms} ms CPU a call {spent}, load {load_ms}")
                say(f"  {result.errors[:2]}")
                outcome.figures |= {
                    "held_calls_per_second": rate,
                    "good": round(good, 4),
                    "cpu_ms_a_call": cpu_ms,
                    **{f"cpu_ms_a_call_{name}": spent.get(name, 0.0) for name in sorted(spent)},
                    "load_cpu_ms_a_call": load_ms,
                    "answer_p99_ms": percentile(list(result.response_ms) or [0.0], 0.99),
                }
                if good >= GOOD_BAR:
                    break
        finally:
            await hotline.engine.stop()
    p99 = outcome.figures["handoff_p99_ms"]
    outcome.bar("handoff_p99_ms", HANDOFF_BAR_MS, p99 <= HANDOFF_BAR_MS)
    held = outcome.figures["held_calls_per_second"]
    outcome.bar("held_calls_per_second", RATE_BAR, held >= RATE_BAR and good >= GOOD_BAR)
    outcome.finish()


if __name__ == "__main__":
    asyncio.run(main())
