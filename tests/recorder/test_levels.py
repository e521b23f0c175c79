"""Waveforms, and who spoke when, of sounds whose answer is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recorder.levels import levels, points, svg, talk, voice

RATE = 8000


def said(*stretches: tuple[float, float], seconds: float, noise: float = 20) -> np.ndarray:
    """One channel: a voice in these stretches over a little noise."""
    t = np.arange(int(seconds * RATE)) / RATE
    sound = np.random.default_rng(5).normal(0, noise, len(t))
    for start, end in stretches:
        inside = (t >= start) & (t < end)
        sound[inside] += 5000 * np.sin(2 * np.pi * 250 * t[inside])
    return sound.astype(np.int16)


def figures(caller: np.ndarray, agent: np.ndarray):
    return talk(voice(levels([np.column_stack([caller, agent])]).decibels))


def test_a_dialogue_is_taken_apart():
    found = figures(
        said((0, 4), (12, 20), seconds=30),
        said((5, 11), (18, 22), seconds=30),
    )
    assert found.seconds == 30
    assert found.caller_talk == pytest.approx(12 / 30, abs=0.01)
    assert found.agent_talk == pytest.approx(10 / 30, abs=0.01)
    assert found.overlap == pytest.approx(2 / 30, abs=0.01)
    assert found.silence == pytest.approx(10 / 30, abs=0.01)
    assert found.agent_share == pytest.approx(10 / 22, abs=0.01)
    assert found.longest_silence_seconds == pytest.approx(8, abs=0.1)
    assert (found.long_silences, found.interruptions) == (1, 1)
    assert (found.caller_turns, found.agent_turns) == (2, 2)


def test_a_breath_between_two_words_is_no_silence_and_a_click_is_no_voice():
    found = figures(said((1, 2), (2.2, 3), (6, 6.06), seconds=8), said(seconds=8))
    assert found.caller_turns == 1
    assert found.caller_talk == pytest.approx(2 / 8, abs=0.01)
    assert (found.agent_talk, found.agent_share) == (0, 0)


def test_a_line_that_hums_is_not_a_voice():
    found = figures(said((2, 4), seconds=10, noise=150), said(seconds=10, noise=150))
    assert found.caller_talk == pytest.approx(2 / 10, abs=0.02)
    assert found.agent_talk == 0


@pytest.mark.parametrize("samples", [0, 1, 159, 160, 161])
def test_the_shortest_recordings_have_figures_too(samples):
    found = levels([np.zeros((samples, 2), np.int16)])
    assert found.duration_ms == -(-samples // 160) * 20
    assert talk(voice(found.decibels)).caller_talk == 0
    assert svg(found.peaks).endswith("</svg>")


@settings(max_examples=30)
@given(st.lists(st.integers(1, 3000), min_size=1, max_size=8), st.integers(0, 2**32 - 1))
def test_it_does_not_matter_in_which_pieces_the_sound_comes(sizes, seed):
    whole = np.random.default_rng(seed).integers(-30000, 30000, (sum(sizes), 2)).astype(np.int16)
    pieces = np.split(whole, np.cumsum(sizes)[:-1])
    one, many = levels([whole]), levels(pieces)
    assert np.array_equal(one.peaks, many.peaks)
    assert np.allclose(one.decibels, many.decibels)


@given(st.integers(1, 500), st.integers(10, 200))
def test_fewer_points_keep_the_loudest(count, wanted):
    peaks = np.random.default_rng(count).integers(0, 256, (count, 2)).astype(np.uint8)
    fewer = points(peaks, wanted)
    assert len(fewer) == min(count, wanted)
    assert fewer.max() == peaks.max()
