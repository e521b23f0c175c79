"""Agents: what they may ask for, what the supervisor forces, and what is never silent."""

from acd import events as e
from acd.effects import AgentStateChanged, Arm, CancelOffer, Overstayed, Sidelined
from acd.settings import AcdSettings, AgentSettings, StateLimits
from tests.acd.hotline import Hotline, of, offers


def after_a_call(**queue):
    line = Hotline("8001", **queue)
    line.busy("8001")
    line.at(5, e.HungUp, "busy0")
    return line


def test_a_wrap_up_is_extended_once():
    line = after_a_call(wrap_up_seconds=10)
    assert line.at(8, e.WrapUpExtended, "8001") == [Arm("agent/8001", 25_000)]
    assert line.at(9, e.WrapUpExtended, "8001") == []
    assert line.at(15, e.Fired, "agent/8001") == [Arm("agent/8001", 25_000)]
    assert line.at(25, e.Fired, "agent/8001") == [AgentStateChanged("8001", "ready", 25_000)]


def test_what_the_supervisor_forces_only_a_supervisor_ends():
    line = Hotline("8001")
    line.ready("8001")
    line.at(1, e.AgentNotReady, "8001", "training", "8014")
    assert line.at(2, e.AgentReady, "8001") == []
    assert line.at(2, e.AgentNotReady, "8001", "tea") == []
    line.at(3, e.AgentReady, "8001", "8014")
    assert line.state("8001") == "ready"


def test_a_forced_break_during_a_call_comes_after_the_wrap_up_whatever_the_agent_presses():
    line = Hotline("8001", wrap_up_seconds=10)
    line.busy("8001")
    line.at(2, e.AgentNotReady, "8001", "training", "8014")
    line.at(3, e.AgentReady, "8001")
    line.at(5, e.HungUp, "busy0")
    line.at(6, e.AgentReady, "8001")
    assert line.state("8001") == "wrap_up"
    line.at(15, e.Fired, "agent/8001")
    assert (line.state("8001"), line.core.agent("8001").reason) == ("not_ready", "training")


def test_the_supervisor_hears_of_an_agent_who_does_not_answer():
    line = Hotline("8001", max_wait_seconds=0)
    line.ready("8001")
    line.arrive(1, "c1")
    told = of(Sidelined, line.fire(60))
    assert [(one.agent, one.misses) for one in told] == [("8001", 3)]
    assert (line.state("8001"), line.core.agent("8001").reason) == ("not_ready", "no_answer")


def test_every_reason_has_its_own_limit():
    limits = StateLimits(reasons=(("lunch", 1800), ("meeting", 0)))
    line = Hotline("8001", limits=limits)
    line.ready("8001")
    assert Arm("agent/8001", 1_801_000) in line.at(1, e.AgentNotReady, "8001", "lunch")
    assert line.at(1801, e.Fired, "agent/8001")[0] == Overstayed("8001", "not_ready", 1000)
    line.at(1802, e.AgentNotReady, "8001", "meeting")
    assert line.core.agent("8001").until_ms == 0


def test_an_agent_idle_for_too_long_is_reported_where_that_is_wished():
    line = Hotline("8001", limits=StateLimits(ready_seconds=900))
    assert Arm("agent/8001", 900_000) in line.at(0, e.AgentReady, "8001")
    assert line.at(900, e.Fired, "agent/8001")[0] == Overstayed("8001", "ready", 0)
    line.arrive(901, "c1")
    assert line.core.agent("8001").until_ms == 0


def test_a_limit_of_nothing_is_no_limit():
    line = Hotline("8001", limits=StateLimits(talking_seconds=0, held_seconds=0))
    line.busy("8001")
    assert line.core.agent("8001").until_ms == 0
    assert line.fire(100_000) == []
    line.at(100_001, e.Held, "busy0")
    assert line.core.agent("8001").until_ms == 0
    line.at(100_002, e.Departed, "busy0")
    assert line.core.timers()["call/busy0"] == (100_002 + 86_400) * 1000  # yet not for ever


