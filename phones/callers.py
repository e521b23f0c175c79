"""Citizens: Poisson-arriving calls over the trunk, each from a number of its own.

python -m phones.callers --target 127.0.0.1:5060 --per-second 0.5 --patience 60,exp
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from phones.driver import Event, Softphone, SoftphoneOptions
from phones.laws import Law, parse_law
from phones.lifetime import die_with_parent
from phones.lines import EventWriter, take_standard_output
from phones.tones import write_tone

CALLS_A_PROCESS = 4  # the library's limit
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class CallersOptions:
    """Whom to call, from where, how often, and how long to wait for a human."""

    target: str  # host:port of the engine's SIP listener
    number: str = "12345"
    sources: tuple[tuple[str, int], ...] = ((LOOPBACK, 0),) * 4  # a process of four lines each
    per_second: float = 0.5
    patience: Law | None = None
    wavs: tuple[Path, ...] = ()  # in turn; none: tones
    calls: int = 0  # 0: for ever
    seed: int = 1


@dataclass(slots=True)
class Citizen:
    """One call; times in seconds on the monotonic clock, 0 = not yet."""

    number: str
    placed: float = 0.0
    connected: float = 0.0  # the engine's 200
    answered: float = 0.0  # told by the harness: an agent has taken the call
    gave_up: float = 0.0
    ended: float = 0.0
    code: int = 0
    reason: str = ""
    by: str = ""
    packets: int = 0  # RTP received


class _Line(Softphone):
    """One process of four lines."""

    def __init__(self, options: SoftphoneOptions, told: Callable[["_Line", Event], None]) -> None:
        super().__init__(options)
        self.told = told
        self.busy: set[str] = set()

    def heard(self, event: Event) -> None:
        self.told(self, event)


class Callers:
    """The whole population: places the calls and knows how each went."""

    def __init__(
        self, options: CallersOptions, told: Callable[[str, Citizen], None] | None = None
    ) -> None:
        self.options = options
        self.told = told or (lambda what, citizen: None)
        self.random = random.Random(options.seed)
        self.citizens: dict[str, Citizen] = {}
        self.blocked = 0  # arrivals that found all our own lines busy
        self.lines: list[_Line] = []
        self._serial = itertools.count(options.seed % 1000 * 1_000_000)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._changed = asyncio.Event()
        self._folder = tempfile.TemporaryDirectory(prefix="callers-")
        self._wavs = itertools.cycle(options.wavs or self._tones())

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _tones(self) -> list[Path]:
        return [
            write_tone(Path(self._folder.name) / f"{hz}.wav", hz) for hz in (350, 440, 520, 700)
        ]

    async def start(self) -> None:
        """Spawns the processes."""
        for address, port in self.options.sources:
            phone = SoftphoneOptions(user="trunk", address=address, local_port=port)
            self.lines.append(_Line(phone, self._heard))
        await asyncio.gather(*(line.start() for line in self.lines))

    async def stop(self) -> None:
        """Hangs up everything."""
        for timer in self._timers.values():
            timer.cancel()
        await asyncio.gather(*(line.stop() for line in self.lines))
        self._folder.cleanup()

    @property
    def live(self) -> list[Citizen]:
        """Those whose call is not over."""
        return [c for c in self.citizens.values() if not c.ended]

    async def run(self) -> None:
        """Calls by a Poisson process until all are placed, or for ever."""
        at = time.monotonic()
        for placed in itertools.count(1):
            at += self.random.expovariate(self.options.per_second)
            await asyncio.sleep(max(0.0, at - time.monotonic()))
            self.place()
            if placed == self.options.calls:
                return

    async def settle(self, timeout_seconds: float) -> bool:
        """Until no call is left; False when some are at the end of the time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                while self.live:
                    self._changed.clear()
                    await self._changed.wait()
        return not self.live

    def place(self) -> Citizen | None:
        """One call now, from a new made-up number; None when our own lines are all busy."""
        line = min(self.lines, key=lambda one: len(one.busy))
        if len(line.busy) >= CALLS_A_PROCESS:
            self.blocked += 1
            return None
        number = f"13{next(self._serial):09d}"
        citizen = self.citizens[number] = Citizen(number, placed=time.monotonic())
        line.busy.add(number)
        uri = f"sip:{number}@{line.options.address}"
        target = f"sip:{self.options.number}@{self.options.target}"
        play = str(next(self._wavs))
        line.call(target, **{"from": uri, "asserted": uri, "name": number, "play": play})
        self.told("placed", citizen)
        return citizen

    def answered(self, number: str) -> None:
        """The harness says that an agent has taken this call: patience no longer counts."""
        if timer := self._timers.pop(number, None):
            timer.cancel()
        if (citizen := self.citizens.get(number)) and not citizen.answered:
            citizen.answered = time.monotonic()
            self.told("answered", citizen)

    def give_up(self, number: str) -> None:
        """Hangs up, because patience is over."""
        citizen = self.citizens.get(number)
        if citizen is None or citizen.ended or citizen.answered:
            return
        citizen.gave_up = time.monotonic()
        self.told("gave_up", citizen)
        for line in self.lines:
            if number in line.busy:
                line.send("hangup", call=number)

    def _heard(self, line: _Line, event: Event) -> None:
        citizen = self.citizens.get(str(event.get("call")))
        if citizen is None:
            return
        if event.name == "state" and event["state"] == "CONFIRMED" and not citizen.connected:
            citizen.connected = event.t
            self.told("connected", citizen)
            if self.options.patience is not None and not citizen.answered:
                self._timers[citizen.number] = asyncio.get_running_loop().call_later(
                    self.options.patience.draw(self.random), self.give_up, citizen.number
                )
        elif event.name == "ended" or (event.name == "error" and event["do"] == "call"):
            self._over(line, citizen, event)

    def _over(self, line: _Line, citizen: Citizen, event: Event) -> None:
        line.busy.discard(citizen.number)
        if timer := self._timers.pop(citizen.number, None):
            timer.cancel()
        citizen.ended = event.t
        citizen.code = event.get("code", 0)
        citizen.reason = event.get("reason", event.get("why", ""))
        citizen.by = event.get("by", "error")
        citizen.packets = event.get("received", 0)
        self._changed.set()
        self.told("ended", citizen)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="callers", description=(__doc__ or "").split("\n")[0])
    add = parser.add_argument
    add("--target", required=True, metavar="HOST:PORT")
    add("--number", default="12345")
    add("--address", default="127.0.0.1")
    add("--first-port", type=int, default=0)
    add("--processes", type=int, default=4, help="of four calls each")
    add("--per-second", type=float, default=0.5)
    add("--patience", type=parse_law, metavar="SECONDS[,CV|,exp]")
    add("--wav", type=Path, action="append", default=[])
    add("--calls", type=int, default=0)
    add("--seed", type=int, default=1)
    add("--parent", type=int, default=0)
    return parser.parse_args()


