"""Writes the figures of benchmarks/policies.py into docs/staffing.md and decision 0048.

python scripts/make_policy_tables.py RESULT.json: what `make bench` leaves, or the benchmark prints.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent.parent / "docs"
PAGES = (DOCS / "staffing.md", DOCS / "decisions" / "0048-what-policies-can-buy.md")
HEAD = """\
| | A at load 0.7 / 0.8 / 0.9 / 1.0 | gave up | longest wait, s | waited over 120 s, % |
|---|---|---|---|---|"""
BEGIN, END = "<!-- figures -->\n", "<!-- end -->\n"
RHOS = ("0.7", "0.8", "0.9", "1.0")
NEW = "reservation_callback"
ROWS = {
    "fifo": "`fifo`",
    "answer_in_time": "`answer_in_time`",
    "no_cap": "`answer_in_time`, no cap",
    "reservation": "`reservation`",
    NEW: "`reservation`, 15 % of the late take a callback",
    "bound": "bound: late callers vanish",
}

Figures = dict[str, Any]


def row(found: Figures, curve: str) -> str:
    """One policy at the four loads."""
    ones = [found[f"{curve}_{rho}"] for rho in RHOS]
    columns: tuple[Callable[[Figures], str], ...] = (
        lambda one: share(one["A"]),
        lambda one: share(one["abandoned"]),
        lambda one: str(one["longest_s"]),
        lambda one: f"{100 * one['over_120_s']:.2f}",
    )
    cells = [" / ".join(map(column, ones)) for column in columns]
    return f"| {ROWS[curve]} | {' | '.join(cells)} |"


def share(value: float) -> str:
    """Three digits without the zero before the point."""
    return f"{value:.3f}".removeprefix("0")


def slashed(found: Figures, name: str, shown: Callable[[Any], str]) -> str:
    """A figure at each of the loads."""
    return " / ".join(shown(found[f"{name}_{rho}"]) for rho in RHOS)


def figures(found: Figures) -> str:
    """The table and what is to be read off it."""
    calls = found["fifo_0.8"]["calls"]
    widest = max(found[f"{curve}_{rho}"]["A_half_width"] for curve in ROWS for rho in RHOS)
    passed = sum(found[f"{curve}_{rho}"]["passed_over"] for curve in ROWS for rho in RHOS)
    behind = " / ".join(
        f"{found[f'no_cap_{rho}']['A'] - found[f'answer_in_time_{rho}']['A']:.4f}" for rho in RHOS
    )
    mobiles, fifo = found["three_mobiles_0.8"], found["fifo_mobiles_0.8"]
    plain = found["answer_in_time_0.8"]
    return "\n".join(
        [
            HEAD,
            *(row(found, curve) for curve in ROWS),
            "",
            f"{calls:,} calls a point and 3 seeds (a third of them for `reservation` and no cap);",
            f"each A is good to {widest:.4f} or better, and as all policies meet the same callers,",
            f"their differences are known better still. {passed} calls past the cap were passed",
            "over by a younger one.",
            "",
            f"The cap costs `answer_in_time` {behind}. `reservation` with callbacks closes",
            f"{slashed(found, 'closed', lambda one: f'{one:.0%}')} of its distance to the bound; "
            f"{slashed(found, NEW, lambda one: share(one['abandoned']))} give up",
            f"in place of {slashed(found, 'answer_in_time', lambda one: share(one['abandoned']))}.",
            "",
            "With three mobiles rung after 3 s, "
            f"{share(mobiles['A'])} of the calls at load 0.8 are answered in time",
            f"(`fifo`: {share(fifo['A'])}), against {share(plain['A'])} without.",
            "",
        ]
    )


def page(text: str, found: Figures) -> str:
    """The page with these figures; ValueError without a place for them."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError("no place for the figures")
    return head + begin + figures(found) + end + tail


def main() -> None:
    """Both pages."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    lines = Path(sys.argv[1]).read_text(encoding="utf-8").strip().splitlines()
    found: Figures = json.loads(lines[-1])["figures"]
    for one in PAGES:
        one.write_text(page(one.read_text(encoding="utf-8"), found), encoding="utf-8")


if __name__ == "__main__":
    main()
