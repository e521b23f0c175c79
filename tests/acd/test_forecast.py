"""Erlang figures against published and independently computed references."""

import math

import pytest

from acd.forecast import Load, agents_for, erlang_b, erlang_c, forecast

# n, calls an hour, service level, mean wait of the answered, P(wait), P(abandon);
# handling 180 s, patience 120 s, target 15 s
ERLANG_A = [
    (13, 156, 0.969408, 0.899675, 0.052016, 0.008825),
    (13, 182, 0.922239, 2.341287, 0.123476, 0.022963),
    (13, 208, 0.845849, 4.820018, 0.229438, 0.046840),
    (13, 234, 0.744752, 8.409746, 0.357638, 0.080194),
    (13, 260, 0.629599, 13.025362, 0.490915, 0.120855),
    (14, 200, 0.921518, 2.345375, 0.126976, 0.022839),
    (10, 160, 0.810527, 6.257032, 0.262407, 0.062106),
    (20, 360, 0.797550, 6.145254, 0.319718, 0.057147),
]


@pytest.mark.parametrize(("agents", "calls", "level", "asa", "waits", "gone"), ERLANG_A)
def test_erlang_a_agrees_to_six_digits(agents, calls, level, asa, waits, gone):
    found = forecast(Load(calls, 180, 120, 15), agents)
    assert found.service_level == pytest.approx(level, abs=6e-7)
    assert found.asa_seconds == pytest.approx(asa, abs=6e-7)
    assert found.p_wait == pytest.approx(waits, abs=6e-7)
    assert found.p_abandon == pytest.approx(gone, abs=6e-7)


@pytest.mark.parametrize(
    ("agents", "waits", "level", "asa"),
    [(34, 0.868610, 0.200840, 156.3499), (36, 0.551872, 0.604567, 24.8342)],
)
def test_erlang_c_agrees_with_published_figures(agents, waits, level, asa):
    found = forecast(Load(1000, 120, None, 15), agents)
    assert found.p_wait == pytest.approx(waits, abs=6e-7)
    assert found.service_level == pytest.approx(level, abs=6e-7)
    assert found.asa_seconds == pytest.approx(asa, abs=6e-5)


def test_erlang_b_and_c_agree_for_large_and_overloaded_groups():
    assert erlang_b(10, 20) == pytest.approx(0.5379631686, abs=6e-11)
    assert erlang_c(12421, 12345) == pytest.approx(0.381225, abs=6e-7)


@pytest.mark.parametrize("agents", [1, 2, 13, 300])
@pytest.mark.parametrize("rho", [0.3, 0.9, 1.0, 1.5])
@pytest.mark.parametrize("patience", [5.0, 120.0, 3600.0])
def test_erlang_a_agrees_with_the_sum_over_states(agents, rho, patience):
    """The birth-and-death chain summed state by state is the definition."""
    handling = 180.0
    erlangs, theta = rho * agents, 1 / patience
    term, states = 1e-250, [1e-250]
    for busy in range(1, agents + 1):
        term *= erlangs / busy
        states.append(term)
    waiting = 0
    while term > 1e-18 * max(states):
        waiting += 1
        term *= erlangs / handling / (agents / handling + waiting * theta)
        states.append(term)
    total = math.fsum(states)
    all_busy = math.fsum(states[agents:]) / total
    queue = math.fsum(i * state for i, state in enumerate(states[agents:])) / total
    arrivals = erlangs / handling
    found = forecast(Load(arrivals * 3600, handling, patience, 15), agents)
    assert found.p_wait == pytest.approx(all_busy, rel=1e-9)
    assert found.p_abandon == pytest.approx(theta * queue / arrivals, rel=1e-8)


@pytest.mark.parametrize("rho", [0.01, 0.5, 0.99, 1.0, 1.01, 2.0, 20.0])
@pytest.mark.parametrize("patience", [1.0, 120.0, 1e5, None])
def test_ten_thousand_agents_stay_within_bounds(rho, patience):
    load = Load(rho * 10_000 * 3600 / 180, 180, patience, 15)
    found = forecast(load, 10_000)
    for value in (found.service_level, found.p_wait, found.p_abandon, found.occupancy):
        assert -1e-9 <= value <= 1 + 1e-9


def test_very_long_patience_tends_to_erlang_c():
    patient, endless = (forecast(Load(200, 180, p, 15), 13) for p in (1e9, None))
    assert patient.service_level == pytest.approx(endless.service_level, abs=1e-5)
    assert patient.asa_seconds == pytest.approx(endless.asa_seconds, rel=1e-4)


def test_fewest_agents_for_the_promise():
    load = Load(200, 180, 120, 15)
    found = agents_for(load, 0.9)
    assert found.agents == 14
    assert forecast(load, found.agents - 1).service_level < 0.9 <= found.service_level


def test_borders():
    assert forecast(Load(0, 180, 120), 3).service_level == 1
    assert forecast(Load(100, 180, 120), 0).p_abandon == 1
    assert forecast(Load(1000, 180), 10).asa_seconds == math.inf
    assert forecast(Load(10, 180, 120, 0), 1).service_level < 1
    with pytest.raises(ValueError, match="patience"):
        Load(1, 1, 0)
    with pytest.raises(ValueError, match="ratio"):
        agents_for(Load(1, 1), 1.0)
    with pytest.raises(ValueError, match="agents"):
        forecast(Load(1, 1), -1)
