"""The policy `reservation`: the last idle agent waits for a call that can still be in time."""

import random
from dataclasses import replace

import pytest

from acd import events as e
from acd.policies import POLICIES
from acd.settings import CallbackSettings, OverflowStep, QueueSettings
from acd.simulate import QUEUE, Scenario, simulate
from tests.acd.hotline import Hotline, offers

PLAIN = {"wrap_up_seconds": 0, "max_wait_seconds": 0, "measured_delay": False}


def both_busy_one_late() -> Hotline:
    """8001 and 8002 talk; `late` has waited since second 10."""
    line = Hotline("8001", "8002", policy="reservation", wrap_up_seconds=0, max_wait_seconds=0)
    line.busy("8001", "8002")
    line.arrive(10, "late", "13800000001")
    return line


def test_a_late_call_leaves_the_last_idle_agent_to_one_in_time():
    line = both_busy_one_late()
    assert offers(line.at(30, e.HungUp, "busy0")) == []
    assert line.state("8001") == "ready"
    assert [one.call for one in offers(line.arrive(31, "fresh", "13800000002"))] == ["fresh"]


def test_a_late_call_has_the_second_idle_agent():
    line = both_busy_one_late()
    line.at(30, e.HungUp, "busy0")
    assert [one.call for one in offers(line.at(32, e.HungUp, "busy1"))] == ["late"]


def test_an_agent_whose_offer_was_withdrawn_is_no_reserve_beside_itself():
    line = both_busy_one_late()
    line.at(30, e.HungUp, "busy0")
    line.arrive(31, "fresh", "13800000002")
    assert line.state("8001") == "ringing"
    assert offers(line.at(32, e.HungUp, "fresh")) == []
    assert line.state("8001") == "ready"


def test_a_call_in_time_is_never_kept_waiting():
    line = both_busy_one_late()
    assert [one.call for one in offers(line.at(20, e.HungUp, "busy0"))] == ["late"]


def test_past_the_cap_the_reserve_is_for_everybody():
    line = both_busy_one_late()
    line.at(30, e.HungUp, "busy0")
    assert offers(line.fire(129.9)) == []
    assert [one.call for one in offers(line.fire(130))] == ["late"]


def test_the_queue_s_own_reserve_may_be_larger():
    assert POLICIES["reservation"].reserve == 1
    calm = {"wrap_up_seconds": 0, "max_wait_seconds": 0}
    line = Hotline("8001", "8002", policy="reservation", reserve_agents=2, **calm)
    line.busy("8001", "8002")
    line.arrive(10, "late")
    line.at(30, e.HungUp, "busy0")
    assert offers(line.at(32, e.HungUp, "busy1")) == []


def study(policy: str, **settings) -> Scenario:
    queue = QueueSettings(QUEUE, policy=policy, **{**PLAIN, **settings})
    return Scenario(13, 208, calls=2000, queue=queue)


def run(scenario: Scenario):
    """The share in time, the share that gave up, and all of it."""
    found = simulate(scenario, random.Random(4))
    offered = found.tally.offered
    return found.tally.answered_in_target / offered, found.tally.abandoned / offered, found


def test_more_in_time_has_its_price_unless_late_callers_are_called_back():
    """Every policy meets the same callers, so that small runs can be compared."""
    plain, gone, _ = run(study("answer_in_time"))
    kept, more_gone, _ = run(study("reservation"))
    assert kept > plain + 0.005
    assert more_gone > gone
    callbacks = study(
        "reservation",
        overflow=(OverflowStep("callback", 15.001),),
        callback=CallbackSettings(idle_agents=3),
    )
    best, fewer_gone, found = run(replace(callbacks, callback_taken=0.2))
    assert best > plain
    assert fewer_gone < more_gone
    assert found.callbacks_kept == found.tally.called_back > 0
    assert found.tally.in_progress == 0


@pytest.mark.parametrize("policy", ["fifo", "answer_in_time", "reservation"])
def test_nobody_past_the_cap_is_passed_over_by_a_younger_caller(policy):
    _, _, found = run(study(policy, promotion_seconds=30))
    assert found.longest_wait_seconds > 30
    assert found.passed_over == 0


def test_without_a_cap_that_would_be_noticed():
    """The observer of the test above can see it: its cap is not the queue's."""
    from acd.simulate import Simulation

    simulation = Simulation(study("answer_in_time", promotion_seconds=1e6), random.Random(4))
    simulation._promotion_ms = 30_000
    assert simulation.run().passed_over > 0


def test_three_mobiles_answer_what_the_seats_cannot():
    mobiles = replace(study("answer_in_time", overflow=(OverflowStep("mobile", 3),)), mobiles=3)
    assert run(mobiles)[0] > 0.95
    assert run(mobiles)[0] > run(study("answer_in_time"))[0] + 0.04


def test_waits_are_counted_by_the_second():
    _, _, found = run(study("fifo"))
    assert sum(found.waits) == found.tally.answered
    assert sum(found.waits[:15]) <= found.tally.answered_in_target <= sum(found.waits[:16])
