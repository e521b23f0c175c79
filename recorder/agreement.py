"""Calibration: how far reviewers of the same recordings agree.

Krippendorff's alpha (Krippendorff, Content Analysis, 2004, ch. 11) by the library of that name:
1 is agreement, 0 what chance gives. 0.8 is usually asked for, below 0.667 nothing may be
concluded.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Pair:
    """Two reviewers over what both have scored."""

    one: str
    other: str
    shared: int
    mean_difference: float  # one's less the other's: who is stricter
    mean_distance: float  # however it is signed


@dataclass(frozen=True, slots=True)
class Agreement:
    """`alpha` is None where nothing can be said: one reviewer, or all scores the same value."""

    reviewers: tuple[str, ...]
    recordings: int  # that two and more have scored
    alpha: float | None
    pairs: tuple[Pair, ...]


def agreement(scores: Mapping[str, Mapping[str, float]]) -> Agreement:
    """Of {recording: {reviewer: score}}; an interval scale."""
    shared = {name: one for name, one in scores.items() if len(one) > 1}
    reviewers = tuple(sorted({who for one in shared.values() for who in one}))
    pairs = tuple(
        _pair(one, other, shared)
        for one, other in itertools.combinations(reviewers, 2)
        if any(one in scored and other in scored for scored in shared.values())
    )
    return Agreement(reviewers, len(shared), _alpha(reviewers, list(shared.values())), pairs)


def _pair(one: str, other: str, shared: Mapping[str, Mapping[str, float]]) -> Pair:
    differences = np.array(
        [scored[one] - scored[other] for scored in shared.values() if {one, other} <= scored.keys()]
    )
    return Pair(
        one,
        other,
        len(differences),
        round(float(differences.mean()), 3),
        round(float(np.abs(differences).mean()), 3),
    )


def _alpha(reviewers: Sequence[str], shared: Sequence[Mapping[str, float]]) -> float | None:
    table = np.array([[scored.get(who, np.nan) for scored in shared] for who in reviewers])
    known = table[~np.isnan(table)]
    if len(reviewers) < 2 or len(np.unique(known)) < 2:
        return None
    import krippendorff  # calibration alone needs it

    found = krippendorff.alpha(reliability_data=table, level_of_measurement="interval")
    return round(float(found), 4)
