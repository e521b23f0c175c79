"""Recorded two-party bridges with all that is done to a call, and rtpengine on the same packets."""

import statistics
import sys

from media_load import GENERATOR_LATE_MS, Shape, files, raw_pair_us, run, signalling
from media_rtpengine import relay
from outcome import Outcome, parser

LEGS_BAR, MS_BAR, LATE_BAR, DELAY_BAR_MS, MEMORY_BAR_KB = 2500, 0.64, 0.001, 45.0, 64.0
HALF_LOAD = 1000


def main() -> None:
    """Cost by legs, lateness beside a busy signalling process, and the peer."""
    options = parser("media", __doc__)
    options.add_argument("--legs", type=int, help="one run with so many legs")
    options.add_argument("--seconds", type=float, help="of each run")
    given = options.parse_args()
    files()
    seconds = given.seconds or (6.0 if given.quick else 9.0)
    sizes = [given.legs] if given.legs else [800] if given.quick else [500, 1000, 2000, 2500]
    pairs = [raw_pair_us(1)]
    runs = []
    for legs in sizes:
        runs.append(run(legs, seconds, Shape()))
        pairs.append(raw_pair_us(1))
    busy = signalling()
    try:
        beside = run(min(HALF_LOAD, sizes[-1]), seconds, Shape())
    finally:
        busy.kill()
        busy.wait()
    peer = relay(min(HALF_LOAD, sizes[-1]), seconds)
    best, half = runs[-1], next(r for r in runs if r.legs == min(HALF_LOAD, sizes[-1]))
    outcome = Outcome("media")
    outcome.figures = {
        "us_per_leg_tick": round(best.us_per_leg_tick, 2),
        "ms_a_second_and_call": round(2 * best.ms_a_second_and_leg, 3),
        "times_raw_pair": round(best.us_per_leg_tick / statistics.median(pairs), 2),
        "raw_pair_us": round(statistics.median(pairs), 2),
        "raw_pair_1000_sockets_us": round(raw_pair_us(1000), 2),
        "legs_a_core_at_80_percent": best.legs_at_80,
        "late_share_beside_busy_signalling": round(beside.late_over_2_ms_share, 5),
        "delay_ms_99": half.delay_ms.get("99", 0.0),
        "kb_per_leg": round(best.kb_per_leg, 1),
        "rtpengine": peer,  # it only forwards: no decoding, mixing, levels, keys or recording
        "runs": [one.figures() for one in runs],
    }
    kept_up = all(one.generator_late_ms <= GENERATOR_LATE_MS for one in runs)
    outcome.bar("generator_late_ms", GENERATOR_LATE_MS, kept_up)
    outcome.bar("legs_a_core_at_80_percent", LEGS_BAR, best.legs_at_80 >= LEGS_BAR)
    per_call = 2 * best.ms_a_second_and_leg
    outcome.bar("ms_a_second_and_call", MS_BAR, per_call <= MS_BAR)
    late = beside.late_over_2_ms_share
    outcome.bar("late_share_beside_busy_signalling", LATE_BAR, late <= LATE_BAR)
    outcome.bar("delay_ms_99", DELAY_BAR_MS, half.delay_ms.get("99", 999) <= DELAY_BAR_MS)
    outcome.bar("kb_per_leg", MEMORY_BAR_KB, best.kb_per_leg <= MEMORY_BAR_KB)
    outcome.bar("packets_lost_at_half_load", 0, half.packets_lost == 0)
    outcome.finish()


if __name__ == "__main__":
    sys.exit(main())
