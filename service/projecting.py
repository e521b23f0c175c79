"""A forecast from history, put together: read, tested against the past, agents beside the calls."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from acd.staffing.arrivals import Arrivals, Handling
from acd.staffing.days import Days, Kind, span, table_from
from acd.staffing.projection import Backtest, Projection, backtest, with_band
from acd.staffing.requirement import Agents, Promise, required
from service.history import Source, read_history


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked."""

    source: Source
    holidays: Path | None
    start: date | None
    days: int


@dataclass(frozen=True, slots=True)
class Report:
    """What is answered."""

    projection: Projection
    kinds: tuple[Kind, ...]
    backtest: Backtest
    promise: Promise
    required: Agents
    history_days: int
    unknown_years: tuple[int, ...]

    def document(self) -> dict[str, Any]:
        """For JSON."""
        at = self.projection
        return {
            "interval_minutes": at.minutes,
            "history_days": self.history_days,
            "handling_seconds": self.promise.handling_seconds,
            "patience_seconds": self.promise.patience_seconds,
            "target_seconds": self.promise.target_seconds,
            "target_ratio": self.promise.target_ratio,
            "growth_a_week": round(7 * at.growth, 4),
            "years_without_holidays": list(self.unknown_years),
            "error": {**asdict(self.backtest), "skill": self.backtest.skill},
            "days": [
                {
                    "date": day.isoformat(),
                    "kind": kind,
                    "calls": [round(one, 2) for one in calls],
                    "calls_upper": [round(one, 2) for one in upper],
                    "agents": agents,
                }
                for day, kind, calls, upper, agents in zip(
                    at.days,
                    self.kinds,
                    at.expected.tolist(),
                    at.upper.tolist(),
                    self.required.tolist(),
                    strict=True,
                )
            ],
        }


@dataclass(frozen=True, slots=True)
class Projected:
    """A forecast before the agents are asked for."""

    history: Arrivals
    handling: Handling
    calendar: Days
    projection: Projection
    backtest: Backtest

    def report(self, promise: Promise) -> Report:
        """With the agents that keep the promise in each interval."""
        at = self.projection
        return Report(
            projection=at,
            kinds=tuple(self.calendar.kind(day) for day in at.days),
            backtest=self.backtest,
            promise=promise,
            required=required(at.expected, at.minutes, promise),
            history_days=len(self.history.counts),
            unknown_years=tuple(self.calendar.unknown_years([*self.history.days, *at.days])),
        )


def projected(wish: Wish) -> Projected:
    """Reads, tests and forecasts; ValueError and OSError say what is wrong with which file."""
    calendar = calendar_of(wish.holidays)
    history, handling = read_history(wish.source)
    tested = backtest(history, calendar)
    after = history.first + timedelta(len(history.counts))
    first = wish.start or after
    if first < after:
        raise ValueError(f"the forecast begins after the history, on {after} at the earliest")
    days = list(span(first, wish.days))
    projection = with_band(history, days, calendar, tested.ours.dispersion)
    return Projected(history, handling, calendar, projection, tested)


def calendar_of(holidays: Path | None) -> Days:
    """The calendar with the table of the file; ValueError names the file and the line."""
    if holidays is None:
        return Days()
    try:
        return Days(table_from(holidays.read_text(encoding="utf-8-sig").splitlines()))
    except ValueError as error:
        raise ValueError(f"{holidays}: {error}") from None
