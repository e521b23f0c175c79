"""WAV files of all kinds, and where a player is after so many ticks."""

import io
import struct
import wave

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.errors import LocalProtocolError
from media.g711 import decode, encode
from media.prompts import Bank, Player, decode_wav
from tests.media.phones import power


def wav(samples: np.ndarray, rate: int = 8000, channels: int = 1) -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return target.getvalue()


def sine(hertz: float, rate: int, seconds: float = 1.0) -> np.ndarray:
    return np.rint(9000 * np.sin(2 * np.pi * hertz * np.arange(int(rate * seconds)) / rate))


def test_8_khz_mono_is_taken_as_it_is():
    samples = sine(440, 8000)
    assert (decode_wav(wav(samples)) == samples).all()


@pytest.mark.parametrize("rate", [11025, 16000, 22050, 44100, 48000])
def test_other_rates_keep_the_tone_and_lose_what_8_khz_cannot_hold(rate):
    heard = decode_wav(wav(sine(1000, rate), rate))
    assert abs(len(heard) - 8000) < 5
    assert power(heard[200:-200], 1000) > 0.99
    high = decode_wav(wav(sine(5200, rate), rate))
    assert np.abs(high[200:-200]).max() < 200


def test_stereo_is_mixed():
    both = np.stack([sine(440, 8000), -sine(440, 8000)], axis=1)
    assert not decode_wav(wav(both, channels=2)).any()


def test_a_law_files():
    codes = encode(sine(440, 8000).astype(np.int16), 0)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 6, 1, 8000, 8000, 1, 8)
    data = form + struct.pack("<4sI", b"data", len(codes)) + codes.tobytes()
    file = b"RIFF" + struct.pack("<I", len(data) + 4) + b"WAVE" + data
    assert (decode_wav(file) == decode(codes, 0)).all()


@given(st.binary(max_size=80))
def test_what_is_no_wav_file_is_refused(junk):
    start = wav(np.zeros(4))
    for data in (junk, start[:12] + junk, start[: len(junk)]):
        try:
            decode_wav(data)
        except ValueError:
            continue


@settings(deadline=None)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=5), st.booleans(), st.integers(1, 40))
def test_a_player_goes_through_its_prompts(names, loop_last, steps):
    lengths = {"a": 1, "b": 3, "c": 4}
    prompts = {name: np.full(160 * n - 7, 1000 * n, np.int16) for name, n in lengths.items()}
    bank = Bank(prompts)
    player = Player(bank, 4)
    player.play(2, tuple(names), loop_last)
    expected = [bank.spans[name][0] + at for name in names for at in range(lengths[name])]
    last = list(range(*bank.spans[names[-1]]))
    heard, finished = [], 0
    for _ in range(steps):
        legs, frames, done = player.step(4)
        heard += frames.tolist()
        finished += len(done)
        assert legs.tolist() in ([], [2])
    if loop_last:
        expected += last * steps
        assert not finished
    else:
        assert finished == (steps > len(expected))
    assert heard == expected[:steps]


def test_an_unknown_prompt_is_our_mistake():
    with pytest.raises(LocalProtocolError):
        Player(Bank({}), 1).play(0, ("nothing",), loop_last=False)
