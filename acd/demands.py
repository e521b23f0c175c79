"""A demand: the idle agents able to serve one set of skills, in the policy's order.

Agents of the same rank form a deque, the longest idle first, as agents become idle in that
order. Entries that have become false stay and are dropped when they come up, or all at once when
they are the most.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Mapping
from typing import TypeAlias

from acd.agents import Agent

Skills: TypeAlias = frozenset[str]
Place: TypeAlias = tuple[int, str]  # Agent.idle, user
SLACK = 64  # false entries that a deque may hold beside as many as true ones


class Bench:
    """Idle agents of one rank."""

    __slots__ = ("idle", "size")

    def __init__(self) -> None:
        self.size = 0  # agents configured
        self.idle: deque[Place] = deque()

    def add(self, agent: Agent, agents: Mapping[str, Agent]) -> None:
        """The agent has become idle: at the end, but for one whose offer was withdrawn."""
        idle, entry = self.idle, (agent.idle, agent.user)
        if not idle or idle[-1] < entry:
            idle.append(entry)
        else:
            idle.insert(bisect_left(idle, entry), entry)
        if len(idle) > 2 * self.size + SLACK:
            self.idle = deque(sorted({one for one in idle if is_idle(one, agents)}))

    def first(self, agents: Mapping[str, Agent], passes: Callable[[str], bool] | None) -> str:
        """The agent idle the longest, of those that pass; "" for none."""
        idle = self.idle
        while idle and not is_idle(idle[0], agents):
            idle.popleft()
        if passes is None:
            return idle[0][1] if idle else ""
        for entry in idle:
            if passes(entry[1]) and is_idle(entry, agents):
                return entry[1]
        return ""


class Demand:
    """Idle agents able to serve one set of skills."""

    __slots__ = ("benches", "skills")

    def __init__(self, skills: Skills) -> None:
        self.skills = skills
        self.benches: list[Bench] = []  # smaller rank first

    def best(self, agents: Mapping[str, Agent], tried: tuple[str, ...]) -> Agent | None:
        """The idle agent to ring; one that did not answer this call only if no other is."""
        if not tried:
            for bench in self.benches:
                if bench.idle:
                    user = bench.first(agents, None)
                    if user:
                        return agents[user]
            return None
        for passes in (lambda user: user not in tried, lambda user: True):
            for bench in self.benches:
                user = bench.first(agents, passes)
                if user:
                    return agents[user]
        return None

    def idle(self, agents: Mapping[str, Agent], most: int) -> int:
        """How many able agents are idle, counted up to `most`."""
        count = 0
        for bench in self.benches:
            seen = set()
            for entry in bench.idle:
                if count >= most:
                    return count
                if entry[1] not in seen and is_idle(entry, agents):
                    seen.add(entry[1])
                    count += 1
        return count


def is_idle(entry: Place, agents: Mapping[str, Agent]) -> bool:
    """Whether the agent is still idle since that moment."""
    agent = agents.get(entry[1])
    return agent is not None and agent.state == "ready" and agent.idle == entry[0]
