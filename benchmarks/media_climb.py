"""What the media benchmarks climb: more and more legs on one core, until it does not carry them."""

import statistics
from dataclasses import dataclass, field
from typing import Any

from media_load import GENERATOR_LATE_MS, Full, Load, Shape, raw_pair_us, run
from outcome import Outcome, say

# The bars are CPU on a machine where a bare pair in Python took 1.1 us: in pairs, they can
# be held against figures of any other machine.
BAR_PAIR_US = 1.1
EASY_BUSY = 0.8


@dataclass
class Climb:
    """Runs that one core carried, in order, and the first that it did not."""

    pairs: list[float] = field(default_factory=list)  # us, before and after each run
    carried: list[Load] = field(default_factory=list)
    over: Load | None = None  # measured, but with ticks left out
    full_at: int | None = None
    why: str = ""

    @property
    def best(self) -> Load:
        """The most legs that were carried; SystemExit where not even the fewest were."""
        if not self.carried:
            raise SystemExit(f"one core does not carry {self.full_at} legs: {self.why}")
        return self.carried[-1]

    @property
    def pair_us(self) -> float:
        return statistics.median(self.pairs)

    def easy(self, legs: int) -> Load:
        """The largest run of at most so many legs that left a fifth of the core, as bars have it.

        Where there is none, the smallest: beyond, buffers and queues of a full core are measured.
        """
        fit = [r for r in self.carried if r.legs <= legs and r.busy <= EASY_BUSY]
        return fit[-1] if fit else self.carried[0]

    def figures(self) -> dict[str, Any]:
        """What every media benchmark tells of it, the cost beside the machine's bare pair."""
        best = self.best
        return {
            "us_per_leg_tick": round(best.us_per_leg_tick, 2),
            "raw_pair_us": round(self.pair_us, 2),
            "times_raw_pair": round(best.us_per_leg_tick / self.pair_us, 2),
            "legs_carried": best.legs,
            "full_at_legs": self.full_at,  # None: the largest number tried was carried
            "full_because": self.why,
            "legs_a_core_at_80_percent": best.legs_at_80,
            "runs": [one.figures() for one in self.carried],
            "run_over_the_limit": self.over.figures() if self.over else None,
        }

    def bar_on_load(self, outcome: Outcome) -> None:
        """A generator that was late offered less than it says."""
        worst = max((one.generator_late_ms for one in self.carried), default=0.0)
        outcome.bar("generator_late_ms", GENERATOR_LATE_MS, worst <= GENERATOR_LATE_MS)


def climb(sizes: list[int], seconds: float, shape: Shape) -> Climb:
    """Run one size after the other up to the first that is not carried."""
    found = Climb(pairs=[raw_pair_us(1)])
    for legs in sizes:
        try:
            done = run(legs, seconds, shape)
        except Full as full:
            found.full_at, found.why = legs, str(full)
        else:
            found.pairs.append(raw_pair_us(1))
            found.why = done.too_much
            if not found.why:
                found.carried.append(done)
                continue
            found.full_at, found.over = legs, done
        say(f"one core does not carry {legs} legs: {found.why}")
        break
    return found


def in_pairs(bar_ms_a_second_and_leg: float) -> float:
    """A bar of CPU a second and leg as a number of bare pairs a tick."""
    return round(bar_ms_a_second_and_leg * 1000 / 50 / BAR_PAIR_US, 2)
