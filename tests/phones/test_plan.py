"""The harness's configuration is one that the product accepts; its judge agrees with itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.erlang import Load, erlang_a, heaviest_load, interval
from config.loader import load
from phones.laws import Law
from phones.plan import EnginePlan


def test_the_generated_configuration_is_valid(tmp_path: Path) -> None:
    plan = EnginePlan(
        tmp_path, sip_port=5060, http_port=8080, target_seconds=0.75, wrap_up_seconds=0.75
    )
    config = load(plan.write())
    assert [seat.user for seat in config.seats] == plan.users
    assert config.queues[0].target_seconds == 0.75
    phone = plan.phone("8003")
    assert config.seats[2].password.get_secret_value() == phone.password


LOAD = Load(14, 1.15, 0.0, Law(12.0, kind="exponential"), 0.0, 8.0, 1.0)


def test_erlang_a_agrees_with_many_simulated_calls() -> None:
    low, mean, high = interval(LOAD, 20_000, runs=20)
    assert low <= mean <= high
    assert erlang_a(LOAD) == pytest.approx(mean, abs=0.01)


def test_the_heaviest_load_gives_just_the_level_asked_for() -> None:
    rate = heaviest_load(LOAD, 0.95)
    assert erlang_a(replace(LOAD, per_second=rate)) == pytest.approx(0.95, abs=1e-6)
