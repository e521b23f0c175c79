"""Recorded two-party bridges with SRTP on both legs, both ways."""

import sys

from media_load import GENERATOR_LATE_MS, Shape, files, raw_pair_us, run
from outcome import Outcome, parser

LEGS_BAR = 800


def main() -> None:
    """Cost by legs, and the same legs plain."""
    given = parser("media_srtp", __doc__).parse_args()
    files()
    seconds = 6.0 if given.quick else 8.0
    sizes = [200] if given.quick else [200, 400, 800]
    runs = [run(legs, seconds, Shape(srtp=True)) for legs in sizes]
    plain = run(sizes[-1], seconds, Shape())
    best = runs[-1]
    outcome = Outcome("media_srtp")
    outcome.figures = {
        "us_per_leg_tick": round(best.us_per_leg_tick, 2),
        "us_per_leg_tick_plain": round(plain.us_per_leg_tick, 2),
        "raw_pair_us": round(raw_pair_us(1), 2),
        "legs_a_core_at_80_percent": best.legs_at_80,
        "packets_lost": best.packets_lost,
        "runs": [one.figures() for one in runs],
    }
    kept_up = all(one.generator_late_ms <= GENERATOR_LATE_MS for one in runs)
    outcome.bar("generator_late_ms", GENERATOR_LATE_MS, kept_up)
    outcome.bar("legs_a_core_at_80_percent", LEGS_BAR, best.legs_at_80 >= LEGS_BAR)
    outcome.finish()


if __name__ == "__main__":
    sys.exit(main())
