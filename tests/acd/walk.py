"""A walk through the core that sees only effects, as the conductor does, and checks what must hold.

Each step is two numbers: what happens, and to whom. So a walk is a string of bytes, which
Hypothesis draws and shrinks.
"""

from collections import Counter

from msgspec.structs import replace

from acd import events as e
from acd.core import Core
from acd.effects import (
    Arm,
    CallBack,
    CallbackEnded,
    CancelOffer,
    Disarm,
    Finished,
    Offer,
    Overflow,
)
from acd.replay import replay
from acd.service_level import tally
from acd.settings import AcdSettings
from tests.acd.grounds import AGENTS, CAP, MOST, QUEUES, USERS, WAITS, made


class Walk:
    """Two queues, five people; `step` makes something happen and checks everything."""

    def __init__(self, code):
        self.settings = made(code)
        self.core = Core(AcdSettings())
        self.now = 4 * 3_600_000  # noon in China
        self.calls = 0
        self.turned = 0
        self.journal = []
        self.tokens = []
        self.timers = {}
        self.rings = {}  # token -> effect, as the phones see it
        self.finished = Counter()
        self.attempts = set()  # calls of callbacks
        self.promised = set()  # callbacks that are over
        self.seized = {}
        self.arrived_at = {}
        self.tell(e.Configured, self.settings)

    def tell(self, make, *arguments, **named):
        event = make(self.now, *arguments, **named)
        self.journal.append(event)
        self.before = {
            call.call: (call.state, self.core.is_held_for(call.call)) for call in self.core.calls
        }
        ignored = self.core.ignored
        for effect in self.core.step(event):
            act = self.ACTS.get(type(effect))
            if act is not None:
                act(self, effect)
        if self.core.ignored == ignored and make is not e.Configured:
            self.check()

    # What the phones and timers are told

    def _arm(self, effect):
        self.timers[effect.timer] = effect.at_ms

    def _disarm(self, effect):
        del self.timers[effect.timer]

    def _ring(self, effect):
        if isinstance(effect, Overflow) and not effect.token:
            return
        if effect.agent:
            assert effect.agent not in [one.agent for one in self.rings.values()]
        if isinstance(effect, CallBack):
            self.attempts.add(effect.call)
            self.arrived_at[effect.call] = self.core.call(effect.call).queued_ms
        self.rings[effect.token] = effect
        self.tokens.append(effect.token)
        if effect.agent != "8014":
            self.nobody_older_past_the_cap_is_passed_over(effect)

    def _cancel(self, effect):
        assert self.rings.pop(effect.token).agent == effect.agent

    def _finish(self, effect):
        self.finished[effect.call] += 1

    def _promise_over(self, effect):
        assert effect.callback not in self.promised
        self.promised.add(effect.callback)

    ACTS = {  # noqa: RUF012
        Arm: _arm,
        Disarm: _disarm,
        Offer: _ring,
        Overflow: _ring,
        CallBack: _ring,
        CancelOffer: _cancel,
        Finished: _finish,
        CallbackEnded: _promise_over,
    }

    def nobody_older_past_the_cap_is_passed_over(self, offer):
        """Calls that were already waiting for anybody before this event, and still are."""
        served_at = self.core.call(offer.call).queued_ms
        for call in self.core.calls:
            if call.state != "waiting" or self.before.get(call.call) != ("waiting", None):
                continue
            queue = self.core._calls[call.call].queue.name
            older = call.queued_ms < served_at and self.now >= call.queued_ms + CAP[queue]
            rung = any(one.call == call.call for one in self.rings.values())
            if older and offer.agent and self.core.is_able(offer.agent, call.call):
                tried = offer.agent in self.core._calls[call.call].tried
                other = self.core._calls[offer.call].queue.name != queue
                mobile = isinstance(offer, Overflow) and (rung or tried or other)
                assert mobile, (offer, call)

    # What may happen

    def step(self, code, choice):
        self.HAPPENINGS[code % len(self.HAPPENINGS)](self, choice)

    def wait(self, choice):
        until = self.now + WAITS[choice % len(WAITS)]
        while self.timers and min(self.timers.values()) <= until:
            timer = min(self.timers, key=lambda one: (self.timers[one], one))
            self.now = max(self.now, self.timers.pop(timer))
            self.tell(e.Fired, timer)
        self.now = until

    def arrive(self, choice):
        if len(self.core._calls) >= MOST:
            self.tell(e.HungUp, next(iter(self.core._calls)))
            return
        self.calls += 1
        name = f"c{self.calls}"
        self.arrived_at[name] = self.now
        skills = ((), (), ("b",), ("b:6",))[choice // 4 % 4]
        priority = (0, 0, 1, 2)[choice // 16 % 4]
        agent = ("", "", "", "8002")[choice // 64 % 4]
        queue = QUEUES[choice % 2]
        self.tell(e.Arrived, name, queue, f"138{choice % 7}", priority, skills, agent=agent)

    def turn_away(self, choice):
        self.turned += 1
        self.tell(e.Turned, f"t{self.turned}", QUEUES[choice % 2], "138")

    def be_ready(self, choice):
        self.tell(e.AgentReady, USERS[choice % 5], ("", "", "", "boss")[choice // 5 % 4])

    def take_a_break(self, choice):
        reason = ("tea", "lunch")[choice // 5 % 2]
        self.tell(e.AgentNotReady, USERS[choice % 5], reason, ("", "boss")[choice // 10 % 2])

    def vanish(self, choice):
        self.tell(e.AgentOffline, USERS[choice % 5])

    def extend(self, choice):
        self.tell(e.WrapUpExtended, USERS[choice % 5])

    def seize(self, choice):
        user = USERS[choice % 5]
        before, self.seized[user] = self.core.agent(user), f"own-{user}"
        ringing = [token for token, one in self.rings.items() if one.agent == user]
        self.tell(e.AgentSeized, user, f"own-{user}")
        if before is not None and before.state == "ringing" and not before.mobile:
            assert not [token for token in ringing if token in self.rings]

    def release(self, choice):
        user = USERS[choice % 5]
        self.tell(e.AgentReleased, user, f"own-{user}", bool(choice // 5 % 2))

    def answer(self, choice):
        """Any offer lately made: most are stale."""
        if not self.tokens:
            return
        token = self.tokens[-1 - choice % min(6, len(self.tokens))]
        live = {one.token: one.state for one in self.core.reserves()}
        refuse = choice // 6 % 4 == 3
        stale = token not in live or (not refuse and live[token] != "ringing")
        if refuse and token in live:
            del self.rings[token]
        ignored, state = self.core.ignored, self.picture() if stale else None
        self.tell(e.Refused if refuse else e.Accepted, token)
        if stale:
            assert self.core.ignored == ignored + 1
            assert self.picture() == state

    def picture(self):
        """All that moves; the records of what has ended are compared at the walk's end."""
        core = self.core
        return core.agents(), core.calls, core.reserves(), core.callbacks(), core.timers()

    def bridge(self, choice):
        """The media of an answered call; the ring of the winner is a ring no more."""
        accepted = [one for one in self.core.reserves() if one.state == "accepted"]
        if accepted:
            won = accepted[choice % len(accepted)]
            del self.rings[won.token]
            self.tell(e.Bridged, won.call)

    CALL_FACTS = (
        e.HungUp,
        e.CallEnded,
        e.AgentDropped,
        e.Held,
        e.Resumed,
        e.Greeted,
        e.Departed,
        e.CallbackUnreached,
        e.CallbackAsked,
        e.CallbackPostponed,
    )

    def tell_of_a_call(self, choice):
        live = list(self.core._calls)
        if not live:
            return
        name = live[choice // 10 % len(live)]
        what = self.CALL_FACTS[choice % 10]
        accepted = [one for one in self.core.reserves() if one.call == name]
        if what is e.AgentDropped and accepted and accepted[0].state == "accepted":
            if not accepted[0].agent:
                return
            del self.rings[accepted[0].token]
        self.tell(what, name)

    def move_a_call(self, choice):
        live = list(self.core._calls)
        if not live:
            return
        name = live[choice // 3 % len(live)]
        if choice % 3 == 0:
            self.tell(e.Transferred, name, ("", *QUEUES)[choice // 3 % 3], choice % 2)
        elif choice % 3 == 1:
            user = USERS[choice // 3 % 5]
            self.tell(e.HandedOver, name, user)
        else:
            self.tell(e.Prioritised, name, choice // 3 % 4)

    def take_the_offered_callback(self, choice):
        waiting = [one.call for one in self.core.calls if one.state == "waiting"]
        if waiting:
            self.tell(e.CallbackAsked, waiting[choice % len(waiting)])

    def cancel_a_callback(self, choice):
        made = self.core.callbacks()
        if made:
            self.tell(e.CallbackCancelled, made[choice % len(made)].callback)

    def crash_or_change(self, choice):
        """Rare: one step in five that say so."""
        if choice % 5 == 0:
            self.rings.clear()
            self.timers.clear()
            self.seized.clear()
            self.tell(e.Restarted)
        elif choice % 5 == 1:
            gone = ("", *USERS)[choice // 5 % 6]
            kept = tuple(one for one in AGENTS if one.user != gone)
            old = self.settings
            self.tell(
                e.Configured,
                AcdSettings(old.queues, kept, limits=old.limits, kept_calls=1_000_000),
            )

    HAPPENINGS = (
        wait, wait, wait, arrive, arrive, arrive, be_ready, be_ready, take_a_break, vanish,
        extend, seize, release, answer, answer, answer, bridge, bridge, tell_of_a_call,
        tell_of_a_call, move_a_call, take_the_offered_callback, cancel_a_callback,
        crash_or_change, turn_away,
    )  # fmt: skip

    # What must hold

    def check(self):
        core = self.core
        reserves, agents, calls = core.reserves(), core.agents(), core.calls
        self.offers_and_agents_agree(reserves, agents)
        self.one_winner_a_call(reserves, calls)
        self.nobody_able_is_idle_while_a_call_waits(agents, calls)
        self.every_state_that_is_not_idle_has_a_timer(reserves, agents, calls)
        for call in calls:
            assert call.queued_ms == self.arrived_at[call.call]
        numbers = Counter(one.number for one in core.callbacks() if one.state != "over")
        assert all(count == 1 for count in numbers.values())

    def offers_and_agents_agree(self, reserves, agents):
        live = {one.token: one for one in reserves}
        for token, one in live.items():
            if one.state == "accepted" and token in self.rings:  # perhaps handed over since
                self.rings[token] = replace(self.rings[token], agent=one.agent)
        assert set(live) == set(self.rings)
        rung = {one.agent: one for one in reserves if one.agent}
        for agent in agents:
            if agent.state == "ringing":
                assert rung[agent.user].call == agent.call
            elif agent.state in ("talking", "held"):
                call = self.core._calls.get(agent.call)
                mine = call is not None and call.agent == agent.user
                assert mine or self.seized.get(agent.user) == agent.call
            else:
                assert agent.call is None
                assert agent.user not in rung

    def one_winner_a_call(self, reserves, calls):
        of_call = {}
        for one in reserves:
            of_call.setdefault(one.call, []).append(one.state)
        for states in of_call.values():
            assert states == ["accepted"] or "accepted" not in states
        for call in calls:
            assert (call.state == "waiting") <= (call.agent is None)
            assert (call.state in ("ringing", "waiting")) or call.call not in of_call

    def nobody_able_is_idle_while_a_call_waits(self, agents, calls):
        core = self.core
        idle = [one.user for one in agents if one.state == "ready" and one.user != "8014"]
        if not idle:
            return
        for call in calls:
            if call.state == "waiting" and core.is_held_for(call.call) is None:
                live = core._calls[call.call]
                able = [user for user in idle if core.is_able(user, call.call)]
                late = core.now_ms > call.queued_ms + 15_000
                assert len(able) <= (live.queue.settings.reserve_agents if late else 0)

    def every_state_that_is_not_idle_has_a_timer(self, reserves, agents, calls):
        timers = self.core.timers()
        assert timers == self.timers
        for agent in agents:
            free = agent.state in ("offline", "ringing") or agent.reason == "lunch"
            assert free or f"agent/{agent.user}" in timers
        assert all(one.token in timers for one in reserves)
        for call in calls:
            queue = self.core._calls[call.call].queue.name
            if (call.state == "waiting" and queue == "one") or call.state in ("overflowed", "away"):
                assert f"call/{call.call}" in timers
        for one in self.core.callbacks():
            assert (one.state == "resting") == (f"callback/{one.callback}" in timers)

    def end(self):
        """Every call is counted once, and a replay is the same."""
        core = self.core
        for name, settings in zip(QUEUES, self.settings.queues, strict=True):
            mine = [one for one in core.records() if one.queue == name and not one.callback]
            total = core.queue(name).total
            assert total == tally(mine, settings.rule)
            assert total.offered == len(mine)
        mine = sum(count for call, count in self.finished.items() if call not in self.attempts)
        live = [one for one in core.calls if not one.callback]
        assert mine + len(live) == self.calls
        assert all(count == 1 for count in self.finished.values())
        assert replay(self.journal).snapshot() == core.snapshot()
