"""Calls forecast from history: what is known is used, what is not known yet is not."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from acd.staffing.arrivals import Arrivals, from_counts, from_times, local_ms, patience
from acd.staffing.days import Days
from acd.staffing.projection import backtest, errors, naive, project, trend, with_band
from acd.staffing.requirement import Promise, required

FIRST = date(2026, 5, 4)  # a Monday
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
SHAPE = np.array([1, 1, 1, 1, 1, 1, 2, 4, 9, 14, 15, 13, 9, 9, 12, 13, 12, 10, 7, 5, 4, 4, 3, 2])
CALENDAR = Days()


def history(days: int, noise: np.random.Generator | None = None) -> Arrivals:
    """A hotline: weekends at 60 %, holidays at 40 %, Mondays more."""
    rows = []
    for index in range(days):
        day = FIRST + timedelta(index)
        weight = {"workday": 1.0, "make_up": 1.0, "weekend": 0.6, "holiday": 0.4}[
            CALENDAR.kind(day)
        ] * (1.2 if day.weekday() == 0 else 1.0)
        mean = 6.0 * weight * SHAPE
        rows.append(mean if noise is None else noise.poisson(mean))
    return Arrivals(FIRST, 60, np.array(rows, dtype=float))


def test_a_week_that_repeats_is_forecast_to_a_few_percent():
    known = history(126)
    days = [FIRST + timedelta(126 + index) for index in range(7)]  # without a holiday
    found = project(known, days, CALENDAR)
    came = history(133).counts[126:]
    assert np.abs(found - came).sum() / came.sum() < 0.06


def test_a_holiday_is_forecast_as_one_and_a_naive_forecast_is_not():
    days = [date(2026, 10, 1) + timedelta(index) for index in range(5)]  # National Day
    known = history(150)  # to the end of September, with earlier holidays in it
    came = history(155).counts[150:]
    ours = np.abs(project(known, days, CALENDAR) - came).sum() / came.sum()
    theirs = np.abs(naive(known, days) - came).sum() / came.sum()
    assert ours < 0.25 < 0.5 < theirs


def test_the_error_is_that_of_forecasts_made_before_and_beats_the_naive_one():
    found = backtest(history(140, np.random.default_rng(3)), CALENDAR)
    assert (found.origins, found.days) == (8, 56)
    assert found.ours.noise < found.ours.wape < found.naive.wape
    assert found.skill > 0.15
    assert 1.0 <= found.ours.dispersion < 1.5
    assert found.ours.day_wape < found.ours.wape


def grown(rate: float, days: int) -> Arrivals:
    """The same, each day more (or fewer) calls than the one before, and days unlike each other."""
    noise = np.random.default_rng(7)
    mean = history(days).counts * np.exp(rate * np.arange(days))[:, None]
    days_off = noise.gamma(150, 1 / 150, size=(days, 1))
    return Arrivals(FIRST, 60, noise.poisson(mean * days_off).astype(float))


@pytest.mark.parametrize("rate", [0.002, -0.002])
def test_growth_is_forecast_and_the_level_does_not_lag_behind_it(rate):
    """Over four weeks; a level alone would be off by 30 days' growth and that to come, 9 %."""
    known, came = grown(rate, 196), grown(rate, 224).counts[196:]
    days = [FIRST + timedelta(196 + index) for index in range(28)]
    found = with_band(known, days, CALENDAR, 1.0)
    assert abs(found.expected.sum() / came.sum() - 1) < 0.05
    assert found.growth == pytest.approx(rate, rel=0.5)


def test_chance_is_no_growth():
    found = [trend(1000 + np.random.default_rng(seed).normal(0, 80, 120)) for seed in range(40)]
    assert sum(one == 0 for one in found) >= 32
    assert max(map(abs, found)) < 0.001


