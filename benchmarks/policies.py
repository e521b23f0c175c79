"""Who is answered in time, by policy and load: the simulator around the real core.

13 agents, lognormal talk of 180 s (standard deviation 180 s), exponential patience of 120 s. A is
the share of all offered calls that are answered within 15 s, callers called back included in the
offered. Beside the policies stands the bound in which late callers vanish: no policy that serves
them can reach it. The calls of a point are shared among the seeds.
"""

import math
import os
import random
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from acd.forecast import Load, erlang_b, forecast
from acd.settings import CallbackSettings, OverflowStep, QueueSettings
from acd.simulate import QUEUE, Outcome, Scenario, simulate
from benchmarks import outcome

AGENTS, TALK, PATIENCE, TARGET, CAP = 13, 180.0, 120.0, 15.0, 120.0
RHOS = (0.7, 0.8, 0.9, 1.0)
SEEDS = (1, 2, 3)
EXPECTED = {
    "fifo": (0.923, 0.846, 0.744, 0.626),
    "answer_in_time": (0.943, 0.891, 0.824, 0.749),
    "bound": (0.960, 0.926, 0.885, 0.840),
}
TAKEN = 0.15  # of the late callers take the callback that they are offered
LATE = TARGET + 0.001
BEST = "reservation_callback"
CALLBACKS = (OverflowStep("callback", LATE),)
MOBILES = (OverflowStep("mobile", 3),)


@dataclass(frozen=True, slots=True)
class Point:
    """One curve at one load."""

    curve: str
    rho: float


def queue(policy: str, **settings: Any) -> QueueSettings:
    """The study's queue: no wrap-up, no end of the wait, answered at once."""
    plain: dict[str, Any] = {
        "promotion_seconds": CAP,
        "wrap_up_seconds": 0,
        "max_wait_seconds": 0,
        "measured_delay": False,
    }
    return QueueSettings(QUEUE, policy=policy, **{**plain, **settings})


CURVES: dict[str, tuple[QueueSettings, dict[str, Any]]] = {
    "fifo": (queue("fifo"), {}),
    "answer_in_time": (queue("answer_in_time"), {}),
    "no_cap": (queue("answer_in_time", promotion_seconds=1e6), {}),
    "reservation": (queue("reservation"), {}),
    BEST: (
        queue("reservation", overflow=CALLBACKS, callback=CallbackSettings(idle_agents=2)),
        {"callback_taken": TAKEN},
    ),
    "bound": (queue("fifo", max_wait_seconds=LATE), {}),
    "three_mobiles": (queue("answer_in_time", overflow=MOBILES), {"mobiles": 3}),
    "fifo_mobiles": (queue("fifo", overflow=MOBILES), {"mobiles": 3}),
}
POINTS = [
    *(Point(curve, rho) for rho in RHOS for curve in ("fifo", "answer_in_time", BEST, "bound")),
    Point("three_mobiles", 0.8),
    *(Point(curve, rho) for rho in RHOS for curve in ("no_cap", "reservation")),
    Point("fifo_mobiles", 0.8),
]
ASIDE = ("no_cap", "reservation", "fifo_mobiles")  # a third of the calls: nothing is judged by them


def run(job: tuple[Point, int, int]) -> tuple[Point, Outcome]:
    """One seed of one point."""
    point, seed, calls = job
    settings, more = CURVES[point.curve]
    scenario = Scenario(
        AGENTS,
        calls_per_hour=point.rho * AGENTS / TALK * 3600,
        talk_seconds=TALK,
        patience_seconds=PATIENCE,
        calls=calls,
        queue=settings,
        **more,
    )
    return point, simulate(scenario, random.Random(f"{seed}/{point.rho}"))


