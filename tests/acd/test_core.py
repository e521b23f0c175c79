"""Plain flows through the core, told as they happen."""

import pytest

from acd import events as e
from acd.core import Core
from acd.events import (
    AgentStateChanged,
    Arm,
    CancelOffer,
    Disarm,
    Finished,
    Offer,
    Overflow,
    Overstayed,
)
from acd.replay import replay
from acd.service_level import levels
from acd.settings import AcdSettings, AgentSettings, QueueSettings, Rule


class Hotline:
    """A core and its script: `at` seconds, one event, every effect expected."""

    def __init__(self, agents=("8001", "8002"), skills=None, **queue):
        skills = skills or {}
        self.settings = AcdSettings(
            queues=(QueueSettings("12345", **queue),),
            agents=tuple(AgentSettings(one, skills.get(one, ())) for one in agents),
        )
        self.core = Core(self.settings)

    def at(self, seconds, make, *arguments, **named):
        return self.core.step(make(round(seconds * 1000), *arguments, **named))

    def ready(self, *agents):
        for index, agent in enumerate(agents):
            self.at(index / 1000, e.AgentReady, agent)

    def offers(self, effects):
        return [(one.call, one.agent) for one in effects if isinstance(one, Offer)]

    def talk(self, seconds, call, token):
        self.at(seconds, e.Accepted, token)
        return self.at(seconds, e.Bridged, call)

    def state(self, agent):
        return self.core.agent(agent).state

    @property
    def queue(self):
        return self.core.queue("12345")


def test_a_call_is_offered_answered_ended_and_wrapped_up():
    """
    caller      core       8001
      | arrived  |           |
      |          |-- offer ->|
      |          |<- 200 ----|
      |========bridged=======|
      |          |   wrap_up |  10 s
    """
    line = Hotline(agents=("8001",))
    assert line.at(0, e.AgentReady, "8001") == [AgentStateChanged("8001", "ready", 0)]
    assert line.at(1, e.Arrived, "c1", "12345", "138") == [
        AgentStateChanged("8001", "ringing", 1000),
        Offer("c1", "8001", "offer/1"),
        Arm("offer/1", 13_000),
    ]
    assert line.at(4, e.Accepted, "offer/1") == [
        Arm("offer/1", 14_000),
        AgentStateChanged("8001", "talking", 4000),
        Arm("agent/8001", 3_604_000),
    ]
    assert line.at(4.1, e.Bridged, "c1") == [Disarm("offer/1")]
    assert line.at(60, e.CallEnded, "c1") == [
        Finished("c1", "answered"),
        AgentStateChanged("8001", "wrap_up", 60_000),
        Arm("agent/8001", 70_000),
    ]
    assert line.at(70, e.Fired, "agent/8001") == [
        AgentStateChanged("8001", "ready", 70_000),
    ]
    view = line.queue
    assert (view.offered, view.answered, view.answered_in_target) == (1, 1, 1)
    assert view.service_level.A == 1.0
    record = line.core.ended[0]
    assert (record.queued_ms, record.accepted_ms, record.bridged_ms) == (1000, 4000, 4100)


def test_no_answer_goes_to_another_agent_with_the_original_time():
    line = Hotline()
    line.ready("8001", "8002")
    line.at(1, e.Arrived, "c1", "12345")
    assert line.at(13, e.Fired, "offer/1") == [
        CancelOffer("c1", "8001", "offer/1", "no_answer"),
        AgentStateChanged("8001", "not_ready", 13_000, "rest"),
        Arm("agent/8001", 18_000),
        AgentStateChanged("8002", "ringing", 13_000),
        Offer("c1", "8002", "offer/2"),
        Arm("offer/2", 25_000),
    ]
    assert line.at(14, e.Accepted, "offer/1") == []  # too late: a stale token
    assert line.core.ignored == 1
    assert line.core.call("c1").queued_ms == 1000


