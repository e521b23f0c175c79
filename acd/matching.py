"""Lines, demands and pools, kept so that a match costs O(log n): who may serve whom.

Skill levels are skills of their own: an agent who knows `english` at level 3 has english,
english:1, english:2 and english:3, so that who is able is one test of sets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from acd.agents import Agent
from acd.calls import Call
from acd.delays import Delay
from acd.demands import Bench, Demand, Skills, sort
from acd.lines import Line, Rank
from acd.policies import POLICIES, Ranking, Stage
from acd.queue import Queue
from acd.settings import AgentSettings

LEVEL = 5  # of a skill that is named without one


def abilities(agent: AgentSettings) -> Skills:
    """The agent's skills with every level up to its own."""
    levels = agent.levels or (LEVEL,) * len(agent.skills)
    known = set(agent.skills)
    for skill, level in zip(agent.skills, levels, strict=True):
        known.update(f"{skill}:{below}" for below in range(1, level + 1))
    return frozenset(known)


class Pool:
    """Agents with the same abilities and rank, and what they are able to serve."""

    __slots__ = ("benches", "duty", "lines", "size", "skills")

    def __init__(self, skills: Skills) -> None:
        self.skills = skills
        self.size = 0
        self.duty = 0  # of them, those who are neither offline nor not_ready
        self.benches: list[Bench] = []
        self.lines: list[Line] = []


