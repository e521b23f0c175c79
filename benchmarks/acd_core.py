"""Decisions a second of the ACD core, 1,000 agents and 20 skills, beside a list-scan matcher.

A decision is one step of the core: an event in, all its effects out. Calls arrive, are accepted,
bridged and ended, agents wrap up, at about 98 % load so that both idle agents and waiting calls are
searched. Each step's own time gives the percentiles; the rate is that of the same events given
again to a fresh core in one loop, by the processor time of this process (median of three), with
the rate by the wall clock beside it. A bare loop (a struct made, a dict and a heap changed for each
event) is timed between the rounds: its rate is the machine's, and `bare_loops_a_decision` is what
holds on any machine.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import sys
import tempfile
import time
from heapq import heappop, heappush
from operator import truediv
from pathlib import Path

import msgspec

from acd import events
from acd.core import Core
from acd.io.journal import Journal, JournalSettings
from acd.settings import AcdSettings, AgentSettings, QueueSettings

AGENTS, SKILLS, TALK_MS, WRAP_UP_MS = 1000, 20, 180_000, 10_000
BARS = {"decisions_per_second": 300_000, "p99_us": 50, "journalled_events_per_second": 50_000}


def settings(generator: random.Random) -> AcdSettings:
    names = [f"skill{index}" for index in range(SKILLS)]
    agents = tuple(
        AgentSettings(f"{8000 + index}", tuple(generator.sample(names, 3)))
        for index in range(AGENTS)
    )
    queue = QueueSettings("12345", wrap_up_seconds=WRAP_UP_MS / 1000, max_wait_seconds=600)
    return AcdSettings(queues=(queue,), agents=agents, kept_calls=20_000)


class Naive:
    """The same events answered by scanning lists: what a simple matcher does."""

    def __init__(self, acd: AcdSettings) -> None:
        self.skills = {agent.user: set(agent.skills) for agent in acd.agents}
        self.agents = [
            {"user": one.user, "state": "offline", "since": 0, "call": None} for one in acd.agents
        ]
        self.waiting: list[events.Arrived] = []
        self.tokens = 0
        self.offers: dict[str, tuple[events.Arrived, dict]] = {}
        self.talking: dict[str, dict] = {}
        self.ended: list[tuple] = []

    def step(self, event):
        kind = type(event).__name__
        if kind == "Arrived":
            idle = [
                agent
                for agent in self.agents
                if agent["state"] == "ready" and set(event.skills) <= self.skills[agent["user"]]
            ]
            if not idle:
                self.waiting.append(event)
                return []
            return self.offer(event, min(idle, key=lambda one: one["since"]))
        if kind == "Accepted":
            call, agent = self.offers.pop(event.token)
            agent["state"] = "talking"
            self.talking[call.call] = agent
            return []
        if kind == "CallEnded":
            agent = self.talking.pop(event.call)
            agent["state"], agent["since"] = "wrap_up", event.at_ms
            timer = "agent/" + agent["user"]
            self.ended.append((event.call, event.at_ms))
            return [
                events.Arm(timer, event.at_ms + WRAP_UP_MS),
                events.Finished(event.call, "answered"),
            ]
        if kind in ("Fired", "AgentReady"):
            user = event.agent if kind == "AgentReady" else event.timer[6:]
            agent = next(one for one in self.agents if one["user"] == user)
            agent["state"], agent["since"] = "ready", event.at_ms
            able = [one for one in self.waiting if set(one.skills) <= self.skills[user]]
            if able:
                call = min(able, key=lambda one: self.rank(one, event.at_ms))
                self.waiting.remove(call)
                return self.offer(call, agent)
        return []

    def rank(self, call, now):
        waited = now - call.at_ms
        if waited >= 120_000:
            return 0, call.at_ms
        return (2, call.at_ms) if waited <= 15_000 else (3, call.at_ms)

    def offer(self, call, agent):
        self.tokens += 1
        token = f"offer/{self.tokens}"
        agent["state"] = "ringing"
        self.offers[token] = (call, agent)
        return [
            events.Offer(call.call, agent["user"], token),
            events.Arm(token, call.at_ms + 12_000),
            events.AgentStateChanged(agent["user"], "ringing", call.at_ms),
        ]


def drive(core, calls: int, generator: random.Random) -> tuple[list[int], list]:
    """Nanoseconds of each step after a warm-up of two rounds of all agents, and the events."""
    clock, took, told = time.perf_counter_ns, [], []
    plan: list[tuple[int, int, object]] = []
    serial = arrived = 0
    gap_ms = (TALK_MS + WRAP_UP_MS) / AGENTS / 0.98
    at = float(WRAP_UP_MS)
    for agent in settings(random.Random(1)).agents:
        told.append(events.AgentReady(0, agent.user))
        core.step(told[-1])
    while arrived < calls:
        if not plan or at <= plan[0][0]:
            arrived += 1
            skill = f"skill{generator.randrange(SKILLS)}"
            event = events.Arrived(round(at), f"c{arrived}", "12345", "138", 0, (skill,))
            at += generator.expovariate(1 / gap_ms)
        else:
            event = heappop(plan)[2]
        told.append(event)
        start = clock()
        effects = core.step(event)
        spent = clock() - start
        if arrived > 2 * AGENTS:
            took.append(spent)
        for effect in effects:
            now, serial = event.at_ms, serial + 1
            kind = type(effect)
            if kind is events.Offer:
                end = now + 1 + round(generator.expovariate(1 / TALK_MS))
                heappush(plan, (now + 1, 3 * serial, events.Accepted(now + 1, effect.token)))
                heappush(plan, (now + 1, 3 * serial + 1, events.Bridged(now + 1, effect.call)))
                heappush(plan, (end, 3 * serial + 2, events.CallEnded(end, effect.call)))
            elif kind is events.Arm and effect.timer[0] == "a" and effect.at_ms - now <= WRAP_UP_MS:
                due = events.Fired(effect.at_ms, effect.timer)
                heappush(plan, (effect.at_ms, 3 * serial, due))
    return took, told


def measure(make, calls: int) -> dict[str, float]:
    took, told = drive(make(), calls, random.Random(2))
    took.sort()
    cpu, wall, loops = [], [], []
    for _ in range(3):
        step = make().step
        gc.collect()
        gc.freeze()
        cpu_start, wall_start = time.process_time(), time.perf_counter()
        for event in told:
            step(event)
        cpu.append(time.process_time() - cpu_start)
        wall.append(time.perf_counter() - wall_start)
        gc.unfreeze()
        loops.append(bare(len(told)))
    return {
        "bare_loops_per_second": round(len(told) / sorted(loops)[1]),
        "bare_loops_a_decision": round(statistics.median(map(truediv, cpu, loops)), 2),
        "decisions_per_second": round(len(told) / sorted(cpu)[1]),
        "decisions_per_second_wall": round(len(told) / sorted(wall)[1]),
        "median_us": round(took[len(took) // 2] / 1000, 2),
        "p99_us": round(took[len(took) * 99 // 100] / 1000, 2),
        "worst_us": round(took[-1] / 1000, 1),
        "decisions": len(told),
    }


class Bare(msgspec.Struct, frozen=True, gc=False):
    """What the bare loop makes of each event."""

    at_ms: int
    name: str


def bare(events_: int) -> float:
    """Processor seconds of the least that a table of calls and timers costs: no decision at all."""
    table: dict[int, Bare] = {}
    due: list[tuple[int, int]] = []
    start = time.process_time()
    for index in range(events_):
        table[index] = Bare(index, "call")
        heappush(due, (index * 7919 % 100_003, index))
        if index >= AGENTS:
            del table[heappop(due)[1]]
    return time.process_time() - start


def journalled(count: int) -> dict[str, float]:
    """Steps and appends on one thread, group commit on the other, until all is on the disk."""
    with tempfile.TemporaryDirectory() as folder:
        failures: list[OSError] = []
        journal = Journal(JournalSettings(Path(folder)), failures.append)
        core = Core(settings(random.Random(1)))
        start = time.perf_counter()
        for index in range(count // 2):
            for event in (
                events.Arrived(index, f"c{index}", "12345"),
                events.HungUp(index, f"c{index}"),
            ):
                journal.append(event)
                core.step(event)
        journal.flush(60)
        took = time.perf_counter() - start
        journal.close()
        if failures:
            raise failures[0]
        return {
            "journalled_events_per_second": round(count / took),
            "events_per_sync": round(count / max(1, journal.syncs)),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the calls")
    calls = 6_000 if parser.parse_args().quick else 60_000
    acd = settings(random.Random(1))
    print(f"core, {calls} calls", file=sys.stderr)
    figures = measure(lambda: Core(acd), calls)
    print("naive list scan", file=sys.stderr)
    naive = measure(lambda: Naive(acd), min(calls, 6_000))
    print("journal", file=sys.stderr)
    figures |= journalled(20_000 if calls < 10_000 else 200_000)
    figures |= {f"naive_{name}": value for name, value in naive.items()}
    figures["times_naive"] = round(
        figures["decisions_per_second"] / naive["decisions_per_second"], 1
    )
    ok = (
        figures["decisions_per_second"] >= BARS["decisions_per_second"]
        and figures["p99_us"] <= BARS["p99_us"]
        and figures["journalled_events_per_second"] >= BARS["journalled_events_per_second"]
    )
    print(json.dumps({"name": "acd_core", "figures": figures, "bars": BARS, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
