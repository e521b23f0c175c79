"""Tones are told apart, also through G.711 and noise."""

from pathlib import Path

import numpy as np
import pytest

from phones import g711
from phones.tones import (
    dominant,
    dominant_of,
    is_whole,
    read_wav,
    resample,
    strength,
    strengths,
    tone,
    write_tone,
)


def through_alaw(samples: np.ndarray) -> np.ndarray:
    return g711.decode_alaw(g711.encode_alaw(samples))


def noise(count: int, level: float, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, level * 32767, count)


@pytest.mark.parametrize(("heard", "other"), [(440, 660), (660, 440)])
def test_440_and_660_are_told_apart_in_g711_and_noise(heard: int, other: int) -> None:
    clean = tone(heard, 0.5, level=0.3)
    dirty = np.clip(clean + noise(len(clean), 0.1), -32768, 32767).astype(np.int16)
    arrived = through_alaw(dirty)
    assert strength(arrived, heard) > 0.6
    assert strength(arrived, other) < 0.05
    assert abs(dominant_of(arrived) - heard) < 3


def test_many_cuts_at_once_are_judged_as_each_alone() -> None:
    cuts = np.stack([tone(440, 0.06), tone(660, 0.06) // 2 + tone(440, 0.06) // 3, np.zeros(480)])
    tones = (440, 660, 980)
    alone = [[strength(cut, hz) for hz in tones] for cut in cuts]
    assert strengths(cuts, tones) == pytest.approx(np.array(alone))


def test_one_frame_of_20_ms_is_enough_for_the_right_tone() -> None:
    frame = through_alaw(tone(1150, 0.02))
    assert strength(frame, 1150) > 0.95
    assert strength(frame, 1900) < 0.05


def test_silence_has_no_tone() -> None:
    assert strength(np.zeros(160, np.int16), 440) == 0.0
    assert dominant_of(np.zeros(8000, np.int16)) == 0.0


def test_a_written_tone_loops_without_a_click(tmp_path: Path) -> None:
    samples, rate = read_wav(write_tone(tmp_path / "t.wav", 437))
    assert rate == 8000
    twice = np.concatenate([samples, samples]).astype(np.int32)
    assert int(np.abs(np.diff(twice)).max()) <= int(np.abs(np.diff(samples.astype(int))).max()) + 2
    assert abs(dominant(tmp_path / "t.wav") - 437) < 1


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_a_recording_is_whole_once_its_head_tells_both_lengths(
    tmp_path: Path, seconds: float
) -> None:
    path = write_tone(tmp_path / "440.wav", 440, seconds)
    closed = path.read_bytes()
    assert is_whole(path)
    path.write_bytes(closed[:4] + bytes(4) + closed[8:40] + bytes(4) + closed[44:])
    assert not is_whole(path)
    path.write_bytes(closed[:20])
    assert not is_whole(path)


def test_resampling_keeps_the_tone() -> None:
    at = np.arange(22050)
    samples = (np.sin(2 * np.pi * 500 / 22050 * at) * 9000).astype(np.int16)
    assert strength(resample(samples, 22050), 500) > 0.98


@pytest.mark.parametrize(
    ("encode", "decode", "code", "value"),
    [
        (g711.encode_alaw, g711.decode_alaw, 0xD5, 8),
        (g711.encode_alaw, g711.decode_alaw, 0xAA, 32256),
        (g711.encode_ulaw, g711.decode_ulaw, 0xFF, 0),
        (g711.encode_ulaw, g711.decode_ulaw, 0x80, 32124),
    ],
)
def test_g711_knows_the_standards_corner_values(encode, decode, code: int, value: int) -> None:  # type: ignore[no-untyped-def]
    assert decode(bytes([code]))[0] == value
    assert encode(np.array([value], np.int16)) == bytes([code])


def test_each_a_law_code_survives_decoding_and_encoding() -> None:
    codes = bytes(range(256))
    assert g711.encode_alaw(g711.decode_alaw(codes)) == codes
