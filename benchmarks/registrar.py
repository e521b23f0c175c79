"""Registered seats: REGISTER with digest at 3,000/s, keep-alives, memory of a seat and of a call.

A registration is two requests: the first is challenged, the second is answered with 200. SIPp
sends them from one core, the registrar has the other to itself; Debian's kamailio does the same
work in the same run, with digest and locations in memory and nothing else configured. Then 5,000
seats, each with a socket of its own, keep their ways open by CRLF each 25 s (RFC 5626 §3.5.1) and
register anew each 300 s, over UDP and over TCP. Memory is what the resident set grows by.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.outcome import Outcome, cpu_seconds, parser, percentile, say, two_cores  # noqa: E402
from phones.laws import Law  # noqa: E402
from phones.lifetime import bound  # noqa: E402
from phones.sipp import SOCKETS, Sipp, SippOptions, free_port  # noqa: E402
from phones.waiting import until  # noqa: E402

RATE, SECONDS, QUICK_SECONDS = 3000, 10, 3
SEATS, QUICK_SEATS = 5000, 1000
KEPT_SECONDS, QUICK_KEPT_SECONDS = 50, 10
CALLS, QUICK_CALLS = 1500, 300
CPU_BAR_MS = 1000 / RATE  # one core
KEEP_ALIVE_BAR = 0.10
SEAT_BAR_KB, CALL_BAR_KB = 6.0, 60.0
PEER = Path(__file__).with_name("registrar_peer.cfg")


@dataclass(frozen=True, slots=True)
class Registrations:
    """One registrar at one rate."""

    rate: int
    registrations: int
    failures: int
    retransmissions: int
    cpu_ms: float  # a registration
    p99_ms: float  # from the first REGISTER to 200


def rss_kb(pid: int) -> int:
    """Resident memory (proc(5), /proc/PID/status)."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise ValueError(f"process {pid} has no memory")


def family(pid: int) -> list[int]:
    """A process and its children: kamailio is several."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *(one for child in children for one in family(int(child)))]


def cpu_of(pid: int) -> float:
    """CPU seconds of a process and its children."""
    return sum(cpu_seconds(one) for one in family(pid))


@asynccontextmanager
async def process(command: list[str], port: int, core: int) -> AsyncIterator[int]:
    """A program on its own core that listens on a UDP port when this yields its pid."""
    child = await asyncio.create_subprocess_exec(
        *bound(command, cores=(core,)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=None if command[0] == sys.executable else asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )

    def bound_now() -> bool:
        return f":{port:04X} " in SOCKETS["udp"].read_text(encoding="ascii")

    try:
        await until(lambda: bound_now() or child.returncode is not None, 20)
        if child.returncode is not None:
            raise SystemExit(f"{command[0]} ended with {child.returncode}")
        yield child.pid
    finally:
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGTERM)  # the group that was started here
            await child.wait()


def ours(port: int, seats: int, *, tcp: bool = False, to: int = 9) -> list[str]:
    """The product's engine with so many seats."""
    script = str(ROOT / "benchmarks" / "signalling_server.py")
    listen = f"udp://127.0.0.1:{port}" + (f",tcp://127.0.0.1:{port}" if tcp else "")
    return [sys.executable, script, "--listen", listen, "--to", f"127.0.0.1:{to}"] + (
        ["--seats", str(seats)] if seats else []
    )


