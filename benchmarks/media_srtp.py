"""Recorded two-party bridges with SRTP on both legs, both ways."""

import sys

from media_climb import climb, in_pairs
from media_load import TICK_US, TICKS_A_SECOND, Shape, files, run
from outcome import Outcome, parser

LEGS_BAR = 800
SIZES = [100, 200, 400, 600, 800, 1000]


def main() -> None:
    """Cost by legs up to the core's limit, and as many legs plain as were carried with SRTP."""
    given = parser("media_srtp", __doc__).parse_args()
    files()
    seconds = 6.0 if given.quick else 8.0
    climbed = climb(SIZES[1:2] if given.quick else SIZES, seconds, Shape(srtp=True))
    best = climbed.best
    plain = run(best.legs, seconds, Shape())
    outcome = Outcome("media_srtp")
    outcome.figures = climbed.figures() | {
        "us_per_leg_tick_plain": round(plain.us_per_leg_tick, 2),
        "bar_times_raw_pair": in_pairs(0.8 * TICK_US * TICKS_A_SECOND / 1000 / LEGS_BAR),
        "packets_lost": best.packets_lost,
    }
    climbed.bar_on_load(outcome)
    outcome.bar("legs_a_core_at_80_percent", LEGS_BAR, best.legs_at_80 >= LEGS_BAR)
    outcome.finish()


if __name__ == "__main__":
    sys.exit(main())
