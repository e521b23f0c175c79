"""What holds after every event, whatever the order of events: a Hypothesis state machine."""

from collections import Counter

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from acd import events as e
from acd.core import Core
from acd.events import Arm, CancelOffer, Disarm, Finished, Offer
from acd.replay import replay
from acd.service_level import tally
from acd.settings import AcdSettings, AgentSettings, QueueSettings, Rule

AGENTS = {"8001": ("a",), "8002": ("a", "b"), "8003": ("b",), "8004": ()}
QUEUES = ("one", "two")
SECONDS = {"one": 120, "two": 40}  # promotion


def made(policy, wrap_up, stop):
    queues = (
        QueueSettings("one", policy=policy, skills=("a",), wrap_up_seconds=wrap_up,
                      max_wait_seconds=300, rule=Rule(stop=stop)),
        QueueSettings("two", policy="fifo", promotion_seconds=40, max_wait_seconds=0,
                      wrap_up_seconds=3),
    )  # fmt: skip
    agents = tuple(AgentSettings(user, skills) for user, skills in AGENTS.items())
    return AcdSettings(queues=queues, agents=agents, kept_calls=100_000)


class Queues(RuleBasedStateMachine):
    """Two queues, four agents; the machine sees only effects, as the conductor does."""

    @initialize(
        policy=st.sampled_from(["fifo", "priority", "answer_in_time"]),
        wrap_up=st.sampled_from([0, 10]),
        stop=st.sampled_from(["bridged", "accepted", "greeted"]),
    )
    def start(self, policy, wrap_up, stop):
        self.settings = made(policy, wrap_up, stop)
        self.core = Core(AcdSettings())
        self.now = 0
        self.calls = 0
        self.journal = []
        self.tokens = []
        self.timers = {}
        self.offers = {}  # token -> Offer, as the phones see it
        self.finished = Counter()
        self.arrived_at = {}
        self.tell(e.Configured, self.settings)

    def tell(self, make, *arguments, **named):
        event = make(self.now, *arguments, **named)
        self.journal.append(event)
        before = {call.call: call for call in self.core.calls}
        for effect in self.core.step(event):
            self.perform(effect, before)

    def perform(self, effect, before):
        if isinstance(effect, Arm):
            self.timers[effect.timer] = effect.at_ms
        elif isinstance(effect, Disarm):
            del self.timers[effect.timer]
        elif isinstance(effect, Finished):
            self.finished[effect.call] += 1
        elif isinstance(effect, CancelOffer):
            assert self.offers.pop(effect.token).agent == effect.agent
        elif isinstance(effect, Offer):
            live = list(self.offers.values())
            assert effect.agent not in [one.agent for one in live]
            assert effect.call not in [one.call for one in live]
            self.offers[effect.token] = effect
            self.tokens.append(effect.token)
            self.nobody_older_past_the_cap_is_passed_over(effect, before)

    def nobody_older_past_the_cap_is_passed_over(self, offer, before):
        """Calls that were already waiting before this event, and still are."""
        served_at = self.core.call(offer.call).queued_ms
        for call in self.core.calls:
            was = before.get(call.call)
            if call.state == "waiting" and was is not None and was.state == "waiting":
                promoted = self.now >= call.queued_ms + SECONDS[call.queue] * 1000
                if promoted and self.core.is_able(offer.agent, call.call):
                    assert served_at <= call.queued_ms

    @rule(seconds=st.sampled_from([0, 0.5, 3, 14, 15.001, 60, 125]))
    def wait(self, seconds):
        """Time passes; timers fire when they are due, each in its turn."""
        until = self.now + round(seconds * 1000)
        while self.timers and min(self.timers.values()) <= until:
            timer = min(self.timers, key=lambda one: (self.timers[one], one))
            self.now = max(self.now, self.timers.pop(timer))
            self.offers.pop(timer, None) if timer not in self.live_tokens() else None
            self.tell(e.Fired, timer)
        self.now = until

    def live_tokens(self):
        return [one.token for one in self.core.reserves()]

    @rule(
        queue=st.sampled_from(QUEUES),
        priority=st.sampled_from([0, 0, 1, 2]),
        skills=st.sampled_from([(), (), ("b",), ("nobody",)]),
    )
    def arrive(self, queue, priority, skills):
        self.calls += 1
        self.arrived_at[f"c{self.calls}"] = self.now
        self.tell(e.Arrived, f"c{self.calls}", queue, "138", priority, skills)

    @rule(user=st.sampled_from([*AGENTS, "stranger"]))
    def be_ready(self, user):
        self.tell(e.AgentReady, user)

    @rule(user=st.sampled_from(list(AGENTS)))
    def take_a_break(self, user):
        self.tell(e.AgentNotReady, user, "tea")

    @rule(user=st.sampled_from(list(AGENTS)))
    def vanish(self, user):
        self.tell(e.AgentOffline, user)

    @rule(data=st.data(), what=st.sampled_from([e.Accepted, e.Refused]))
    def answer_an_offer(self, data, what):
        """Any offer ever made: most are stale."""
        if not self.tokens:
            return
        token = data.draw(st.sampled_from(self.tokens[-6:]))
        live = {one.token: one.state for one in self.core.reserves()}
        refused_live = what is e.Refused and token in live
        if refused_live:
            del self.offers[token]
        stale = token not in live or (what is e.Accepted and live[token] != "ringing")
        ignored, state = self.core.ignored, self.core.snapshot()
        self.tell(what, token)
        if stale:
            assert self.core.ignored == ignored + 1
            after = self.core.snapshot()
            assert {**state, "ignored": 0, "now_ms": 0} == {**after, "ignored": 0, "now_ms": 0}

    @rule(
        data=st.data(),
        what=st.sampled_from(
            [
                e.Bridged,
                e.Bridged,
                e.HungUp,
                e.CallEnded,
                e.AgentDropped,
                e.Held,
                e.Resumed,
                e.Greeted,
            ]
        ),
    )
    def tell_of_a_call(self, data, what):
        name = f"c{data.draw(st.integers(max(0, self.calls - 8), self.calls))}"
        call = self.core.call(name)
        accepted = {one.call: one for one in self.core.reserves() if one.state == "accepted"}
        ends = what is e.AgentDropped or (what is e.Bridged and call is not None)
        if ends and name in accepted:
            del self.offers[accepted[name].token]
        self.tell(what, name)

    @precondition(lambda self: self.calls > 5)
    @rule()
    def crash(self):
        self.offers.clear()
        self.timers.clear()
        self.tell(e.Restarted)

    @precondition(lambda self: self.calls > 5)
    @rule(gone=st.sampled_from([None, *AGENTS]))
    def change_the_settings(self, gone):
        kept = tuple(one for one in self.settings.agents if one.user != gone)
        self.tell(e.Configured, AcdSettings(self.settings.queues, kept, kept_calls=100_000))

    @invariant()
    def offers_and_agents_agree(self):
        live = {one.token: one for one in self.core.reserves()}
        assert set(live) == set(self.offers)
        busy = Counter(one.call for one in self.core.agents() if one.call)
        assert all(count == 1 for count in busy.values())
        for agent in self.core.agents():
            if agent.state in ("ringing", "talking", "held"):
                assert self.core.call(agent.call).agent == agent.user
            else:
                assert agent.call is None
        for call in self.core.calls:
            if call.agent and call.state in ("ringing", "talking"):
                assert self.core.agent(call.agent).call == call.call

    @invariant()
    def every_call_is_counted_once(self):
        for name in QUEUES:
            total = self.core.queue(name).total
            mine = [one for one in self.core.records() if one.queue == name]
            assert total.offered == len(mine)
            rule = next(q.rule for q in self.settings.queues if q.name == name)
            assert total == tally(mine, rule)
            assert total.in_progress >= 0
        assert sum(self.finished.values()) + len(self.core.calls) == self.calls
        assert all(count == 1 for count in self.finished.values())

    @invariant()
    def the_original_time_is_kept(self):
        for call in self.core.calls:
            assert call.queued_ms == self.arrived_at[call.call]

    @invariant()
    def nobody_able_is_idle_while_a_call_waits(self):
        idle = [one.user for one in self.core.agents() if one.state == "ready"]
        for call in self.core.calls:
            if call.state == "waiting":
                assert not [user for user in idle if self.core.is_able(user, call.call)]

    @invariant()
    def every_state_that_is_not_idle_has_a_timer(self):
        timers = self.core.timers()
        assert timers == self.timers
        for agent in self.core.agents():
            if agent.state not in ("offline", "ready", "ringing"):
                assert f"agent/{agent.user}" in timers
        for reserve in self.core.reserves():
            assert reserve.token in timers
        for call in self.core.calls:
            bounded = call.queue == "one" or call.state == "overflowed"
            if call.state in ("waiting", "overflowed") and bounded:
                assert f"call/{call.call}" in timers

    def teardown(self):
        if hasattr(self, "journal"):
            again = replay(self.journal)
            assert again.snapshot() == self.core.snapshot()


class TestQueues(Queues.TestCase):
    settings = settings(
        max_examples=60,
        stateful_step_count=50,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
