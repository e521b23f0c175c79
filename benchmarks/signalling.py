"""Bridged calls without media: SIPp, the B2BUA, SIPp; beside sippy's b2bua_simple in the same run.

The subject has one core to itself, both SIPps share the other. CPU is the subject's user and
system time. A 200 that overtakes its 180 fails the call, for both subjects alike. Three loads: 300
calls/s, beside sippy; 600, all of which must be good; and 1,200 offered, more than one core can
serve, where what is not let in must get 503 with Retry-After, and what is let in must be good.
"""

import asyncio
import os
import shutil
import signal
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.outcome import Outcome, cpu_seconds, parser, percentile, say, two_cores  # noqa: E402
from phones.laws import Law  # noqa: E402
from phones.lifetime import bound  # noqa: E402
from phones.sipp import SOCKETS, Sipp, SippOptions, SippResult, free_port  # noqa: E402
from phones.waiting import until  # noqa: E402

RATE, SECONDS, QUICK_SECONDS = 300, 20, 5
SIPPY_RATES = (250, 200, 150, 100, 50)  # it is asked for less until it holds the rate
SIPPY_MAY_FAIL = 0.01  # its 200 overtakes a 180 now and then, at any rate
FULL_RATE, OFFERED_RATE, LOAD_SECONDS, QUICK_LOAD_SECONDS = 600, 1200, 10, 3
CPU_BAR_MS, SHARE_BAR, GOOD_BAR = 1.2, 0.5, 0.999
PAUSE = Law(0.2)


@dataclass(frozen=True, slots=True)
class Figures:
    """One subject at one rate."""

    rate: int
    calls: int
    failures: int
    refused: int  # 503 with Retry-After; only under overload is that no failure
    disordered: int  # calls that got a message out of order, as 200 before 180
    retransmissions: int
    cpu_ms: float  # a call
    busy: float  # of its core
    setup_p99_ms: float


def ours(listen: int, to: int) -> list[str]:
    """The B2BUA of the product behind SIP sockets."""
    script = str(ROOT / "benchmarks" / "signalling_server.py")
    addresses = ["--listen", f"127.0.0.1:{listen}", "--to", f"127.0.0.1:{to}"]
    return [sys.executable, script, *addresses]


def sippy(listen: int, to: int) -> list[str]:
    """sippy's b2bua_simple from the same environment."""
    here = str(Path(sys.executable).parent)
    program = shutil.which("b2bua_simple", path=os.pathsep.join([here, os.environ["PATH"]]))
    if program is None:
        raise SystemExit("sippy is not installed: pip install 'callcore[peers]'")
    line = [sys.executable, program, "-f", "-l", "127.0.0.1"]
    return [*line, "-p", str(listen), "-n", f"127.0.0.1:{to}"]


