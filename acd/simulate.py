"""A discrete-event simulator around the real core: what a policy promises at a load.

Callers arrive at random, are patient for an exponential time, talk for a lognormal or exponential
one. Agents may have skills; agents' mobiles take overflow; callers may take an offered callback.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Any, Literal, Protocol

from acd import effects, events
from acd.core import Core
from acd.events import Event
from acd.service_level import Levels, Tally, levels
from acd.settings import AcdSettings, AgentSettings, QueueSettings, StateLimits

QUEUE = "simulated"
FAR_MS = 10**11  # timers that only report are not simulated
LONGEST_BIN = 900  # seconds; longer waits are counted there


class Generator(Protocol):
    """Randomness from outside; random.Random has these, and `Numpy` gives them to a Generator."""

    def random(self) -> float:
        """Uniform on [0, 1)."""

    def expovariate(self, lambd: float) -> float:
        """An exponential time with this rate."""

    def lognormvariate(self, mu: float, sigma: float) -> float:
        """A lognormal time."""


class NumpyGenerator(Protocol):
    """What is used of numpy.random.Generator."""

    def random(self) -> float:
        """Uniform on [0, 1)."""

    def exponential(self, scale: float) -> float:
        """An exponential time with this mean."""

    def lognormal(self, mean: float, sigma: float) -> float:
        """A lognormal time."""


class Numpy:
    """A numpy Generator as a `Generator`."""

    def __init__(self, generator: NumpyGenerator) -> None:
        self._generator = generator

    def random(self) -> float:
        """Uniform on [0, 1)."""
        return float(self._generator.random())

    def expovariate(self, lambd: float) -> float:
        """An exponential time with this rate."""
        return float(self._generator.exponential(1 / lambd))

    def lognormvariate(self, mu: float, sigma: float) -> float:
        """A lognormal time."""
        return float(self._generator.lognormal(mu, sigma))


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is simulated; means in seconds."""

    agents: int
    calls_per_hour: float
    talk_seconds: float = 180.0
    talk_law: Literal["lognormal", "exponential"] = "lognormal"
    talk_variation: float = 1.0  # standard deviation over mean, of the lognormal law
    patience_seconds: float | None = 120.0  # None: nobody gives up
    answer_seconds: float = 0.0  # from the offer to the agent's 200 OK
    calls: int = 10_000
    queue: QueueSettings = field(
        default_factory=lambda: QueueSettings(QUEUE, wrap_up_seconds=0, max_wait_seconds=0)
    )
    skills: tuple[tuple[int, tuple[str, ...]], ...] = ()  # of the agents: how many have which
    asks: tuple[tuple[str, float], ...] = ()  # share of the calls that need a skill
    mobiles: int = 0  # of agents who are not at their seats
    callback_taken: float = 0.0  # share of the callers offered a callback who take it


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    tally: Tally
    levels: Levels
    longest_wait_seconds: float
    waited_over_120_seconds: float  # share of the offered
    steps: int
    passed_over: int  # offers to a caller while an older one had waited past the promotion
    waits: tuple[int, ...] = ()  # answered calls by seconds waited, the last bin open
    callbacks_kept: int = 0
    callback_wait_seconds: float = 0.0  # mean, from the call's arrival


