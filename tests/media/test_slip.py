"""Clocks that drift and networks that change: time is put in and left out without clicks."""

import numpy as np
import pytest

from media.g711 import PCMA, decode, encode
from media.slip import Slip
from tests.media.network import Line, stream
from tests.media.phones import power
from tests.media.test_conceal import speech


def tone(seconds: float, hertz: float = 450) -> np.ndarray:
    at = np.arange(round(seconds * 8000)) / 8000
    return np.rint(8000 * np.sin(2 * np.pi * hertz * at)).astype(np.int16)


def steady(count: int) -> np.ndarray:
    return np.full(count, 5.0)


@pytest.mark.parametrize("ppm", [200, -200])
def test_a_tone_of_a_drifting_sender_stays_a_pure_tone(ppm):
    """Two minutes of 200 ppm are 24 ms."""
    line = Line()
    heard = line.hear(stream(tone(120), steady(6000), ppm))
    moved = line.count("trimmed") if ppm > 0 else line.count("stretched")
    assert moved in (1, 2)
    assert line.count("concealed") == line.count("late") == line.count("resynced") == 0
    assert max(np.abs(np.diff(heard[8000:].astype(int)))) < 3300  # 2 % over the tone's own steps
    for start in range(8000, len(heard) - 8000, 8000):
        assert power(heard[start : start + 800], 450) > 0.98
    assert max(line.depths[100:]) <= 3 * 160


def test_speech_of_a_drifting_sender_slips_where_nothing_is_said():
    """What is said passes bit by bit: only pauses get longer."""
    talk = np.concatenate([speech(3, 16000), np.zeros(4000, np.int16)] * 60)
    line = Line()
    line.hear(stream(talk, steady(len(talk) // 160), 200))
    assert line.count("trimmed") >= 1
    assert line.slip.carry[0] == 0


@pytest.mark.parametrize("jitter_ms", [20, 60, 100])
def test_the_depth_follows_the_jitter_both_ways_within_5_s(jitter_ms):
    rng = np.random.default_rng(5)
    delays = np.zeros(1750)
    delays[500:1000] = rng.uniform(0, jitter_ms, 500)
    line = Line()
    line.hear(stream(speech(1, 1750 * 160), delays))
    frames = jitter_ms / 20
    before, rough, after = line.depths[400:500], line.depths[750:1000], line.depths[1250:1700]
    assert max(before) <= 2 * 160
    assert np.median(rough) / 160 >= frames - 2
    assert max(rough) / 160 <= frames + 3
    assert max(after) <= 3 * 160
    # The same by how long a packet waits that the network did not delay: a tick more or two.
    waits = np.array(line.waits) / 8
    assert waits[750:1000].min() >= jitter_ms
    assert waits[750:1000].max() <= jitter_ms + 40
    assert waits[1250:1700].max() <= 40
    # A late packet in a hundred, once the buffer is as deep as it has to be.
    assert line.count("late") + line.count("concealed") <= 5 + 0.02 * 500


def test_a_slow_network_costs_delay_once_and_gets_it_back():
    """300 ms of nothing, then all at once, then steady."""
    delays = np.zeros(900)
    delays[50:65] = np.arange(15, 0, -1) * 20
    line = Line()
    line.hear(stream(speech(2, 900 * 160), delays))
    assert max(line.depths[60:100]) >= 12 * 160
    assert max(line.depths[450:]) <= 3 * 160
    assert line.legs.stats(0).lost == 0


def test_legs_that_need_nothing_are_not_touched():
    signal = speech(4, 160 * 300)
    line = Line()
    heard = line.hear(stream(signal, steady(300) + 3))
    exact = decode(encode(signal, PCMA), PCMA)
    first = 160 * next(at for at in range(4) if heard[160 * at : 160 * at + 160].max() > 8)
    assert (heard[first:] == exact[: len(heard) - first]).all()


def test_sound_without_a_period_is_not_left_out_of_step_for_long():
    """Noise: a carry is given back as soon as nobody hears it, and bytes pass as they are again."""
    noise = np.random.default_rng(8).integers(-8000, 8000, 160 * 400).astype(np.int16)
    line = Line()
    line.slip.carry[0] = 77
    heard = line.hear(stream(noise, steady(400) + 3))
    assert line.slip.carry[0] == 0
    exact = decode(encode(noise, PCMA), PCMA)
    tail = heard[-160 * 100 :]
    assert any(
        (tail == exact[len(exact) - len(tail) - at * 160 :][: len(tail)]).all() for at in range(4)
    )


def test_a_leg_that_is_cleared_has_no_carry():
    line = Line()
    line.slip.carry[0] = 100
    line.slip.clear(0)
    assert isinstance(line.slip, Slip)
    assert line.slip.carry[0] == 0
