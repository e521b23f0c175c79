"""Waiting calls and idle agents, kept so that a match costs O(log n).

A line holds the waiting calls of one queue that ask for the same skills: a heap for each class
of the policy, and one of the times at which a call's class changes. A demand holds the idle
agents able to serve one set of skills, longest idle first: a deque, as agents become idle in that
order. Entries that have become false stay and are dropped when they come up, or all at once when
they are the most.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from typing import TypeAlias

from acd.agents import Agent
from acd.calls import Call
from acd.policies import NEVER, Policy, Promise, Stage, order
from acd.settings import AgentSettings

Skills: TypeAlias = frozenset[str]
Entry: TypeAlias = tuple[int, int, int, int, Call]  # urgency, queued_ms, serial, ticket, call
Rank: TypeAlias = tuple[int, int, int, int]  # stage, urgency, queued_ms, serial
SLACK = 64  # false entries that a heap may hold beside as many as true ones


class Demand:
    """Idle agents able to serve one set of skills, in the order of `Agent.idle`."""

    __slots__ = ("able", "idle", "skills")

    def __init__(self, skills: Skills) -> None:
        self.skills = skills
        self.able = 0  # agents configured with these skills
        self.idle: deque[tuple[int, str]] = deque()

    def add(self, agent: Agent, agents: Mapping[str, Agent]) -> None:
        """The agent has become idle: at the end, but for one whose offer was withdrawn."""
        idle, entry = self.idle, (agent.idle, agent.user)
        if not idle or idle[-1] < entry:
            idle.append(entry)
        else:
            idle.insert(bisect_left(idle, entry), entry)
        if len(idle) > 2 * self.able + SLACK:
            self.idle = deque(sorted({one for one in idle if _is_idle(one, agents)}))

    def longest_idle(self, agents: Mapping[str, Agent], tried: tuple[str, ...]) -> Agent | None:
        """The agent idle the longest; one that did not answer this call only if no other is."""
        idle = self.idle
        aside: list[tuple[int, str]] = []
        found: Agent | None = None
        while idle:
            entry = idle[0]
            agent = agents.get(entry[1])
            if agent is None or agent.state != "ready" or agent.idle != entry[0]:
                idle.popleft()
            elif entry[1] in tried:
                aside.append(idle.popleft())
            else:
                found = agent
                break
        idle.extendleft(reversed(aside))
        if found is None and aside:
            found = agents[aside[0][1]]
        return found


def _is_idle(entry: tuple[int, str], agents: Mapping[str, Agent]) -> bool:
    agent = agents.get(entry[1])
    return agent is not None and agent.state == "ready" and agent.idle == entry[0]


class Line:
    """Waiting calls of one queue that ask for the same skills."""

    __slots__ = ("changes", "count", "demand", "policy", "promise", "queue", "stages", "tickets")

    def __init__(self, queue: str, demand: Demand, policy: Policy, promise: Promise) -> None:
        self.queue = queue
        self.demand = demand
        self.policy = policy
        self.promise = promise
        self.count = 0
        self.tickets = 0
        self.stages: tuple[list[Entry], ...] = tuple([] for _ in Stage)
        self.changes: list[tuple[int, int, Call]] = []  # until_ms, ticket, call

    def add(self, call: Call, now_ms: int) -> None:
        """The call waits from now on."""
        self.count += 1
        self._place(call, now_ms)

    def remove(self, call: Call) -> None:
        """The call waits no longer."""
        call.ticket = 0
        self.count -= 1
        entries = len(self.changes) + sum(map(len, self.stages))
        if entries > 4 * self.count + SLACK:
            self._sweep()

    def head(self, now_ms: int) -> tuple[Rank, Call] | None:
        """The call to be served first at this time, with its rank among all lines."""
        changes = self.changes
        while changes and changes[0][0] <= now_ms:
            _, ticket, call = heappop(changes)
            if call.ticket == ticket:
                self._place(call, now_ms)
        for stage, heap in enumerate(self.stages):
            while heap:
                urgency, queued_ms, serial, ticket, call = heap[0]
                if call.ticket == ticket:
                    return (stage, urgency, queued_ms, serial), call
                heappop(heap)
        return None

    def _place(self, call: Call, now_ms: int) -> None:
        self.tickets = ticket = self.tickets + 1
        call.ticket = ticket
        place = self.policy(call.waiter, self.promise, now_ms)
        urgency, queued_ms = order(call.waiter, place)
        heappush(self.stages[place.stage], (urgency, queued_ms, call.serial, ticket, call))
        if place.until_ms < NEVER:
            heappush(self.changes, (place.until_ms, ticket, call))

    def _sweep(self) -> None:
        for heap in self.stages:
            heap[:] = [entry for entry in heap if entry[4].ticket == entry[3]]
            heapify(heap)
        self.changes = [entry for entry in self.changes if entry[2].ticket == entry[1]]
        heapify(self.changes)


class Pool:
    """Agents with the same skills, and what they are able to serve."""

    __slots__ = ("demands", "lines", "size", "skills")

    def __init__(self, skills: Skills) -> None:
        self.skills = skills
        self.size = 0
        self.demands: list[Demand] = []
        self.lines: list[Line] = []


class Matcher:
    """All lines, demands and pools."""

    def __init__(self, agents: Mapping[str, Agent], settings: Iterable[AgentSettings]) -> None:
        self._agents = agents
        self._demands: dict[Skills, Demand] = {}
        self._lines: dict[tuple[str, Skills], Line] = {}
        self._pools: dict[Skills, Pool] = {}
        self._pool_of: dict[str, Pool] = {}
        for agent in settings:
            skills = frozenset(agent.skills)
            pool = self._pools.setdefault(skills, Pool(skills))
            pool.size += 1
            self._pool_of[agent.user] = pool

    def line(self, queue: str, skills: Skills, policy: Policy, promise: Promise) -> Line:
        """The line of these skills in the queue, opened when it is asked for the first time."""
        line = self._lines.get((queue, skills))
        if line is None:
            line = Line(queue, self._demand(skills), policy, promise)
            self._lines[queue, skills] = line
            for pool in self._pools.values():
                if skills <= pool.skills:
                    pool.lines.append(line)
        return line

    def best_agent(self, call: Call) -> Agent | None:
        """The idle agent to ring for this call."""
        return call.line.demand.longest_idle(self._agents, call.tried)

    def best_call(self, user: str, now_ms: int) -> Call | None:
        """The waiting call that this agent is to serve."""
        pool = self._pool_of.get(user)
        if pool is None:
            return None
        best: tuple[Rank, Call] | None = None
        for line in pool.lines:
            if line.count:
                head = line.head(now_ms)
                if head is not None and (best is None or head[0] < best[0]):
                    best = head
        return None if best is None else best[1]

    def add_idle(self, agent: Agent) -> None:
        """The agent is idle and no waiting call is for it."""
        pool = self._pool_of.get(agent.user)
        if pool is not None:
            for demand in pool.demands:
                demand.add(agent, self._agents)

    def is_able(self, user: str, call: Call) -> bool:
        """Whether the agent has the skills that the call asks for."""
        pool = self._pool_of.get(user)
        return pool is not None and call.line.demand.skills <= pool.skills

    def _demand(self, skills: Skills) -> Demand:
        demand = self._demands.get(skills)
        if demand is None:
            demand = self._demands[skills] = Demand(skills)
            for pool in self._pools.values():
                if skills <= pool.skills:
                    demand.able += pool.size
                    pool.demands.append(demand)
            for user, pool in self._pool_of.items():
                agent = self._agents.get(user)
                if skills <= pool.skills and agent is not None and agent.state == "ready":
                    demand.add(agent, self._agents)
        return demand
