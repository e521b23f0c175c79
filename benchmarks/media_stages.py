"""Where a leg's 20 ms go: CPU of each stage of the tick, by io_uring and by plain sockets.

Worker and parties take turns in one process, so every packet comes in time, nobody waits for a
core, and a busy machine makes the figures larger but not different in kind. Two-party bridges, each
recorded; the recorder's thread is the difference between the tick and all of it.
"""

import gc
import json
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from media_generator import GROUPS, Parties  # noqa: E402
from media_load import ADDRESS, files, raw_pair_us  # noqa: E402
from outcome import Outcome, parser, say  # noqa: E402

from media import messages as m  # noqa: E402
from media.io.worker import Worker  # noqa: E402

SHARE_BAR = 0.85  # of what the same legs cost by plain sockets
WARM_TICKS = 60
REST_TICKS = 8  # between pauses in which the recorder's thread gets on
NO_NUMBERS = (0, 0, 0)


class Bench:
    """A worker without its loop, and all its legs' parties."""

    def __init__(self, sockets: str, legs: int, ticks: int, folder: str) -> None:
        self.ticks = ticks
        self.channel = socket.socketpair()  # nobody reads at the other end: events are few
        setup = m.Setup(
            prompts={},
            sink="recorder.io.spool:SpoolSink",
            sink_arguments={"folders": folder},
            capacity=max(4096, legs),
            sockets=sockets,
        )
        self.worker = Worker(self.channel[0], setup)
        self.parties = Parties(legs, ticks, "mixed")
        self.spent: dict[str, int] = {}
        self.parties.connect(ADDRESS, [self._open(*one) for one in enumerate(self.parties.ports())])

    def _obey(self, command: m.Command) -> None:
        numbers = (secrets.randbits(16), secrets.randbits(32), secrets.randbits(32))
        self.worker.switch.obey(command, numbers)

    def _open(self, number: int, port: int) -> int:
        leg = f"leg-{number}"
        self._obey(m.Open(leg, ADDRESS, 10000 + 2 * number))
        self._obey(m.Connect(leg, "127.0.0.1", port, "PCMA", 8, 101))
        if number % 2:
            legs = (f"leg-{number - 1}", leg)
            self._obey(m.Bridge(f"bridge-{number}", legs))
            name = f"recording-{number}"
            self._obey(m.Record(name, legs[:1], legs[1:], {"recording": name}))
        return 10000 + 2 * number

    def time(self, owner: Any, name: str, stage: str) -> None:
        """Count the thread's CPU in a method from now on."""
        work: Callable[..., Any] = getattr(owner, name)

        def timed(*arguments: Any) -> Any:
            start = time.thread_time_ns()
            try:
                return work(*arguments)
            finally:
                self.spent[stage] = self.spent.get(stage, 0) + time.thread_time_ns() - start

        setattr(owner, name, timed)

    def run(self) -> float:
        """Nanoseconds of CPU in all, the recorder's thread included, the parties' left out."""
        theirs, begin = 0, 0
        for tick in range(self.ticks):
            if tick == WARM_TICKS:
                self.spent.clear()
                theirs, begin = 0, time.process_time_ns()
            start = time.thread_time_ns()
            self.parties.prepare(tick)
            for group in range(GROUPS):
                self.parties.send(tick, group)
            theirs += time.thread_time_ns() - start
            self.worker._tick()
            start = time.thread_time_ns()
            for group in range(GROUPS):
                self.parties.receive(group)
            theirs += time.thread_time_ns() - start
            if tick % REST_TICKS == 0:
                time.sleep(0.001)
        self.worker.writer.stop(10)
        return time.process_time_ns() - begin - theirs


def measure(sockets: str, legs: int, ticks: int) -> dict[str, float]:
    """Microseconds a leg and tick: all of it, the tick, and its stages."""
    folder = tempfile.mkdtemp(prefix="media-stages-")
    try:
        bench = Bench(sockets, legs, ticks, folder)
        tick, wire = bench.worker.switch.tick, bench.worker.wire
        for owner, name, stage in (
            (bench.worker, "_tick", "tick"),
            (wire, "read", "reading"),
            (wire, "send", "sending"),
            (tick, "_take", "placing"),
            (tick, "_hear", "hearing"),
            (tick.taps, "step", "recording"),
        ):
            bench.time(owner, name, stage)
        gc.collect()
        gc.freeze()
        gc.disable()
        total = bench.run()
        counts = bench.worker.switch.legs
        assert counts.total("packets_in") == legs * ticks, "packets were lost"
        made_up = counts.total("concealed") + counts.total("stretched")
        assert not made_up, f"{made_up} frames were made up: the packets were not even"
    finally:
        shutil.rmtree(folder)
    per = legs * (ticks - WARM_TICKS) * 1000
    return {"all": total / per} | {stage: spent / per for stage, spent in bench.spent.items()}


def apart(sockets: str, legs: int, ticks: int) -> dict[str, float]:
    """In a process of its own: nothing is left of the run before."""
    command = [sys.executable, __file__, "--one", sockets, str(legs), str(ticks)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return {stage: round(spent, 2) for stage, spent in found.items()}


def main() -> None:
    """Both kinds of sockets in turn; the lesser of each kind's runs."""
    if sys.argv[1:2] == ["--one"]:
        files()
        print(json.dumps(measure(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))))
        return
    given = parser("media_stages", __doc__).parse_args()
    sizes, ticks, rounds = ([1000], 130, 1) if given.quick else ([500, 1000, 2500], 160, 2)
    outcome = Outcome("media_stages")
    runs: list[dict[str, Any]] = []
    for legs in sizes:
        best: dict[str, dict[str, float]] = {}
        for _ in range(rounds):
            for kind in ("plain", "io_uring"):
                found = apart(kind, legs, ticks)
                say(f"{legs} legs, {kind}: {found}")
                best[kind] = min(best.get(kind, found), found, key=lambda one: one["all"])
        runs.append({"legs": legs, "raw_pair_us": round(raw_pair_us(1), 2), **best})
    last = runs[-1]
    share = last["io_uring"]["all"] / last["plain"]["all"]
    outcome.figures = {
        "us_per_leg_tick": last["io_uring"]["all"],
        "us_per_leg_tick_plain": last["plain"]["all"],
        "times_raw_pair": round(last["io_uring"]["all"] / last["raw_pair_us"], 2),
        "share_of_plain": round(share, 3),
        "runs": runs,
    }
    outcome.bar("share_of_plain", SHARE_BAR, share <= SHARE_BAR)
    outcome.finish()


if __name__ == "__main__":
    main()
