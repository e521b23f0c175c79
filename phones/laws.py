"""Random laws of talk times, delays and patience, each from a seeded source."""

import math
import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Law:
    """A time in seconds: lognormal by mean and coefficient of variation; cv 0 is a constant."""

    mean: float
    cv: float = 0.0
    kind: str = "lognormal"  # or "exponential"

    def draw(self, source: random.Random) -> float:
        """One value in seconds."""
        if self.kind == "exponential":
            return source.expovariate(1 / self.mean)
        if self.cv <= 0:
            return self.mean
        sigma_squared = math.log(1 + self.cv**2)
        return source.lognormvariate(
            math.log(self.mean) - sigma_squared / 2, math.sqrt(sigma_squared)
        )


def parse_law(text: str) -> Law:
    """`2` is a constant, `2,0.5` lognormal with mean 2 and cv 0.5, `2,exp` exponential."""
    mean, _, shape = text.partition(",")
    if shape == "exp":
        return Law(float(mean), kind="exponential")
    return Law(float(mean), float(shape or 0))
