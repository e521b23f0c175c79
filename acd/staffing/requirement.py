"""How many agents each interval of a day needs, from the calls that are expected in it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from acd.forecast import Load, agents_for
from acd.staffing.arrivals import Counts

Agents = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Promise:
    """What is promised, and how long a call takes."""

    handling_seconds: float
    patience_seconds: float | None = None
    target_seconds: float = 15.0
    target_ratio: float = 0.9
    shrinkage: float = 0.0  # share of paid time away from the phone: breaks, training
    least: int = 1  # always there, however few call

    def __post_init__(self) -> None:
        """Raises ValueError for figures without a meaning."""
        if not 0 <= self.shrinkage < 1:
            raise ValueError("shrinkage must be at least 0 and below 1")
        if self.least < 0:
            raise ValueError("the least number of agents cannot be below 0")
        self.load(0.0)
        if not 0 <= self.target_ratio < 1:
            raise ValueError("the target ratio must be at least 0 and below 1")

    def load(self, calls_per_hour: float) -> Load:
        """The promise at this many calls."""
        return Load(
            calls_per_hour, self.handling_seconds, self.patience_seconds, self.target_seconds
        )


def required(calls: Counts, minutes: int, promise: Promise) -> Agents:
    """Agents on duty, (n_days, slots): Erlang, over the share of time at the phone.

    Each interval is taken as if it were long: that is right while calls are short beside it.
    """

    @lru_cache(maxsize=4096)
    def of(tenths_per_hour: int) -> int:
        if not tenths_per_hour:
            return promise.least
        at_phone = agents_for(promise.load(tenths_per_hour / 10), promise.target_ratio).agents
        return max(promise.least, math.ceil(at_phone / (1 - promise.shrinkage) - 1e-9))

    per_hour = calls * (60 / minutes)
    return np.array([[of(round(10 * rate)) for rate in day] for day in per_hour], dtype=np.int64)
