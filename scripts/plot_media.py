"""Plots of the media benchmarks' results: python scripts/plot_media.py, after `make bench`.

Reads benchmarks/results/*.json, writes docs/images/media-*.png. A benchmark without a result is
left out; media_latency.py and media_quality.py draw their own.
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
IMAGES = ROOT / "docs" / "images"
COSTS = {
    "media": "two parties, recorded",
    "media_conference": "three parties, recorded",
    "media_srtp": "two parties, recorded, SRTP",
}
STAGES = ("reading", "placing", "hearing", "recording", "sending")
UNIT = "microseconds of CPU a leg and tick"


def figures(name: str) -> dict[str, Any]:
    """What a benchmark found last; nothing when it has not been run."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        print(f"plot_media: {path.name} is not there", file=sys.stderr)
        return {}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))["figures"]
    return found


def _beside(axes: Any, pair_us: float) -> None:
    """What a leg would cost if nothing were done, and all costs in multiples of it."""
    axes.axhline(pair_us, color="gray", lw=1, label="a bare send and receive")
    functions = (lambda us: us / pair_us, lambda pairs: pairs * pair_us)
    axes.secondary_yaxis("right", functions=functions).set_ylabel("bare sends and receives")


def costs(axes: Any) -> bool:
    """One line a benchmark, cost of a leg by the number of legs."""
    found = {name: one for name in COSTS if (one := figures(name))}
    for name, one in found.items():
        over = one.get("run_over_the_limit")
        runs = one["runs"] + ([over] if over else [])
        legs, cost = [r["legs"] for r in runs], [r["us_per_leg_tick"] for r in runs]
        (line,) = axes.plot(legs, cost, "-", label=COSTS[name])
        axes.plot(legs[: len(one["runs"])], cost[: len(one["runs"])], "o", color=line.get_color())
        if over:  # hollow: one core does not carry so many, ticks were left out
            axes.plot(legs[-1:], cost[-1:], "o", mfc="white", color=line.get_color())
        peer = one.get("rtpengine", {})
        # One that loses packets was not measured but starved.
        if "us_per_leg_tick" in peer and peer["packets_lost"] < peer["packets"] / 100:
            axes.plot(peer["legs"], peer["us_per_leg_tick"], "kx", label="rtpengine (relay only)")
        if name == "media":
            _beside(axes, one["raw_pair_us"])
    axes.set(xlabel="legs on one core", ylabel=UNIT, ylim=(0, None))
    return bool(found)


def stages(axes: Any) -> bool:
    """Bars of what each stage takes, by sockets and number of legs."""
    runs = figures("media_stages").get("runs", [])
    names, below = [], []
    bars = [(run, kind) for run in runs for kind in ("plain", "io_uring")]
    for run, kind in bars:
        names.append(f"{run['legs']}\n{kind}")
        below.append(0.0)
    for stage in (*STAGES, "the rest"):
        heights = [
            run[kind]["all"] - sum(run[kind][one] for one in STAGES)
            if stage == "the rest"
            else run[kind][stage]
            for run, kind in bars
        ]
        axes.bar(names, heights, bottom=below, label=stage)
        below = [low + height for low, height in zip(below, heights, strict=True)]
    axes.set(xlabel="legs and sockets", ylabel=UNIT)
    return bool(runs)


def codecs(axes: Any) -> bool:
    """A bar for each codec and packet time, both ways."""
    found = figures("media_codecs")
    axes.barh([name.removesuffix("_us") for name in found], list(found.values()))
    axes.set(xlabel=UNIT)
    return bool(found)


PICTURES = {"media-cost": costs, "media-stages": stages, "media-codecs": codecs}


def main() -> int:
    """All pictures that there are results for."""
    try:
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot
    except ImportError:
        print("plot_media: matplotlib is missing: pip install matplotlib", file=sys.stderr)
        return 2
    IMAGES.mkdir(exist_ok=True)
    drawn = 0
    for name, draw in PICTURES.items():
        figure, axes = pyplot.subplots(figsize=(7, 4.2), layout="constrained")
        if draw(axes):
            if axes.get_legend_handles_labels()[1]:
                axes.legend(frameon=False)
            axes.grid(alpha=0.3)
            figure.savefig(IMAGES / f"{name}.png", dpi=120)
            drawn += 1
    return 0 if drawn else 1


if __name__ == "__main__":
    sys.exit(main())
