"""The core where two things meet: nobody is lost, freed too early, or kept from the next call."""

import math

import pytest

from acd import events as e
from acd.effects import CallBack, Finished
from acd.forecast import Load, agents_for, forecast
from acd.replay import replay
from acd.settings import AffinitySettings, AgentSettings, CallbackSettings, OverflowStep
from tests.acd.hotline import Hotline, cancels, of, offers, overflows

ONCE = OverflowStep("callback", 20)


def called_back(*agents, **queue) -> tuple[Hotline, str]:
    """The citizen who was promised it talks with 8001, from second 60 on."""
    line = Hotline(*agents, overflow=(ONCE,), callback=CallbackSettings(), **queue)
    line.busy("8001")
    line.arrive(5, "c1")
    line.at(35, e.CallbackAsked, "c1")
    line.at(40, e.CallEnded, "busy0")
    dialled = of(CallBack, line.fire(51))[0]
    line.at(52, e.Accepted, dialled.token)
    line.at(60, e.Bridged, dialled.call)
    return line, dialled.call


def test_a_citizen_called_back_goes_to_another_agent_when_the_first_dies():
    line, call = called_back("8001", "8002")
    line.ready("8002")
    effects = line.at(70, e.AgentDropped, call)
    assert [one.agent for one in offers(effects)] == ["8002"]
    line.talk(72, call, offers(effects)[0].token)
    effects = line.at(80, e.HungUp, call)
    assert Finished(call, "answered") in effects
    assert line.core.callbacks()[0].result == "answered"
    assert line.queue.offered == 2
    assert replay(line.journal).snapshot() == line.core.snapshot()


def test_a_citizen_called_back_can_be_sent_to_a_queue():
    line, call = called_back("8001", "8002")
    line.at(70, e.Transferred, call)
    assert line.core.call(call).state == "waiting"
    effects = line.at(71, e.AgentReady, "8002")
    assert [one.call for one in offers(effects)] == [call]
    line.at(72, e.HungUp, call)
    assert line.core.calls == []
    assert line.core.reserves() == []


def test_a_callback_that_cannot_be_made_now_is_nobodys_attempt():
    line = Hotline("8001", callback=CallbackSettings(retry_seconds=60))
    line.at(1, e.CallbackPromised, "m", "12345", "13900001111", 1000)
    dialled = of(CallBack, line.at(2, e.AgentReady, "8001"))[0]
    line.at(2, e.CallbackPostponed, dialled.call)
    (promise,) = line.core.callbacks()
    assert (promise.state, promise.attempts, line.state("8001")) == ("resting", 0, "ready")
    assert len(of(CallBack, line.fire(63))) == 1


def test_what_a_citizen_takes_to_answer_is_not_the_agents_delay():
    """Five callbacks, answered after 30 s each, make nobody slow."""
    line = Hotline("8001", wrap_up_seconds=0, callback=CallbackSettings(), overflow=(ONCE,))
    line.busy("8001")
    line.at(1.5, e.CallEnded, "busy0")
    for turn in range(6):
        at = 100 * (turn + 1)
        line.at(at, e.CallbackPromised, f"m{turn}", "12345", f"1390000111{turn}", at * 1000)
        (reserve,) = line.core.reserves()
        line.at(at + 2, e.Accepted, reserve.token)
        line.at(at + 32, e.Bridged, reserve.call)
        line.at(at + 60, e.CallEnded, reserve.call)
    assert line.core.agent("8001").delay_ms is None


def test_patience_is_learnt_from_those_who_give_up():
    line = Hotline("8001", expected_patience_seconds=120)
    line.busy("8001")
    for turn in range(400):
        line.arrive(10 + 40 * turn, f"c{turn}", f"1380000{turn:04}")
        line.at(30 + 40 * turn, e.HungUp, f"c{turn}")
    assert line.queue.patience_seconds == pytest.approx(20, rel=0.1)


def test_who_withholds_the_number_is_offered_no_callback_and_is_nobody_s_repeat_caller():
    known = AffinitySettings(last_agent_seconds=3600, bound_seconds=60, repeat_calls=2)
    line = Hotline("8001", "8002", overflow=(ONCE,), affinity=known, wrap_up_seconds=0)
    line.busy("8001", "8002")
    line.at(1, e.HungUp, "busy0")
    for turn in range(3):
        effects = line.arrive(2 + turn, f"c{turn}", "anonymous")
        line.talk(2 + turn, f"c{turn}", offers(effects)[0].token)
        assert line.core.call(f"c{turn}").priority == 0
        line.at(2.5 + turn, e.HungUp, f"c{turn}")
    line.at(9, e.AgentNotReady, "8001")
    line.arrive(10, "last", "anonymous")
    assert line.core.is_held_for("last") is None
    assert of(e.OfferCallback, line.fire(31)) == []
    line.at(32, e.CallbackAsked, "last")
    assert line.core.callbacks() == []


