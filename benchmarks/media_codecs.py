"""What another codec or packet time costs a leg and tick, beside G.711's own table."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from outcome import Outcome, parser

from media.edge import Edge
from media.g711 import PCMA, PCMU, TRANSCODE, encode

LEGS = 200
ODD_BAR_US = 100.0  # a leg of another codec may cost as much as ten that have none


def median_us(work: Callable[[], object], rounds: int, of: int) -> float:
    """CPU microseconds for one of `of` things that `work` does."""
    figures = []
    for _ in range(rounds):
        start = time.process_time()
        work()
        figures.append((time.process_time() - start) / of * 1e6)
    return round(sorted(figures)[rounds // 2], 2)


def both_ways(codec: str, ptime_ms: int, rounds: int) -> float:
    """Out of the edge and in again, for each of LEGS legs."""
    tone = np.rint(8000 * np.sin(np.arange(160) / 3)).astype(np.int16)
    packet = b"\x80\x60" + bytes(10) + encode(tone, PCMA).tobytes()
    edges = [Edge(codec, 96, ptime_ms) for _ in range(LEGS)]
    row = bytearray(640)
    view = memoryview(row)

    def work() -> None:
        for edge in edges:
            for sent in edge.seal(packet):
                row[: len(sent)] = sent
                edge.open(view, len(sent), 96)

    return median_us(work, rounds, LEGS)


def main() -> None:
    """Microseconds a leg and tick."""
    given = parser("media_codecs", __doc__).parse_args()
    rounds = 5 if given.quick else 51
    codes = np.random.default_rng(1).integers(0, 256, (LEGS, 160)).astype(np.uint8)
    outcome = Outcome("media_codecs")
    outcome.figures = {
        "a_law_to_mu_law_us": median_us(lambda: TRANSCODE[PCMA].take(codes), rounds, LEGS),
        "mu_law_to_a_law_us": median_us(lambda: TRANSCODE[PCMU].take(codes), rounds, LEGS),
        "g722_us": both_ways("G722", 20, rounds),
        "l16_us": both_ways("L16", 20, rounds),
        "ptime_10_us": both_ways("PCMA", 10, rounds),
        "ptime_60_us": both_ways("PCMA", 60, rounds),
    }
    for name, figure in outcome.figures.items():
        outcome.bar(name, ODD_BAR_US, figure <= ODD_BAR_US)
    outcome.finish()


if __name__ == "__main__":
    main()
