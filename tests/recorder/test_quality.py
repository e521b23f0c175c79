"""Draws that can be repeated, scores that add up, agreement, watermarks."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.quality import score_cards
from recorder.agreement import agreement
from recorder.sampling import Candidate, Rule, draw
from recorder.scoring import Card, Item, ScoreError, total
from recorder.watermark import code_of, find, mark

CANDIDATES = [
    Candidate(f"r{n}", "q1" if n % 4 else "q2", f"800{n % 3}", "answered", 1000 * n)
    for n in range(300)
]


@given(st.permutations(CANDIDATES[:40]), st.text(max_size=8))
def test_a_draw_depends_on_its_seed_alone(shuffled, seed):
    rule = Rule("weekly", 20)
    assert draw(rule, shuffled, seed) == draw(rule, CANDIDATES[:40], seed)


def test_a_draw_takes_each_agent_s_share_within_its_limits():
    rule = Rule("weekly", 10, queue="q1", min_seconds=30, max_seconds=280)
    drawn = draw(rule, CANDIDATES, "w1")
    chosen = [one for one in CANDIDATES if one.recording in drawn]
    assert {one.queue for one in chosen} == {"q1"}
    assert all(30_000 <= one.duration_ms <= 280_000 for one in chosen)
    fitting = [
        one for one in CANDIDATES if one.queue == "q1" and 30_000 <= one.duration_ms <= 280_000
    ]
    for agent in ("8000", "8001", "8002"):
        own = sum(one.agent == agent for one in fitting)
        assert sum(one.agent == agent for one in chosen) == -(-own // 10)
    assert drawn != draw(rule, CANDIDATES, "w2")
    assert draw(replace(rule, most=4), CANDIDATES, "w1") == drawn[:4]


def test_nobody_goes_without_a_review():
    drawn = draw(Rule("all", 0, least_per_agent=2), CANDIDATES, "x")
    agents = [one.agent for one in CANDIDATES if one.recording in drawn]
    assert sorted(agents) == ["8000", "8000", "8001", "8001", "8002", "8002"]


CARD = Card("c", "卡", "card", (Item("a", "甲", "A", 30), Item("b", "乙", "B", 10, critical=True)))


def test_scores_come_to_a_share_of_a_hundred():
    assert total(CARD, {"a": 30, "b": 10}).score == 100
    assert total(CARD, {"a": 15, "b": 5}) == total(CARD, {"b": 5, "a": 15})
    assert not total(CARD, {"a": 15, "b": 5}).passed
    failed = total(CARD, {"a": 30, "b": 0})
    assert (failed.score, failed.failed_critical) == (0, ("b",))


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        ({"a": 1}, "'b' has no score"),
        ({"a": 1, "b": 1, "z": 1}, "no item 'z'; it has a, b"),
        ({"a": 31, "b": 1}, "scored 0 to 30, not 31"),
        ({"a": float("nan"), "b": 1}, "scored 0 to 30"),
    ],
)
def test_scores_that_do_not_fit_are_named(scores, why):
    with pytest.raises(ScoreError, match=why):
        total(CARD, scores)


def test_the_product_s_own_card_adds_up_to_a_hundred():
    (card,) = score_cards(())
    assert sum(item.points for item in card.items) == 100


def test_agreement_is_krippendorff_s():
    """His own example of an interval scale (Computing Krippendorff's Alpha, 2011, C)."""
    rows = {
        "A": [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
        "B": [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
        "C": [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
        "D": [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
    }
    scores = {
        f"r{at}": {who: row[at] for who, row in rows.items() if row[at] is not None}
        for at in range(12)
    }
    found = agreement(scores)
    assert found.alpha == pytest.approx(0.849, abs=0.001)
    assert found.recordings == 11
    assert len(found.pairs) == 6
    assert agreement({}).alpha is None
    assert agreement({"r1": {"A": 3, "B": 3}}).alpha is None


def speech(seed: int, seconds: int) -> np.ndarray:
    """Words of noise with pauses between them, now by the one and now by the other."""
    chance = np.random.default_rng(seed)
    sound = chance.normal(0, 15, (seconds * 8000, 2))
    at = side = 0
    while at < len(sound):
        word = np.convolve(chance.normal(0, 1, chance.integers(1200, 4800)), np.ones(6) / 6, "same")
        part = sound[at : at + len(word), side]
        part += word[: len(part)] * 3000 * chance.uniform(0.3, 1.5)
        at += len(word) + int(chance.integers(240, 2400))
        side ^= int(chance.random() < 0.1)
    return sound.astype(np.int16)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 65535), st.integers(0, 100_000), st.integers(0, 10**6))
def test_a_leaked_piece_tells_its_listener(code, first, seed):
    """Half a minute cut out anywhere, of two people who talk in turns."""
    talk = speech(seed, 30)
    marked = mark(talk, first, code, 32768 * 10 ** (-46 / 20))
    assert np.abs(marked.astype(int) - talk).max() <= 165
    assert find(marked) == code
    assert find(talk) is None


def test_what_was_never_marked_tells_nobody():
    chance = np.random.default_rng(3)
    talk = chance.normal(0, 2000, (30 * 8000, 2)).astype(np.int16)
    assert find(np.zeros((0, 2), np.int16)) is None
    assert find(talk[:100]) is None
    assert find(talk) is None
    assert 0 <= code_of("话务员") < 65536
