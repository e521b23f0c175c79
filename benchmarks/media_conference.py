"""Three-party conferences, recorded: every ear hears the sum of the others."""

import sys

from media_load import GENERATOR_LATE_MS, Shape, files, raw_pair_us, run
from outcome import Outcome, parser

LEGS_BAR, MS_BAR = 2000, 0.4
SHAPE = Shape(party=3, mixed=True)


def main() -> None:
    """Cost by legs; other sizes of bridge beside it."""
    given = parser("media_conference", __doc__).parse_args()
    files()
    seconds = 6.0 if given.quick else 8.0
    sizes = [600] if given.quick else [501, 999, 2001]
    runs = [run(legs, seconds, SHAPE) for legs in sizes]
    best = runs[-1]
    others = {}
    for party in () if given.quick else (8, 64):
        legs = 960
        one = run(legs, 6.0, Shape(party=party, mixed=True))
        others[str(party)] = round(one.us_per_leg_tick, 2)
    mixed = run(sizes[0] // 6 * 6, 6.0, Shape(codecs=("PCMA", "PCMU")))
    outcome = Outcome("media_conference")
    outcome.figures = {
        "us_per_leg_tick": round(best.us_per_leg_tick, 2),
        "ms_a_second_and_party": round(best.ms_a_second_and_leg, 3),
        "raw_pair_us": round(raw_pair_us(1), 2),
        "legs_a_core_at_80_percent": best.legs_at_80,
        "us_per_leg_tick_by_party": others,
        "us_per_leg_tick_two_parties_transcoded": round(mixed.us_per_leg_tick, 2),
        "runs": [one.figures() for one in runs],
    }
    kept_up = all(one.generator_late_ms <= GENERATOR_LATE_MS for one in runs)
    outcome.bar("generator_late_ms", GENERATOR_LATE_MS, kept_up)
    outcome.bar("legs_a_core_at_80_percent", LEGS_BAR, best.legs_at_80 >= LEGS_BAR)
    outcome.bar("ms_a_second_and_party", MS_BAR, best.ms_a_second_and_leg <= MS_BAR)
    outcome.finish()


if __name__ == "__main__":
    sys.exit(main())
