"""Pictures of the planning commands: PNG or SVG by matplotlib, or SVG inside an HTML page."""

from __future__ import annotations

import html
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acd.forecast import Forecast, Load, forecast
from service.projecting import Projected, Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KINDS = (".png", ".svg", ".html")
BLUE, ORANGE, GREY = "#2563eb", "#ea580c", "#6b7280"


def figure(width: float = 8, height: float = 4.5) -> Figure:
    """An empty one, without any window; ValueError without matplotlib."""
    try:
        from matplotlib.figure import Figure as Made
    except ImportError:
        raise ValueError("--plot needs matplotlib: pip install 'callcore[staffing]'") from None
    return Made(figsize=(width, height), layout="constrained")


def write(path: Path, drawn: Figure, title: str) -> None:
    """In the form that the name's end asks for; ValueError for another, OSError."""
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise ValueError(f"{path}: a picture's name ends in {', '.join(KINDS)}")
    if kind != ".html":
        drawn.savefig(path, dpi=120)
        return
    into = io.StringIO()
    drawn.savefig(into, format="svg")
    picture = into.getvalue()
    page = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<body>{picture[picture.index('<svg') :]}</body></html>\n"
    )
    path.write_text(page, encoding="utf-8")


def plain(axes: Any) -> None:
    """Lines to read by, no frame."""
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def levels_chart(path: Path, load: Load, agents: int) -> None:
    """Left: the level by agents at this load; right: by load with these agents."""
    drawn = figure(10, 4.5)
    left, right = drawn.subplots(1, 2, sharey=True)
    numbers = list(range(max(1, agents - 5), agents + 6))
    by_agents = [forecast(load, number) for number in numbers]
    rates = [load.calls_per_hour * step / 20 for step in range(8, 33)]
    by_load = [forecast(_at(load, rate), agents) for rate in rates]
    for axes, at, ones, mark, label in (
        (left, numbers, by_agents, agents, f"agents, at {load.calls_per_hour:g} calls/h"),
        (right, rates, by_load, load.calls_per_hour, f"calls/h, with {agents} agents"),
    ):
        _levels(axes, at, ones)
        axes.axhline(0.9, color=GREY, linestyle=":")  # the contract's promise
        axes.axvline(mark, color=GREY, linestyle=":")
        axes.set_xlabel(label)
    left.set_ylabel("share of the offered calls")
    left.legend()
    write(path, drawn, "service level")


def _at(load: Load, rate: float) -> Load:
    return Load(rate, load.handling_seconds, load.patience_seconds, load.target_seconds)


def _levels(axes: Any, at: list[Any], ones: list[Forecast]) -> None:
    plain(axes)
    axes.set_ylim(0, 1.02)
    target = [one.service_level for one in ones]
    axes.plot(at, target, color=BLUE, marker=".", label="answered in time")
    axes.plot(at, [one.p_abandon for one in ones], color=ORANGE, label="give up")


def days_chart(path: Path, found: Projected, report: Report) -> None:
    """Above: expected calls with the band and the last days; below: agents."""
    at = report.projection
    drawn = figure(11, 6)
    above, below = drawn.subplots(2, 1, sharex=True)
    slots = at.expected.shape[1]
    past = found.history.counts[-min(7, len(found.history.counts)) :].ravel()
    expected, upper = at.expected.ravel(), at.upper.ravel()
    days = [index / slots for index in range(len(expected))]
    before = [(index - len(past)) / slots for index in range(len(past))]
    above.plot(before, past, color=GREY, linewidth=0.8, label="came")
    above.plot(days, expected, color=BLUE, label="expected")
    above.fill_between(days, expected, upper, color=BLUE, alpha=0.2, label="one in ten above this")
    above.set_ylabel(f"calls in {at.minutes} min")
    above.legend(loc="upper left")
    below.step(days, report.required.ravel(), where="post", color=ORANGE)
    below.set_ylabel("agents")
    below.set_xlabel(f"days from {at.days[0]}")
    for axes in (above, below):
        plain(axes)
    write(path, drawn, "calls expected")
