"""SIPp with the scenarios of phones/scenarios: starts it, reads its statistics, ends it."""

import asyncio
import contextlib
import csv
import itertools
import math
import os
import random
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from phones.laws import Law
from phones.lifetime import bound
from phones.waiting import until

SCENARIOS = Path(__file__).resolve().parent / "scenarios"
A_MOMENT = Law(0.1)
AT_ONCE = Law(0.0)
SOCKETS = {"udp": Path("/proc/net/udp"), "tcp": Path("/proc/net/tcp")}  # proc(5)


class SippError(AssertionError):
    """SIPp is missing or could not run."""


@dataclass(frozen=True, slots=True)
class SippOptions:
    """One run of SIPp; `calls=0` is until stopped, `cores` pins it."""

    scenario: str
    remote: str = ""  # host:port; empty for a UAS
    local_port: int = 0
    service: str = "12345"
    caller: str = "13900000001"
    calls: int = 1
    rate: float = 1.0  # new calls a second
    limit: int = 0  # calls at once; 0 = SIPp's own
    pause: Law = A_MOMENT
    ring: Law = AT_ONCE
    values: dict[str, str] = field(default_factory=dict)  # for @name@ in the scenario
    rows: tuple[str, ...] = ()  # [field0];[field1]... of one call after the other
    transport: str = "udp"
    address: str = "127.0.0.1"  # ours, for SIP and in the description
    media_port: int = 0
    echo: bool = False  # sends back the RTP that it receives
    user: str = ""
    password: str = ""
    timeout_seconds: float = 60.0
    cores: tuple[int, ...] = ()
    trace: bool = False  # writes every message with its time to *_messages.log in its folder
    auth_uri: str = ""  # what a digest names, without sip:; empty: where SIPp sends to
    text: str = ""  # a scenario that is no file of ours
    patient: bool = False  # a message that is not the next one expected is let pass


@dataclass(frozen=True, slots=True)
class SippResult:
    """What SIPp counted."""

    exit_code: int
    created: int = 0
    successful: int = 0
    failed: int = 0
    unexpected: int = 0  # calls failed by a message out of order
    retransmissions: int = 0
    out_of_call: int = 0  # messages that belonged to no call
    counted: int = 0  # what the scenario counts itself, as its counter 1
    response_ms: tuple[float, ...] = ()  # INVITE to 200, each call
    errors: tuple[str, ...] = ()  # the last lines of its error log

    @property
    def ok(self) -> bool:
        """All calls as the scenario wants them."""
        return self.exit_code == 0 and self.failed == 0 and self.successful > 0


def free_port(transport: str = "udp") -> int:
    """A port that is free now, and is given to nobody else until all have had their turn.

    Below the system's own choice of ports: who asks a server there before it listens would now and
    then be given the very port that it connects to, and talk to itself (RFC 9293 §3.5, figure 7).
    """
    return next(port for port in _odd if are_free([port], transport))


def free_media_port() -> int:
    """The same for media: an even UDP port, and the next even one too, as SIPp wants them."""
    return next(port for port in _even if are_free([port, port + 2], "udp"))


def in_turn(first: int, step: int) -> Iterator[int]:
    """Ports below the system's own choice, again and again, from one of them at random.

    In turn: of those who get theirs at about the same time, none has bound it when the next asks.
    """
    ports = range(first, 20_000, step)
    start = random.randrange(len(ports))
    return itertools.cycle([*ports[start:], *ports[:start]])


_odd, _even = in_turn(10_001, 2), in_turn(10_000, 4)


def are_free(ports: Iterable[int], transport: str) -> bool:
    """Whether these ports can be bound on every address."""
    kind = socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM
    with contextlib.ExitStack() as probes:
        try:
            for port in ports:
                probes.enter_context(socket.socket(socket.AF_INET, kind)).bind(("", port))
        except OSError:
            return False
    return True


def pause_xml(law: Law) -> str:
    """A pause element of SIPp; its lognormal takes the mean and deviation of the logarithm."""
    milliseconds = law.mean * 1000
    if law.kind == "exponential":
        return f'<pause distribution="exponential" mean="{milliseconds:.0f}"/>'
    if law.cv <= 0:
        return f'<pause milliseconds="{milliseconds:.0f}"/>'
    squared = math.log(1 + law.cv**2)
    mean, deviation = math.log(milliseconds) - squared / 2, math.sqrt(squared)
    return f'<pause distribution="lognormal" mean="{mean:.4f}" stdev="{deviation:.4f}"/>'


def fill(options: SippOptions) -> str:
    """The scenario's text with the values of these options."""
    text = options.text or (SCENARIOS / f"{options.scenario}.xml").read_text(encoding="utf-8")
    values = {"ringing_optional": "true", "status": "403", "domain": "hotline.local"}
    values |= options.values
    text = text.replace("<!-- @pause@ -->", pause_xml(options.pause))
    text = text.replace("<!-- @ring@ -->", pause_xml(options.ring))
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text


