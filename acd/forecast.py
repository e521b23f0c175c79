"""Erlang B, C and A: what a queue of n agents promises at a load, exact and safe for large n.

Erlang A (M/M/n+M) follows Baccelli and Hebuterne: with p the probability that n - 1 agents are
busy, the wait that a caller of infinite patience would have has the density
arrivals * p * exp(h(w)), h(w) = (arrivals/theta) * (1 - exp(-theta*w)) - n*mu*w for w > 0. h is
concave, so each figure is one Gauss-Legendre integral over the stretch in which exp(h) is not
negligible, scaled by the maximum of h.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
PANELS = 48
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)
NEGLIGIBLE = 45.0  # exp(-45) is below the last bit
MOST_AGENTS = 100_000
TOO_FEW = 1e-12  # erlangs: as good as no call at all


@dataclass(frozen=True, slots=True)
class Load:
    """What arrives and how long it takes; `patience_seconds` None: nobody gives up (Erlang C)."""

    calls_per_hour: float
    handling_seconds: float
    patience_seconds: float | None = None
    target_seconds: float = 15.0

    def __post_init__(self) -> None:
        """Raises ValueError for figures without a meaning."""
        given = (self.calls_per_hour, self.handling_seconds, self.target_seconds)
        if not all(map(math.isfinite, (*given, self.patience_seconds or 0.0))):
            raise ValueError("calls, handling, patience and target must be finite numbers")
        if not (self.calls_per_hour >= 0 and self.handling_seconds > 0):
            raise ValueError("calls per hour must be at least 0 and handling seconds above 0")
        if self.patience_seconds is not None and not self.patience_seconds > 0:
            raise ValueError("patience must be above 0 seconds")
        if not self.target_seconds >= 0:
            raise ValueError("the target must be at least 0 seconds")

    @property
    def erlangs(self) -> float:
        """Offered traffic."""
        return self.calls_per_hour * self.handling_seconds / 3600


@dataclass(frozen=True, slots=True)
class Forecast:
    """What n agents promise."""

    agents: int
    service_level: float  # answered within the target, of the offered
    service_level_answered: float  # the same, of the answered
    asa_seconds: float  # mean wait of the answered; inf where the queue grows for ever
    p_wait: float
    p_abandon: float
    occupancy: float


def erlang_b(agents: int, erlangs: float) -> float:
    """Probability that all of n agents are busy when nobody waits."""
    blocked = 1.0
    for busy in range(1, agents + 1):
        blocked = erlangs * blocked / (busy + erlangs * blocked)
    return blocked


def erlang_c(agents: int, erlangs: float) -> float:
    """Probability of waiting when nobody gives up; 1 where the queue grows for ever."""
    if erlangs >= agents:
        return 1.0
    blocked = erlang_b(agents, erlangs)
    return blocked / (1.0 - erlangs / agents * (1.0 - blocked))


def forecast(load: Load, agents: int) -> Forecast:
    """Erlang A with a patience, Erlang C without; ValueError for fewer than no agents."""
    if not 0 <= agents <= MOST_AGENTS:
        raise ValueError(f"agents must be between 0 and {MOST_AGENTS}")
    if load.erlangs < TOO_FEW:
        return Forecast(agents, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0)
    if agents == 0:
        gone = 0.0 if load.patience_seconds is None else 1.0
        return Forecast(0, 0.0, 0.0, math.inf, 1.0, gone, 0.0)
    return (
        _without_abandons(load, agents)
        if load.patience_seconds is None
        else _erlang_a(load, agents)
    )


def agents_for(load: Load, target_ratio: float) -> Forecast:
    """The fewest agents with at least this service level; ValueError if that many are too many."""
    if not 0 <= target_ratio < 1:
        raise ValueError("the target ratio must be at least 0 and below 1")
    low, high = 0, max(1, min(math.ceil(load.erlangs), MOST_AGENTS))
    while forecast(load, high).service_level < target_ratio:
        if high == MOST_AGENTS:
            raise ValueError(f"not reached with {MOST_AGENTS} agents")
        low, high = high + 1, min(2 * high, MOST_AGENTS)
    while low < high:
        middle = (low + high) // 2
        if forecast(load, middle).service_level >= target_ratio:
            high = middle
        else:
            low = middle + 1
    return forecast(load, high)


def _without_abandons(load: Load, agents: int) -> Forecast:
    """M/M/n: the wait of those who wait is exponential with the spare rate."""
    waits = erlang_c(agents, load.erlangs)
    spare = (agents - load.erlangs) / load.handling_seconds
    if spare <= 0:
        return Forecast(agents, 0.0, 0.0, math.inf, 1.0, 0.0, 1.0)
    good = 1.0 - waits * math.exp(-spare * load.target_seconds)
    return Forecast(agents, good, good, waits / spare, waits, 0.0, load.erlangs / agents)


def _erlang_a(load: Load, agents: int) -> Forecast:
    assert load.patience_seconds is not None
    arrivals = load.calls_per_hour / 3600
    served, theta = agents / load.handling_seconds, 1 / load.patience_seconds

    def exponent(wait: float) -> float:
        return -arrivals / theta * math.expm1(-theta * wait) - served * wait

    peak = math.log(arrivals / served) / theta if arrivals > served else 0.0
    top = exponent(peak)
    left, right = _stretch(exponent, peak, top)
    cut = min(max(load.target_seconds, left), right)
    arrivals_per_patience = arrivals / theta

    def integrate(points: tuple[Array, Array]) -> Array:
        """Of the density: all of it, those who stay, their waits, those who give up."""
        waits, weights = points
        leaves = -np.expm1(-theta * waits)
        density = weights * np.exp(arrivals_per_patience * leaves - served * waits - top)
        stays = density * np.exp(-theta * waits)
        return np.array([density.sum(), stays.sum(), stays @ waits, density @ leaves])

    in_time = integrate(_points(left, cut))
    mass, stayed, waited, gone = in_time + integrate(_points(cut, right))
    blocked = erlang_b(agents - 1, load.erlangs)
    at_once = float(math.exp(-top) / (math.exp(-top) + blocked * arrivals * mass))
    scale = blocked * arrivals / (math.exp(-top) + blocked * arrivals * mass)
    # Sums of what is answered: 1 less who gave up is 0, or below, where nearly all do.
    answered = at_once + float(scale * stayed)
    good = at_once + float(scale * in_time[1])
    return Forecast(
        agents,
        service_level=good,
        service_level_answered=good / answered,
        asa_seconds=float(scale * waited) / answered,
        p_wait=float(scale * mass),
        p_abandon=float(scale * gone),
        occupancy=min(1.0, arrivals * answered / served),
    )


def _stretch(exponent: Callable[[float], float], peak: float, top: float) -> tuple[float, float]:
    """Where the concave exponent is within NEGLIGIBLE of its top, found by bisection."""
    step = 1e-6
    while exponent(peak + step) > top - NEGLIGIBLE:
        step *= 2
    right = _crossing(exponent, top - NEGLIGIBLE, peak + step, peak + step / 2)
    if exponent(0.0) >= top - NEGLIGIBLE:
        return 0.0, right
    return _crossing(exponent, top - NEGLIGIBLE, 0.0, peak), right


def _crossing(
    exponent: Callable[[float], float], level: float, outside: float, inside: float
) -> float:
    for _ in range(40):
        middle = (outside + inside) / 2
        if exponent(middle) > level:
            inside = middle
        else:
            outside = middle
    return outside


def _points(start: float, end: float) -> tuple[Array, Array]:
    """Abscissas and weights of composite Gauss-Legendre on [start, end]."""
    half = (end - start) / PANELS / 2
    centres = start + half * (2 * np.arange(PANELS) + 1)
    return (centres[:, None] + half * NODES).ravel(), np.tile(half * WEIGHTS, PANELS)