def test_a_mark_is_for_the_reserved_agent_too():
    """A late caller waits beside the reserve; an emergency does not."""
    line = Hotline("8001", policy="reservation")
    line.busy("8001")
    line.arrive(5, "c1")
    line.fire(25)
    line.at(30, e.CallEnded, "busy0")
    line.fire(41)
    assert line.state("8001") == "ready"
    effects = line.at(42, e.Prioritised, "c1", 5)
    assert [one.call for one in offers(effects)] == ["c1"]


def test_a_supervisor_who_is_ready_is_given_no_callback():
    line = Hotline("8001", AgentSettings("9001", supervisor=True), callback=CallbackSettings())
    line.at(1, e.CallbackPromised, "m", "12345", "13900001111", 1000)
    assert of(CallBack, line.at(2, e.AgentReady, "9001")) == []
    assert len(of(CallBack, line.at(3, e.AgentReady, "8001"))) == 1


@pytest.mark.parametrize("by", ["", "boss"])
def test_a_break_that_was_wished_for_outlasts_a_call_of_the_agents_own(by):
    """Asked for in the talk, due after the wrap-up, in which the agent dials out."""
    line = Hotline("8001", wrap_up_seconds=30)
    line.busy("8001")
    line.at(10, e.AgentNotReady, "8001", "lunch", by)
    line.at(20, e.CallEnded, "busy0")
    line.at(25, e.AgentSeized, "8001", "own")
    line.at(60, e.AgentReleased, "8001", "own")
    agent = line.core.agent("8001")
    assert (agent.state, agent.reason) == ("not_ready", "lunch")


def test_two_calls_of_ones_own_are_over_with_the_second():
    line = Hotline("8001", "8002", wrap_up_seconds=10)
    line.busy("8001")
    line.at(5, e.AgentSeized, "8001", "aside")
    line.at(10, e.HungUp, "busy0")
    assert (line.state("8001"), line.core.agent("8001").call) == ("talking", "aside")
    line.at(15, e.AgentReleased, "8001", "aside")
    assert line.state("8001") == "wrap_up"  # of the queue's call, which it still needs
    line.at(30, e.AgentSeized, "8002", "one")
    line.at(31, e.AgentSeized, "8002", "two")
    line.at(32, e.AgentReleased, "8002", "one")
    assert line.state("8002") == "talking"
    line.at(33, e.AgentReleased, "8002", "two")
    assert line.state("8002") == "offline"


def test_who_hands_a_call_to_a_busy_agent_is_free_all_the_same():
    line = Hotline("8001", "8002", wrap_up_seconds=10)
    line.busy("8001", "8002")
    line.at(10, e.AgentSeized, "8002", "busy0")
    line.at(12, e.HandedOver, "busy0", "8002")
    assert line.state("8001") == "wrap_up"
    line.at(20, e.HungUp, "busy1")
    assert (line.state("8002"), line.core.agent("8002").call) == ("talking", "busy0")
    line.at(30, e.HungUp, "busy0")
    assert line.state("8002") == "wrap_up"
    assert line.core.calls == []


def handed_to_a_busy_agent() -> Hotline:
    """8001's caller is given to 8002, who talks with another caller of the queue's still."""
    line = Hotline("8001", "8002", wrap_up_seconds=10)
    line.busy("8001", "8002")
    line.at(10, e.HandedOver, "busy0", "8002")
    assert (line.state("8001"), line.core.agent("8002").call) == ("wrap_up", "busy1")
    return line


def test_who_is_handed_a_call_beside_another_is_its_agent_when_the_other_ends():
    line = handed_to_a_busy_agent()
    line.at(11, e.HungUp, "busy1")
    call = line.core.call("busy0")
    assert (line.state("8002"), line.core.agent("8002").call) == ("talking", "busy0")
    assert (call.state, call.agent) == ("talking", "8002")
    line.at(30, e.HungUp, "busy0")
    assert line.state("8002") == "wrap_up"
    assert (line.core.calls, line.core._beside, line.core._owed) == ([], {}, {})


@pytest.mark.parametrize("end", [e.HungUp, e.Departed, e.AgentDropped, e.Transferred])
def test_a_call_beside_another_that_goes_first_leaves_the_other(end):
    line = handed_to_a_busy_agent()
    line.at(11, end, "busy0")
    left = {e.Departed: "away", e.AgentDropped: "waiting", e.Transferred: "waiting"}
    assert getattr(line.core.call("busy0"), "state", None) == left.get(end)
    assert (line.state("8002"), line.core.agent("8002").call) == ("talking", "busy1")
    line.at(12, e.HungUp, "busy1")
    assert line.state("8002") == "wrap_up"


