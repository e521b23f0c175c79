"""Tones to play, and ears that tell which tone arrived."""

import math
import shutil
import subprocess
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

RATE = 8000  # Hz, as G.711

Samples = npt.NDArray[np.int16]
Shares = npt.NDArray[np.float64]


def tone(hz: float, seconds: float, level: float = 0.4) -> Samples:
    """A sine at `level` of full scale, 8 kHz int16."""
    at = np.arange(round(seconds * RATE))
    wave_form: Samples = (np.sin(2 * math.pi * hz / RATE * at) * level * 32767).astype(np.int16)
    return wave_form


def write_wav(path: Path, samples: Samples) -> Path:
    """Writes 8 kHz mono 16-bit samples."""
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(samples.astype("<i2").tobytes())
    return path


def write_tone(path: Path, hz: int, seconds: int = 2, level: float = 0.4) -> Path:
    """A tone that loops without a click: whole hertz and whole seconds are whole periods."""
    return write_wav(path, tone(hz, seconds, level))


def read_wav(path: Path, channel: int = 0) -> tuple[Samples, int]:
    """One channel of a 16-bit WAV and its rate in Hz."""
    with wave.open(str(path), "rb") as source:
        channels, rate = source.getnchannels(), source.getframerate()
        frames = source.readframes(source.getnframes())
    samples = np.frombuffer(frames[: len(frames) // (2 * channels) * 2 * channels], "<i2")
    return samples.reshape(-1, channels)[:, channel].astype(np.int16), rate


def is_whole(path: Path) -> bool:
    """Whether a WAV file (or none at all) has been closed: both its lengths are told.

    One without a sample tells 0 as its data's length from the first moment on; its RIFF chunk's
    length (36 there) is written at the end only.
    """
    if not path.exists():
        return True
    with path.open("rb") as source:
        head = source.read(44)
    size = path.stat().st_size
    told = [int.from_bytes(head[at : at + 4], "little") for at in (4, 40)]
    return len(head) == 44 and told == [size - 8, size - 44]


def strength(samples: Samples, hz: float, rate: int = RATE) -> float:
    """Share of the samples' energy that is a tone of `hz`: 1.0 = a pure tone (Goertzel's power)."""
    x = samples.astype(np.float64)
    energy = float(np.dot(x, x))
    if energy < 1.0 or len(x) == 0:
        return 0.0
    angle = 2 * math.pi * hz / rate * np.arange(len(x))
    bin_power = float(np.dot(x, np.cos(angle))) ** 2 + float(np.dot(x, np.sin(angle))) ** 2
    return 2 * bin_power / (len(x) * energy)


def strengths(cuts: Samples, tones: Sequence[int], rate: int = RATE) -> Shares:
    """As `strength`, of every cut, (n, samples), for every tone: (n, tones)."""
    x = cuts.astype(np.float64)
    energy = np.einsum("ij,ij->i", x, x)
    angle = 2 * math.pi / rate * np.outer(np.arange(x.shape[1]), tones)
    power = (x @ np.cos(angle)) ** 2 + (x @ np.sin(angle)) ** 2
    found: Shares = 2 * power / (x.shape[1] * np.maximum(energy, 1.0))[:, None]
    found[energy < 1.0] = 0.0
    return found


def dominant_of(samples: Samples, rate: int = RATE) -> float:
    """The strongest frequency in Hz; 0.0 of silence."""
    if len(samples) < rate // 50 or int(np.abs(samples.astype(np.int32)).max()) < 64:
        return 0.0
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    hz = np.fft.rfftfreq(len(samples), 1 / rate)
    spectrum[(hz < 100) | (hz > 3700)] = 0
    return float(hz[int(spectrum.argmax())])


def dominant(wav: Path, channel: int = 0) -> float:
    """The strongest frequency of a WAV in Hz; 0.0 when it holds no sound."""
    samples, rate = read_wav(wav, channel)
    return dominant_of(samples, rate)


def speak(path: Path, text: str, language: str = "cmn") -> bool:
    """Speaks `text` into an 8 kHz WAV with espeak-ng; False when there is no espeak-ng."""
    program = shutil.which("espeak-ng")
    if program is None:
        return False
    raw = path.with_suffix(".espeak.wav")
    done = subprocess.run(
        [program, "-v", language, "-w", str(raw), text], check=False, capture_output=True
    )
    if done.returncode != 0 or not raw.exists():
        return False
    samples, rate = read_wav(raw)
    raw.unlink()
    write_wav(path, resample(samples, rate))
    return True


def resample(samples: Samples, rate: int) -> Samples:
    """To 8 kHz by cutting the spectrum at 4 kHz: for prompts, not for live audio."""
    count = round(len(samples) * RATE / rate)
    spectrum = np.fft.rfft(samples)[: count // 2 + 1]
    return np.clip(np.fft.irfft(spectrum, count) * count / len(samples), -32768, 32767).astype(
        np.int16
    )
