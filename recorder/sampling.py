"""Which recordings are reviewed: rules, and a draw that anybody can repeat.

A recording's lot is a hash of seed, rule and its name: the same seed draws the same recordings
whoever asks, in whatever order they come, and nobody can choose among them.
"""

from __future__ import annotations

import hashlib
import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

LOTS = 1 << 64


@dataclass(frozen=True, slots=True)
class Rule:
    """Whose recordings, and how many of them; "" and None mean any."""

    name: str
    percent: float
    queue: str = ""
    agent: str = ""
    result: str = ""
    min_seconds: float = 0.0
    max_seconds: float | None = None
    least_per_agent: int = 0  # so that nobody with few calls goes without a review
    most: int = 1000  # of a draw, by lot


@dataclass(frozen=True, slots=True)
class Candidate:
    recording: str
    queue: str
    agent: str
    result: str
    duration_ms: int


def lot(seed: str, rule: str, recording: str) -> float:
    """0 to 1, evenly spread."""
    text = "\0".join((seed, rule, recording)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") / LOTS


def fits(rule: Rule, one: Candidate) -> bool:
    seconds = one.duration_ms / 1000
    return (
        rule.queue in ("", one.queue)
        and rule.agent in ("", one.agent)
        and rule.result in ("", one.result)
        and rule.min_seconds <= seconds
        and (rule.max_seconds is None or seconds <= rule.max_seconds)
    )


def draw(rule: Rule, candidates: Iterable[Candidate], seed: str) -> list[str]:
    """The names drawn, lowest lot first: a share of each agent's, or the least, rounded up."""
    by_agent: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for one in candidates:
        if fits(rule, one):
            by_agent[one.agent].append((lot(seed, rule.name, one.recording), one.recording))
    drawn: list[tuple[float, str]] = []
    for lots in by_agent.values():
        wanted = max(math.ceil(len(lots) * rule.percent / 100), rule.least_per_agent)
        drawn += sorted(lots)[:wanted]
    return [recording for _, recording in sorted(drawn)[: rule.most]]
