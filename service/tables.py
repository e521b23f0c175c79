"""Tables of the planning commands, for people; Chinese headings have English beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from acd.forecast import Forecast, Load
from service.projecting import Report

WEEKDAYS = "一二三四五六日"
KINDS = {"workday": "", "weekend": "休 off", "holiday": "节 holiday", "make_up": "班 make-up"}


def show_erlang(
    load: Load, asked: Forecast, versus: Sequence[Forecast], near: Sequence[Forecast]
) -> None:
    """The number asked for, those beside, and its neighbours, a line each."""
    law = "Erlang C" if load.patience_seconds is None else "Erlang A"
    table = Table(title=f"{law}: {load.calls_per_hour:g} calls an hour, {load.erlangs:.2f} erlangs")
    for heading in (
        "agents",
        f"in {load.target_seconds:g} s",
        "of answered",
        "mean wait",
        "wait at all",
        "give up",
        "occupancy",
    ):
        table.add_column(heading, justify="right")
    rows = {one.agents: one for one in (*near, *versus, asked)}
    marked = {asked.agents, *(one.agents for one in versus)}
    for agents in sorted(rows):
        one = rows[agents]
        table.add_row(
            f"{agents}{' *' if agents in marked else ''}",
            f"{one.service_level:.2%}",
            f"{one.service_level_answered:.2%}",
            seconds(one.asa_seconds),
            f"{one.p_wait:.2%}",
            f"{one.p_abandon:.2%}",
            f"{one.occupancy:.2%}",
            style="bold" if agents == asked.agents else None,
        )
    console = Console()
    console.print(table)
    if not math.isfinite(asked.asa_seconds):
        console.print(f"With {asked.agents} agents the queue grows without end: give --patience")
    for other in versus:
        change = other.service_level - asked.service_level
        console.print(
            f"{other.agents} instead of {asked.agents} agents: {change:+.2%} points answered in "
            f"time, {other.p_abandon - asked.p_abandon:+.2%} give up"
        )


def seconds(value: float) -> str:
    """A wait, or that it has no mean."""
    return f"{value:,.2f} s" if math.isfinite(value) else "no end"


def show_projection(report: Report) -> None:
    """A line a day, then the error and what is not known."""
    at, console = report.projection, Console(highlight=False)
    table = Table(title=f"calls by {at.minutes} minutes, from {report.history_days} days")
    for heading in ("date", "", "calls", "busiest", "calls then", "agents", "at night"):
        left = heading in ("date", "")
        table.add_column(heading, justify="left" if left else "right", no_wrap=left)
    for day, kind, calls, agents in zip(
        at.days, report.kinds, at.expected, report.required, strict=True
    ):
        peak = int(calls.argmax())
        minute = peak * at.minutes
        night = agents[: 6 * 60 // at.minutes or 1]
        table.add_row(
            f"{day} {WEEKDAYS[day.weekday()]}",
            KINDS[kind],
            f"{calls.sum():,.0f}",
            f"{minute // 60:02}:{minute % 60:02}",
            f"{calls[peak]:.1f}",
            str(agents.max()),
            str(night.max()),
        )
    console.print(table)
    ours, naive = report.backtest.ours, report.backtest.naive
    console.print(
        f"Error over the last {report.backtest.days} days ({report.backtest.origins} forecasts "
        f"against what came):\n"
        f"  an interval: {ours.wape:.1%} of the calls (WAPE), naive forecast {naive.wape:.1%}; "
        f"{ours.noise:.1%} is chance that no forecast can know\n"
        f"  an interval of {ours.mape_from:g} calls or more: {ours.mape:.1%} (MAPE), naive "
        f"{naive.mape:.1%}; a day: {ours.day_wape:.1%}, naive {naive.day_wape:.1%}; "
        f"bias {ours.bias:+.1%}"
    )
    promise = report.promise
    console.print(
        f"Agents: {promise.target_ratio:.0%} within {promise.target_seconds:g} s, calls of "
        f"{promise.handling_seconds:.0f} s, "
        + (
            "nobody giving up"
            if promise.patience_seconds is None
            else f"patience {promise.patience_seconds:.0f} s"
        )
    )
    for year in report.unknown_years:
        console.print(f"The holidays of {year} are not known: give them with --holidays")