def test_three_misses_in_a_row_make_not_ready_until_the_agent_says_so():
    line = Hotline(agents=("8001",), max_wait_seconds=0)
    line.ready("8001")
    line.at(1, e.Arrived, "c1", "12345")
    line.at(2, e.Refused, "offer/1", 486)
    line.at(7, e.Fired, "agent/8001")
    line.at(8, e.Refused, "offer/2", 486)
    line.at(13, e.Fired, "agent/8001")
    effects = line.at(14, e.Refused, "offer/3", 486)
    assert AgentStateChanged("8001", "not_ready", 14_000, "no_answer") in effects
    effects = line.at(14 + 3600, e.Fired, "agent/8001")
    assert effects[0] == Overstayed("8001", "not_ready", 14_000)
    assert line.offers(line.at(4000, e.AgentReady, "8001")) == [("c1", "8001")]


def test_the_dead_phone_is_not_rung_again_while_another_is_free():
    line = Hotline()
    line.ready("8001", "8002")
    line.at(1, e.Arrived, "c1", "12345")
    line.at(2, e.Arrived, "c2", "12345")
    line.at(3, e.Refused, "offer/1", 486)  # c1 refused by 8001, 8002 rings for c2
    line.at(4, e.HungUp, "c2")  # 8002 gets c1
    assert line.core.call("c1").agent == "8002"
    line.at(5, e.Refused, "offer/3", 480)
    line.at(8, e.Fired, "agent/8001")
    assert line.core.call("c1").agent == "8001"  # all were tried: the longest idle again


def test_the_callers_hang_up_cancels_the_offer_and_keeps_the_agents_place():
    line = Hotline()
    line.ready("8001", "8002")
    line.at(1, e.Arrived, "c1", "12345")
    assert line.at(3, e.HungUp, "c1") == [
        Finished("c1", "abandoned"),
        Disarm("offer/1"),
        CancelOffer("c1", "8001", "offer/1", "caller_hung_up"),
        AgentStateChanged("8001", "ready", 3000),
    ]
    assert line.offers(line.at(4, e.Arrived, "c2", "12345")) == [("c2", "8001")]
    assert line.queue.abandoned == 1


def test_answer_in_time_serves_promoted_urgent_in_time_late():
    line = Hotline(agents=("8001",), wrap_up_seconds=0, max_wait_seconds=0)
    line.at(0, e.Arrived, "old", "12345")
    line.at(60, e.Arrived, "late", "12345")
    line.at(110, e.Arrived, "urgent", "12345", "", 5)
    line.at(111, e.Arrived, "fresh", "12345")
    line.at(112, e.Arrived, "fresher", "12345")
    line.at(120, e.AgentReady, "8001")
    served = []
    for token in range(1, 6):
        served.append(line.core.agent("8001").call)
        line.talk(120 + token / 10, served[-1], f"offer/{token}")
        line.at(120 + token / 10, e.CallEnded, served[-1])
    assert served == ["old", "urgent", "fresh", "fresher", "late"]


def test_fifo_serves_by_age_only():
    line = Hotline(agents=("8001",), policy="fifo")
    line.at(0, e.Arrived, "c1", "12345")
    line.at(20, e.Arrived, "c2", "12345", "", 9)
    assert line.offers(line.at(21, e.AgentReady, "8001")) == [("c1", "8001")]


def test_skills_decide_who_is_able_and_the_longest_idle_is_rung():
    skills = {"8001": ("general",), "8002": ("general", "english"), "8003": ("english", "general")}
    line = Hotline(agents=tuple(skills), skills=skills, max_wait_seconds=0)
    line.ready("8003", "8001", "8002")
    first = line.at(1, e.Arrived, "c1", "12345", "", 0, ("english",))
    second = line.at(2, e.Arrived, "c2", "12345", "", 0, ("general",))
    third = line.at(3, e.Arrived, "c3", "12345", "", 0, ("french",))
    assert line.offers(first + second + third) == [("c1", "8003"), ("c2", "8001")]
    assert line.queue.waiting == 1


def test_a_dropped_agent_sends_the_caller_back_with_the_first_time():
    line = Hotline()
    line.ready("8001", "8002")
    line.at(1, e.Arrived, "c1", "12345")
    line.talk(2, "c1", "offer/1")
    effects = line.at(30, e.AgentDropped, "c1")
    assert line.offers(effects) == [("c1", "8002")]
    assert line.state("8001") == "not_ready"
    assert line.core.call("c1").queued_ms == 1000
    line.at(31, e.HungUp, "c1")
    view = line.queue  # it was answered once, and counts once
    assert (view.offered, view.answered, view.abandoned) == (1, 1, 0)


