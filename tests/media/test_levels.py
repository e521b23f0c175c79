"""Levels, talkers and gain of many legs against one leg in plain words."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from media import messages as m
from media.events import LegClosed, Measured, Talking
from media.g711 import decode, encode
from media.gain import MOST_DB, Gains
from media.levels import HANG_LOOKS, LOOK_MS, Levels
from tests.media.wire import Board, voice


def plain_dbov(amplitude: float) -> float:
    return max(-127.0, 20 * math.log10(max(amplitude, 1e-3) / 32768))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.sampled_from([0, 10, 400, 32767]))
def test_rms_and_peak_are_what_the_samples_say(seed, legs, loudest):
    rng = np.random.default_rng(seed)
    codec = rng.integers(0, 2, legs).astype(np.uint8)
    samples = rng.integers(-loudest, loudest + 1, (legs, 160)).astype(np.int16)
    codes = np.stack([encode(row, law) for row, law in zip(samples, codec, strict=True)])
    levels = Levels(legs)
    for tick in (0, 1):
        levels.look(codes, codec, tick)
    for leg in range(legs):
        heard = decode(codes[leg], codec[leg]).astype(float)
        assert levels.rms[leg] == np.float32(levels.rms[leg])
        assert abs(levels.rms[leg] - plain_dbov(math.sqrt((heard**2).mean()))) < 0.01
        assert abs(levels.peak[leg] - plain_dbov(abs(heard).max())) < 0.01


def look(levels: Levels, amplitude: int, looks: int) -> list[bool]:
    """So many looks at a tone; what was told."""
    tone = np.rint(amplitude * np.sin(np.arange(160) * 0.3)).astype(np.int16)
    told = []
    for _ in range(looks):
        for leg in levels.look(encode(tone, 0)[None], np.zeros(1, np.uint8), 0):
            told.append(bool(levels.talking[leg]))
    return told


def test_a_click_is_no_voice_and_a_breath_does_not_end_one():
    levels = Levels(1)
    assert look(levels, 20, 50) == []
    assert look(levels, 8000, 1) == []
    assert look(levels, 20, 5) == []
    assert look(levels, 2000, 10) == [True]
    assert look(levels, 20, HANG_LOOKS - 1) == []
    assert look(levels, 2000, 3) == []
    assert look(levels, 20, HANG_LOOKS) == [False]


def test_a_constant_background_is_no_voice_for_long():
    levels = Levels(1)
    assert look(levels, 20, 20) == []
    assert look(levels, 300, 3000)[-1:] in ([False], [])


@settings(deadline=None)
@given(st.integers(-40, 40), st.integers(0, 1), st.integers(0, 255))
def test_gain_is_whole_decibels_and_clips(db, law, code):
    gains = Gains(3)
    gains.set(1, db)
    heard = np.full((3, 160), code, np.uint8)
    gains.step(heard, np.full(3, law, np.uint8))
    kept = max(-MOST_DB, min(MOST_DB, db))
    linear = float(decode(np.array([code], np.uint8), law)[0]) * 10 ** (kept / 20)
    wanted = encode(np.array([max(-32768, min(32767, round(linear)))], np.int16), law)
    assert (heard[1] == wanted).all()
    assert (heard[[0, 2]] == code).all()


def test_the_owner_hears_of_talkers_it_watches_and_of_levels_it_asks_for():
    board = Board("ab")
    board.obey(m.Watch("a", True))
    board.obey(m.Gain("a", -6))
    for number in range(200):
        level = 8000 if 50 <= number < 100 else 0
        for leg in (0, 1):
            board.wire.put(leg, voice(number, level))
        board.step()
        if number == 90:
            board.obey(m.Measure("a"))
            board.obey(m.Measure("b"))
    assert board.of(Talking) == [Talking("a", True), Talking("a", False)]
    a, b = (event.sound for event in board.of(Measured))
    assert abs(b.peak_dbov - plain_dbov(8000)) < 0.3
    assert abs(b.rms_dbov - plain_dbov(8000 / math.sqrt(2))) < 0.3
    assert abs(b.rms_dbov - a.rms_dbov - 6) < 0.3
    assert a.talking
    assert 20 <= a.depth_ms <= 40
    board.obey(m.Close("a"))
    closed = board.of(LegClosed)[0]
    assert 900 <= closed.sound.talk_ms <= 50 * 20 + 500 + 2 * LOOK_MS
