"""60 three-way calls at once, recorded, on one core: does a tick come late?

The limit beside it, in the same run: a worker with a third of the calls, which is late only where
the machine itself is.
"""

import sys

from media_load import GENERATOR_LATE_MS, Shape, files, raw_pair_us, run
from outcome import Outcome, parser, say

CALLS, FEW_CALLS, PARTIES = 60, 20, 3
SHAPE = Shape(party=PARTIES, mixed=True)
SECONDS, QUICK_SECONDS = 40.0, 6.0


def main() -> None:
    """Both runs and the bar: no more late ticks than the machine makes by itself."""
    given = parser("three_way", __doc__).parse_args()
    files()
    seconds = QUICK_SECONDS if given.quick else SECONDS
    few = run(FEW_CALLS * PARTIES, seconds, SHAPE)
    say(f"  {FEW_CALLS} calls: {few.late_over_2_ms_share:.5f} of ticks late by more than 2 ms")
    full = run(CALLS * PARTIES, seconds, SHAPE)
    say(f"  {CALLS} calls: {full.late_over_2_ms_share:.5f}")
    outcome = Outcome("three_way")
    outcome.figures = {
        "calls": CALLS,
        "ticks": round(seconds * 50),
        "busy": round(full.busy, 4),
        "late_over_2_ms_share": round(full.late_over_2_ms_share, 5),
        "late_over_2_ms_share_of_few_calls": round(few.late_over_2_ms_share, 5),
        "skipped_ticks": full.skipped_ticks,
        "packets_lost": full.packets_lost,
        "us_per_leg_tick": round(full.us_per_leg_tick, 2),
        "raw_pair_us": round(raw_pair_us(1), 2),
        "runs": [few.figures(), full.figures()],
    }
    outcome.bar("generator_late_ms", GENERATOR_LATE_MS, full.generator_late_ms <= GENERATOR_LATE_MS)
    allowed = max(few.late_over_2_ms_share, 0.001)
    outcome.bar("late_over_2_ms_share", round(allowed, 5), full.late_over_2_ms_share <= allowed)
    outcome.bar("skipped_ticks", 0, full.skipped_ticks == 0)
    outcome.finish()


if __name__ == "__main__":
    sys.exit(main())
