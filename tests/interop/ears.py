"""What somebody heard: the tones of a recording, one after the other."""

import itertools
from pathlib import Path

import numpy as np
import soundfile

from phones.driver import Softphone
from phones.tones import Samples, read_wav, strength
from tests.interop.hotline import TONES, eventually

WINDOW_SECONDS = 0.06
CLEAR = 0.6  # share of a window's energy that must be one tone
LEAST_WINDOWS = 3  # in a row: clicks and the cut between two tones do not count


def tone_of(window: Samples, rate: int, tones: tuple[int, ...]) -> int:
    """The tone that a window holds; 0 for silence or anything else."""
    if int(np.abs(window.astype(np.int32)).max(initial=0)) < 200:
        return 0
    best = max(tones, key=lambda hz: strength(window, hz, rate))
    return best if strength(window, best, rate) >= CLEAR else 0


def windows(samples: Samples, rate: int, tones: tuple[int, ...] = TONES) -> list[int]:
    """The tone of each window."""
    step = round(WINDOW_SECONDS * rate)
    starts = range(0, len(samples) - step + 1, step)
    return [tone_of(samples[start : start + step], rate, tones) for start in starts]


def story(samples: Samples, rate: int, tones: tuple[int, ...] = TONES) -> list[int]:
    """The tones in their order, each once for as long as no other is heard."""
    runs = [(hz, len(list(run))) for hz, run in itertools.groupby(windows(samples, rate, tones))]
    lasting = [hz for hz, length in runs if hz and length >= LEAST_WINDOWS]
    return [hz for hz, _ in itertools.groupby(lasting)]


def seconds_of(samples: Samples, rate: int, hz: int) -> float:
    """For how long a tone was heard."""
    return windows(samples, rate).count(hz) * WINDOW_SECONDS


def longest_gap_seconds(samples: Samples, rate: int, hz: int) -> float:
    """The longest time without the tone between its first and its last window."""
    heard = [index for index, one in enumerate(windows(samples, rate)) if one == hz]
    gaps = [after - before - 1 for before, after in itertools.pairwise(heard)]
    return max(gaps, default=0) * WINDOW_SECONDS


def heard(wav: Path, tones: tuple[int, ...] = TONES) -> list[int]:
    """The story of a phone's recording."""
    return story(*read_wav(wav), tones)


def sides(recording: Path) -> tuple[Samples, Samples, int]:
    """Left, right and rate of a stereo recording."""
    samples, rate = soundfile.read(recording, dtype="int16", always_2d=True)
    assert samples.shape[1] == 2, "not stereo"
    return samples[:, 0], samples[:, 1], rate


async def packets_heard(phone: Softphone, more: int, timeout_seconds: float = 30.0) -> None:
    """Until the phone's only call has received so many more RTP packets: 50 are a second."""

    async def received() -> int:
        phone.send("stats")
        return int((await phone.wait("stats", timeout_seconds)).get("received", 0))

    first = await received()

    async def enough() -> bool:
        return await received() >= first + more

    await eventually(enough, timeout_seconds)
