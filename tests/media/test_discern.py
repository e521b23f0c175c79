"""Which tone a network plays is told by frequency and cadence, whoever made it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.discern import Discerning
from media.g711 import PCMA, encode
from media.tones import TONES, Tone, samples
from media.types import FRAME, RATE

CHINA = {name: TONES[name] for name in ("ringback", "busy", "congestion", "unobtainable")}
ELSEWHERE = {
    "busy": [Tone((425,), (0.5, 0.5)), Tone((480, 620), (0.5, 0.5)), Tone((400,), (0.375, 0.375))],
    "congestion": [Tone((425,), (0.25, 0.25)), Tone((480, 620), (0.25, 0.25))],
    "ringback": [Tone((440, 480), (2, 4)), Tone((425,), (1, 4))],
}


def played(signal, skip=0):
    """What is told of a signal, (n,) int16, heard from some sample on."""
    told = []
    ears = Discerning()
    ears.start(3)
    heard = np.full((5, FRAME), 0xD5, np.uint8)
    codec = np.full(5, PCMA, np.uint8)
    for at in range(skip, len(signal) - FRAME + 1, FRAME):
        heard[3] = encode(signal[at : at + FRAME], PCMA)
        told += [name for leg, name in ears.listen(heard, codec) if leg == 3]
    return told


def lasting(tone, seconds=10):
    period = samples(tone)
    return np.tile(period, int(seconds * RATE / len(period)) + 1)[: seconds * RATE]


@pytest.mark.parametrize("name", CHINA)
@pytest.mark.parametrize("skip", [0, 37, 1200, 5000])
@pytest.mark.parametrize("dbm0", [-5.0, -30.0])
def test_chinas_tones_are_known_from_wherever_they_are_heard(name, skip, dbm0):
    """GB/T 3380: 450 Hz, 25 to either side; told apart by their cadence alone."""
    tone = CHINA[name]
    for hertz in (435, 450, 465):
        made = Tone((hertz,), tone.cadence, dbm0)
        assert played(lasting(made), skip) == [name], hertz


@pytest.mark.parametrize(
    ("name", "tone"), [(name, one) for name, tones in ELSEWHERE.items() for one in tones]
)
def test_other_countries_tones_are_known_too(name, tone):
    assert played(lasting(tone)) == [name]


def test_the_special_information_tone_is_three_tones_in_their_order():
    def three(*hertz):
        parts = [samples(Tone((hz,), (0.34, 0.02)))[: round(0.36 * RATE)] for hz in hertz]
        return np.concatenate([*parts, np.zeros(RATE, np.int16)])

    assert played(three(950, 1400, 1800)) == ["special"]
    assert played(three(985, 1428, 1777)) == ["special"]
    assert played(three(1800, 1400, 950)) == []
    assert played(np.concatenate([three(950, 1400, 1800)] * 2)) == ["special"]


def test_a_busy_tone_after_an_announcement_is_heard():
    chance = np.random.default_rng(1)
    voice = (chance.normal(0, 3000, 3 * RATE)).astype(np.int16)
    assert played(np.concatenate([voice, lasting(TONES["busy"], 5)])) == ["sound", "busy"]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_speech_and_music_are_no_tones_of_failure(seed):
    """Harmonics that change each tenth of a second, with pauses."""
    chance = np.random.default_rng(seed)
    parts = []
    for _ in range(60):
        at = np.arange(round(chance.uniform(0.05, 0.4) * RATE)) / RATE
        pitch, count = chance.uniform(90, 480), chance.integers(2, 8)
        weights = chance.uniform(0.3, 1, count)
        waves = [w * np.sin(2 * np.pi * pitch * (n + 1) * at) for n, w in enumerate(weights)]
        parts.append(np.sum(waves, axis=0) * chance.choice([0, 2500, 4000]))
    told = played(np.concatenate(parts).astype(np.int16))
    assert not set(told) & {"busy", "congestion", "unobtainable", "special"}
