"""Calls as a media worker would spool them: another tone on each side."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from recorder.alaw import LINEAR
from recorder.io.spool import SpoolSink

CALLER_HZ = 440
AGENT_HZ = 1000
STARTED_MS = 1_750_000_000_000

_ORDER = np.argsort(LINEAR)
_SORTED = LINEAR[_ORDER].astype(np.int32)


def alaw(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """The nearest A-law code of each sample."""
    at = np.clip(np.searchsorted(_SORTED, samples), 1, 255)
    lower = np.abs(samples - _SORTED[at - 1]) <= np.abs(_SORTED[at] - samples)
    return _ORDER[np.where(lower, at - 1, at)].astype(np.uint8)


def tone(hertz: float, frames: int) -> npt.NDArray[np.uint8]:
    return alaw(8000 * np.sin(2 * np.pi * hertz * np.arange(frames * 160) / 8000))


def frames_of(frames: int, left: float = CALLER_HZ, right: float = AGENT_HZ) -> bytes:
    both = np.stack(
        [tone(left, frames).reshape(-1, 160), tone(right, frames).reshape(-1, 160)], axis=1
    )
    return both.tobytes()


def header(**facts: Any) -> dict[str, Any]:
    return {
        "call_id": "call-1@test",
        "caller": "13900000001",
        "called": "12345",
        "agent": "8001",
        "queue": "12345",
        "started_ms": STARTED_MS,
        **facts,
    }


def spool_call(folder: str | Path, recording: str, frames: int = 100, **facts: Any) -> None:
    """One closed segment of so many 20 ms frames, in blocks of 25."""
    sink = SpoolSink(str(folder))
    handle = sink.open(recording, header(**facts))
    audio = frames_of(frames)
    for first in range(0, frames, 25):
        sink.write(handle, first, audio[first * 320 : (first + 25) * 320])
    sink.close(handle)


def read_flac(data: bytes) -> npt.NDArray[np.int16]:
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    assert rate == 8000
    return samples


def pitch(samples: npt.NDArray[np.int16]) -> float:
    """The strongest frequency."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * 8000 / len(samples))


def assert_tones(samples: npt.NDArray[np.int16]) -> None:
    assert abs(pitch(samples[:, 0]) - CALLER_HZ) < 10
    assert abs(pitch(samples[:, 1]) - AGENT_HZ) < 10