async def serve(given: argparse.Namespace, events: EventWriter) -> None:
    """Calls until done, SIGTERM, quit or the end of standard input.

    Commands: {"do": "answered" | "give_up", "number": N}, {"do": "quit"}.
    """
    options = CallersOptions(
        target=given.target,
        number=given.number,
        sources=tuple(
            (given.address, given.first_port and given.first_port + index)
            for index in range(given.processes)
        ),
        per_second=given.per_second,
        patience=given.patience,
        wavs=tuple(given.wav),
        calls=given.calls,
        seed=given.seed,
    )

    def tell(what: str, citizen: Citizen) -> None:
        fields = {name: getattr(citizen, name) for name in Citizen.__slots__}
        events.emit("citizen", what=what, **fields)

    async with Callers(options, tell) as callers:
        events.emit("started", user="callers", address=given.address, pid=os.getpid())
        calling = asyncio.ensure_future(_call_all(callers))
        obeying = asyncio.ensure_future(_obey(callers))
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, obeying.cancel)
        await asyncio.wait({calling, obeying}, return_when=asyncio.FIRST_COMPLETED)
        for task in (calling, obeying):
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
    events.emit("bye", blocked=callers.blocked, placed=len(callers.citizens))


async def _call_all(callers: Callers) -> None:
    await callers.run()
    await callers.settle(3600)


async def _obey(callers: Callers) -> None:
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    verbs: dict[Any, Callable[[str], None]] = {
        "answered": callers.answered,
        "give_up": callers.give_up,
    }
    while line := await reader.readline():
        with contextlib.suppress(ValueError, KeyError, AttributeError):
            command = json.loads(line)
            if command.get("do") == "quit":
                return
            verbs[command.get("do")](str(command["number"]))


def main() -> None:
    """Runs the population."""
    given = arguments()
    if given.parent:
        die_with_parent(given.parent, signal.SIGTERM)
    asyncio.run(serve(given, take_standard_output()))


if __name__ == "__main__":
    main()