def test_max_wait_overflows_and_a_mobile_that_answers_counts_as_answered():
    line = Hotline(max_wait_seconds=60)
    line.at(0, e.Arrived, "c1", "12345")
    line.at(0, e.Arrived, "c2", "12345")
    line.at(0, e.Arrived, "c3", "12345")
    assert line.at(60, e.Fired, "call/c1") == [Overflow("c1"), Arm("call/c1", 360_000)]
    line.at(60, e.Fired, "call/c2")
    line.at(60, e.Fired, "call/c3")
    assert line.queue.overflowed == 3
    line.at(65, e.Bridged, "c1")
    assert line.at(66, e.HungUp, "c2") == [Disarm("call/c2"), Finished("c2", "abandoned")]
    assert line.at(360, e.Fired, "call/c3") == [Finished("c3", "overflowed")]
    line.at(400, e.CallEnded, "c1")
    view = line.queue
    assert (view.offered, view.answered, view.abandoned, view.overflowed) == (3, 1, 1, 1)


def test_max_wait_lets_a_ringing_phone_ring():
    line = Hotline(agents=("8001",), max_wait_seconds=5)
    line.at(0, e.Arrived, "c1", "12345")
    line.at(1, e.AgentReady, "8001")
    assert line.at(5, e.Fired, "call/c1") == []
    assert Overflow("c1") in line.at(13, e.Fired, "offer/1")


def test_an_agent_gone_while_ringing_loses_the_call_and_while_talking_keeps_it():
    line = Hotline()
    line.ready("8001", "8002")
    line.at(1, e.Arrived, "c1", "12345")
    effects = line.at(2, e.AgentOffline, "8001")
    assert CancelOffer("c1", "8001", "offer/1", "agent_offline") in effects
    assert line.offers(effects) == [("c1", "8002")]
    line.talk(3, "c1", "offer/2")
    assert line.at(4, e.AgentOffline, "8002") == []
    line.at(9, e.CallEnded, "c1")
    assert line.state("8002") == "offline"


def test_a_break_asked_during_a_call_comes_after_the_wrap_up():
    line = Hotline(agents=("8001",))
    line.ready("8001")
    line.at(1, e.Arrived, "c1", "12345")
    line.talk(2, "c1", "offer/1")
    line.at(3, e.AgentNotReady, "8001", "lunch")
    line.at(4, e.CallEnded, "c1")
    assert line.state("8001") == "wrap_up"
    effects = line.at(14, e.Fired, "agent/8001")
    assert AgentStateChanged("8001", "not_ready", 14_000, "lunch") in effects


def test_an_accepted_call_without_media_goes_back():
    line = Hotline(agents=("8001",))
    line.ready("8001")
    line.at(1, e.Arrived, "c1", "12345")
    line.at(2, e.Accepted, "offer/1")
    effects = line.at(12, e.Fired, "offer/1")
    assert effects[0] == CancelOffer("c1", "8001", "offer/1", "not_bridged")
    assert (line.state("8001"), line.core.call("c1").state) == ("not_ready", "waiting")


def test_a_timer_that_comes_early_is_armed_again_and_a_stale_one_ignored():
    line = Hotline(agents=("8001",))
    line.ready("8001")
    line.at(1, e.Arrived, "c1", "12345")
    assert line.at(12.999, e.Fired, "offer/1") == [Arm("offer/1", 13_000)]
    assert line.at(13, e.Fired, "agent/8001") == []
    assert line.at(13, e.Fired, "nonsense") == []
    assert line.core.ignored == 2


def test_hold_is_a_state_with_its_own_limit():
    line = Hotline(agents=("8001",))
    line.ready("8001")
    line.at(1, e.Arrived, "c1", "12345")
    line.talk(2, "c1", "offer/1")
    line.at(10, e.Held, "c1")
    assert line.at(310, e.Fired, "agent/8001")[0] == Overstayed("8001", "held", 10_000)
    line.at(320, e.Resumed, "c1")
    assert line.state("8001") == "talking"


