"""500 concurrent recorded calls on one core beside the media tick, and the same calls unrecorded.

A media worker of 1,000 legs in 500 bridges on one core, packets from another process on the other
core. Each bridge is recorded by the real sink to a real disk, which is synced each second. What a
recorded call costs is told by the threads' own times; what it does to the tick by the difference
to the run without recording. --quick takes 200 calls.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from media_load import Shape, files, run
from outcome import Outcome, parser

CALLS, QUICK_CALLS = 500, 200
SECONDS, QUICK_SECONDS = 30.0, 8.0
LATE_BAR = 0.001


def main() -> None:
    options = parser("recorder_load", __doc__)
    options.add_argument("--calls", type=int, help="recorded calls")
    given = options.parse_args()
    files()
    calls = given.calls or (QUICK_CALLS if given.quick else CALLS)
    seconds = QUICK_SECONDS if given.quick else SECONDS
    bare = run(2 * calls, seconds, Shape(record=False, mixed=True))
    recorded = run(2 * calls, seconds, Shape(mixed=True))
    late_bar = max(LATE_BAR, bare.late_over_2_ms_share)
    outcome = Outcome("recorder_load")
    outcome.figures = {
        "calls": calls,
        "recorder_threads_us_a_call_second": round(recorded.threads_busy * 1e6 / calls, 1),
        "recorder_threads_share_of_core": round(recorded.threads_busy, 4),
        "worker_busy": round(recorded.busy, 3),
        "worker_busy_unrecorded": round(bare.busy, 3),
        "late_share": round(recorded.late_over_2_ms_share, 5),
        "late_share_unrecorded": round(bare.late_over_2_ms_share, 5),
        "skipped_ticks": recorded.skipped_ticks,
        "blocks_dropped": recorded.blocks_dropped,
        "runs": [bare.figures(), recorded.figures()],
    }
    outcome.bar("late_share", late_bar, recorded.late_over_2_ms_share <= late_bar)
    outcome.bar("skipped_ticks", bare.skipped_ticks, recorded.skipped_ticks <= bare.skipped_ticks)
    outcome.bar("blocks_dropped", 0, recorded.blocks_dropped == 0)
    outcome.finish()


if __name__ == "__main__":
    main()
