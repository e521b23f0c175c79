"""Callers who are known: who talked to whom, and who calls again and again."""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from acd.settings import AffinitySettings


def is_number(caller: str) -> bool:
    """Whether a caller can be known and called again: who withholds the number cannot."""
    return caller.removeprefix("+").isdecimal()


class Caller(NamedTuple):
    """What is remembered of one number."""

    agent: str = ""  # who answered it last
    answered_ms: int = 0
    calls: int = 0  # in the window that began at
    since_ms: int = 0


class Recognised(NamedTuple):
    """What follows for its next call."""

    agent: str
    priority: int


class Callers:
    """The latest callers, at most so many."""

    def __init__(self, kept: int) -> None:
        self.kept = kept
        self._known: OrderedDict[str, Caller] = OrderedDict()

    def arrive(self, number: str, now_ms: int, settings: AffinitySettings) -> Recognised:
        """One more call of this number, and what it gets by its earlier ones."""
        known = self._known.get(number, Caller())
        if now_ms - known.since_ms > settings.repeat_seconds * 1000:
            known = known._replace(calls=0, since_ms=now_ms)
        known = known._replace(calls=known.calls + 1)
        self._remember(number, known)
        repeats = settings.repeat_calls and known.calls >= settings.repeat_calls
        recent = now_ms - known.answered_ms <= settings.last_agent_seconds * 1000
        return Recognised(known.agent if recent else "", settings.repeat_priority if repeats else 0)

    def answer(self, number: str, agent: str, now_ms: int) -> None:
        """The agent talks to this number now."""
        known = self._known.get(number, Caller())
        self._remember(number, known._replace(agent=agent, answered_ms=now_ms))

    def _remember(self, number: str, known: Caller) -> None:
        self._known[number] = known
        self._known.move_to_end(number)
        while len(self._known) > self.kept:
            self._known.popitem(last=False)
