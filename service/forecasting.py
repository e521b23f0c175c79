"""`callcore forecast`: agents and promises by Erlang, by simulation, and calls from history."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from service.exits import USAGE, fail, failures, mistakes

if TYPE_CHECKING:
    from acd.forecast import Forecast, Load

forecast_app = typer.Typer(
    help="How many agents a promise needs, what agents promise, and what calls will come."
)

Rate = Annotated[float | None, typer.Option(help="Calls that arrive in an hour.")]
Aht = Annotated[float | None, typer.Option(help="Mean handling time in seconds, wrap-up included.")]
Patience = Annotated[
    float | None,
    typer.Option(help="Mean patience in seconds (Erlang A); without it nobody gives up."),
]
Target = Annotated[float, typer.Option(help="An answer within this is in time.")]
AsJson = Annotated[bool, typer.Option("--json", help="One line of JSON.")]
Plot = Annotated[
    Path | None, typer.Option(metavar="FILE", help="A picture: FILE.png, .svg or .html.")
]


Agents = Annotated[int | None, typer.Option(help="How many agents there are.")]
Ratio = Annotated[
    float | None, typer.Option(help="In place of --agents: the fewest that reach this level.")
]
Versus = Annotated[
    list[int] | None, typer.Option(help="This many agents beside; may be given again.")
]
Mobiles = Annotated[
    int, typer.Option(min=0, max=100, help="Simulated: so many mobiles take overflow.")
]
OverflowAfter = Annotated[
    float, typer.Option(min=0, help="A mobile rings for a call that has waited so long.")
]
PolicyName = Annotated[str, typer.Option("--policy", help="Simulated: who is served first.")]
Groups = Annotated[
    list[str] | None,
    typer.Option("--group", metavar="N:SKILL,SKILL", help="Simulated: N agents with these skills."),
]
Asks = Annotated[
    list[str] | None,
    typer.Option("--ask", metavar="SKILL=SHARE", help="Simulated: a share of calls needs a skill."),
]
Runs = Annotated[int, typer.Option(min=3, max=1000, help="Simulated runs.")]
Calls = Annotated[int, typer.Option(min=100, max=1_000_000, help="Calls of a run.")]
History = Annotated[
    Path, typer.Argument(metavar="F", help="A journal, call records (JSON) or a table (CSV).")
]
Holidays = Annotated[
    Path | None,
    typer.Option(metavar="CSV", help="date,kind a line; needed for years not yet published."),
]
Start = Annotated[
    str, typer.Option(metavar="DATE", help="The first; else the day after the history.")
]
Seed = Annotated[int, typer.Option(help="Of the simulation: the same, the same figures.")]


@forecast_app.callback(invoke_without_command=True)
def forecast(
    context: typer.Context,
    calls_per_hour: Rate = None,
    aht: Aht = None,
    patience: Patience = None,
    target_seconds: Target = 15,
    agents: Agents = None,
    target_ratio: Ratio = None,
    versus: Versus = None,
    mobiles: Mobiles = 0,
    overflow_after: OverflowAfter = 3,
    policy: PolicyName = "",
    group: Groups = None,
    ask: Asks = None,
    runs: Runs = 10,
    calls: Calls = 4000,
    seed: Seed = 1,
    as_json: AsJson = False,
    plot: Plot = None,
) -> None:
    """What a number of agents promises at a load, or how many agents a promise needs.

    Exact by Erlang. --mobiles, --policy and --group simulate with the queue's own core, and show
    the same without them beside.
    """
    if context.invoked_subcommand is not None:
        return
    if calls_per_hour is None or aht is None:
        fail("give --calls-per-hour and --aht, or a command: forecast history", USAGE)
    if group and agents is not None:
        fail("--group says how many agents there are: leave --agents out", USAGE)
    if not group and (agents is None) == (target_ratio is None):
        fail("give either --agents or --target-ratio", USAGE)
    from acd.forecast import Load, agents_for
    from acd.forecast import forecast as forecast_for

    with mistakes():
        load = Load(calls_per_hour, aht, patience, target_seconds)
        if agents is not None:
            found = forecast_for(load, agents)
        else:
            found = agents_for(load, target_ratio or 0.9)
    if not (group or mobiles or policy):
        _exact(load, found, versus or [], as_json, plot)
        return
    from service.simulating import Question, answer

    how = (mobiles, overflow_after, policy or "answer_in_time", runs, calls, seed)
    with mistakes():
        answer(Question(load, found.agents, tuple(group or ()), tuple(ask or ()), *how), as_json)


def _exact(
    load: Load, found: Forecast, versus: list[int], as_json: bool, plot: Path | None
) -> None:
    """Erlang's answer."""
    from acd.forecast import forecast as forecast_for

    with mistakes():
        others = [forecast_for(load, one) for one in versus]
    if plot is not None:
        from service.charts import levels_chart

        with failures(), mistakes():
            levels_chart(plot, load, found.agents)
    figures = {"erlangs": load.erlangs, **asdict(found)}
    if others:
        figures["versus"] = [asdict(one) for one in others]
    if as_json:
        print(json.dumps(finite(figures), allow_nan=False))
    else:
        from service.tables import show_erlang

        show_erlang(load, found, others, [forecast_for(load, n) for n in around(found.agents)])


