"""Plots of the media benchmarks' results: python scripts/plot_media.py, after `make bench`.

Reads benchmarks/results/media*.json, writes docs/images/media-cost.png.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
PICTURE = ROOT / "docs" / "images" / "media-cost.png"
LABELS = {
    "media": "two parties, recorded",
    "media_conference": "three parties, recorded",
    "media_srtp": "two parties, recorded, SRTP",
}


def main() -> int:
    """One line a benchmark, cost of a leg by the number of legs."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        print("plot_media: matplotlib is missing: pip install matplotlib", file=sys.stderr)
        return 2
    figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
    drawn = 0
    for name, label in LABELS.items():
        path = RESULTS / f"{name}.json"
        if not path.exists():
            print(f"plot_media: {path.name} is not there", file=sys.stderr)
            continue
        figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
        runs = figures["runs"]
        axes.plot(
            [r["legs"] for r in runs], [r["us_per_leg_tick"] for r in runs], "o-", label=label
        )
        peer = figures.get("rtpengine", {})
        if "us_per_leg_tick" in peer:
            axes.plot(peer["legs"], peer["us_per_leg_tick"], "kx", label="rtpengine (relay only)")
        if name == "media":
            axes.axhline(
                figures["raw_pair_us"], color="gray", lw=1, label="a bare send and receive"
            )
        drawn += 1
    axes.set(xlabel="legs on one core", ylabel="microseconds of CPU a leg and tick", ylim=(0, None))
    axes.legend(frameon=False)
    axes.grid(alpha=0.3)
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=120)
    return 0 if drawn else 1


if __name__ == "__main__":
    sys.exit(main())
