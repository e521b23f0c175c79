"""Draws docs/images/policies.png and waits.png from the figures of benchmarks/policies.py.

python scripts/make_policy_plots.py [RESULT.json]; without a file it takes what `make bench` left in
benchmarks/results/policies.json, or runs the short benchmark. make_policy_tables.py writes the
figures themselves.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
RESULT = ROOT / "benchmarks" / "results" / "policies.json"
CURVES = {
    "fifo": ("fifo", "#6b7280", "-"),
    "answer_in_time": ("answer_in_time", "#2563eb", "-"),
    "reservation": ("reservation", "#ea580c", "--"),
    "reservation_callback": ("reservation + callbacks", "#ea580c", "-"),
    "bound": ("bound: late callers vanish", "#16a34a", ":"),
}
RHOS = (0.7, 0.8, 0.9, 1.0)


def figures() -> dict[str, Any]:
    """From the file named, the last `make bench`, or a short run."""
    named = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULT
    if named.exists():
        lines = named.read_text(encoding="utf-8").strip()
        found: dict[str, Any] = json.loads(lines)["figures"]
        return found
    if len(sys.argv) > 1:
        sys.exit(f"{named} is not there")
    script = ROOT / "benchmarks" / "policies.py"
    done = subprocess.run(
        [sys.executable, str(script), "--quick"], stdout=subprocess.PIPE, text=True, check=False
    )
    short: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])["figures"]
    return short


def levels(found: dict[str, Any]) -> None:
    """Service level and share who give up, by load and policy."""
    drawn = Figure(figsize=(10, 4.5), layout="constrained")
    left, right = drawn.subplots(1, 2)
    for curve, (label, colour, style) in CURVES.items():
        ones = [found[f"{curve}_{rho}"] for rho in RHOS]
        look = {"color": colour, "linestyle": style, "marker": ".", "label": label}
        left.plot(RHOS, [one["A"] for one in ones], **look)
        right.plot(RHOS, [one["abandoned"] for one in ones], **look)
    left.axhline(0.9, color="#9ca3af", linewidth=0.8)
    left.set_ylabel("answered within 15 s, of the offered")
    right.set_ylabel("gave up, of the offered")
    for axes in (left, right):
        axes.set_xlabel("load: erlangs / 13 agents")
        axes.set_xticks(RHOS)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    left.legend()
    drawn.savefig(IMAGES / "policies.png", dpi=110)


def waits(found: dict[str, Any]) -> None:
    """Who of the answered waited longer than x, at load 0.8."""
    drawn = Figure(figsize=(8, 4.5), layout="constrained")
    axes = drawn.subplots()
    for curve, counts in found["waits_0.8"].items():
        label, colour, style = CURVES[curve]
        total, left, longer = sum(counts), sum(counts), []
        for count in counts[:200]:
            left -= count
            longer.append(max(left, 0.1) / total)
        axes.semilogy(range(1, len(longer) + 1), longer, color=colour, linestyle=style, label=label)
    for at, name in ((15, "target"), (120, "cap")):
        axes.axvline(at, color="#9ca3af", linewidth=0.8)
        axes.annotate(name, (at, 0.25), xytext=(3, 0), textcoords="offset points")
    axes.set_ylim(1e-4, 0.4)
    axes.set_xlabel("seconds waited, load 0.8")
    axes.set_ylabel("share of the answered who waited longer")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend()
    drawn.savefig(IMAGES / "waits.png", dpi=110)


def main() -> None:
    """Both pictures."""
    found = figures()
    levels(found)
    waits(found)
    print(f"{IMAGES}/policies.png and waits.png are drawn")


if __name__ == "__main__":
    main()
