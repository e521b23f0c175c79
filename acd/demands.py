"""A demand: the idle agents able to serve one set of skills, in the policy's order.

Agents of the same rank form a bench: a dict by user, the longest idle first, as agents become
idle in that order. Whoever stops being idle is taken off at once, so that all that is there is
true: what a lazy heap or deque saves at the removal it pays twice when false entries come up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Skills: TypeAlias = frozenset[str]
Bench: TypeAlias = dict[str, int]  # user: its place in the order of the idle (Agent.idle)


class Demand:
    """Idle agents able to serve one set of skills."""

    __slots__ = ("benches", "skills")

    def __init__(self, skills: Skills) -> None:
        self.skills = skills
        self.benches: list[Bench] = []  # smaller rank first

    def best(self, tried: tuple[str, ...]) -> str:
        """The idle agent to ring, or ""; one that did not answer this call only if no other is."""
        if tried:
            for bench in self.benches:
                for user in bench:
                    if user not in tried:
                        return user
        for bench in self.benches:
            for user in bench:
                return user
        return ""

    def idle(self) -> int:
        """How many able agents are idle."""
        return sum(map(len, self.benches))


def sort(bench: Bench, places: Mapping[str, int]) -> None:
    """Fills the bench anew in the order of idleness."""
    bench.clear()
    bench.update(sorted(places.items(), key=lambda one: one[1]))
