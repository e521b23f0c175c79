"""From the agent's 200 OK to two-way audio, measured from packets at the harness's own sockets.

A raw trunk caller and a raw seat send different tones each 20 ms. The clock starts when the
seat's 200 leaves its socket and stops when both ends have received a packet with the other's tone.
"""

import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.outcome import Outcome, parser, percentile, say  # noqa: E402
from phones.engine import Engine  # noqa: E402
from phones.plan import EnginePlan  # noqa: E402
from phones.raw import RawEnd  # noqa: E402
from phones.sipp import free_port  # noqa: E402

CALLS, QUICK_CALLS = 200, 20
BAR_MS = 150.0
CALLER_HZ, SEAT_HZ = 1150, 1900  # neither is in the music


@dataclass(frozen=True, slots=True)
class Setup:
    """Milliseconds from the seat's 200 until each side heard the other."""

    caller_heard_ms: float
    seat_heard_ms: float

    @property
    def both_ms(self) -> float:
        """Two-way audio."""
        return max(self.caller_heard_ms, self.seat_heard_ms)


async def one_call(caller: RawEnd, seat: RawEnd, target: tuple[str, int], number: str) -> Setup:
    """A call from INVITE to BYE."""
    accepting = asyncio.create_task(seat.accept())
    outer = await caller.place(target, "12345", number)
    inner = await accepting
    async with asyncio.timeout(5):
        await asyncio.gather(outer.rtp.heard.wait(), inner.rtp.heard.wait())
    setup = Setup(
        (outer.rtp.heard_at - inner.answered_at) * 1000,
        (inner.rtp.heard_at - inner.answered_at) * 1000,
    )
    await seat.hang_up(inner)
    async with asyncio.timeout(5):
        await outer.over.wait()
    caller.finish(outer)
    return setup


async def run_calls(plan: EnginePlan, calls: int) -> list[Setup]:
    """All calls one after the other on an engine of its own."""
    host, _, port = plan.sip.partition(":")
    target = (host, int(port))
    with (plan.folder / "engine.log").open("wb") as log:
        async with Engine(plan.write(), log):
            return await measure(plan, target, calls)


async def measure(plan: EnginePlan, target: tuple[str, int], calls: int) -> list[Setup]:
    """The raw ends against whatever listens at `target`."""
    user = plan.users[0]
    caller, seat = RawEnd("trunk", CALLER_HZ, SEAT_HZ), RawEnd(user, SEAT_HZ, CALLER_HZ)
    await caller.open(plan.trunk)
    await seat.open()
    setups = []
    try:
        if await seat.register(target, "hotline.local", f"secret-{user}") != 200:
            raise SystemExit("the seat could not register")
        for index in range(calls):
            setups.append(await one_call(caller, seat, target, f"139{index:08d}"))
            if (index + 1) % 20 == 0:
                say(f"  {index + 1} calls, last {setups[-1].both_ms:.1f} ms")
    finally:
        caller.close()
        seat.close()
    return setups


async def main() -> None:
    """The run and its bar."""
    options = parser("setup_audio", __doc__)
    options.add_argument("--calls", type=int, default=0)
    given = options.parse_args()
    calls = given.calls or (QUICK_CALLS if given.quick else CALLS)
    with tempfile.TemporaryDirectory(prefix="setup-audio-") as folder:
        plan = EnginePlan(Path(folder), sip_port=free_port(), http_port=free_port("tcp"), seats=1)
        setups = await run_calls(plan, calls)
    both = [one.both_ms for one in setups]
    outcome = Outcome("setup_audio")
    outcome.figures = {
        "calls": calls,
        "p50_ms": round(percentile(both, 0.5), 1),
        "p99_ms": round(percentile(both, 0.99), 1),
        "max_ms": round(max(both), 1),
        "caller_heard_p99_ms": round(percentile([s.caller_heard_ms for s in setups], 0.99), 1),
        "seat_heard_p99_ms": round(percentile([s.seat_heard_ms for s in setups], 0.99), 1),
    }
    outcome.bar("p99_ms", BAR_MS, outcome.figures["p99_ms"] <= BAR_MS)
    outcome.finish()


if __name__ == "__main__":
    asyncio.run(main())