def test_an_unknown_queue_is_rejected_and_a_call_arrives_once():
    line = Hotline()
    assert line.at(1, e.Arrived, "c1", "110") == [Finished("c1", "rejected")]
    line.at(1, e.Arrived, "c2", "12345")
    assert line.at(2, e.Arrived, "c2", "12345") == []
    assert (line.core.rejected, line.core.ignored, line.queue.offered) == (1, 1, 1)


def test_after_a_crash_calls_are_gone_but_counts_and_wrap_ups_are_right():
    line = Hotline(agents=("8001", "8002", "8003"))
    script = [
        e.Configured(0, line.settings),
        *(e.AgentReady(0, one) for one in ("8001", "8002", "8003")),
        e.Arrived(1000, "c1", "12345"),
        e.Accepted(2000, "offer/1"),
        e.Bridged(2000, "c1"),
        e.CallEnded(9000, "c1"),
        e.Arrived(9000, "c2", "12345"),
        e.Accepted(9100, "offer/2"),
        e.Bridged(9200, "c2"),
        e.Arrived(9300, "c3", "12345"),
        e.Arrived(9400, "c4", "12345"),
    ]
    core = replay(script)
    effects = core.step(e.Restarted(12_000))
    assert [one for one in effects if isinstance(one, Finished)] == [
        Finished("c2", "answered"),
        Finished("c3", "failed"),
        Finished("c4", "failed"),
    ]
    assert effects[-1] == Arm("agent/8001", 19_000)
    assert core.agent("8001").state == "wrap_up"
    assert core.agent("8002").state == "offline"
    total = core.queue("12345").total
    assert (total.offered, total.answered, total.failed, total.in_progress) == (4, 2, 2, 0)


def test_new_settings_apply_to_waiting_calls_and_new_agents():
    line = Hotline(agents=("8001",), max_wait_seconds=0)
    line.at(1, e.Arrived, "c1", "12345", "", 0, ("english",))
    line.ready("8001")
    assert line.core.call("c1").state == "waiting"
    skilled = AcdSettings(
        queues=(QueueSettings("12345"),), agents=(AgentSettings("8001", ("english",)),)
    )
    effects = line.at(2, e.Configured, skilled)
    assert line.offers(effects) == [("c1", "8001")]
    nobody = AcdSettings(queues=(QueueSettings("12345"),))
    effects = line.at(3, e.Configured, nobody)
    assert effects[1] == CancelOffer("c1", "8001", "offer/1", "agent_offline")
    assert line.core.agents() == []


@pytest.mark.parametrize("stop", ["accepted", "bridged", "greeted"])
def test_counters_agree_with_the_records_under_every_clock(stop):
    rule = Rule(target_ms=2000, inclusive=False, start="invited", stop=stop)
    line = Hotline(rule=rule, max_wait_seconds=3)
    line.ready("8001", "8002")
    for index in range(4):
        line.at(10 + index, e.Arrived, f"c{index}", "12345", invited_ms=9_500 + 1000 * index)
    line.at(12, e.Accepted, "offer/1")
    line.at(12, e.Accepted, "offer/2")
    line.at(12.5, e.Bridged, "c0")
    line.at(13, e.Greeted, "c0")
    line.at(13.5, e.HungUp, "c1")
    line.at(16, e.Fired, "call/c3")
    line.at(17, e.Bridged, "c3")
    line.at(18, e.CallEnded, "c0")
    assert line.queue.total == line.core.count("12345", 0)
    assert line.core.count("12345", 0, Rule()).answered == 2
    assert levels(line.queue.total) == line.queue.service_level


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="unknown policy 'lifo'"):
        Core(AcdSettings(queues=(QueueSettings("q", policy="lifo"),)))
    with pytest.raises(ValueError, match="each agent"):
        AcdSettings(agents=(AgentSettings("1"), AgentSettings("1")))
    with pytest.raises(ValueError, match="interval"):
        AcdSettings(interval_minutes=7)


def test_an_agent_not_seen_yet_is_offline_since_the_engine_was_told_of_it():
    line = Hotline()
    line.at(5, e.Configured, line.settings)
    assert (line.core.agent("8001").state, line.core.agent("8001").since_ms) == ("offline", 5000)
    line.at(9, e.Configured, line.settings)
    assert line.core.agent("8001").since_ms == 5000