def test_a_call_beside_another_can_be_handed_on():
    line = handed_to_a_busy_agent()
    line.at(25, e.HandedOver, "busy0", "8001")
    assert (line.state("8001"), line.core.call("busy0").agent) == ("talking", "8001")
    line.at(26, e.HungUp, "busy1")
    assert line.state("8002") == "wrap_up"
    line.at(30, e.HungUp, "busy0")
    assert (line.state("8001"), line.core.calls) == ("wrap_up", [])


def test_who_picks_a_call_up_while_the_own_phone_rings_lets_the_other_caller_go_on():
    line = Hotline("8001", "8002", wrap_up_seconds=10)
    line.busy("8001")
    line.ready("8002")
    line.arrive(10, "c1")
    assert line.state("8002") == "ringing"
    effects = line.at(11, e.HandedOver, "busy0", "8002")
    assert (line.state("8002"), line.core.agent("8002").call) == ("talking", "busy0")
    assert [(one.call, one.agent) for one in cancels(effects)] == [("c1", "8002")]
    assert (line.core.call("c1").state, line.state("8001")) == ("waiting", "wrap_up")
    line.at(30, e.HungUp, "busy0")
    assert line.state("8002") == "wrap_up"


def test_what_the_city_gives_back_is_counted_once():
    line = Hotline("8001", overflow=(OverflowStep("city", 5, address="0551"),))
    line.arrive(1, "c1")
    token = overflows(line.fire(6))[0].token
    line.talk(8, "c1", token)
    assert line.queue.overflowed == 1
    line.at(20, e.Transferred, "c1")
    assert (line.queue.overflowed, line.core.call("c1").state) == (0, "waiting")
    effects = line.at(21, e.AgentReady, "8001")
    line.talk(22, "c1", offers(effects)[0].token)
    assert (line.queue.answered, line.queue.overflowed, line.queue.offered) == (1, 0, 1)


def sent_to_the_city(*agents):
    line = Hotline(*agents, overflow=(OverflowStep("city", 5, address="0551"),))
    line.arrive(1, "c1")
    token = overflows(line.fire(6))[0].token
    line.talk(8, "c1", token)
    return line


def test_a_caller_whose_line_to_the_city_dies_waits_for_an_agent_of_ours():
    line = sent_to_the_city("8001")
    line.at(20, e.AgentDropped, "c1")
    assert (line.queue.overflowed, line.core.call("c1").state) == (0, "waiting")
    effects = line.at(21, e.AgentReady, "8001")
    assert [one.call for one in offers(effects)] == ["c1"]


@pytest.mark.parametrize("end", [e.HungUp, e.Departed, e.AgentDropped])
def test_an_agent_who_takes_a_caller_over_from_the_city_is_busy_until_that_is_over(end):
    line = sent_to_the_city("8001")
    line.at(19, e.AgentReady, "8001")
    line.at(20, e.HandedOver, "c1", "8001")
    assert (line.state("8001"), line.core.agent("8001").call) == ("talking", "c1")
    line.at(60, end, "c1")
    assert line.state("8001") == ("not_ready" if end is e.AgentDropped else "wrap_up")
    left = {e.HungUp: None, e.Departed: "overflowed", e.AgentDropped: "waiting"}
    assert getattr(line.core.call("c1"), "state", None) == left[end]


def test_a_handed_over_call_costs_each_agent_its_own_time():
    line = Hotline("8001", "8002", wrap_up_seconds=0, expected_handle_seconds=100)
    line.busy("8001")
    line.at(101, e.HandedOver, "busy0", "8002")
    line.at(201, e.HungUp, "busy0")
    assert line.queue.handle_seconds == pytest.approx(100)


@pytest.mark.parametrize("odd", [math.inf, math.nan])
@pytest.mark.parametrize("name", ["calls_per_hour", "handling_seconds", "patience_seconds"])
def test_a_load_without_a_number_is_refused(name, odd):
    load = {"calls_per_hour": 100.0, "handling_seconds": 100.0, "patience_seconds": 60.0}
    with pytest.raises(ValueError, match=r"finite|above"):
        Load(**{**load, name: odd})


@pytest.mark.parametrize("calls", [1e-300, 1e-12, 1e6, 1e12, 1e15])
@pytest.mark.parametrize("agents", [1, 13])
def test_no_load_makes_a_figure_that_is_no_number(calls, agents):
    found = forecast(Load(calls, 180.0, 120.0), agents)
    shares = (found.service_level, found.service_level_answered, found.p_wait, found.p_abandon)
    assert all(0 <= one <= 1 + 1e-9 for one in shares)
    assert math.isfinite(found.asa_seconds)
    assert 0 <= found.occupancy <= 1 + 1e-9


def test_a_load_beyond_all_agents_is_said_to_be():
    with pytest.raises(ValueError, match="not reached with 100000"):
        agents_for(Load(1e9, 3600.0, None), 0.9)
