"""Proof that every recording of the index is in the store, whole, and kept long enough."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    recording: str
    key: str
    why: str


@dataclass(frozen=True, slots=True)
class Verification:
    checked: int
    problems: tuple[Problem, ...]

    @property
    def ok(self) -> bool:
        return not self.problems
