"""What is spoken to a waiting citizen, as a real phone hears it."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from phones.driver import Softphone
from phones.tones import Samples, read_wav
from tests.interop.ears import packets_heard
from tests.interop.hotline import MUSIC_HZ, Hotline

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

SNIPPETS = Path(__file__).parents[2] / "media" / "prompts" / "cmn"
ALIKE = 0.6
PART = slice(3200, 9600)  # 0.8 s of it: a phone's own buffer may move what is longer


def without_music(samples: Samples) -> NDArray[np.float64]:
    """The tone that is faded down below the words, taken out."""
    spectrum = np.fft.rfft(samples.astype(np.float64))
    hertz = np.fft.rfftfreq(len(samples), 1 / 8000)
    spectrum[np.abs(hertz - MUSIC_HZ) < 30] = 0
    return np.fft.irfft(spectrum, len(samples))


def likeness(heard: Samples, said: Samples) -> float:
    """The highest correlation coefficient of the part with any stretch of what was heard."""
    whole, part = without_music(heard), without_music(said[PART])
    size = 1 << (len(whole) + len(part)).bit_length()
    match = np.fft.irfft(np.fft.rfft(whole, size) * np.conj(np.fft.rfft(part, size)), size)
    sums = np.cumsum(np.concatenate([[0.0], whole**2]))
    energy = (sums[len(part) :] - sums[: -len(part)]) * (part**2).sum()
    return float((match[: len(energy)] / np.sqrt(np.maximum(energy, 1e6))).max())


async def test_a_waiting_citizen_is_told_its_place_over_the_music(tmp_path: Path) -> None:
    """Nobody is on duty: 您是下一位 is in the phone's recording, and 您前面还有 is not."""
    async with (
        Hotline(tmp_path, queues={"announce_seconds": 1}) as hotline,
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        hotline.call(citizen)
        await packets_heard(citizen, 250)
        citizen.send("hangup")
        await citizen.wait("recorded")
    heard, rate = read_wav(tmp_path / "caller.wav")
    step = rate // 8000
    said = {name: read_wav(SNIPPETS / f"{name}.wav")[0] for name in ("next", "ahead")}
    assert likeness(heard[::step], said["next"]) > ALIKE
    assert likeness(heard[::step], said["ahead"]) < ALIKE
