"""The simulator runs the real core: theory and policies against it."""

import math
import random
import statistics

import numpy as np
import pytest

from acd.forecast import Load, forecast
from acd.settings import QueueSettings
from acd.simulate import QUEUE, Numpy, Scenario, simulate


def queue(policy, **settings):
    return QueueSettings(
        QUEUE, policy=policy, **{"wrap_up_seconds": 0, "max_wait_seconds": 0, **settings}
    )


@pytest.mark.parametrize(("agents", "calls_per_hour"), [(13, 182), (10, 160)])
def test_fifo_agrees_with_erlang_a(agents, calls_per_hour):
    """Level A over 12 independent runs: theory within the 99.9 % interval (t, 11 degrees)."""
    wanted = forecast(Load(calls_per_hour, 180, 120, 15), agents)
    scenario = Scenario(
        agents, calls_per_hour, talk_law="exponential", calls=2500, queue=queue("fifo")
    )
    found = [simulate(scenario, random.Random(seed)) for seed in range(12)]
    for mine, theory in (
        ([one.levels.A for one in found], wanted.service_level),
        ([one.tally.abandoned / one.tally.offered for one in found], wanted.p_abandon),
    ):
        half_width = 4.437 * statistics.stdev(mine) / math.sqrt(len(mine))
        assert half_width < 0.03
        assert abs(statistics.mean(mine) - theory) < half_width


def test_answer_in_time_beats_fifo_at_rho_eight_tenths():
    """Same arrivals, patience and talk laws; 13 agents, 208 calls an hour."""
    gains = []
    for seed in range(6):
        levels = []
        for policy in ("fifo", "answer_in_time"):
            scenario = Scenario(13, 208, calls=4000, queue=queue(policy))
            levels.append(simulate(scenario, random.Random(seed)).levels.A)
        gains.append(levels[1] - levels[0])
    half_width = 4.032 * statistics.stdev(gains) / math.sqrt(len(gains))  # 99 %, t, 5 degrees
    assert statistics.mean(gains) - half_width > 0.01


def test_every_call_ends_and_the_same_seed_gives_the_same_outcome():
    scenario = Scenario(
        5, 90, answer_seconds=3, calls=1500, queue=queue("answer_in_time", max_wait_seconds=60)
    )
    first, second = (simulate(scenario, Numpy(np.random.default_rng(7))) for _ in range(2))
    assert first == second
    assert first.tally.offered == 1500
    assert first.tally.in_progress == 0
    assert first.tally.answered_wait_ms >= 3000 * first.tally.answered
