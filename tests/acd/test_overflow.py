"""Help from outside the queue: who rings, who wins, and how it is counted."""

import pytest

from acd import events as e
from acd.effects import CancelOffer, Finished, Offer, Overflow
from acd.replay import replay
from acd.settings import AgentSettings, OverflowStep
from tests.acd.hotline import Hotline, cancels, offers, overflows

MOBILE = OverflowStep("mobile", 3, "predicted")
AWAY = AgentSettings("8009", mobile="13900000009")


def test_a_predicted_miss_rings_a_mobile_and_the_caller_keeps_its_place():
    """
    caller      core        8009's mobile    8001
      | arrived  |                             | talking
      |      3 s |-- overflow ->|              |
      |          |<-- 200 ------|              |
      |========== bridged ======|              |
    """
    line = Hotline("8001", AWAY, overflow=(MOBILE,))
    line.busy("8001")
    line.arrive(10, "c1")
    effects = line.fire(13)
    rung = overflows(effects)[0]
    assert rung == Overflow("c1", "predicted", "mobile", rung.token, "8009", "13900000009")
    assert line.state("8009") == "ringing"
    assert line.core.call("c1").state == "waiting"
    line.talk(18, "c1", rung.token)
    assert line.state("8009") == "talking"
    assert (line.queue.answered, line.queue.answered_in_target) == (2, 2)
    line.at(60, e.HungUp, "c1")
    assert line.state("8009") == "offline"
    assert line.core.ended[-1].agent == "8009"


@pytest.mark.parametrize("winner", ["seat", "mobile"])
def test_seat_and_mobile_race_and_the_loser_is_told_completed_elsewhere(winner):
    line = Hotline("8001", AWAY, overflow=(MOBILE,), wrap_up_seconds=0)
    line.busy("8001")
    line.arrive(10, "c1")
    mobile = overflows(line.fire(13))[0].token
    seat = offers(line.at(14, e.HungUp, "busy0"))[0].token
    assert line.core.call("c1").offers == 2
    token, loser, agent = (seat, mobile, "8009") if winner == "seat" else (mobile, seat, "8001")
    effects = line.at(16, e.Accepted, token)
    assert cancels(effects) == [CancelOffer("c1", agent, loser, "completed_elsewhere")]
    ignored = line.core.ignored
    assert line.at(16.01, e.Accepted, loser) == []  # its 200 crossed our CANCEL
    assert line.core.ignored == ignored + 1
    line.at(16.1, e.Bridged, "c1")
    assert line.core.call("c1").agent == ("8001" if winner == "seat" else "8009")
    assert line.state(agent) == ("ready" if agent == "8001" else "offline")
    assert replay(line.journal).snapshot() == line.core.snapshot()


def test_no_mobile_rings_while_no_miss_is_predicted():
    line = Hotline("8001", AWAY, overflow=(MOBILE,), expected_handle_seconds=5, wrap_up_seconds=0)
    line.busy("8001")
    line.arrive(10, "c1")
    assert overflows(line.fire(14)) == []
    assert [one.target for one in overflows(line.fire(21))] == ["mobile"]


def test_a_mobile_that_does_not_answer_is_left_alone_and_the_next_one_is_tried():
    second = AgentSettings("8010", mobile="13900000010")
    line = Hotline("8001", AWAY, second, overflow=(MOBILE,), mobile_ring_seconds=5)
    line.busy("8001")
    line.arrive(10, "c1")
    rung = overflows(line.fire(40))
    assert [one.agent for one in rung] == ["8009", "8010"]
    assert line.state("8009") == "offline"


def test_the_callers_hang_up_takes_every_phone_down():
    line = Hotline("8001", AWAY, overflow=(MOBILE,), wrap_up_seconds=0)
    line.busy("8001")
    line.arrive(10, "c1")
    line.fire(13)
    line.at(14, e.HungUp, "busy0")
    effects = line.at(15, e.HungUp, "c1")
    assert {one.agent for one in cancels(effects)} == {"8001", "8009"}
    assert (line.state("8001"), line.state("8009")) == ("ready", "offline")
    assert line.core.reserves() == []


def test_an_agent_who_comes_back_to_the_seat_while_the_mobile_talks_is_ready_after_it():
    line = Hotline("8001", AWAY, overflow=(MOBILE,))
    line.busy("8001")
    line.arrive(10, "c1")
    line.talk(15, "c1", overflows(line.fire(13))[0].token)
    line.at(20, e.AgentReady, "8009")
    assert line.state("8009") == "talking"
    line.at(30, e.HungUp, "c1")
    assert line.state("8009") == "ready"


def test_the_supervisor_is_rung_too_and_takes_no_calls_otherwise():
    boss = AgentSettings("8014", supervisor=True)
    line = Hotline("8001", boss, overflow=(OverflowStep("supervisor", 5, "predicted"),))
    line.busy("8001")
    line.ready("8014")
    line.arrive(10, "c1")
    assert line.state("8014") == "ready"
    assert [one.agent for one in offers(line.fire(15))] == ["8014"]


def test_the_city_platform_answers_and_the_call_is_overflowed_not_answered():
    line = Hotline("8001", overflow=(OverflowStep("city", 20, address="055112345"),))
    line.busy("8001")
    line.arrive(10, "c1")
    rung = overflows(line.fire(30))[0]
    assert (rung.target, rung.address, rung.agent) == ("city", "055112345", "")
    line.talk(32, "c1", rung.token)
    assert (line.queue.answered, line.queue.overflowed) == (1, 1)
    assert Finished("c1", "overflowed") in line.at(90, e.HungUp, "c1")
    assert line.queue.total == line.core.count("12345", 0)


def test_a_busy_city_platform_costs_the_caller_nothing():
    line = Hotline("8001", overflow=(OverflowStep("city", 20, address="1"),), wrap_up_seconds=0)
    line.busy("8001")
    line.arrive(10, "c1")
    line.at(31, e.Refused, overflows(line.fire(30))[0].token, 486)
    effects = line.at(32, e.HungUp, "busy0")
    assert [(one.call, one.agent) for one in offers(effects)] == [("c1", "8001")]


def test_a_message_ends_the_wait():
    line = Hotline("8001", overflow=(OverflowStep("message", 30, address="busy.wav"),))
    line.busy("8001")
    line.arrive(10, "c1")
    assert overflows(line.fire(40)) == [Overflow("c1", "waited", "message", address="busy.wav")]
    assert Finished("c1", "overflowed") in line.at(45, e.CallEnded, "c1")


def test_max_wait_lets_a_mobile_ring_to_its_end():
    line = Hotline("8001", AWAY, overflow=(MOBILE,), max_wait_seconds=10)
    line.busy("8001")
    line.arrive(10, "c1")
    rung = overflows(line.fire(21))
    assert [one.target for one in rung] == ["mobile"]
    effects = line.at(22, e.Refused, rung[0].token, 480)
    assert overflows(effects) == [Overflow("c1", "max_wait", "end")]


def test_a_seat_that_is_free_is_offered_at_once_and_no_mobile_rings():
    line = Hotline("8001", AWAY, overflow=(MOBILE,))
    line.ready("8001")
    assert Offer("c1", "8001", "offer/1") in line.arrive(1, "c1")
    assert overflows(line.fire(8)) == []