class Matcher:
    """All lines, demands and pools."""

    def __init__(self, agents: Mapping[str, Agent], settings: Iterable[AgentSettings]) -> None:
        self._agents = agents
        self._settings = {one.user: one for one in settings}
        self._demands: dict[tuple[Skills, Ranking], Demand] = {}
        self._lines: dict[tuple[str, Skills], Line] = {}
        self._asked: dict[tuple[str, tuple[str, ...]], Line] = {}  # the same, as calls ask
        self._pools: dict[tuple[Skills, tuple[tuple[int, ...], ...]], Pool] = {}
        self._pool_of: dict[str, Pool] = {}
        self._idle: Bench = {}  # all who are idle, in no order
        self._latest = 0  # who became idle last
        self.mobiles = {one.user: one.mobile for one in self._settings.values() if one.mobile}
        self.supervisors = [one.user for one in self._settings.values() if one.supervisor]
        for one in self._settings.values():
            if one.supervisor:
                continue
            key = abilities(one), tuple(policy.rank(one) for policy in POLICIES.values())
            pool = self._pools.setdefault(key, Pool(key[0]))
            pool.size += 1
            agent = self._agents.get(one.user)
            pool.duty += agent is not None and agent.state not in ("offline", "not_ready")
            self._pool_of[one.user] = pool

    def line_of(self, queue: Queue, asked: tuple[str, ...]) -> Line:
        """The line of a call that asks for skills beside the queue's own."""
        line = self._asked.get((queue.name, asked))
        if line is None:
            line = self.line(queue, queue.skills.union(asked))
            self._asked[queue.name, asked] = line
        return line

    def line(self, queue: Queue, skills: Skills) -> Line:
        """The line of these skills in the queue, opened when it is asked for the first time."""
        line = self._lines.get((queue.name, skills))
        if line is None:
            policy = queue.policy
            demand = self._demand(skills, policy.rank)
            line = Line(queue, demand, policy.place)
            self._lines[queue.name, skills] = line
            for pool in self._pools.values():
                if skills <= pool.skills:
                    pool.lines.append(line)
        return line

    def lines_of(self, queue: str) -> list[Line]:
        """The lines of one queue in which somebody waits."""
        return [one for (name, _), one in self._lines.items() if name == queue and one.count]

    def waits(self) -> bool:
        """Whether anybody waits in any line."""
        return any(line.count for line in self._lines.values())

    def best_agent(self, call: Call, now_ms: int) -> Agent | None:
        """The idle agent to ring for this call; none of the reserve for a call that is late."""
        line = call.line
        if line.reserve:
            place = line.place(call.waiter, line.promise, now_ms)
            if place.stage is Stage.LATE and line.demand.idle() <= line.reserve:
                return None
        user = line.demand.best(call.tried)
        return self._agents[user] if user else None

    def best_call(
        self, agent: Agent, now_ms: int, delays: Mapping[str, Delay]
    ) -> tuple[Rank, Call] | None:
        """The waiting call that this agent, idle from now on, is to serve."""
        pool = self._pool_of.get(agent.user)
        if pool is None:
            return None
        best: tuple[Rank, Call] | None = None
        for line in pool.lines:
            if line.count:
                delay = delays.get(agent.user) if line.measured else None
                delay_ms = None if delay is None else delay.ms
                head = line.head(now_ms, line.delay_ms if delay_ms is None else delay_ms)
                if head is None or (best is not None and best[0] < head[0]):
                    continue
                if line.reserve and head[0][0] == Stage.LATE:
                    if head[1].stage is not Stage.LATE:  # late for this agent only
                        head = line.head(now_ms, 0)
                        assert head is not None
                    if head[0][0] == Stage.LATE and line.demand.idle() < line.reserve:
                        continue
                best = head
        return best

    def add_idle(self, agent: Agent) -> None:
        """The agent is idle and no waiting call is for it."""
        user, place = agent.user, agent.idle
        pool = self._pool_of.get(user)
        if pool is None:
            return
        self._idle[user] = place
        if place > self._latest:
            self._latest = place
            for bench in pool.benches:
                bench[user] = place
        else:  # an offer was withdrawn: back at the old place
            for bench in pool.benches:
                sort(bench, {**bench, user: place})

    def remove_idle(self, user: str) -> None:
        """The agent is idle no more."""
        if self._idle.pop(user, None) is not None:
            for bench in self._pool_of[user].benches:
                del bench[user]

    def on_duty(self, user: str, change: int) -> None:
        """The agent came on duty (+1) or left it (-1)."""
        pool = self._pool_of.get(user)
        if pool is not None:
            pool.duty += change

    def servers(self, line: Line) -> int:
        """Agents on duty who are able to serve the line."""
        skills = line.demand.skills
        return sum(pool.duty for pool in self._pools.values() if skills <= pool.skills)

    def ahead(self, call: Call) -> int:
        """Waiting calls that agents able to serve this one serve before it."""
        return self.before(call.line.demand.skills, call.line.rank(call))

    def before(self, skills: Skills, rank: Rank) -> int:
        """Waiting calls that agents with these skills serve before one of that rank."""
        rivals: dict[int, Line] = {}
        for pool in self._pools.values():
            if pool.duty and skills <= pool.skills:
                rivals.update((id(line), line) for line in pool.lines if line.count)
        return sum(line.ahead(rank) for line in rivals.values())

    def is_able(self, user: str, skills: Skills) -> bool:
        """Whether the agent has these skills; a supervisor has its own, but is not in a pool."""
        pool = self._pool_of.get(user)
        if pool is not None:
            return skills <= pool.skills
        one = self._settings.get(user)
        return one is not None and skills <= abilities(one)

    def may_help(self, user: str, skills: Skills) -> bool:
        """Whether an overflow may ring for the agent; a supervisor helps with everything."""
        return user in self.supervisors or self.is_able(user, skills)

    def takes_calls(self, user: str) -> bool:
        """Whether the queues' calls are for this agent."""
        return user in self._pool_of

    def _demand(self, skills: Skills, rank: Ranking) -> Demand:
        demand = self._demands.get((skills, rank))
        if demand is not None:
            return demand
        demand = self._demands[skills, rank] = Demand(skills)
        benches: dict[tuple[int, ...], Bench] = {}
        for user, pool in self._pool_of.items():
            if skills <= pool.skills:
                bench = benches.setdefault(rank(self._settings[user]), {})
                if all(bench is not one for one in pool.benches):  # all of a pool rank alike
                    pool.benches.append(bench)
                if user in self._idle:
                    bench[user] = self._idle[user]
        for bench in benches.values():
            sort(bench, {**bench})
        demand.benches = [benches[key] for key in sorted(benches)]
        return demand
