"""Announcements and music: WAV files as frames of G.711, played from memory by position."""

import struct

import numpy as np

from media.errors import LocalProtocolError
from media.g711 import PCMA, PCMU, SILENCE, decode, encode
from media.types import FRAME, Bytes, Integers, Samples

RATE = 8000
PCM, ALAW, MULAW, EXTENSIBLE = 1, 6, 7, 0xFFFE


def decode_wav(data: bytes) -> Samples:
    """A RIFF/WAVE file as 8 kHz mono int16: PCM of 8 or 16 bits, A-law or mu-law, any rate.

    Raises ValueError that says what is wrong with the file.
    """
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError("not a WAV file")
    chunks = _chunks(data)
    if b"fmt " not in chunks or len(chunks[b"fmt "]) < 16 or b"data" not in chunks:
        raise ValueError("a WAV file without format or data")
    form, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunks[b"fmt "])
    if form == EXTENSIBLE and len(chunks[b"fmt "]) >= 26:
        form = struct.unpack_from("<H", chunks[b"fmt "], 24)[0]
    if not channels or not RATE / 2 <= rate <= 192000:
        raise ValueError(f"{channels} channels at {rate} Hz")
    raw = np.frombuffer(chunks[b"data"], np.uint8)
    samples = _samples(raw, form, bits)
    samples = samples[: len(samples) // channels * channels].reshape(-1, channels)
    return _at_8_khz(samples.mean(axis=1), rate)


def _chunks(data: bytes) -> dict[bytes, bytes]:
    chunks: dict[bytes, bytes] = {}
    at = 12
    while at + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, at)
        chunks.setdefault(name, data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    return chunks


def _samples(raw: Bytes, form: int, bits: int) -> Samples:
    if form == PCM and bits == 16:
        return raw[: len(raw) // 2 * 2].view("<i2").astype(np.int16)
    if form == PCM and bits == 8:
        return ((raw.astype(np.int16) - 128) << 8).astype(np.int16)
    if form in (ALAW, MULAW) and bits == 8:
        return decode(raw, PCMA if form == ALAW else PCMU)
    raise ValueError(f"format {form} with {bits} bits; 16-bit PCM or G.711 is wanted")


def _at_8_khz(signal: np.ndarray[tuple[int], np.dtype[np.float64]], rate: int) -> Samples:
    """A windowed sinc below the lower of the two Nyquist rates, evaluated where it is needed."""
    if rate != RATE:
        count = int(len(signal) * RATE / rate)
        cut = min(1.0, RATE / rate) * 0.94
        reach = int(np.ceil(24 / cut))
        at = np.arange(count) * (rate / RATE)
        padded = np.pad(signal, (reach, reach + 1))
        result = np.zeros(count)
        for tap in range(-reach + 1, reach + 1):
            index = np.floor(at).astype(np.int64) + tap
            distance = at - index
            window = 0.5 + 0.5 * np.cos(np.pi * np.clip(distance / reach, -1, 1))
            result += padded[index + reach] * np.sinc(distance * cut) * cut * window
        signal = result
    return np.clip(np.rint(signal), -32768, 32767).astype(np.int16)


class Bank:
    """All prompts end to end, (2 * frames, 160): first in A-law, then in mu-law."""

    def __init__(self, prompts: dict[str, Samples]) -> None:
        self.spans: dict[str, tuple[int, int]] = {}
        parts: list[Samples] = []
        total = 0
        for name, samples in prompts.items():
            count = max(1, -(-len(samples) // FRAME))
            part = np.zeros(count * FRAME, np.int16)
            part[: len(samples)] = samples
            parts.append(part)
            self.spans[name] = (total, total + count)
            total += count
        linear = np.concatenate(parts) if parts else np.zeros(0, np.int16)
        self.frames = total
        self.codes: Bytes = np.concatenate([encode(linear, PCMA), encode(linear, PCMU)]).reshape(
            2 * total, FRAME
        )


class Player:
    """Where each leg is in its sequence of prompts; -1 where nothing is played."""

    def __init__(self, bank: Bank, capacity: int) -> None:
        self.bank = bank
        self.position: Integers = np.full(capacity, -1, np.int64)
        self.start: Integers = np.zeros(capacity, np.int64)
        self.end: Integers = np.zeros(capacity, np.int64)
        self.queues: dict[int, tuple[list[str], bool]] = {}

    def play(self, leg: int, prompts: tuple[str, ...], loop_last: bool) -> None:
        """Start at the first prompt; LocalProtocolError for a name that was not loaded."""
        self.check(prompts)
        self.queues[leg] = (list(prompts), loop_last)
        self._next(leg)

    def check(self, prompts: tuple[str, ...]) -> None:
        """LocalProtocolError for no name, or one that was not loaded."""
        unknown = [name for name in prompts if name not in self.bank.spans]
        if unknown or not prompts:
            raise LocalProtocolError(f"unknown prompts: {unknown}")

    def stop(self, leg: int) -> None:
        self.queues.pop(leg, None)
        self.position[leg] = -1

    def step(self, high: int) -> tuple[Integers, Integers, list[int]]:
        """Legs that play, the bank's frame for each (A-law half), and legs that just finished."""
        finished: list[int] = []
        position = self.position[:high]
        legs = np.flatnonzero(position >= 0)
        if not len(legs):
            return legs, legs, finished
        at_end = legs[position[legs] == self.end[legs]]
        if len(at_end):
            finished = [leg for leg in at_end.tolist() if not self._next(leg)]
            legs = legs[position[legs] >= 0] if finished else legs
        frames = position[legs]
        self.position[legs] = frames + 1
        return legs, frames, finished

    def _next(self, leg: int) -> bool:
        """Go on to the next prompt, or round again; False at the end of all."""
        names, loop_last = self.queues[leg]
        if names:
            self.start[leg], self.end[leg] = self.bank.spans[names.pop(0)]
        elif not loop_last:
            self.stop(leg)
            return False
        self.position[leg] = self.start[leg]
        return True


def silence(codec: int) -> Bytes:
    """One frame of nothing, in a codec."""
    return np.full(FRAME, SILENCE[codec], np.uint8)