def test_nothing_after_the_origin_is_known_to_the_forecast():
    """The last week replaced by nonsense changes only the forecasts after it."""
    known = history(84)
    broken = Arrivals(known.first, 60, known.counts.copy())
    broken.counts[-7:] = 1e6
    day = [FIRST + timedelta(77)]
    same = [project(one.until(day[0]), day, CALENDAR) for one in (known, broken)]
    assert np.array_equal(*same)


def test_the_naive_forecast_is_the_same_weekday_of_the_last_week():
    known = history(21)
    days = [FIRST + timedelta(21 + index) for index in range(9)]
    found = naive(known, days)
    assert np.array_equal(found[:7], known.counts[14:])
    assert np.array_equal(found[7:], known.counts[14:16])


def test_mape_leaves_out_intervals_in_which_hardly_anybody_called():
    found = errors(np.array([[11.0, 3.0]]), np.array([[10.0, 1.0]]))
    assert found.mape == pytest.approx(0.1)
    assert found.wape == pytest.approx(3 / 11)
    assert found.bias == pytest.approx(3 / 11)


def test_the_band_is_exceeded_by_about_one_interval_in_ten():
    noise = np.random.default_rng(8)
    known = history(112, noise)
    days = [FIRST + timedelta(112 + index) for index in range(28)]
    found = with_band(known, days, CALENDAR, backtest(known, CALENDAR).ours.dispersion)
    came = history(140, noise).counts[112:]
    assert 0.05 < (came > found.upper).mean() < 0.16


def test_too_little_history_is_said():
    with pytest.raises(ValueError, match="14 days of history; here are 13"):
        project(history(13), [FIRST], CALENDAR)
    with pytest.raises(ValueError, match="21 days"):
        backtest(history(20), CALENDAR)
    with pytest.raises(ValueError, match="no calls"):
        from_times([], 30, 480)
    with pytest.raises(ValueError, match="no whole day"):
        from_times([0, HOUR_MS], 30, 480)
    with pytest.raises(ValueError, match="divides the day"):
        from_times([0], 7, 480)


@given(st.lists(st.integers(0, 10 * DAY_MS), min_size=1, max_size=200), st.sampled_from((15, 60)))
def test_every_call_of_a_whole_day_is_counted_once(times, minutes):
    found = from_counts([(at, 1.0) for at in times], minutes, 480, whole=True)
    assert found.counts.sum() == len(times)
    local = [at + 8 * HOUR_MS for at in times]
    assert (found.first - date(1970, 1, 1)).days == min(local) // DAY_MS


def test_times_are_local_where_they_name_no_zone():
    assert local_ms("1970-01-01T08:00:00", 480) == 0
    assert local_ms("1970-01-01T00:00:01.500+00:00", 480) == 1500
    assert local_ms("1234", 480) == 1234
    with pytest.raises(ValueError, match="no time"):
        local_ms("yesterday", 480)


def test_patience_counts_those_who_were_answered_as_having_waited():
    assert patience([60_000, 60_000, 120_000], 2) == 120
    assert patience([1000], 0) is None


def test_agents_keep_the_promise_in_each_interval_and_one_less_does_not():
    from acd.forecast import forecast

    promise = Promise(180, 120, 15, 0.9, least=1)
    calls = np.array([[0.0, 10.0, 104.0]])
    found = required(calls, 30, promise)
    assert found[0, 0] == 1
    for count, agents in zip(calls[0, 1:], found[0, 1:], strict=True):
        load = promise.load(count * 2)
        assert forecast(load, int(agents)).service_level >= 0.9
        assert forecast(load, int(agents) - 1).service_level < 0.9
    more = required(calls, 30, Promise(180, 120, 15, 0.9, shrinkage=0.2))
    assert more[0, 2] == -(-int(found[0, 2]) * 10 // 8)


@pytest.mark.parametrize(
    "wrong", [{"shrinkage": 1.0}, {"least": -1}, {"target_ratio": 1.0}, {"patience_seconds": 0.0}]
)
def test_a_promise_without_a_meaning_is_refused(wrong):
    with pytest.raises(ValueError):
        Promise(**{"handling_seconds": 180, **wrong})