class Sipp:
    """A SIPp process; `async with` stops it at the end whatever happens."""

    def __init__(self, options: SippOptions) -> None:
        self.options = options
        self.port = options.local_port or free_port(options.transport)
        self.folder = Path(tempfile.mkdtemp(prefix="sipp-"))
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def command(self) -> list[str]:
        """SIPp's command line."""
        options = self.options
        program = shutil.which("sipp")
        if program is None:
            raise SippError("SIPp is not installed: apt-get install sip-tester")
        scenario = self.folder / "scenario.xml"
        scenario.write_text(fill(options), encoding="utf-8")
        line = [program, *filter(None, [options.remote]), "-sf", str(scenario), "-nostdin"]
        line += ["-i", options.address, "-p", str(self.port), "-s", options.service]
        line += ["-t", "t1" if options.transport == "tcp" else "u1", "-key", "caller"]
        line += [options.caller, "-mi", options.address, "-cid_str", "%u-%p@%s"]
        line += ["-trace_stat", "-stf", str(self.folder / "stat.csv"), "-fd", "1"]
        line += ["-trace_err", "-error_file", str(self.folder / "errors.log")]
        line += ["-r", f"{max(1, round(options.rate * 10))}", "-rp", "10000"]
        line += ["-timeout", f"{math.ceil(options.timeout_seconds)}s", "-timeout_error"]
        line += ["-mp", str(options.media_port or free_media_port())]
        if options.rows:
            rows = self.folder / "rows.csv"
            rows.write_text("\n".join(["SEQUENTIAL", *options.rows]) + "\n", encoding="ascii")
            line += ["-inf", str(rows)]
        if options.calls:
            line += ["-m", str(options.calls)]
        if options.trace:
            line += ["-trace_msg", "-message_file", str(self.folder / "all_messages.log")]
        if options.echo:
            line += ["-rtp_echo"]
        if options.limit:
            line += ["-l", str(options.limit)]
        if options.patient:
            line += ["-default_behaviors", "all,-abortunexp"]
        if options.auth_uri:
            line += ["-auth_uri", options.auth_uri]
        if options.user:
            line += ["-au", options.user, "-ap", options.password]
        if "start_rtd" in fill(options):
            line += ["-trace_rtt", "-rtt_freq", "1"]
        return line

    async def start(self) -> None:
        """Starts it; a UAS listens when this returns."""
        with (self.folder / "stderr.log").open("wb") as errors:
            self._process = await asyncio.create_subprocess_exec(
                *bound(self.command(), cores=self.options.cores),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=errors,
                cwd=self.folder,
                env={**os.environ, "TERM": "dumb"},
                start_new_session=True,
            )
        if not self.options.remote:
            await until(lambda: self._is_bound() or self.process.returncode is not None)
            if self.process.returncode is not None:
                raise SippError(f"SIPp ended: {self._errors()}")

    def _is_bound(self) -> bool:
        """Whether the kernel's table of sockets shows its port."""
        return f":{self.port:04X} " in SOCKETS[self.options.transport].read_text(encoding="ascii")

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The child; SippError before start()."""
        if self._process is None:
            raise SippError("not started")
        return self._process

    @property
    def pid(self) -> int:
        """The child's process number."""
        return self.process.pid

    async def wait(self) -> SippResult:
        """Until it has made all its calls; what it counted."""
        async with asyncio.timeout(self.options.timeout_seconds + 15):
            await self.process.wait()
        return self.result()

    async def stop(self, patience_seconds: float = 2.0) -> SippResult:
        """Lets calls end for a moment (SIGUSR1), then ends this one process."""
        if self.process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGUSR1)
            try:
                async with asyncio.timeout(patience_seconds):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()
        return self.result()

    def result(self) -> SippResult:
        """The last line of the statistics file, as numbers."""
        row = self._last_row()

        def number(column: str) -> int:
            return int(row.get(column) or 0)

        return SippResult(
            exit_code=self.process.returncode or 0,
            created=number("TotalCallCreated"),
            successful=number("SuccessfulCall(C)"),
            failed=number("FailedCall(C)"),
            unexpected=number("FailedUnexpectedMessage(C)"),
            retransmissions=number("Retransmissions(C)"),
            out_of_call=number("OutOfCallMsgs(C)"),
            counted=number("GenericCounter1(C)"),
            response_ms=self._response_times(),
            errors=self._errors(),
        )

    def _last_row(self) -> dict[str, Any]:
        path = self.folder / "stat.csv"
        if not path.exists():
            return {}
        with path.open(encoding="latin-1", newline="") as source:
            rows = list(csv.DictReader(source, delimiter=";"))
        return rows[-1] if rows else {}

    def _response_times(self) -> tuple[float, ...]:
        times: list[float] = []
        for path in self.folder.glob("*_rtt.csv"):
            for line in path.read_text(encoding="latin-1").splitlines()[1:]:
                parts = line.split(";")
                if len(parts) >= 2:
                    times.append(float(parts[1]))
        return tuple(times)

    def _errors(self) -> tuple[str, ...]:
        lines: list[str] = []
        for name in ("errors.log", "stderr.log"):
            path = self.folder / name
            if path.exists():
                lines += path.read_text(encoding="latin-1").splitlines()[-20:]
        return tuple(line for line in lines if line.strip())


async def run_sipp(options: SippOptions) -> SippResult:
    """One whole run."""
    async with Sipp(options) as sipp:
        return await sipp.wait()