def jobs_of(calls: int) -> list[tuple[Point, int, int]]:
    """A job a seed of each point."""
    each = math.ceil(calls / len(SEEDS))
    return [
        (point, seed, each // 3 if point.curve in ASIDE else each)
        for point in POINTS
        for seed in SEEDS
    ]


def results(calls: int) -> Iterator[tuple[Point, Outcome]]:
    """All of them, on every core, at the lowest priority: they count, they do not time."""
    jobs = jobs_of(calls)
    start = time.monotonic()
    with get_context("spawn").Pool(os.cpu_count(), os.nice, (19,)) as pool:
        for number, found in enumerate(pool.imap_unordered(run, jobs), 1):
            yield found
            took = time.monotonic() - start
            outcome.say(f"{number}/{len(jobs)} {found[0].curve} rho {found[0].rho} ({took:.0f} s)")


def summary(found: list[Outcome]) -> dict[str, Any]:
    """Means over the seeds, with the half width of a 95 % interval of A (t, 2 degrees)."""
    levels = [one.tally.answered_in_target / one.tally.offered for one in found]
    offered = sum(one.tally.offered for one in found)
    half = 4.303 * statistics.stdev(levels) / math.sqrt(len(levels))
    return {
        "A": round(statistics.mean(levels), 4),
        "A_half_width": round(half, 4),
        "abandoned": round(sum(one.tally.abandoned for one in found) / offered, 4),
        "called_back": round(sum(one.tally.called_back for one in found) / offered, 4),
        "longest_s": round(max(one.longest_wait_seconds for one in found)),
        "over_120_s": round(statistics.mean(one.waited_over_120_seconds for one in found), 4),
        "passed_over": sum(one.passed_over for one in found),
        "calls": offered,
    }


def histogram(found: list[Outcome]) -> list[int]:
    """Answered calls by whole seconds waited, to five minutes."""
    waits = [sum(seconds) for seconds in zip(*(one.waits for one in found), strict=True)]
    return [*waits[:300], sum(waits[300:])]


def erlang_times(quick: bool) -> dict[str, float]:
    """The worst time of one Erlang forecast with 10,000 agents, ms, beside Erlang B alone."""
    worst, rounds = {"erlang_10000_ms": 0.0, "erlang_b_10000_ms": 0.0}, 3 if quick else 20
    for rho in (0.5, 0.9, 0.99, 1.0, 1.2):
        load = Load(rho * 10_000 * 20, 180, 120, 15)
        for name, act in (
            ("erlang_10000_ms", lambda load=load: forecast(load, 10_000)),
            ("erlang_b_10000_ms", lambda load=load: erlang_b(10_000, load.erlangs)),
        ):
            took = []
            for _ in range(rounds):
                start = time.process_time()
                act()
                took.append((time.process_time() - start) * 1000)
            worst[name] = max(worst[name], round(statistics.median(took), 3))
    return worst


def judge(measured: outcome.Outcome, quick: bool) -> None:
    """The study's figures, the new policy against them, mobiles, Erlang's time."""
    figures, near = measured.figures, 0.04 if quick else 0.004
    for curve, levels in EXPECTED.items():
        for rho, level in zip(RHOS, levels, strict=True):
            off = abs(figures[f"{curve}_{rho}"]["A"] - level)
            measured.bar(f"{curve}_{rho}", level, off <= near)
    for rho in RHOS:
        old, new = figures[f"answer_in_time_{rho}"], figures[f"{BEST}_{rho}"]
        bound = figures[f"bound_{rho}"]["A"]
        closed = (new["A"] - old["A"]) / (bound - old["A"])
        figures[f"closed_{rho}"] = round(closed, 3)
        slack = 0.005 if quick else 0.0005
        kept = new["abandoned"] <= old["abandoned"] + slack and not new["passed_over"]
        measured.bar(f"closed_{rho}", 0.0, kept and closed > 0)
    mobiles = figures["three_mobiles_0.8"]["A"]
    measured.bar("three_mobiles_0.8", 0.95, mobiles >= 0.95)
    measured.bar("erlang_10000_ms", 10.0, figures["erlang_10000_ms"] <= 10.0)


def main() -> None:
    parser = outcome.parser("policies.py", __doc__)
    parser.add_argument("--calls", type=int, default=1_000_000, help="of a point, all seeds")
    given = parser.parse_args()
    calls = 18_000 if given.quick else given.calls
    found: dict[Point, list[Outcome]] = {point: [] for point in POINTS}
    for point, one in results(calls):
        found[point].append(one)
    measured = outcome.Outcome("policies")
    for point, ones in found.items():
        measured.figures[f"{point.curve}_{point.rho}"] = summary(ones)
    measured.figures |= erlang_times(given.quick)
    measured.figures["waits_0.8"] = {
        curve: histogram(found[Point(curve, 0.8)])
        for curve in ("fifo", "answer_in_time", "reservation", BEST)
    }
    judge(measured, given.quick)
    measured.finish()


if __name__ == "__main__":
    main()
