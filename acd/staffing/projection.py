"""An interval forecast from history, and how wrong it would have been.

Calls of an interval = level of the days x trend x weight of such a day x share of the interval in
it. The level is an exponentially weighted mean of the days' totals, each divided by its kind's
weight; the trend is the damped slope of the same totals, believed as far as it stands out of their
noise; the share is a weighted mean over days alike, drawn towards that of all days as far as they
are few.
The judge is a backtest with a rolling origin: nothing after the origin is known to the forecast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from acd.staffing.arrivals import Arrivals, Counts
from acd.staffing.days import Days

LEVEL_HALF_LIFE_DAYS = 21.0
SHAPE_HALF_LIFE_DAYS = 56.0
SHRINKAGE_DAYS = 3.0  # a kind of day is believed as much as all days once it was seen so often
SMOOTHING_CALLS = 15.0  # an interval with so many calls is believed as much as its neighbours
TREND_HALF_LIFE_DAYS = 56.0
DAMPING = 0.98  # of the trend, a day: nothing grows for ever
LEAST_DAYS = 14  # two weeks: with less, no weekday has been seen twice

Method = Callable[[Arrivals, Sequence[date]], Counts]


@dataclass(frozen=True, slots=True)
class Projection:
    """Expected calls of days to come."""

    days: tuple[date, ...]
    minutes: int
    expected: Counts  # (n_days, 1440 / minutes) calls
    upper: Counts  # the same, exceeded by one interval in ten
    growth: float = 0.0  # of the calls, a day, at the end of the history


@dataclass(frozen=True, slots=True)
class Errors:
    """How wrong forecasts were: WAPE = sum of absolute errors / calls, the day's and intervals'.

    MAPE is the mean over the intervals with at least `mape_from` calls, as it has no meaning where
    nobody called. `dispersion` is the variance over that of a Poisson law of the same mean, and
    `noise` the WAPE that a perfect forecast would have: the calls' own chance.
    """

    wape: float
    mape: float
    day_wape: float
    bias: float
    dispersion: float
    noise: float
    mape_from: float


@dataclass(frozen=True, slots=True)
class Backtest:
    """The forecast and the naive seasonal one (the same weekday of the last week) beside it."""

    origins: int
    days: int
    ours: Errors
    naive: Errors

    @property
    def skill(self) -> float:
        """The share of the naive forecast's error that is gone."""
        return 1 - self.ours.wape / self.naive.wape if self.naive.wape else 0.0


def project(history: Arrivals, days: Sequence[date], calendar: Days) -> Counts:
    """Expected calls, (n_days, slots); ValueError for a history of less than two weeks."""
    known = len(history.counts)
    if known < LEAST_DAYS:
        raise ValueError(f"a forecast needs {LEAST_DAYS} days of history; here are {known}")
    ages = np.arange(known, 0, -1)
    classes, weights, scaled = _weighed(history, calendar)
    recent = 0.5 ** (ages / LEVEL_HALF_LIFE_DAYS)
    level = float(recent @ scaled / recent.sum())
    lag = float(recent @ ages / recent.sum())  # the level is that of so many days ago
    slope = trend(scaled)
    faded = 0.5 ** (ages / SHAPE_HALF_LIFE_DAYS)
    rows = []
    for day in days:
        one, ahead = _class_of(day, calendar), (day - history.days[-1]).days
        damped = (1 - DAMPING ** max(0, ahead)) / (1 - DAMPING)
        grown = max(0.1, 1 + slope * (lag - 1 + damped))
        rows.append(level * grown * weights[one] * _shape(history.counts, classes, one, faded))
    return np.array(rows)


def _weighed(history: Arrivals, calendar: Days) -> tuple[list[int], dict[int, float], Counts]:
    """The days' classes, the classes' weights, and the days' totals by which they are divided."""
    totals = history.counts.sum(axis=1)
    ages = np.arange(len(totals), 0, -1)
    classes = [_class_of(day, calendar) for day in history.days]
    weights = _weights(classes, totals, 0.5 ** (ages / SHAPE_HALF_LIFE_DAYS))
    return classes, weights, totals / np.array([weights[one] for one in classes])


def trend(scaled: Counts) -> float:
    """Growth a day of daily totals, (n_days,), over their mean; 0 where it may be chance.

    The slope of a weighted line, times 1 - (2 standard errors / slope)^2 as long as that is
    positive: what chance alone could make is not believed, a clear trend nearly in full.
    """
    ages = np.arange(len(scaled), 0, -1.0)
    faded = 0.5 ** (ages / TREND_HALF_LIFE_DAYS)
    at = -ages - float(faded @ -ages / faded.sum())
    mean = float(faded @ scaled / faded.sum())
    spread = float(faded @ at**2)
    slope = float(faded @ (at * scaled)) / spread
    off = scaled - mean - slope * at
    error = math.sqrt(float(faded**2 @ (at * off) ** 2)) / spread
    if mean <= 0 or abs(slope) <= 2 * error:
        return 0.0
    return slope / mean * (1 - (2 * error / slope) ** 2)


def naive(history: Arrivals, days: Sequence[date]) -> Counts:
    """The seasonal naive forecast: the last day known of the same weekday."""
    last = history.days[-1]
    rows = []
    for day in days:
        back = (last - day).days % 7  # from the last day known to the same weekday
        rows.append(history.counts[len(history.counts) - 1 - back])
    return np.array(rows)