def test_an_agent_of_no_configuration_is_gone_after_a_restart():
    line = Hotline("8001", "8002")
    line.busy("8001")
    line.at(2, e.Configured, AcdSettings(line.settings.queues, line.settings.agents[1:]))
    assert line.state("8001") == "talking"
    line.at(3, e.Restarted)
    assert [one.user for one in line.core.agents()] == ["8002"]


def test_an_agent_who_dials_out_is_given_no_call_and_a_ringing_one_goes_to_another():
    line = Hotline("8001", "8002")
    line.ready("8001", "8002")
    line.arrive(1, "c1")
    effects = line.at(2, e.AgentSeized, "8001", "out-1")
    assert CancelOffer("c1", "8001", "offer/1", "agent_not_ready") in effects
    assert [(one.call, one.agent) for one in offers(effects)] == [("c1", "8002")]
    assert offers(line.arrive(3, "c2")) == []
    assert [one.call for one in offers(line.at(9, e.AgentReleased, "8001", "out-1"))] == ["c2"]


def test_an_attended_transfer_gives_the_call_to_the_one_consulted():
    line = Hotline("8001", "8002", wrap_up_seconds=10)
    line.ready("8001", "8002")
    line.arrive(1, "c1")
    line.talk(2, "c1", "offer/1")
    line.at(3, e.AgentSeized, "8002", "consult-1")
    line.at(9, e.HandedOver, "c1", "8002")
    line.at(9, e.AgentReleased, "8002", "consult-1")
    assert (line.state("8001"), line.state("8002")) == ("wrap_up", "talking")
    line.at(20, e.HungUp, "c1")
    assert line.state("8002") == "wrap_up"
    assert line.core.ended[-1].agent == "8002"


def test_a_transfer_to_a_queue_keeps_the_time_and_is_counted_once():
    line = Hotline("8001", "8002", wrap_up_seconds=10)
    line.ready("8001")
    line.arrive(1, "c1")
    line.talk(2, "c1", "offer/1")
    line.at(9, e.Transferred, "c1", "", 3)
    call = line.core.call("c1")
    assert (call.state, call.queued_ms, call.priority) == ("waiting", 1000, 3)
    assert [one.call for one in offers(line.at(10, e.AgentReady, "8002"))] == ["c1"]
    line.talk(11, "c1", "offer/2")
    line.at(20, e.CallEnded, "c1")
    assert (line.queue.offered, line.queue.answered) == (1, 1)


def test_an_agent_whose_caller_goes_on_to_the_survey_is_free():
    line = Hotline("8001", "8002", wrap_up_seconds=0)
    line.busy("8001")
    line.at(5, e.Departed, "busy0")
    assert line.state("8001") == "ready"
    assert line.core.call("busy0").state == "away"
    line.at(9, e.HungUp, "busy0")
    assert (line.queue.answered, line.core.ended[-1].agent) == (1, "8001")


def test_a_mark_moves_a_waiting_call_forward_and_never_back():
    line = Hotline("8001", wrap_up_seconds=0)
    line.busy("8001")
    line.arrive(2, "c1")
    line.arrive(3, "c2")
    line.at(4, e.Prioritised, "c2", 5, "煤气")
    line.at(4, e.Prioritised, "c2", 1)
    assert line.core.call("c2").priority == 5
    assert [one.call for one in offers(line.at(5, e.HungUp, "busy0"))] == ["c2"]


def test_a_caller_turned_away_is_offered_and_rejected():
    line = Hotline("8001")
    line.at(1, e.Turned, "c1", "12345", "138", "blacklist")
    assert (line.queue.offered, line.queue.rejected, line.queue.total.in_progress) == (1, 1, 0)
    assert line.queue.total == line.core.count("12345", 0)


def test_skills_go_to_the_least_flexible_agent_by_level():
    many = AgentSettings("8001", ("general", "english"), (5, 7))
    few = AgentSettings("8002", ("general",), (5,))
    line = Hotline(many, few, policy="skills", skills=("general",))
    line.ready("8001", "8002")
    assert [one.agent for one in offers(line.arrive(1, "c1"))] == ["8002"]
    assert offers(line.at(2, e.Arrived, "c2", "12345", "1", skills=("english:8",))) == []
    effects = line.at(3, e.Arrived, "c3", "12345", "2", skills=("english:7",))
    assert [one.agent for one in offers(effects)] == ["8001"]
