"""`callcore forecast` by simulation: mobiles, policies and skills on the queue's own core."""

from __future__ import annotations

import json
import math
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from acd.forecast import Load
from acd.policies import policy_named
from acd.settings import OverflowStep, QueueSettings, Rule
from acd.simulate import QUEUE, Outcome, Scenario, simulate

# Student's t, 95 % two-sided, by degrees of freedom; the normal law's beyond.
T = {2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262, 14: 2.145}


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; `groups` as 8:english,general, `asks` as english=0.2."""

    load: Load
    agents: int
    groups: tuple[str, ...]
    asks: tuple[str, ...]
    mobiles: int
    overflow_after: float
    policy: str
    runs: int
    calls: int
    seed: int


@dataclass(frozen=True, slots=True)
class Figures:
    """Means over the runs, and the half width of the level's 95 % interval."""

    service_level: float
    half_width: float
    service_level_answered: float
    asa_seconds: float
    p_abandon: float
    longest_wait_seconds: float


def scenarios(question: Question) -> dict[str, Scenario]:
    """What is asked for, and the same without what is asked about; ValueError."""
    policy_named(question.policy)
    load = question.load
    groups = tuple(_group(one) for one in question.groups)
    agents = sum(count for count, _ in groups) if groups else question.agents
    if agents < 1:
        raise ValueError("a simulation needs at least one agent")
    if not load.calls_per_hour:
        raise ValueError("a simulation needs calls")
    rule = Rule(target_ms=round(load.target_seconds * 1000))
    queue = QueueSettings(
        QUEUE,
        rule=rule,
        policy=question.policy,
        wrap_up_seconds=0,
        max_wait_seconds=0,
        measured_delay=False,
    )
    plain = Scenario(
        agents,
        load.calls_per_hour,
        talk_seconds=load.handling_seconds,
        patience_seconds=load.patience_seconds,
        calls=question.calls,
        queue=queue,
        skills=groups,
        asks=_asks(question.asks, groups),
    )
    if load.patience_seconds is None and load.erlangs >= agents:
        raise ValueError(f"{load.erlangs:.1f} erlangs grow without end: give --patience")
    found = {question.policy: plain}
    if question.policy != "fifo":
        found = {"fifo": replace(plain, queue=replace(queue, policy="fifo")), **found}
    if question.mobiles:
        step = OverflowStep("mobile", question.overflow_after)
        found[f"{question.policy}, {question.mobiles} mobiles"] = replace(
            plain, queue=replace(queue, overflow=(step,)), mobiles=question.mobiles
        )
    return found


def _group(text: str) -> tuple[int, tuple[str, ...]]:
    count, colon, names = text.partition(":")
    skills = tuple(name.strip() for name in names.split(",") if name.strip())
    if not colon or not count.strip().isdigit() or not 0 < int(count) <= 10_000:
        raise ValueError(f"--group {text}: as 8:english,general (how many, and their skills)")
    return int(count), skills


def _asks(
    texts: tuple[str, ...], groups: tuple[tuple[int, tuple[str, ...]], ...]
) -> tuple[tuple[str, float], ...]:
    known, found, total = {name for _, names in groups for name in names}, [], 0.0
    for text in texts:
        skill, _, share = text.partition("=")
        try:
            value = float(share)
        except ValueError:
            value = math.nan
        if not 0 < value <= 1:
            raise ValueError(f"--ask {text}: as english=0.2 (a share of the calls)")
        if skill not in known:
            raise ValueError(f"--ask {text}: no --group has the skill {skill}")
        total += value
        found.append((skill, value))
    if total > 1 + 1e-9:
        raise ValueError("--ask: the shares are more than all calls")
    return tuple(found)


def figures_of(outcomes: list[Outcome]) -> Figures:
    """Means and the interval."""

    def mean(of: Callable[[Outcome], float]) -> float:
        return statistics.mean(of(one) for one in outcomes)

    levels = [one.tally.answered_in_target / one.tally.offered for one in outcomes]
    t = T.get(len(levels) - 1, 2.0 if len(levels) > 10 else 2.3)
    return Figures(
        service_level=statistics.mean(levels),
        half_width=t * statistics.stdev(levels) / math.sqrt(len(levels)),
        service_level_answered=mean(
            lambda one: one.tally.answered_in_target / max(1, one.tally.answered)
        ),
        asa_seconds=mean(
            lambda one: one.tally.answered_wait_ms / 1000 / max(1, one.tally.answered)
        ),
        p_abandon=mean(lambda one: one.tally.abandoned / one.tally.offered),
        longest_wait_seconds=max(one.longest_wait_seconds for one in outcomes),
    )


def answer(question: Question, as_json: bool) -> None:
    """Simulates and prints; ValueError for what has no meaning."""
    found: dict[str, Figures] = {}
    wanted = scenarios(question)
    console = Console(stderr=True)
    jobs = [(name, run) for name in wanted for run in range(question.runs)]
    outcomes: dict[str, list[Outcome]] = {name: [] for name in wanted}
    for name, run in track(jobs, "simulating", console=console, transient=True):
        source = random.Random(f"{question.seed}/{run}")
        outcomes[name].append(simulate(wanted[name], source))
    found = {name: figures_of(ones) for name, ones in outcomes.items()}
    if as_json:
        print(json.dumps(document(question, wanted, found)))
    else:
        show(question, wanted, found)


def document(
    question: Question, wanted: dict[str, Scenario], found: dict[str, Figures]
) -> dict[str, Any]:
    """The last variant's figures under the contract's names, all of them under `variants`."""
    asked = list(found)[-1]
    variants = {
        name: {
            "agents": wanted[name].agents,
            "mobiles": wanted[name].mobiles,
            "service_level": one.service_level,
            "service_level_half_width": one.half_width,
            "service_level_answered": one.service_level_answered,
            "asa_seconds": one.asa_seconds,
            "p_abandon": one.p_abandon,
            "longest_wait_seconds": one.longest_wait_seconds,
        }
        for name, one in found.items()
    }
    return {
        "erlangs": question.load.erlangs,
        **variants[asked],
        "simulated_calls": question.runs * question.calls,
        "variants": variants,
    }


def show(question: Question, wanted: dict[str, Scenario], found: dict[str, Figures]) -> None:
    """A line a variant, and what the last one buys."""
    load = question.load
    table = Table(
        title=f"simulated with the queue's core: {load.calls_per_hour:g} calls an hour, "
        f"{question.runs} x {question.calls} calls"
    )
    for heading in (
        "variant",
        "agents",
        f"in {load.target_seconds:g} s",
        "of answered",
        "mean wait",
        "give up",
        "longest",
    ):
        left = heading == "variant"
        table.add_column(heading, justify="left" if left else "right", no_wrap=not left)
    for name, one in found.items():
        table.add_row(
            name,
            str(wanted[name].agents),
            f"{one.service_level:.1%} ± {one.half_width:.1%}",
            f"{one.service_level_answered:.1%}",
            f"{one.asa_seconds:.1f} s",
            f"{one.p_abandon:.1%}",
            f"{one.longest_wait_seconds:.0f} s",
        )
    console = Console(highlight=False)
    console.print(table)
    names = list(found)
    if question.mobiles:
        more = found[names[-1]].service_level - found[names[-2]].service_level
        console.print(
            f"{question.mobiles} mobiles, rung after {question.overflow_after:g} s, buy "
            f"{more:+.1%} points answered in time"
        )
