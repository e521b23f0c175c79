"""A promised callback: the place is kept, enough agents are idle, attempts end."""

import pytest

from acd import events as e
from acd.callbacks import opening
from acd.effects import CallBack, CallbackEnded, Finished, OfferCallback
from acd.replay import replay
from acd.settings import AgentSettings, CallbackSettings, OverflowStep
from tests.acd.hotline import Hotline, of, offers

STEP = OverflowStep("callback", 20)
EASY = CallbackSettings(retry_seconds=60, attempts=2)


def promised(*agents, callback=EASY, **queue):
    """One caller has waited 20 s, was offered a callback and took it at 25 s."""
    line = Hotline(*agents, overflow=(STEP,), callback=callback, wrap_up_seconds=0, **queue)
    line.busy(*agents)
    line.arrive(10, "c1", "13800000001")
    assert of(OfferCallback, line.fire(30)) == [OfferCallback("c1")]
    effects = line.at(35, e.CallbackAsked, "c1")
    assert Finished("c1", "called_back") in effects
    return line


def test_the_callers_place_is_kept_and_the_agents_leg_comes_first():
    line = promised("8001", policy="fifo")
    line.arrive(36, "c2", "13800000002")
    effects = line.at(40, e.HungUp, "busy0")
    dialled = of(CallBack, effects)[0]
    assert (dialled.number, dialled.agent, dialled.order) == ("13800000001", "8001", "agent_first")
    assert offers(effects) == []  # the younger caller waits on
    line.talk(50, dialled.call, dialled.token)
    assert line.state("8001") == "talking"
    effects = line.at(90, e.CallEnded, dialled.call)
    assert CallbackEnded("callback-1", "answered", 1) in effects
    assert [one.call for one in offers(effects)] == ["c2"]
    view = line.queue
    assert (view.offered, view.answered, view.called_back) == (3, 1, 1)
    assert view.total == line.core.count("12345", 0)
    assert view.total.in_progress == 1
    assert replay(line.journal).snapshot() == line.core.snapshot()


def test_its_skills_have_one_order_whatever_the_process():
    """A set's order follows the hash seed; a replay elsewhere has to give the same state."""
    skills = tuple("gfedcba")
    line = Hotline(AgentSettings("8001", skills), overflow=(STEP,), callback=EASY, skills=skills)
    line.busy("8001")
    line.arrive(10, "c1", "13800000001")
    line.at(35, e.CallbackAsked, "c1")
    assert line.core.callbacks()[0].skills == tuple("abcdefg")


def test_it_is_dialled_only_when_enough_agents_are_idle():
    line = promised("8001", "8002", callback=CallbackSettings(idle_agents=2))
    assert of(CallBack, line.at(40, e.HungUp, "busy0")) == []
    assert len(of(CallBack, line.at(41, e.HungUp, "busy1"))) == 1


def test_a_citizen_who_does_not_answer_is_tried_again_later_and_then_given_up():
    line = promised("8001")
    first = of(CallBack, line.at(40, e.HungUp, "busy0"))[0]
    line.at(42, e.Accepted, first.token)
    effects = line.at(60, e.CallbackUnreached, first.call, 486)
    assert Finished(first.call, "failed") in effects
    assert line.state("8001") == "ready"
    assert line.core.callbacks()[0].attempts == 1
    second = of(CallBack, line.fire(121))[0]
    effects = line.at(130, e.CallbackUnreached, second.call, 480)
    assert CallbackEnded("callback-1", "given_up", 2) in effects
    assert line.queue.callbacks == 0


def test_an_agent_who_does_not_pick_up_spends_no_attempt():
    line = promised("8001", "8002")
    first = of(CallBack, line.at(40, e.HungUp, "busy0"))[0]
    line.at(41, e.HungUp, "busy1")
    effects = line.at(42, e.Refused, first.token, 486)
    again = of(CallBack, effects)[0]
    assert again.agent != first.agent
    assert line.core.callbacks()[0].attempts == 0


def picked_up() -> tuple[Hotline, CallBack]:
    """8002 has picked 8001's phone up, which rings for a callback."""
    line = promised("8001", "8002")
    first = of(CallBack, line.at(40, e.HungUp, "busy0"))[0]
    line.at(41, e.HungUp, "busy1")
    line.at(42, e.Accepted, first.token)
    line.at(42, e.HandedOver, first.call, "8002")
    return line, first


def test_who_picks_the_phone_of_a_callback_up_is_its_agent():
    """8002 picks up for 8001 before the citizen has answered: each is what it says it is."""
    line, first = picked_up()
    assert (line.state("8001"), line.state("8002")) == ("ready", "talking")
    line.at(45, e.Bridged, first.call)
    assert line.core.call(first.call).agent == "8002"
    line.at(60, e.HungUp, first.call)
    assert (line.state("8001"), line.core.callbacks()[0].result) == ("ready", "answered")


def test_a_picked_up_callback_whose_citizen_does_not_answer_frees_its_agent():
    line, first = picked_up()
    line.at(60, e.CallbackUnreached, first.call, 486)
    assert (line.state("8001"), line.state("8002")) == ("ready", "ready")
    assert line.core.reserves() == []


def test_one_active_callback_a_number():
    line = promised("8001")
    line.arrive(36, "c2", "13800000001")
    assert of(OfferCallback, line.fire(57)) == []
    ignored = line.core.ignored
    assert line.at(58, e.CallbackAsked, "c2") == []
    assert line.core.ignored == ignored + 1


def test_a_citizen_who_calls_again_and_is_answered_is_not_called_back():
    line = promised("8001", callback=CallbackSettings(idle_agents=2))
    line.arrive(36, "c2", "13800000001")
    token = offers(line.at(40, e.HungUp, "busy0"))[0].token
    line.at(41, e.Accepted, token)
    effects = line.at(41, e.Bridged, "c2")
    assert CallbackEnded("callback-1", "cancelled", 0) in effects


def test_callbacks_outlast_a_crash():
    line = promised("8001")
    dialled = of(CallBack, line.at(40, e.HungUp, "busy0"))[0]
    line.at(41, e.Accepted, dialled.token)
    core = replay([*line.journal, e.Restarted(60_000)])
    assert core.callbacks()[0].state == "due"
    effects = core.step(e.AgentReady(70_000, "8001"))
    assert len(of(CallBack, effects)) == 1


def test_a_cancelled_callback_takes_its_legs_down():
    line = promised("8001")
    dialled = of(CallBack, line.at(40, e.HungUp, "busy0"))[0]
    effects = line.at(41, e.CallbackCancelled, "callback-1")
    assert Finished(dialled.call, "failed") in effects
    assert line.state("8001") == "ready"
    assert line.core.reserves() == []


@pytest.mark.parametrize(
    ("clock", "from_minute", "to_minute", "opens"),
    [
        ("12:00", 480, 1200, "12:00"),
        ("07:00", 480, 1200, "08:00"),
        ("20:00", 480, 1200, "08:00"),
        ("23:59", 0, 1440, "23:59"),
    ],
)
def test_callbacks_keep_to_their_hours(clock, from_minute, to_minute, opens):
    def minutes(text):
        hours, rest = text.split(":")
        return int(hours) * 60 + int(rest)

    at_ms = (minutes(clock) - 480) * 60_000  # China: eight hours ahead
    settings = CallbackSettings(from_minute=from_minute, to_minute=to_minute)
    found = opening(at_ms, settings, 480)
    assert found >= at_ms
    assert (found // 60_000 + 480) % 1440 == minutes(opens)
