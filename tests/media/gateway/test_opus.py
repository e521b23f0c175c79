"""Opus at 8 kHz: what goes in comes out, whatever bandwidth the other side chose."""

from __future__ import annotations

import contextlib
from fractions import Fraction

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.gateway.opus import Decoder, Encoder
from tests.media.gateway.browser import tone
from tests.media.phones import power


def full_band(hertz: float, frames: int) -> list[bytes]:
    """What a browser sends that did not heed maxplaybackrate: 48 kHz."""
    codec = av.AudioCodecContext.create("libopus", "w")
    codec.sample_rate, codec.layout, codec.format = 48000, "mono", "s16"
    codec.bit_rate, codec.options = 64000, {"application": "audio"}
    packets = []
    for number in range(frames):
        at = np.arange(960 * number, 960 * (number + 1)) / 48000
        samples = (8000 * np.sin(2 * np.pi * hertz * at)).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 960 * number, Fraction(1, 48000)
        packets += [bytes(packet) for packet in codec.encode(frame)]
    return packets


def test_what_is_said_is_heard_with_three_milliseconds_of_delay():
    encoder, decoder = Encoder(), Decoder()
    chance = np.random.default_rng(1).integers(-400, 400, (100, 160))
    said = (tone(440, 100) // 2 + tone(1150, 100) // 4 + chance).astype(np.int16)
    heard = np.concatenate([decoder.decode(encoder.encode(frame)) for frame in said])
    assert len(heard) == said.size
    whole = said.reshape(-1).astype(float)
    likeness = [
        np.corrcoef(whole[800:14000], heard[800 + late : 14000 + late])[0, 1] for late in range(60)
    ]
    assert max(likeness) > 0.99
    assert 2 <= float(np.argmax(likeness)) / 8 <= 3  # ms


def test_full_band_is_filtered_before_it_is_thinned():
    """7 kHz would come out as 1 kHz."""
    decoder = Decoder()
    heard = np.concatenate([decoder.decode(one) for one in full_band(7000, 40)])
    kept = np.concatenate([decoder.decode(one) for one in full_band(1000, 40)])
    assert np.abs(heard[1600:].astype(int)).max() < 50
    assert power(kept[1600:], 1000) > 0.98
    assert np.abs(kept[1600:].astype(int)).max() > 7000


@given(st.binary(max_size=200))
def test_nothing_that_comes_ends_the_stream(data: bytes):
    decoder = Decoder()
    with contextlib.suppress(ValueError):
        decoder.decode(data)
    assert len(decoder.decode(Encoder().encode(tone(440, 1)[0]))) == 160


def test_an_empty_packet_is_no_opus():
    with pytest.raises(ValueError, match="no Opus"):
        Decoder().decode(b"")
