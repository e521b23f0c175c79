"""The E-model against ITU-T's own figures."""

import pytest

from media.quality import G711, Path, delay_impairment, loss_impairment, mos, rating, score


def test_a_perfect_line_has_the_default_rating():
    assert rating(0, 0) == pytest.approx(93.2, abs=0.1)
    assert score(93.2) == pytest.approx(4.41, abs=0.01)  # G.107 Annex B


@pytest.mark.parametrize(
    ("r", "expected"), [(90, 4.34), (80, 4.03), (70, 3.6), (60, 3.1), (50, 2.58)]
)
def test_ratings_become_opinions_as_in_g_107_table_b_1(r, expected):
    assert score(r) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("percent", "expected"), [(1, 3.6), (3, 10.1), (5, 15.8), (10, 27.1)])
def test_loss_costs_what_g_113_says_of_g_711_with_concealment(percent, expected):
    assert loss_impairment(percent / 100, G711) == pytest.approx(expected, abs=0.1)


def test_delay_costs_little_below_150_ms_and_much_beyond_400():
    """G.107's figure of delay at the default TELR: about 4 at 150 ms, 25 and more at 400."""
    assert delay_impairment(20) < 1
    assert 2 < delay_impairment(150) < 8
    assert delay_impairment(400) > 20


def test_more_loss_and_more_jitter_never_sound_better():
    scores = [mos(Path(lost, 1000, jitter)) for lost in range(0, 300, 30) for jitter in (0,)]
    assert scores == sorted(scores, reverse=True)
    assert mos(Path(0, 1000, 50)) < mos(Path(0, 1000, 0))
    assert 1 <= mos(Path(1000, 1000, 500, 2000)) < 1.5
    assert mos(Path(0, 0)) > 4.3
