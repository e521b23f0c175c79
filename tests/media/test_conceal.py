"""Concealment of many legs at once against one leg told sample by sample, and how it sounds."""

import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from media.conceal import (
    DRIFT,
    FADE,
    FADE_END,
    HISTORY,
    NOISE,
    NOISE_MAX,
    NOISE_PERIOD,
    NOISE_UNIT,
    SHY,
    SOFTEST,
    Concealer,
)
from media.g711 import SILENCE, decode, encode
from tests.media.phones import power
from tests.media.test_jitter import Bench, headers_of, row_of


def fade(old: int, new: int, at: int, length: int) -> int:
    share = min(at, length + 1)
    return (old * (length + 1 - share) + new * share) // (length + 1)


class Plain:
    """One leg: the samples said so far, and what is made up after them."""

    def __init__(self, leg: int, codec: int) -> None:
        self.leg, self.codec = leg, codec
        self.past = [int(decode(SILENCE[codec : codec + 1], codec)[0])] * 1280
        self.run = 0

    def start(self) -> None:
        blocks = [sum(map(abs, self.past[-1280:][at : at + 80])) for at in range(0, 1280, 80)]
        self.noise = min(min(blocks) // 80, NOISE_MAX)
        self.history = self.past[-HISTORY:]
        last, best = self.past[-60:], -1.0
        for lag in range(40, 121):
            window = self.past[len(self.past) - 60 - lag : len(self.past) - lag]
            match = sum(a * b for a, b in zip(last, window, strict=True))
            score = max(match, 0) / math.sqrt(max(sum(a * a for a in window), 1))
            if score > best:
                best, self.pitch = score, lag

    def bridge_to(self, after: list[int]) -> None:
        """Bend what is made up so that it meets the next frame in phase, as loud as it."""
        voice = [self.voice(n) for n in range(320)]
        best, shift = 0.0, 0
        for by in range(-DRIFT, DRIFT + 1):
            window = voice[160 + by : 240 + by]
            match = sum(a * b for a, b in zip(window, after, strict=True))
            score = match / math.sqrt(max(sum(a * a for a in window), 1)) * (1 - SHY * abs(by))
            if score > best:
                best, shift = score, by
        made = math.sqrt(sum(a * a for a in voice[160:240]) / 80) + 1
        came = math.sqrt(sum(a * a for a in after) / 80) + 1
        change = min(max(came / made, SOFTEST), 1.0) - 1
        self.bridge = []
        for at in range(240):
            place = min(at, 160) * shift / 160 + at
            part = place - int(place)
            sample = voice[int(place)] * (1 - part) + voice[int(place) + 1] * part
            self.bridge.append(round(sample * (1 + change * (min(at, 160) / 160))))

    def loop(self, periods: int, n: int) -> int:
        length, quarter = periods * self.pitch, self.pitch // 4
        begun = (periods - 1) * 80
        place = (begun % self.pitch + n - begun) % length
        sample = self.history[HISTORY - length + place]
        into = place - length + quarter + 1
        if into > 0:
            sample = fade(sample, self.history[HISTORY - 2 * length + place], into, quarter)
        return sample

    def voice(self, n: int) -> int:
        periods = min(n // 80 + 1, 3)
        sample, into = self.loop(periods, n), n % 80
        if n < 240 and into < 30:
            if n < 80:
                old = sample + self.history[-1] - self.history[-1 - self.pitch]
            else:
                old = self.loop(periods - 1, n)
            sample = fade(old, sample, into + 1, self.pitch // 4)
        return sample

    def made(self, tick: int) -> list[int]:
        samples = []
        for at in range(80):
            n = self.run + at
            place = (self.leg * 1009 + tick * 160 + self.run) % NOISE_PERIOD + at
            noise = int(NOISE[place]) * self.noise // NOISE_UNIT
            keep = min(max(FADE_END - n, 0), FADE)
            voice = self.voice(n) if keep else 0
            if n < len(self.bridge):
                keep, voice = FADE, self.bridge[n]
            samples.append((voice * keep + noise * (FADE - keep)) // FADE)
        return samples

    def half(self, codes: bytes | None, tick: int, after: bytes | None = None) -> bytes:
        """10 ms: what came, or None; the codes that are played; `after` a frame lost as a whole."""
        if codes is None:
            if not self.run:
                self.start()
                self.bridge: list[int] = []
                if after is not None:
                    self.bridge_to(decode(np.frombuffer(after, np.uint8), self.codec).tolist())
            codes = self.code(self.made(tick))
            self.run = min(self.run + 80, FADE_END)
        elif self.run:
            length = min(self.pitch // 4 + 32 * (self.run // 80 - 1), 80)
            heard = decode(np.frombuffer(codes, np.uint8), self.codec)
            both = zip(self.made(tick), heard, strict=True)
            codes = self.code([fade(a, int(b), at + 1, length) for at, (a, b) in enumerate(both)])
            self.run = 0
        self.past += decode(np.frombuffer(codes, np.uint8), self.codec).tolist()
        return codes

    def code(self, samples: list[int]) -> bytes:
        clipped = np.clip(samples, -32768, 32767).astype(np.int16)
        return encode(clipped, self.codec).tobytes()


class Talk(Bench):
    """The jitter buffer's bench with concealment behind it."""

    def __init__(self, legs: int = 1) -> None:
        super().__init__(legs)
        self.concealer = Concealer(self.jitter)

    def hear(self, packets: dict[int, tuple[int, int, bytes]]) -> np.ndarray:
        self.put(packets)
        self.jitter.play(self.out)
        self.concealer.step(self.out)
        return self.out.copy()


def speech(seed: int, count: int) -> np.ndarray:
    """Voice-like: a pulse train of wandering pitch through two resonances, and noise."""
    rng = np.random.default_rng(seed)
    hertz = rng.uniform(70, 190) + 20 * np.sin(np.arange(count) / 4000)
    pulses = np.diff(np.floor(np.cumsum(hertz) / 8000), prepend=0)
    at = np.arange(160) / 8000
    ring = np.exp(-180 * at) * (np.sin(2 * np.pi * 620 * at) + 0.5 * np.sin(2 * np.pi * 1500 * at))
    voice = np.convolve(pulses, ring)[:count] * 9000 + rng.normal(0, rng.uniform(1, 200), count)
    return np.clip(np.rint(voice), -32768, 32767).astype(np.int16)


DEEP = 20  # frames always in hand, so that no loss is a pause


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**16),
    st.lists(st.lists(st.booleans(), min_size=3, max_size=3), min_size=1, max_size=32),
    st.sampled_from([160, 80]),
)
def test_the_vectors_do_what_one_leg_does_sample_by_sample(seed, losses, size):
    bench, codecs, per_tick = Talk(3), [0, 1, 0], 160 // size
    bench.legs.codec[:3] = codecs
    bench.jitter.tick = 3  # nobody's delay is trimmed within the test
    voices = [encode(speech(seed + leg, 160 * 60), codecs[leg]).tobytes() for leg in range(3)]
    plains = [Plain(leg, codecs[leg]) for leg in range(3)]

    def lost(leg: int, number: int) -> bool:
        at = number - 4 * per_tick
        return 0 <= at < min(len(losses), 16 * per_tick) and losses[at][leg]

    def send(number: int) -> None:
        piece = slice(number * size, (number + 1) * size)
        bench.put(
            {
                leg: (number, number * size, voices[leg][piece])
                for leg in range(3)
                if not lost(leg, number)
            }
        )

    for number in range(DEEP * per_tick):
        send(number)
    bench.hear({})  # the first tick only waits
    for frame in range(36):
        for number in range((frame + DEEP) * per_tick, (frame + DEEP + 1) * per_tick):
            send(number)
        out = bench.hear({})
        for leg in range(3):
            expected = b""
            there = [not lost(leg, (frame * 160 + at) // size) for at in range(0, 320, 80)]
            after = None
            if there == [False, False, True, True]:
                after = voices[leg][frame * 160 + 160 : frame * 160 + 240]
            for part in (0, 1):
                start = frame * 160 + 80 * part
                came = voices[leg][start : start + 80] if there[part] else None
                expected += plains[leg].half(came, bench.jitter.tick, None if part else after)
            assert out[leg].tobytes() == expected, (frame, leg)


def heard(signal: np.ndarray, lost: set[int]) -> np.ndarray:
    """What is heard of a signal whose packets `lost` are lost; three packets are always ahead."""
    bench, codes, frames = Talk(), encode(signal, 0).tobytes(), []
    count = len(signal) // 160
    for tick in range(-3, count):
        number = tick + 3
        coming = {}
        if number < count and number not in lost:
            coming = {0: (number, number * 160, codes[number * 160 : number * 160 + 160])}
        bench.put(coming)
        if tick >= 0:
            frames.append(bench.hear({})[0])
    return decode(np.concatenate(frames[1:]), 0)  # the first tick waits


def test_without_loss_every_bit_is_as_it_was():
    signal = speech(1, 160 * 40)
    got = heard(signal, set())
    assert (encode(got, 0) == encode(signal, 0)[: len(got)]).all()


def test_a_tone_goes_on_through_a_loss_without_a_step():
    at = np.arange(160 * 40) / 8000
    signal = np.rint(8000 * np.sin(2 * np.pi * 200 * at)).astype(np.int16)  # 40 samples a period
    got = heard(signal, {20})
    gap = got[160 * 19 : 160 * 23].astype(float)
    assert power(got[160 * 20 : 160 * 21], 200) > 0.99
    steepest = np.abs(np.diff(signal.astype(float))).max()
    assert np.abs(np.diff(gap)).max() < 1.3 * steepest
    assert np.sqrt((gap**2).mean()) > 0.75 * 8000 / math.sqrt(2)


def test_speech_with_losses_is_nearer_to_the_original_than_with_silence():
    lost = {25, 33, 40, 41, 52, 60, 71}
    better = 0
    for seed in range(8):
        signal = speech(seed, 160 * 80)
        got = heard(signal, lost).astype(float)
        for number in lost - {41}:
            piece = slice(number * 160, number * 160 + 160)
            error = ((got[piece] - signal[piece]) ** 2).sum()
            better += error < (signal[piece].astype(float) ** 2).sum()
    assert better > 0.75 * 8 * 6, better


def test_a_long_loss_fades_to_noise_as_loud_as_the_background():
    rng = np.random.default_rng(5)
    background = rng.normal(0, 40, 160 * 60)
    signal = speech(2, 160 * 60).astype(float) + background
    signal[160 * 14 : 160 * 17] = background[160 * 14 : 160 * 17]
    got = heard(np.rint(signal).clip(-32768, 32767).astype(np.int16), set(range(20, 35)))
    levels = [float(np.abs(got[160 * n : 160 * n + 160].astype(float)).mean()) for n in range(50)]
    assert levels[20] > levels[21] > levels[22] > levels[26]
    late = np.array(levels[23:35])
    assert (late > 8).all()
    assert (late < 60).all()
    joined = np.abs(np.diff(got[160 * 34 : 160 * 37].astype(float))).max()
    assert joined < 1.5 * np.abs(np.diff(signal)).max()


def test_a_new_stream_does_not_go_on_from_the_old_one():
    bench = Talk()
    for number in range(20):
        bench.hear({0: (number, number * 160, bytes([0x2A]) * 160)})
    bench.jitter.insert(
        np.array([0]), np.stack([row_of(b"\xd5" * 160)]), headers_of([(900, 900000, b"x" * 160)])
    )
    bench.hear({})
    bench.hear({})
    tail = [bench.hear({})[0] for _ in range(6)][-1]
    assert np.abs(decode(tail, 0).astype(int)).max() < 600