class Subject:
    """A B2BUA process on its own core."""

    def __init__(self, name: str, command: list[str], port: int, core: int) -> None:
        self.name, self.port = name, port
        self.command = bound(command, cores=(core,))
        self.process: asyncio.subprocess.Process

    async def __aenter__(self) -> "Subject":
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SIPLOG_BEND": "none"}
        self.process = await asyncio.create_subprocess_exec(
            *self.command,
            stdout=asyncio.subprocess.DEVNULL,
            stdin=asyncio.subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        await until(lambda: self._is_bound() or self.process.returncode is not None, 20)
        if self.process.returncode is not None:
            raise SystemExit(f"{self.name} ended with {self.process.returncode}")
        return self

    def _is_bound(self) -> bool:
        return f":{self.port:04X} " in SOCKETS["udp"].read_text(encoding="ascii")

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(3):
                await self.process.wait()
        except TimeoutError:
            self.process.kill()
            await self.process.wait()


async def measure(name: str, rate: int, seconds: int, scenario: str = "uac_ordered") -> Figures:
    """One subject, one rate."""
    subject_core, load_core = two_cores()
    answering = SippOptions("uas", calls=0, timeout_seconds=seconds + 60, cores=(load_core,))
    async with Sipp(answering) as uas:
        listen = free_port()
        command = {"callcore": ours, "sippy": sippy}[name](listen, uas.port)
        async with Subject(name, command, listen, subject_core) as subject:
            calling = SippOptions(
                scenario,
                remote=f"127.0.0.1:{listen}",
                calls=rate * seconds,
                rate=rate,
                limit=rate * 10,
                pause=PAUSE,
                values={"ringing_optional": "false"},
                timeout_seconds=seconds + 15,
                cores=(load_core,),
            )
            before = cpu_seconds(subject.process.pid)
            async with Sipp(calling) as uac:
                result = await uac.wait()
            spent = cpu_seconds(subject.process.pid) - before
        return figures(rate, rate * seconds, result, spent)


def figures(rate: int, calls: int, result: SippResult, spent_seconds: float) -> Figures:
    """What SIPp counted and what the subject spent."""
    if result.errors and result.successful == 0:
        say("  " + "\n  ".join(result.errors[:8]))
    return Figures(
        rate=rate,
        calls=calls,
        failures=calls - result.successful,
        refused=result.counted,
        disordered=result.unexpected,
        retransmissions=result.retransmissions,
        cpu_ms=round(spent_seconds * 1000 / max(1, calls), 3),
        busy=round(spent_seconds * rate / calls, 3),
        setup_p99_ms=percentile(list(result.response_ms) or [0.0], 0.99),
    )


async def sippy_at_its_rate(seconds: int) -> tuple[Figures, float]:
    """The highest of the rates that sippy holds (or the lowest tried), and its least CPU of all
    runs: at a lower rate a call costs it more, which must not flatter us.
    """
    found: list[Figures] = []
    for rate in SIPPY_RATES:
        found.append(await measure("sippy", rate, seconds))
        say(f"sippy at {rate}/s: {found[-1]}")
        if found[-1].failures <= SIPPY_MAY_FAIL * found[-1].calls:
            break
    return found[-1], min(one.cpu_ms for one in found)


async def full_load(seconds: int, outcome: Outcome) -> None:
    """The rate that one core must hold."""
    full = await measure("callcore", FULL_RATE, seconds)
    say(f"callcore at {FULL_RATE}/s: {full}")
    outcome.figures["full"] = asdict(full)
    outcome.bar("full_failures", 0, full.failures == 0)
    outcome.bar("full_disordered", 0, full.disordered == 0)
    outcome.bar("full_cpu_ms", CPU_BAR_MS, full.cpu_ms <= CPU_BAR_MS)


async def overload(seconds: int, outcome: Outcome) -> None:
    """Twice as many calls as one core must hold, offered by callers who heed a refusal."""
    offered = await measure("callcore", OFFERED_RATE, seconds, "uac_overload")
    say(f"callcore offered {OFFERED_RATE}/s: {offered}")
    admitted = offered.calls - offered.refused
    good = 1 - offered.failures / admitted if admitted > 0 else 0.0
    outcome.figures["overload"] = {
        **asdict(offered),
        "admitted_per_second": round(admitted / seconds),
        "good_of_admitted": round(good, 5),
    }
    outcome.bar("good_of_admitted", GOOD_BAR, good >= GOOD_BAR)


async def main() -> None:
    """Both subjects, then the bars."""
    options = parser("signalling", __doc__)
    options.add_argument("--only", choices=("callcore", "sippy"))
    options.add_argument("--rate", type=int, default=RATE)
    given = options.parse_args()
    seconds = QUICK_SECONDS if given.quick else SECONDS
    outcome = Outcome("signalling")
    mine = None
    if given.only != "sippy":
        mine = await measure("callcore", given.rate, seconds)
        say(f"callcore at {given.rate}/s: {mine}")
        outcome.figures["callcore"] = asdict(mine)
        outcome.bar("failures", 0, mine.failures == 0)
        outcome.bar("disordered", 0, mine.disordered == 0)
        outcome.bar("cpu_ms", CPU_BAR_MS, mine.cpu_ms <= CPU_BAR_MS)
    if given.only != "callcore":
        held, least_ms = await sippy_at_its_rate(seconds)
        outcome.figures |= {"sippy": asdict(held), "sippy_least_cpu_ms": least_ms}
        if mine:
            share = mine.cpu_ms / least_ms
            outcome.figures["share_of_sippy"] = round(share, 3)
            outcome.bar("share_of_sippy", SHARE_BAR, share <= SHARE_BAR)
    if given.only != "sippy":
        load_seconds = QUICK_LOAD_SECONDS if given.quick else LOAD_SECONDS
        await full_load(load_seconds, outcome)
        await overload(load_seconds, outcome)
    outcome.finish()


if __name__ == "__main__":
    asyncio.run(main())