class Simulation:
    """One run; times are rounded to the core's milliseconds."""

    def __init__(self, scenario: Scenario, generator: Generator) -> None:
        self._scenario = scenario
        self._random = generator
        self._core = Core(_settings(scenario))
        self._plan: list[tuple[float, int, str, str]] = []  # at, serial, what, name
        self._serial = 0
        self._ends: dict[str, float] = {}  # when the caller hangs up or the talk ends
        self._timers: dict[str, int] = {}
        self._armed: list[str] = []  # not yet planned: most are disarmed in the same moment
        self._rings: dict[str, str] = {}  # token -> call
        self._waiting: dict[str, int] = {}  # queued_ms, in order of arrival
        self._talks: dict[str, int] = {}  # how long a caller will talk, ms
        self._willing: set[str] = set()  # callers who would take a callback
        self._steps = self._passed_over = 0
        variation = math.log(1 + scenario.talk_variation**2)
        self._sigma = math.sqrt(variation)
        self._mu = math.log(scenario.talk_seconds) - variation / 2
        self._longest_ms = self._over = self._kept = self._kept_ms = 0
        self._promotion_ms = round(scenario.queue.promotion_seconds * 1000)
        self._waits = [0] * (LONGEST_BIN + 1)
        self._later: list[Event] = []  # told once the effects at hand are dealt with
        self._acts: dict[type, Callable[[int, Any], object]] = {
            effects.Offer: self._ring,
            effects.CallBack: self._ring,
            effects.Overflow: self._overflow,
            effects.OfferCallback: self._offer_callback,
            effects.CancelOffer: lambda at_ms, one: self._rings.pop(one.token, None),
            effects.Arm: self._arm,
            effects.Disarm: lambda at_ms, one: self._timers.pop(one.timer, None),
            effects.Finished: self._finish,
        }

    def run(self) -> Outcome:
        """All calls, from the first arrival to the last one's end."""
        for agent in range(self._scenario.agents):
            self._tell(events.AgentReady(0, f"a{agent}"))
        plan, arrived, at = self._plan, 0, self._until_next()
        while arrived < self._scenario.calls or plan:
            if arrived < self._scenario.calls and (not plan or at <= plan[0][0]):
                arrived += 1
                self._arrive(at, f"c{arrived}")
                at += self._until_next()
            else:
                self._happen(*heappop(plan))
        return self._outcome()

    def _outcome(self) -> Outcome:
        total = self._core.queue(QUEUE).total
        return Outcome(
            total,
            levels(total),
            self._longest_ms / 1000,
            self._over / max(1, total.offered),
            self._steps,
            self._passed_over,
            tuple(self._waits),
            self._kept,
            self._kept_ms / 1000 / max(1, self._kept),
        )

    def _until_next(self) -> float:
        return self._random.expovariate(self._scenario.calls_per_hour / 3_600_000)

    def _arrive(self, at: float, call: str) -> None:
        """All of a caller's chance is drawn here, so that policies meet the same callers."""
        scenario, at_ms = self._scenario, round(at)
        self._talks[call] = round(self._talk_seconds() * 1000)
        if self._random.random() < scenario.callback_taken:
            self._willing.add(call)
        patience = math.inf
        if scenario.patience_seconds is not None:
            patience = self._random.expovariate(1 / (scenario.patience_seconds * 1000))
        skills = self._skills() if scenario.asks else ()
        caller = call.strip("c") if scenario.callback_taken else ""  # a number of its own
        self._waiting[call] = at_ms
        self._tell(events.Arrived(at_ms, call, QUEUE, caller, 0, skills))
        if call in self._waiting and patience < math.inf:
            self._ends[call] = at + patience
            self._schedule(at + patience, "hung up", call)

    def _talk_seconds(self) -> float:
        if self._scenario.talk_law == "exponential":
            return self._random.expovariate(1 / self._scenario.talk_seconds)
        return self._random.lognormvariate(self._mu, self._sigma)

    def _skills(self) -> tuple[str, ...]:
        drawn = self._random.random()
        for skill, share in self._scenario.asks:
            if drawn < share:
                return (skill,)
            drawn -= share
        return ()

    def _schedule(self, at: float, what: str, name: str) -> None:
        self._serial += 1
        heappush(self._plan, (at, self._serial, what, name))

    def _happen(self, at: float, serial: int, what: str, name: str) -> None:
        """What was planned, unless something has overtaken it."""
        at_ms = round(at)
        if what == "timer":
            if self._timers.get(name) == at_ms:
                del self._timers[name]
                self._tell(events.Fired(at_ms, name))
        elif what == "accepted":
            if name in self._rings:
                self._talk(at_ms, self._rings.pop(name), name)
        elif self._ends.get(name) == at:
            kind = events.HungUp if what == "hung up" else events.CallEnded
            self._tell(kind(at_ms, name))

    def _tell(self, event: Event) -> None:
        """A fact, all that follows from it at once, and then the timers that are still armed."""
        self._later.append(event)
        while self._later:
            fact = self._later.pop(0)
            self._steps += 1
            for effect in self._core.step(fact):
                act = self._acts.get(effect.__class__)
                if act is not None:
                    act(fact.at_ms, effect)
        if self._armed:
            for timer in self._armed:
                at_ms = self._timers.get(timer)
                if at_ms is not None:
                    self._schedule(at_ms, "timer", timer)
            self._armed.clear()

    def _arm(self, at_ms: int, effect: effects.Arm) -> None:
        if effect.at_ms >= at_ms + FAR_MS:
            return
        self._timers[effect.timer] = effect.at_ms
        self._armed.append(effect.timer)

    def _ring(self, at_ms: int, offer: effects.Offer | effects.CallBack) -> None:
        self._look_back(at_ms, offer.call)
        if isinstance(offer, effects.CallBack):
            self._talks[offer.call] = self._talks.pop(f"c{offer.number}")
        self._pick_up(at_ms, offer.call, offer.token)

    def _look_back(self, at_ms: int, call: str) -> None:
        """Notes an offer that passes over an older caller who is past the promotion."""
        queued_ms = self._waiting.get(call, at_ms)
        for other, other_ms in self._waiting.items():
            if other != call:
                past = at_ms - other_ms > self._promotion_ms
                self._passed_over += past and other_ms < queued_ms
                break

    def _overflow(self, at_ms: int, effect: effects.Overflow) -> None:
        """A mobile rings; whoever is sent elsewhere is gone."""
        if effect.target == "mobile":
            self._pick_up(at_ms, effect.call, effect.token)
        else:
            self._waiting.pop(effect.call, None)
            self._later.append(events.CallEnded(at_ms, effect.call))

    def _offer_callback(self, at_ms: int, effect: effects.OfferCallback) -> None:
        if effect.call in self._willing:
            self._later.append(events.CallbackAsked(at_ms, effect.call))

    def _pick_up(self, at_ms: int, call: str, token: str) -> None:
        """The agent answers after the delay."""
        if self._scenario.answer_seconds <= 0:
            self._talk(at_ms, call, token)
        else:
            self._rings[token] = call
            later_ms = at_ms + round(self._scenario.answer_seconds * 1000)
            self._schedule(later_ms, "accepted", token)

    def _talk(self, at_ms: int, call: str, token: str) -> None:
        """Bridged at once, for a drawn time; the caller's patience is over with the wait."""
        self._waiting.pop(call, None)
        end_ms = at_ms + self._talks.pop(call)
        self._ends[call] = end_ms
        self._schedule(end_ms, "ended", call)
        follows: list[Event] = [events.Accepted(at_ms, token), events.Bridged(at_ms, call)]
        if self._later or self._scenario.answer_seconds <= 0:
            self._later[:0] = follows
        else:
            for event in follows:
                self._tell(event)

    def _finish(self, at_ms: int, effect: effects.Finished) -> None:
        self._ends.pop(effect.call, None)
        self._waiting.pop(effect.call, None)
        self._willing.discard(effect.call)
        if effect.result != "called_back":
            self._talks.pop(effect.call, None)
        record = next(one for one in reversed(self._core.ended) if one.call == effect.call)
        stop_ms = record.bridged_ms or record.ended_ms or record.queued_ms
        wait_ms = stop_ms - record.queued_ms
        if effect.call[0] != "c" or effect.call.startswith("callback"):
            self._kept += effect.result == "answered"
            self._kept_ms += wait_ms
            return
        self._longest_ms = max(self._longest_ms, wait_ms)
        self._over += wait_ms > 120_000
        if effect.result == "answered":
            self._waits[min(wait_ms // 1000, LONGEST_BIN)] += 1


def _settings(scenario: Scenario) -> AcdSettings:
    groups = scenario.skills or ((scenario.agents, ()),)
    if sum(count for count, _ in groups) != scenario.agents:
        raise ValueError("the groups' agents are not as many as there are agents")
    skills = [names for count, names in groups for _ in range(count)]
    agents = [AgentSettings(f"a{index}", names) for index, names in enumerate(skills)]
    everything = tuple({skill for names in skills for skill in names})
    agents += [
        AgentSettings(f"m{index}", everything, mobile=f"{index}")
        for index in range(scenario.mobiles)
    ]
    limits = StateLimits(talking_seconds=FAR_MS, held_seconds=FAR_MS, not_ready_seconds=FAR_MS)
    return AcdSettings(queues=(scenario.queue,), agents=tuple(agents), limits=limits, kept_calls=8)


def simulate(scenario: Scenario, generator: Generator) -> Outcome:
    """One run of the scenario; the same generator state gives the same outcome."""
    return Simulation(scenario, generator).run()
