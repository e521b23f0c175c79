"""Recorded two-party bridges with SRTP on both legs, both ways."""

import os
import statistics
import sys
import time

from media_climb import climb, in_pairs
from media_load import TICK_US, TICKS_A_SECOND, WORKER_CORE, Shape, files, key_of, run
from outcome import Outcome, parser

from media.outgoing import PACKET
from media.srtp import TAGS, Guard, Keys

LEGS_BAR = 800
ROUNDS = 40
SIZES = [100, 200, 400, 600, 800, 1000]


def bare_srtp_us(legs: int) -> float:
    """CPU of libsrtp alone to seal and to open a leg's packet, in turn for so many legs.

    Called as the worker calls it, in place, with two sessions a leg as it has: what no leg could
    cost less than, whatever is around it.
    """
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {WORKER_CORE})
    suite = "AES_CM_128_HMAC_SHA1_80"
    keys = [Keys(suite, key_of(leg, 1), key_of(leg, 1)) for leg in range(legs)]
    guards = [Guard(key, lambda why: None) for key in keys]
    size = PACKET + TAGS[suite]
    rows = [memoryview(bytearray(size)) for _ in guards]
    seals = [guard.sealer(row, PACKET) for guard, row in zip(guards, rows, strict=True)]
    spent = []
    for number in range(ROUNDS):
        head = b"\x80\x08" + number.to_bytes(2, "big") + bytes(4) + b"ssrc"
        for row in rows:
            row[:12] = head
        start = time.process_time()
        for seal in seals:
            seal()
        for guard, row in zip(guards, rows, strict=True):
            guard.open(row, size)
        spent.append(time.process_time() - start)
    os.sched_setaffinity(0, before)
    return statistics.median(spent) / legs * 1e6


def main() -> None:
    """Cost by legs up to the core's limit, and as many legs plain as were carried with SRTP."""
    given = parser("media_srtp", __doc__).parse_args()
    files()
    seconds = 6.0 if given.quick else 8.0
    climbed = climb(SIZES[1:2] if given.quick else SIZES, seconds, Shape(srtp=True))
    best = climbed.best
    plain = run(best.legs, seconds, Shape())
    bare = statistics.median(bare_srtp_us(best.legs) for _ in range(3))
    added = best.us_per_leg_tick - plain.us_per_leg_tick
    outcome = Outcome("media_srtp")
    outcome.figures = climbed.figures() | {
        "us_per_leg_tick_plain": round(plain.us_per_leg_tick, 2),
        "us_per_leg_tick_added": round(added, 2),
        "us_of_libsrtp_alone": round(bare, 2),  # one packet sealed, one opened
        "added_times_libsrtp": round(added / bare, 2),
        "bar_times_raw_pair": in_pairs(0.8 * TICK_US * TICKS_A_SECOND / 1000 / LEGS_BAR),
        "packets_lost": best.packets_lost,
    }
    climbed.bar_on_load(outcome)
    outcome.bar("legs_a_core_at_80_percent", LEGS_BAR, best.legs_at_80 >= LEGS_BAR)
    outcome.finish()


if __name__ == "__main__":
    sys.exit(main())
