"""A small discrete-event simulator around the real core: what a policy promises at a load."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Literal, Protocol

from acd import events
from acd.core import Core
from acd.events import Event
from acd.service_level import Levels, Tally, levels
from acd.settings import AcdSettings, AgentSettings, QueueSettings, StateLimits

QUEUE = "simulated"
FAR_MS = 10**11  # timers that only report are not simulated


class Generator(Protocol):
    """Randomness from outside; random.Random has these, and `Numpy` gives them to a Generator."""

    def expovariate(self, lambd: float) -> float:
        """An exponential time with this rate."""

    def lognormvariate(self, mu: float, sigma: float) -> float:
        """A lognormal time."""


class NumpyGenerator(Protocol):
    """What is used of numpy.random.Generator."""

    def exponential(self, scale: float) -> float:
        """An exponential time with this mean."""

    def lognormal(self, mean: float, sigma: float) -> float:
        """A lognormal time."""


class Numpy:
    """A numpy Generator as a `Generator`."""

    def __init__(self, generator: NumpyGenerator) -> None:
        self._generator = generator

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
    patience_seconds: float = 120.0
    answer_seconds: float = 0.0  # from the offer to the agent's 200 OK
    calls: int = 10_000
    queue: QueueSettings = field(
        default_factory=lambda: QueueSettings(QUEUE, wrap_up_seconds=0, max_wait_seconds=0)
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    tally: Tally
    levels: Levels
    longest_wait_seconds: float
    waited_over_120_seconds: float  # share of the offered
    steps: int


class Simulation:
    """One run; times are rounded to the core's milliseconds."""

    def __init__(self, scenario: Scenario, generator: Generator) -> None:
        self._scenario = scenario
        self._random = generator
        self._core = Core(_settings(scenario))
        self._queue: list[tuple[float, int, Event]] = []
        self._serial = 0
        self._ends: dict[str, int] = {}  # when the caller hangs up or the talk ends
        self._timers: dict[str, int] = {}
        self._rings: dict[str, str] = {}  # token -> call
        self._steps = 0
        variation = math.log(1 + scenario.talk_variation**2)
        self._sigma = math.sqrt(variation)
        self._mu = math.log(scenario.talk_seconds) - variation / 2
        self._longest_ms = self._over = 0

    def run(self) -> Outcome:
        """All calls, from the first arrival to the last one's end."""
        for agent in range(self._scenario.agents):
            self._core.step(events.AgentReady(0, f"a{agent}"))
        arrived, at = 0, self._until_next()
        while arrived < self._scenario.calls or self._queue:
            if arrived < self._scenario.calls and (not self._queue or at <= self._queue[0][0]):
                arrived += 1
                self._arrive(at, f"c{arrived}")
                at += self._until_next()
            else:
                _, _, event = heappop(self._queue)
                if self._is_due(event):
                    self._happen(event)
        total = self._core.queue(QUEUE).total
        return Outcome(
            total,
            levels(total),
            self._longest_ms / 1000,
            self._over / max(1, total.offered),
            self._steps,
        )

    def _until_next(self) -> float:
        return self._random.expovariate(self._scenario.calls_per_hour / 3_600_000)

    def _arrive(self, at: float, call: str) -> None:
        patience = self._random.expovariate(1 / (self._scenario.patience_seconds * 1000))
        self._ends[call] = round(at + patience)
        self._plan(at + patience, events.HungUp(round(at + patience), call))
        self._tell(events.Arrived(round(at), call, QUEUE))

    def _plan(self, at: float, event: Event) -> None:
        self._serial += 1
        heappush(self._queue, (at, self._serial, event))

    def _is_due(self, event: Event) -> bool:
        """Whether nothing has overtaken it: a call ends once, timers and offers may be gone."""
        if isinstance(event, events.HungUp | events.CallEnded):
            return self._ends.get(event.call) == event.at_ms
        if isinstance(event, events.Fired):
            return self._timers.pop(event.timer, None) == event.at_ms
        return isinstance(event, events.Accepted) and event.token in self._rings

    def _happen(self, event: Event) -> None:
        if isinstance(event, events.Accepted):
            self._talk(event.at_ms, self._rings.pop(event.token), event.token)
        else:
            self._tell(event)

    def _tell(self, event: Event) -> None:
        self._steps += 1
        rings = []
        for effect in self._core.step(event):
            if isinstance(effect, events.Offer):
                rings.append(effect)
            elif isinstance(effect, events.CancelOffer):
                self._rings.pop(effect.token, None)
            elif isinstance(effect, events.Arm):
                if effect.at_ms < event.at_ms + FAR_MS:
                    self._timers[effect.timer] = effect.at_ms
                    self._plan(effect.at_ms, events.Fired(effect.at_ms, effect.timer))
            elif isinstance(effect, events.Disarm):
                self._timers.pop(effect.timer, None)
            elif isinstance(effect, events.Finished):
                self._finish(effect)
        for offer in rings:
            self._ring(event.at_ms, offer)

    def _ring(self, at_ms: int, offer: events.Offer) -> None:
        """The agent picks up after the answer delay."""
        if self._scenario.answer_seconds <= 0:
            self._talk(at_ms, offer.call, offer.token)
        else:
            later_ms = at_ms + round(self._scenario.answer_seconds * 1000)
            self._rings[offer.token] = offer.call
            self._plan(later_ms, events.Accepted(later_ms, offer.token))

    def _talk(self, at_ms: int, call: str, token: str) -> None:
        """Bridged at once, for a drawn time; the caller's patience is over with the wait."""
        self._tell(events.Accepted(at_ms, token))
        self._tell(events.Bridged(at_ms, call))
        if self._scenario.talk_law == "exponential":
            seconds = self._random.expovariate(1 / self._scenario.talk_seconds)
        else:
            seconds = self._random.lognormvariate(self._mu, self._sigma)
        end_ms = at_ms + round(seconds * 1000)
        self._ends[call] = end_ms
        self._plan(end_ms, events.CallEnded(end_ms, call))

    def _finish(self, effect: events.Finished) -> None:
        del self._ends[effect.call]
        record = self._core.ended[-1]
        stop_ms = record.bridged_ms or record.ended_ms or record.queued_ms
        wait_ms = stop_ms - record.queued_ms
        self._longest_ms = max(self._longest_ms, wait_ms)
        self._over += wait_ms > 120_000


def _settings(scenario: Scenario) -> AcdSettings:
    agents = tuple(AgentSettings(f"a{index}") for index in range(scenario.agents))
    limits = StateLimits(talking_seconds=FAR_MS, held_seconds=FAR_MS, not_ready_seconds=FAR_MS)
    return AcdSettings(queues=(scenario.queue,), agents=agents, limits=limits, kept_calls=1)


def simulate(scenario: Scenario, generator: Generator) -> Outcome:
    """One run of the scenario; the same generator state gives the same outcome."""
    return Simulation(scenario, generator).run()