def around(agents: int) -> range:
    """The numbers of agents that are worth a look beside this one."""
    return range(max(0, agents - 2), agents + 3)


def finite(figures: Any) -> Any:
    """JSON has no infinity: null."""
    if isinstance(figures, dict):
        return {name: finite(value) for name, value in figures.items()}
    if isinstance(figures, list):
        return [finite(value) for value in figures]
    return None if isinstance(figures, float) and not math.isfinite(figures) else figures


@forecast_app.command()
def history(
    source: History,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days to forecast.")] = 7,
    start: Start = "",
    interval: Annotated[int, typer.Option(help="Minutes: 15, 30, 60.")] = 30,
    queue: Annotated[str, typer.Option(help="Calls of this queue alone.")] = "",
    holidays: Holidays = None,
    utc_offset: Annotated[int, typer.Option(help="Local time, minutes east of UTC.")] = 480,
    aht: Aht = None,
    patience: Patience = None,
    target_seconds: Target = 15,
    target_ratio: Annotated[float, typer.Option(help="The promise, for the agents.")] = 0.9,
    shrinkage: Annotated[float, typer.Option(help="Share of paid time off the phone.")] = 0.0,
    as_json: AsJson = False,
    plot: Plot = None,
) -> None:
    """Forecast the calls of each interval by weekday, hour and holiday, and say how wrong it is.

    The error is that of a backtest: forecasts from earlier days against what came, beside a naive
    forecast (the same weekday a week before). The agents are those of Erlang for each interval.
    """
    from acd.staffing.requirement import Promise
    from service.history import Source
    from service.projecting import Wish, projected

    with failures(), mistakes():
        wish = Wish(
            source=Source(source, interval, utc_offset, queue),
            holidays=holidays,
            start=_date(start),
            days=days,
        )
        found = projected(wish)
        handling = aht or found.handling.talk_seconds
        if handling is None:
            fail("the history does not tell how long calls take: give --aht", USAGE)
        promise = Promise(
            handling,
            patience or found.handling.patience_seconds,
            target_seconds,
            target_ratio,
            shrinkage,
        )
        report = found.report(promise)
    if plot is not None:
        from service.charts import days_chart

        with failures(), mistakes():
            days_chart(plot, found, report)
    if as_json:
        print(json.dumps(finite(report.document()), allow_nan=False))
    else:
        from service.tables import show_projection

        show_projection(report)


def _date(text: str) -> date | None:
    if not text:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"--start {text}: a date like 2026-12-01 is wanted") from None