def backtest(history: Arrivals, calendar: Days, origins: int = 8, horizon: int = 7) -> Backtest:
    """Forecasts of `horizon` days from each of the last origins, against what came.

    ValueError when two weeks and one horizon are not there.
    """
    known = len(history.counts)
    possible = min(origins, (known - LEAST_DAYS) // horizon)
    if possible < 1:
        raise ValueError(
            f"the error needs {LEAST_DAYS + horizon} days of history; here are {known}"
        )
    ours, theirs, came = [], [], []
    for back in range(possible, 0, -1):
        start = known - back * horizon
        before = history.until(history.first + timedelta(start))
        days = history.days[start : start + horizon]
        ours.append(project(before, days, calendar))
        theirs.append(naive(before, days))
        came.append(history.counts[start : start + horizon])
    actual = np.concatenate(came)
    found = [errors(np.concatenate(one), actual) for one in (ours, theirs)]
    return Backtest(possible, len(actual), found[0], found[1])


def errors(expected: Counts, actual: Counts, mape_from: float = 5.0) -> Errors:
    """Of (n_days, slots) against what came."""
    calls = max(1.0, float(actual.sum()))
    off = np.abs(expected - actual)
    busy = actual >= mape_from
    mape = float((off[busy] / actual[busy]).mean()) if busy.any() else math.nan
    mean = np.maximum(expected, 1e-9)
    some = expected >= 0.5  # below, one call's chance says nothing about the forecast
    dispersion = float((off[some] ** 2 / mean[some]).mean()) if some.any() else 1.0
    return Errors(
        wape=float(off.sum()) / calls,
        mape=mape,
        day_wape=float(np.abs(expected.sum(axis=1) - actual.sum(axis=1)).sum()) / calls,
        bias=float((expected - actual).sum()) / calls,
        dispersion=max(1.0, dispersion),
        noise=float(_poisson_deviation(expected).sum()) / calls,
        mape_from=mape_from,
    )


def with_band(
    history: Arrivals, days: Sequence[date], calendar: Days, dispersion: float
) -> Projection:
    """The forecast with the bound that one interval in ten exceeds."""
    expected = project(history, days, calendar)
    upper = expected + 1.2816 * np.sqrt(dispersion * expected)  # the normal law's 90 %
    growth = trend(_weighed(history, calendar)[2])
    return Projection(tuple(days), history.minutes, expected, upper, growth)


HOLIDAY = 7


def _class_of(day: date, calendar: Days) -> int:
    """0 to 6: as a Monday ... Sunday; a make-up day is as the workday that its weekday is not."""
    kind = calendar.kind(day)
    if kind == "holiday":
        return HOLIDAY
    if kind == "make_up":
        return 4 if day.weekday() == 5 else 0
    return day.weekday()


def _weights(classes: Sequence[int], totals: Counts, faded: Counts) -> dict[int, float]:
    """A class's mean day over the mean day; one seen rarely is drawn to days off or working."""
    marks = np.array(classes)
    mean = float(faded @ totals / faded.sum()) or 1.0
    found: dict[int, float] = {}
    for one in range(8):
        alike = marks == one
        kin = marks >= 5 if one >= 5 else marks < 5
        if not kin.any():
            kin = np.ones_like(alike)
        prior = float(faded[kin] @ totals[kin] / faded[kin].sum())
        own = float(faded[alike] @ totals[alike])
        believed = (own + 2.0 * prior) / (float(faded[alike].sum()) + 2.0)
        found[one] = max(believed / mean, 1e-3)
    return found


def _shape(counts: Counts, classes: Sequence[int], one: int, faded: Counts) -> Counts:
    """Shares of the intervals in such a day, (slots,), sum 1."""
    marks = np.array(classes)
    off = one >= 5
    kin = faded * ((marks >= 5) == off)
    alike = faded * (marks == one)
    overall = faded @ counts
    flat = np.full(counts.shape[1], 1 / counts.shape[1])
    shape = overall / overall.sum() if overall.sum() else flat
    mean_day = max(1.0, float(overall.sum() / faded.sum()))
    seen = shape
    for weight in (kin, alike):  # days off or working first, then days of this very class
        prior = SHRINKAGE_DAYS * mean_day * shape
        seen = weight @ counts + prior
        shape = seen / seen.sum()
    return _smoothed(seen)


def _smoothed(seen: Counts) -> Counts:
    """Shares, each drawn towards its neighbours' as far as few calls were seen in it."""
    beside = (np.roll(seen, 1) + np.roll(seen, -1)) / 2
    smooth = (seen * seen + SMOOTHING_CALLS * beside) / (seen + SMOOTHING_CALLS)
    return np.asarray(smooth / smooth.sum())


def _poisson_deviation(mean: Counts) -> Counts:
    """Mean absolute deviation of a Poisson law: 2 exp(-m) m^(floor(m)+1) / floor(m)!."""
    m = np.maximum(mean, 1e-12)
    floor = np.floor(m)
    logs = np.vectorize(math.lgamma)(floor + 1)
    return np.asarray(2 * np.exp(-m + (floor + 1) * np.log(m) - logs))