def kamailio(port: int, folder: Path) -> list[str] | None:
    """The peer's command line; None where it is not installed."""
    program = shutil.which("kamailio", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        return None
    config = folder / "kamailio.cfg"
    config.write_text(PEER.read_text(encoding="utf-8").replace("@port@", str(port)), "utf-8")
    return [program, "-f", str(config), "-DD", "-E", "-Y", str(folder), "-m", "64", "-M", "8"]


async def register(port: int, pid: int, seconds: int, core: int) -> Registrations:
    """SIPp registers one seat after the other."""
    count = RATE * seconds
    options = SippOptions(
        "register_many",
        remote=f"127.0.0.1:{port}",
        calls=count,
        rate=RATE,
        limit=RATE * 5,
        rows=tuple(f"s{n};[authentication username=s{n} password=s{n}]" for n in range(SEATS)),
        values={"domain": "bench.local"},
        timeout_seconds=seconds + 20,
        cores=(core,),
    )
    before = cpu_of(pid)
    async with Sipp(options) as sipp:
        result = await sipp.wait()
    spent = cpu_of(pid) - before
    if result.successful == 0:
        say("  " + "\n  ".join(result.errors[:8]))
    return Registrations(
        rate=RATE,
        registrations=count,
        failures=count - result.successful,
        retransmissions=result.retransmissions,
        cpu_ms=round(spent * 1000 / count, 3),
        p99_ms=percentile(list(result.response_ms) or [0.0], 0.99),
    )


async def rate(seconds: int, outcome: Outcome) -> None:
    """3,000 a second, beside kamailio."""
    subject_core, load_core = two_cores()
    port = free_port()
    async with process(ours(port, SEATS), port, subject_core) as pid:
        mine = await register(port, pid, seconds, load_core)
    say(f"callcore: {mine}")
    outcome.figures["callcore"] = asdict(mine)
    outcome.bar("failures", 0, mine.failures == 0)
    outcome.bar("cpu_ms", round(CPU_BAR_MS, 3), mine.cpu_ms <= CPU_BAR_MS)
    with TemporaryDirectory() as folder:
        port = free_port()
        command = kamailio(port, Path(folder))
        if command is None:
            say("kamailio is not installed: no peer")
            return
        async with process(command, port, subject_core) as pid:
            peer = await register(port, pid, seconds, load_core)
    say(f"kamailio: {peer}")
    outcome.figures["kamailio"] = asdict(peer)


async def kept(transport: str, seats: int, seconds: int, outcome: Outcome) -> None:
    """Seats with a socket each: what they cost while they only stay, and what they take."""
    subject_core, load_core = two_cores()
    port = free_port()
    script = str(ROOT / "benchmarks" / "registrar_seats.py")
    async with process(ours(port, seats, tcp=True), port, subject_core) as pid:
        before_kb = rss_kb(pid)
        line = [sys.executable, script, "--transport", transport, "--port", str(port)]
        load = await asyncio.create_subprocess_exec(
            *bound([*line, "--seats", str(seats)], cores=(load_core,)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert load.stdin
        assert load.stdout
        if not await load.stdout.readline():
            raise SystemExit("the seats could not all be registered")
        grown_kb = rss_kb(pid) - before_kb
        spent = cpu_seconds(pid)
        await asyncio.sleep(seconds)
        spent = cpu_seconds(pid) - spent
        load.stdin.close()
        said = json.loads(await load.stdout.read())
        await load.wait()
    figures = {
        "seats": seats,
        "keep_alives": said["keep_alives"],
        "registered_anew": said["registered_anew"],
        "busy": round(spent / seconds, 4),
        "kb_a_seat": round(grown_kb / seats, 2),
    }
    say(f"{transport}: {figures}")
    outcome.figures[transport] = figures
    outcome.bar(f"{transport}_busy", KEEP_ALIVE_BAR, figures["busy"] <= KEEP_ALIVE_BAR)
    outcome.bar(f"{transport}_kb_a_seat", SEAT_BAR_KB, figures["kb_a_seat"] <= SEAT_BAR_KB)


async def memory_of_calls(calls: int, outcome: Outcome) -> None:
    """Bridged calls that stay up: what each adds to the resident set."""
    subject_core, load_core = two_cores()
    answering = SippOptions("uas", calls=0, timeout_seconds=120, cores=(load_core,))
    async with Sipp(answering) as uas:
        port = free_port()
        async with process(ours(port, 0, to=uas.port), port, subject_core) as pid:
            calling = SippOptions(
                "uac_ordered",
                remote=f"127.0.0.1:{port}",
                calls=calls,
                rate=200,
                limit=calls * 2,
                pause=Law(calls / 200 + 5),
                values={"ringing_optional": "false"},
                timeout_seconds=calls / 200 * 2 + 40,
                cores=(load_core,),
            )
            before_kb = rss_kb(pid)
            async with Sipp(calling) as uac:
                await asyncio.sleep(calls / 200 + 3)  # all are up, none has ended
                grown_kb = rss_kb(pid) - before_kb
                result = await uac.wait()
    per_call = grown_kb / calls
    say(f"{calls} calls up: {per_call:.1f} kB each, {calls - result.successful} failed")
    outcome.figures["calls_up"] = {
        "calls": calls,
        "failures": calls - result.successful,
        "kb_a_call": round(per_call, 1),
    }
    outcome.bar("calls_up_failures", 0, result.successful == calls)
    outcome.bar("kb_a_call", CALL_BAR_KB, per_call <= CALL_BAR_KB)


async def main() -> None:
    """All four, then the bars."""
    quick = parser("registrar", __doc__).parse_args().quick
    outcome = Outcome("registrar")
    await rate(QUICK_SECONDS if quick else SECONDS, outcome)
    for transport in ("udp", "tcp"):
        seats = QUICK_SEATS if quick else SEATS
        await kept(transport, seats, QUICK_KEPT_SECONDS if quick else KEPT_SECONDS, outcome)
    await memory_of_calls(QUICK_CALLS if quick else CALLS, outcome)
    outcome.finish()


if __name__ == "__main__":
    asyncio.run(main())
