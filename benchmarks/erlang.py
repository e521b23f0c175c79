"""The benchmark's own Erlang-A and its own finite runs: a judge that shares no code with acd."""

import heapq
import random
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from phones.laws import Law


@dataclass(frozen=True, slots=True)
class Load:
    """A queue in seconds: arrivals a second, the parts of an agent's time, patience, target."""

    agents: int
    per_second: float
    answer_delay: float  # ringing at the agent's phone, until its 200
    talk: Law
    wrap_up: float
    patience: float
    target: float

    @property
    def busy_seconds(self) -> float:
        """Mean time that a call takes of an agent."""
        return self.answer_delay + self.talk.mean + self.wrap_up


def erlang_a(load: Load, most_waiting: int = 300) -> float:
    """Share of all arrivals answered within the target in M/M/n+M, exactly but for cutting the
    queue at `most_waiting`; the agent's ringing time is taken off the target.
    """
    mu, theta, n = 1 / load.busy_seconds, 1 / load.patience, load.agents
    states = np.arange(1, n + most_waiting + 1)
    deaths = np.minimum(states, n) * mu + np.maximum(states - n, 0) * theta
    logs = np.concatenate([[0.0], np.cumsum(np.log(load.per_second) - np.log(deaths))])
    share = np.exp(logs - logs.max())
    share /= share.sum()
    left = load.target - load.answer_delay
    if left < 0:
        return 0.0
    served = _served_within(n * mu, theta, left, most_waiting)
    return float(share[:n].sum() + share[n : n + most_waiting] @ served)


def _served_within(
    service: float, theta: float, seconds: float, states: int
) -> npt.NDArray[np.float64]:
    """P(a caller with k ahead in the queue is served within `seconds`), by Runge-Kutta."""
    rates = service + theta * np.arange(states)
    steps = max(200, int(seconds * (rates[-1] + theta) * 2))
    h = seconds / steps
    p = np.zeros(states)

    def slope(q: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        ahead = np.concatenate([[1.0], q[:-1]])
        return rates * (ahead - q) - theta * q

    for _ in range(steps):
        k1 = slope(p)
        k2 = slope(p + h / 2 * k1)
        k3 = slope(p + h / 2 * k2)
        p = p + h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(p + h * k3))
    return p


def heaviest_load(load: Load, service_level: float) -> float:
    """The most arrivals a second at which Erlang-A still gives that service level."""
    low, high = 0.0, 2 * load.agents / load.busy_seconds
    for _ in range(40):
        middle = (low + high) / 2
        level = erlang_a(replace(load, per_second=middle))
        low, high = (middle, high) if level >= service_level else (low, middle)
    return low


def finite_run(load: Load, calls: int, seed: int) -> float:
    """Service level of one run from an empty system, fifo, with the laws as they are."""
    source = random.Random(seed)
    free = [0.0] * load.agents  # when each agent is free next
    heapq.heapify(free)
    at, good = 0.0, 0
    for _ in range(calls):
        at += source.expovariate(load.per_second)
        gives_up = at + source.expovariate(1 / load.patience)
        begins = max(at, free[0])
        if gives_up < begins:
            continue
        answered = begins + load.answer_delay
        if gives_up < answered:
            heapq.heapreplace(free, gives_up)  # the phone rang in vain
            continue
        heapq.heapreplace(free, answered + load.talk.draw(source) + load.wrap_up)
        good += answered - at <= load.target
    return good / calls


def interval(load: Load, calls: int, runs: int = 4000) -> tuple[float, float, float]:
    """2.5 %, mean and 97.5 % of the service level over many such finite runs."""
    levels = np.sort([finite_run(load, calls, seed) for seed in range(runs)])
    return float(levels[int(runs * 0.025)]), float(levels.mean()), float(levels[int(runs * 0.975)])
