"""Three-party conferences, recorded: every ear hears the sum of the others."""

import sys

from media_climb import climb, in_pairs
from media_load import Full, Shape, files, run
from outcome import Outcome, parser

LEGS_BAR, MS_BAR = 2000, 0.4
SHAPE = Shape(party=3, mixed=True)
SIZES = [252, 501, 750, 999, 1251, 1500, 2001]
OTHERS_LEGS = 576  # whole bridges of 2, 8 and 64


def cost(shape: Shape) -> float | str:
    """Microseconds a leg and tick, or why there is no figure."""
    try:
        return round(run(OTHERS_LEGS, 6.0, shape).us_per_leg_tick, 2)
    except Full as full:
        return str(full)


def main() -> None:
    """Cost by legs up to the core's limit; other sizes of bridge beside it."""
    given = parser("media_conference", __doc__).parse_args()
    files()
    seconds = 6.0 if given.quick else 8.0
    climbed = climb(SIZES[1:2] if given.quick else SIZES, seconds, SHAPE)
    best = climbed.best
    parties = () if given.quick else (8, 64)
    others = {str(party): cost(Shape(party=party, mixed=True)) for party in parties}
    outcome = Outcome("media_conference")
    outcome.figures = climbed.figures() | {
        "ms_a_second_and_party": round(best.ms_a_second_and_leg, 3),
        "bar_times_raw_pair": in_pairs(MS_BAR),
        "us_per_leg_tick_by_party": others,
        "us_per_leg_tick_two_parties_transcoded": cost(Shape(codecs=("PCMA", "PCMU"))),
    }
    climbed.bar_on_load(outcome)
    outcome.bar("legs_a_core_at_80_percent", LEGS_BAR, best.legs_at_80 >= LEGS_BAR)
    outcome.bar("ms_a_second_and_party", MS_BAR, best.ms_a_second_and_leg <= MS_BAR)
    outcome.finish()


if __name__ == "__main__":
    sys.exit(main())
