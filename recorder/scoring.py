"""Score cards: what a reviewer judges, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


class ScoreError(ValueError):
    """The scores do not fit the card; the text names the item and what is allowed."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to judge; `critical`: no points for it make the whole review 0."""

    key: str
    zh: str
    en: str
    points: int
    critical: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    name: str
    zh: str
    en: str
    items: tuple[Item, ...]
    passes: float = 80.0  # of 100
    version: int = 1

    @property
    def points(self) -> int:
        return sum(item.points for item in self.items)


@dataclass(frozen=True, slots=True)
class Total:
    """0 to 100; `failed_critical` names the items that made it 0."""

    score: float
    passed: bool
    failed_critical: tuple[str, ...] = ()


def total(card: Card, scores: Mapping[str, float]) -> Total:
    """What the scores come to; raises ScoreError when one is missing, unknown or out of range."""
    known = {item.key: item for item in card.items}
    if unknown := sorted(scores.keys() - known.keys()):
        raise ScoreError(f"card {card.name} has no item {unknown[0]!r}; it has {_names(card)}")
    if missing := [key for key in known if key not in scores]:
        raise ScoreError(f"card {card.name}: item {missing[0]!r} has no score")
    for key, score in scores.items():
        if not 0 <= score <= known[key].points:
            raise ScoreError(f"item {key!r} is scored 0 to {known[key].points}, not {score:g}")
    failed = tuple(item.key for item in card.items if item.critical and not scores[item.key])
    reached = 0.0 if failed else 100 * sum(scores.values()) / card.points
    return Total(round(reached, 2), not failed and reached >= card.passes, failed)


def _names(card: Card) -> str:
    return ", ".join(item.key for item in card.items)
