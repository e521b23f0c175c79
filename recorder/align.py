"""Both sides on one time: what is heard late is moved back to where its RTP time puts it.

What a tap hears of a leg went through its jitter buffer: it is behind by the buffer's depth, which
is another for each side and changes. Each block tells how far behind (`delay`, samples against a
steady clock), and how early packets came against that same clock (`ahead`, of the earliest): a
straight line through the latter is the sender's clock against ours, and what is left over is the
buffer. Packets are read each 20 ms, so that this is good to a few milliseconds.
The sender's drift itself is corrected as it is heard (media/slip.py); here the depth is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import numpy.typing as npt

from recorder.spool import SAMPLES_PER_FRAME, SideState

Mono = npt.NDArray[np.int16]

STEP = 8  # samples, 1 ms: nearer than this nobody can be told apart
MOST = 2000  # samples: more is a stall that the next blocks explain, not a depth
FADE = 16
FEWEST = 60  # blocks, half a minute, that a drift is read off
STEEPEST = 1e-3
JUMP = 240  # samples between two blocks: the network's way has changed, and not the clock


@dataclass(frozen=True, slots=True)
class Spot:
    """What is known of one side at the end of a block; `at` is samples since frame 0."""

    first_frame: int
    at: int
    state: SideState


@dataclass(slots=True)
class SidePlan:
    """For each block, by its first frame, the samples to leave out (or, negative, put in)."""

    shifts: dict[int, int] = field(default_factory=dict)
    drift_ppm: float = 0.0
    lost_frames: int = 0
    known_frames: int = 0
    source: str = ""


def plan(left: list[Spot], right: list[Spot]) -> tuple[SidePlan, SidePlan]:
    """One clock's sides; the one that is behind by less is left as it is, at first."""
    behind = [_behind(spots) for spots in (left, right)]
    first = [next((r for _, r in side if r is not None), None) for side in behind]
    known = [one for one in first if one is not None]
    common = min(known) if len(known) == 2 else (known[0] if known else 0.0)
    plans = []
    for spots, side in zip((left, right), behind, strict=True):
        made = SidePlan(_shifts(side, common), _drift(spots))
        made.lost_frames = sum(spot.state.lost for spot in spots)
        made.known_frames = sum(spot.at // SAMPLES_PER_FRAME - spot.first_frame for spot in spots)
        made.source = next((spot.state.source for spot in spots), "")
        plans.append(made)
    return plans[0], plans[1]


def _behind(spots: list[Spot]) -> list[tuple[int, float | None]]:
    """For each block how far it is behind its RTP time, in samples; None where nobody knows."""
    told: list[tuple[int, float | None]] = []
    for epoch in _epochs(spots):
        line = _line(epoch)
        for spot in epoch:
            late = None
            if line is not None:
                slope, base = line
                late = spot.state.delay + base + slope * spot.at
                late = late if abs(late) <= MOST else None
            told.append((spot.first_frame, late))
    return told


def _epochs(spots: list[Spot]) -> Iterable[list[Spot]]:
    """Blocks of one stream: of one leg, between two restarts of its buffer."""
    for _, epoch in groupby(spots, key=lambda spot: spot.state.epoch):
        yield list(epoch)


def _line(epoch: list[Spot]) -> tuple[float, float] | None:
    """Slope and value at frame 0 of how early packets came, against a steady clock."""
    known = [(spot.at, spot.state.ahead) for spot in epoch if spot.state.ahead is not None]
    if not known:
        return None
    at = np.array([one[0] for one in known], np.float64)
    ahead = np.array([one[1] for one in known], np.float64)
    steps = np.diff(ahead)
    smooth = ahead[0] + np.concatenate([[0.0], np.cumsum(np.where(np.abs(steps) < JUMP, steps, 0))])
    if len(known) >= FEWEST:
        slope, base = np.polyfit(at, smooth, 1)
        if abs(slope) <= STEEPEST:
            return float(slope), float(base)
    return 0.0, float(np.median(smooth))


def _drift(spots: list[Spot]) -> float:
    """The sender's clock against ours, in millionths, by the longest stream."""
    longest = max(_epochs(spots), key=len, default=[])
    line = _line(longest)
    return round(line[0] * 1e6, 1) if line is not None else 0.0


def _shifts(behind: list[tuple[int, float | None]], common: float) -> dict[int, int]:
    shifts: dict[int, int] = {}
    applied = 0
    for first_frame, late in behind:
        if late is None:
            continue
        more = round(late - common) - applied
        if abs(more) >= STEP:
            shifts[first_frame] = more
            applied += more
    return shifts


def slip(samples: Mono, count: int) -> Mono:
    """Leave out `count` samples (or, negative, put some in) where least is said; no click."""
    width = abs(count)
    if not width or len(samples) < width + 2 * FADE:
        return samples
    start = _quietest(samples, width + FADE)
    ramp = np.arange(1, FADE + 1) / (FADE + 1)
    if count > 0:
        before, after = samples[start : start + FADE], samples[start + width :]
    else:
        before, after = samples[start + width : start + width + FADE], samples[start:]
    faded = (before * (1 - ramp) + after[:FADE] * ramp).astype(np.int16)
    upto = start if count > 0 else start + width
    joined: Mono = np.concatenate([samples[:upto], faded, after[FADE:]])
    return joined


def _quietest(samples: Mono, width: int) -> int:
    """Where the stretch of `width` samples with the least energy begins."""
    energy = np.concatenate([[0.0], np.cumsum(np.square(samples.astype(np.float64)))])
    return int(np.argmin(energy[width:] - energy[:-width]))
