"""What a recording looks like, and who spoke when: read off its two channels in one pass.

Voice is told from silence by level, for each channel: a frame speaks when it is well above that
channel's own floor. Short pauses inside a sentence are no silence.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from recorder.seal import RATE

Samples = npt.NDArray[np.int16]
Frames = npt.NDArray[np.float32]  # (n, 2) dBFS
Mask = npt.NDArray[np.bool_]

FRAME = RATE // 50
FRAMES_A_SECOND = 50
PEAK_FRAMES = 5  # 100 ms: the waveform's finest step
QUIET_DB = -90.0
LEAST_DB = -50.0  # below it nothing is a voice
ABOVE_FLOOR_DB = 12.0
FLOOR_SHARE = 0.1  # the level that a tenth of the frames is below
BRIDGED_FRAMES = 15  # 300 ms between two words
SHORTEST_FRAMES = 5  # 100 ms: less is a click
LONG_SILENCE_FRAMES = 250  # 5 s of nobody
INTERRUPTION_FRAMES = 25  # half a second of both


@dataclass(frozen=True, slots=True)
class Levels:
    """(n, 2) dBFS of each 20 ms, and (m, 2) peaks of each 100 ms, 0..255; caller, agent."""

    decibels: Frames
    peaks: npt.NDArray[np.uint8]

    @property
    def duration_ms(self) -> int:
        return len(self.decibels) * 1000 // FRAMES_A_SECOND


@dataclass(frozen=True, slots=True)
class Talk:
    """Shares of the whole (0..1), seconds, and counts."""

    seconds: float
    caller_talk: float
    agent_talk: float
    silence: float
    overlap: float
    agent_share: float | None  # of all that was spoken; None when nobody did
    longest_silence_seconds: float
    long_silences: int  # of 5 s and more
    interruptions: int  # the agent begins while the caller speaks, for half a second and more
    caller_turns: int
    agent_turns: int


def levels(pieces: Iterable[Samples]) -> Levels:
    """One pass over (n, 2) int16 pieces of any length; the last, broken frame is filled up."""
    decibels: list[Frames] = []
    peaks: list[npt.NDArray[np.int32]] = []
    rest = np.zeros((0, 2), np.int16)
    for piece in pieces:
        joined = np.concatenate([rest, piece]) if len(rest) else piece
        whole = len(joined) // FRAME * FRAME
        _measure(joined[:whole], decibels, peaks)
        rest = joined[whole:]
    if len(rest):
        _measure(np.pad(rest, ((0, FRAME - len(rest)), (0, 0))), decibels, peaks)
    if not decibels:
        return Levels(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.uint8))
    return Levels(np.concatenate(decibels), _coarser(np.concatenate(peaks)))


def _measure(samples: Samples, decibels: list[Frames], peaks: list[npt.NDArray[np.int32]]) -> None:
    """Each channel by itself: over both at once an hour took 1.7 s of CPU, and takes 0.1."""
    if not len(samples):
        return
    framed = np.ascontiguousarray(samples.T).reshape(2, -1, FRAME)
    scaled = framed.astype(np.float32)
    power = np.einsum("cfs,cfs->cf", scaled, scaled).T / (FRAME * 32768.0**2)
    decibels.append((10 * np.log10(np.maximum(power, 10 ** (QUIET_DB / 10)))).astype(np.float32))
    loudest = np.maximum(framed.max(axis=2).astype(np.int32), -framed.min(axis=2).astype(np.int32))
    peaks.append(loudest.T)


def _coarser(peaks: npt.NDArray[np.int32]) -> npt.NDArray[np.uint8]:
    short = -len(peaks) % PEAK_FRAMES
    padded = np.pad(peaks, ((0, short), (0, 0))).reshape(-1, PEAK_FRAMES, 2).max(axis=1)
    scaled: npt.NDArray[np.uint8] = np.minimum(padded // 128, 255).astype(np.uint8)
    return scaled


def points(peaks: npt.NDArray[np.uint8], count: int) -> npt.NDArray[np.uint8]:
    """The same in `count` steps or fewer, each the loudest of what it stands for."""
    if len(peaks) <= count:
        return peaks
    edges = np.arange(count) * len(peaks) // count
    reduced: npt.NDArray[np.uint8] = np.maximum.reduceat(peaks, edges, axis=0)
    return reduced


def voice(decibels: Frames) -> Mask:
    """(n, 2): which frames of which channel speak."""
    if not len(decibels):
        return np.zeros((0, 2), np.bool_)
    floor = np.quantile(decibels, FLOOR_SHARE, axis=0)
    # A channel that is loud all the time has no floor to be above: level alone decides.
    threshold = np.clip(floor + ABOVE_FLOOR_DB, LEAST_DB, -30.0)
    loud = decibels > threshold
    return np.column_stack([_smooth(loud[:, side]) for side in (0, 1)])


def _smooth(loud: Mask) -> Mask:
    """Bridges short pauses, drops clicks."""
    result = loud.copy()
    for first, last, speaks in _runs(loud):
        inner = first > 0 and last < len(loud)
        if not speaks and inner and last - first <= BRIDGED_FRAMES:
            result[first:last] = True
    smooth = result.copy()
    for first, last, speaks in _runs(result):
        if speaks and last - first < SHORTEST_FRAMES:
            smooth[first:last] = False
    return smooth


def _runs(mask: Mask) -> list[tuple[int, int, bool]]:
    """(first, end, value) of each stretch of equal values."""
    if not len(mask):
        return []
    edges = np.flatnonzero(mask[1:] != mask[:-1]) + 1
    bounds = [0, *edges.tolist(), len(mask)]
    return [(first, last, bool(mask[first])) for first, last in itertools.pairwise(bounds)]


def talk(speaking: Mask) -> Talk:
    """The figures of a talk, from who speaks in which frame."""
    count = len(speaking)
    if not count:
        return Talk(0.0, 0.0, 0.0, 0.0, 0.0, None, 0.0, 0, 0, 0, 0)
    caller, agent = speaking[:, 0], speaking[:, 1]
    nobody = ~caller & ~agent
    silences = [last - first for first, last, silent in _runs(nobody) if silent]
    spoken = int(caller.sum() + agent.sum())
    return Talk(
        seconds=count / FRAMES_A_SECOND,
        caller_talk=float(caller.mean()),
        agent_talk=float(agent.mean()),
        silence=float(nobody.mean()),
        overlap=float((caller & agent).mean()),
        agent_share=float(agent.sum() / spoken) if spoken else None,
        longest_silence_seconds=max(silences, default=0) / FRAMES_A_SECOND,
        long_silences=sum(length >= LONG_SILENCE_FRAMES for length in silences),
        interruptions=_interruptions(caller, agent),
        caller_turns=sum(speaks for _, _, speaks in _runs(caller)),
        agent_turns=sum(speaks for _, _, speaks in _runs(agent)),
    )


def _interruptions(caller: Mask, agent: Mask) -> int:
    found = 0
    for first, last, speaks in _runs(agent):
        if not speaks or first == 0 or not caller[first - 1]:
            continue
        both = caller[first:last]
        lasted = len(both) if both.all() else int(np.argmin(both))
        found += lasted >= INTERRUPTION_FRAMES
    return found


def svg(peaks: npt.NDArray[np.uint8], width: int = 1000, height: int = 120) -> str:
    """The waveform as an image: the caller above the line, the agent below it."""
    steps = len(peaks) or 1
    half = height / 2
    scaled = peaks.astype(np.float64) / 255 * (half - 1)
    x = (np.arange(len(peaks)) + 0.5) * width / steps
    up = _strokes(x, half, half - scaled[:, 0])
    down = _strokes(x, half, half + scaled[:, 1])
    stroke = max(0.5, width / steps * 0.8)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" preserveAspectRatio="none">'
        f'<path d="{up}" stroke="#1f6feb" stroke-width="{stroke:.2f}"/>'
        f'<path d="{down}" stroke="#2da44e" stroke-width="{stroke:.2f}"/>'
        f'<path d="M0 {half:.1f}H{width}" stroke="#8888" stroke-width="1"/></svg>'
    )


def _strokes(x: npt.NDArray[np.float64], middle: float, ends: npt.NDArray[np.float64]) -> str:
    return " ".join(f"M{a:.1f} {middle:.1f}V{b:.1f}" for a, b in zip(x, ends, strict=True))
