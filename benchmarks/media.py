"""Recorded two-party bridges with all that is done to a call, and rtpengine on the same packets."""

import json
import sys
import time
from typing import Any

from media_climb import climb, in_pairs
from media_load import Full, Shape, files, raw_pair_us, run, signalling, sleeper
from media_rtpengine import relay
from outcome import Outcome, parser

LEGS_BAR, MS_BAR, LATE_BAR, DELAY_BAR_MS, MEMORY_BAR_KB = 2500, 0.64, 0.001, 45.0, 64.0
HALF_LOAD = 1000
SLEEPER_SECONDS = 10.0
LATE_SECONDS = 40.0  # a bar of one tick in a thousand wants thousands of them
SIZES = [250, 500, 750, 1000, 1250, 1500, 2000, 2500]


def beside_signalling(legs: int, seconds: float) -> tuple[float, dict[str, Any]]:
    """The share of late ticks while the other core parses SIP; 1 where the worker did not live.

    And what befalls a loop that only sleeps, on the worker's core: alone, which is the machine's
    own share, and with the worker, which is how long the worker's system calls hold the core. The
    generator shares the other core with the signalling: what it holds back comes all at once.
    """
    busy = signalling()
    told: dict[str, Any] = {}
    try:
        bare = sleeper()
        time.sleep(SLEEPER_SECONDS)
        told["bare_sleeper_alone"] = json.loads(bare.communicate("")[0])
        bare = sleeper()
        try:
            done = run(legs, seconds, Shape())
            late, told["generator_late_ms"] = done.late_over_2_ms_share, done.generator_late_ms
        except Full:
            late = 1.0
        told["bare_sleeper_with_the_worker"] = json.loads(bare.communicate("")[0])
    finally:
        busy.kill()
        busy.wait()
    return late, told


def main() -> None:
    """Cost by legs up to the core's limit, lateness beside a busy signalling process, the peer."""
    options = parser("media", __doc__)
    options.add_argument("--legs", type=int, help="one run with so many legs")
    options.add_argument("--seconds", type=float, help="of each run")
    given = options.parse_args()
    files()
    seconds = given.seconds or (6.0 if given.quick else 9.0)
    sizes = [given.legs] if given.legs else [500] if given.quick else SIZES
    climbed = climb(sizes, seconds, Shape())
    best, half = climbed.best, climbed.easy(max(HALF_LOAD, sizes[0]))
    late, bare = beside_signalling(half.legs, seconds if given.quick else LATE_SECONDS)
    peer = relay(half.legs, seconds)
    outcome = Outcome("media")
    per_call = 2 * best.ms_a_second_and_leg
    outcome.figures = climbed.figures() | {
        "ms_a_second_and_call": round(per_call, 3),
        "bar_times_raw_pair": in_pairs(MS_BAR / 2),
        "raw_pair_1000_sockets_us": round(raw_pair_us(1000), 2),
        "legs_at_half_load": half.legs,
        "late_share_beside_busy_signalling": round(late, 5),
        "beside_busy_signalling": bare,
        "delay_ms_99": half.delay_ms.get("99", 0.0),
        "kb_per_leg": round(half.kb_per_leg, 1),
        "rtpengine": peer,  # it only forwards: no decoding, mixing, levels, keys or recording
    }
    climbed.bar_on_load(outcome)
    outcome.bar("legs_a_core_at_80_percent", LEGS_BAR, best.legs_at_80 >= LEGS_BAR)
    outcome.bar("ms_a_second_and_call", MS_BAR, per_call <= MS_BAR)
    outcome.bar("late_share_beside_busy_signalling", LATE_BAR, late <= LATE_BAR)
    outcome.bar("delay_ms_99", DELAY_BAR_MS, half.delay_ms.get("99", 999) <= DELAY_BAR_MS)
    outcome.bar("kb_per_leg", MEMORY_BAR_KB, half.kb_per_leg <= MEMORY_BAR_KB)
    outcome.bar("packets_lost_at_half_load", 0, half.packets_lost == 0)
    outcome.finish()


if __name__ == "__main__":
    sys.exit(main())
