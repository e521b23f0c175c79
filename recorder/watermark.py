"""Who listened, in the sound itself: a soft pattern of tones that tells an account's code.

Every five seconds one second of 20 bits of 50 ms: four that mark the beginning, then 16 of the
code; a one is a burst of 1,700 Hz, a zero one of 2,300 Hz, on both channels. The sound at a
sample depends on its place in the recording alone, so that a player may seek as it likes.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from recorder.seal import RATE

Samples = npt.NDArray[np.int16]

EVERY = 5 * RATE
BIT = RATE // 20
SYNC = (1, 1, 0, 1)
BITS = len(SYNC) + 16
ONE_HZ, ZERO_HZ = 1700, 2300
# Of the right place above the usual one: measured 138 and more at -46 dBFS in 20 s of speech, and
# 33 at most without a pattern.
LEAST_RISE = 60.0


def code_of(who: str) -> int:
    """16 bits of an account's name; the audit log tells whose they are."""
    return zlib.crc32(who.encode()) & 0xFFFF


def pattern(code: int, amplitude: float) -> npt.NDArray[np.float32]:
    """(8000,) float32: one second that tells the code."""
    bits = (*SYNC, *((code >> at) & 1 for at in range(15, -1, -1)))
    t = np.arange(BIT) / RATE
    window = np.hanning(BIT)
    tones = {bit: np.sin(2 * np.pi * hertz * t) * window for bit, hertz in _TONES}
    whole = np.concatenate([tones[bit] for bit in bits]) * amplitude
    return whole.astype(np.float32)


_TONES = ((1, ONE_HZ), (0, ZERO_HZ))


def mark(piece: Samples, first: int, code: int, amplitude: float) -> Samples:
    """The piece, whose first sample is the recording's `first`, with the pattern in it."""
    whole = pattern(code, amplitude)
    at = (first + np.arange(len(piece))) % EVERY
    inside = at < len(whole)
    marked = piece.astype(np.float32)
    marked[inside] += whole[at[inside]][:, None]
    return np.clip(np.rint(marked), -32768, 32767).astype(np.int16)


def find(samples: Samples) -> int | None:
    """The code in a recording that was leaked, cut at any place; None when there is none.

    All periods are added up in phase, each the less the louder it is: what is said averages out.
    """
    mono = samples.astype(np.float64).mean(axis=1)
    if len(mono) < EVERY + BITS * BIT:
        return None
    energy = _windows(mono**2).real + 1.0
    one, zero = (_strength(mono, hertz, energy) for _, hertz in _TONES)
    contrast = one - zero
    signs = [1 if bit else -1 for bit in SYNC]
    score = np.zeros(EVERY)
    for at, sign in enumerate(signs):
        score = score + sign * np.roll(contrast, -at * BIT)
    for at in range(len(SYNC), BITS):
        score = score + np.abs(np.roll(contrast, -at * BIT))
    where = int(np.argmax(score))
    bits = [bool(contrast[(where + at * BIT) % EVERY] > 0) for at in range(BITS)]
    if score[where] < LEAST_RISE * np.median(score) or bits[: len(SYNC)] != list(map(bool, SYNC)):
        return None
    return int("".join("01"[bit] for bit in bits[len(SYNC) :]), 2)


def _strength(
    mono: npt.NDArray[np.float64], hertz: int, energy: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """(EVERY,) power of the tone in the bit that begins at each sample of the period."""
    t = np.arange(len(mono)) / RATE
    turned = _windows(mono * np.exp(-2j * np.pi * hertz * t)) / energy
    summed = np.zeros(EVERY, np.complex128)
    weight = np.zeros(EVERY)
    for first in range(0, len(turned), EVERY):
        piece = turned[first : first + EVERY]
        summed[: len(piece)] += piece
        weight[: len(piece)] += 1 / energy[first : first + EVERY]
    found: npt.NDArray[np.float64] = np.abs(summed / np.maximum(weight, 1e-30)) ** 2
    return found


def _windows(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The sum of the bit that begins at each sample."""
    summed = np.cumsum(np.concatenate([[0], values]))
    found: npt.NDArray[Any] = summed[BIT:] - summed[:-BIT]
    return found
