"""What is heard where packets are missing: waveform repetition after ITU-T G.711 Appendix I.

The last one, two and three pitch periods are repeated in the first, second and third 10 ms of a
loss, joined by overlap-add over a quarter of a period, and fade to nothing from 10 to 60 ms, while
noise as loud as the quietest 10 ms heard lately fades in and then stays. Three things differ from
the recommendation: no 3.75 ms of delay (the first repetition starts where the speech ended and
slides back to its own level, so that good frames stay bit exact); the pitch is searched without
decimation over the last 7.5 ms, not 20; and where the frame after a lost one is here already, which
is usual, what is made up arrives at that frame's phase and loudness. PESQ of six samples of
recorded speech at 3 and 10 % of loss: 3.13 and 2.44 without the last two, 3.36 and 2.71 with them
(by a search over 10 ms; 7.5 gain 0.02 and 0.03 more).
"""

import numpy as np
from numpy.typing import NDArray

from media.g711 import DECODE, ENCODE
from media.jitter import SLOTS, Jitter
from media.types import FRAME, HALF, Bytes, Flags, Integers, Samples, Words32

PITCH_MIN, PITCH_MAX = 40, 120  # samples: 200 and 66 Hz
MATCH = 60  # samples compared in the search
HISTORY = 3 * PITCH_MAX + PITCH_MAX // 4
PAST = 8  # frames that stay in the ring behind the play position
FADE_END = 480  # samples: silence, or noise, from 60 ms on
FADE = 400  # of so many parts, one goes with each sample after the first 10 ms
MERGE_STEP = 32  # longer a join at the end by 4 ms for each 10 ms lost
NOISE_MAX = 150  # mean magnitude: beyond this the quietest 10 ms were speech
NOISE_PERIOD = 8192
NOISE_UNIT = 256  # mean magnitude of the table
MEAN_OF_RMS = 0.798  # of noise: the square root of 2 / pi


def _noise_table() -> Samples:
    """White with the treble halved, so that it does not hiss; fixed, so that tests can know it."""
    white = np.random.default_rng(3389).normal(0, 1, NOISE_PERIOD + HALF + 1)
    soft = white[1:] + 0.7 * white[:-1]
    table: Samples = np.rint(soft / np.abs(soft).mean() * NOISE_UNIT).astype(np.int16)
    return table


NOISE = _noise_table()
Floats = NDArray[np.float64]
COLUMNS: Words32 = np.arange(HALF, dtype=np.int32)
BRIDGED = FRAME + HALF  # samples worked out at once where the frame after a lost one is here
DRIFT = 16  # samples that a voice's phase may wander in a lost frame
MOST = 128  # searches in a tick, so that none stalls it
SHY = 0.01  # of likeness, that each sample of it has to be worth
SOFTEST = 0.2  # to this and no louder than before a lost frame may go


class Concealer:
    """`run` is how many samples were made up since the last good ones, at most FADE_END."""

    def __init__(self, jitter: Jitter) -> None:
        capacity = jitter.legs.capacity
        self.jitter = jitter
        self.legs = jitter.legs
        self.run: Integers = np.zeros(capacity, np.int64)
        self.pitch: Words32 = np.full(capacity, PITCH_MIN, np.int32)
        self.noise: Words32 = np.zeros(capacity, np.int32)
        self.comfort: Words32 = np.full(capacity, -1, np.int32)  # as told by the sender
        self.history: Samples = np.zeros((capacity, HISTORY), np.int16)
        self.bridged: Flags = np.zeros(capacity, np.bool_)
        self.bridge: Samples = np.zeros((capacity, BRIDGED), np.int16)
        self._active = False
        self._flat: Samples = self.history.reshape(-1)

    def clear(self, leg: int) -> None:
        """Nothing is known of the leg's voice."""
        self.run[leg] = 0
        self.comfort[leg] = -1

    def describe(self, leg: int, level: int) -> None:
        """RFC 3389 §3: noise `level` dB below overload; its spectrum is not used."""
        self.comfort[leg] = round(MEAN_OF_RMS * 32768 * 10 ** (-level / 20))
        if self.run[leg]:
            self.noise[leg] = self.comfort[leg]

    def step(self, out: Bytes) -> None:
        """Fill the gaps of this tick in (n, 160) codes, and join what follows after one."""
        lossy = self.jitter.lossy
        if not len(lossy) and not self._active:
            return
        going = np.flatnonzero(self.run[: len(out)])
        legs = np.union1d(going, lossy)
        pairs = np.full(len(out), 0x0101, np.uint16)
        pairs[lossy] = self.jitter.pairs_played[lossy]
        present = pairs.view(np.uint8).reshape(-1, 2)
        for part in (0, 1):
            here = present[legs, part] != 0
            missing = legs[~here]
            if len(missing):
                self._fill(out, missing, part)
            after = legs[here & (self.run[legs] > 0)]
            if len(after):
                self._join(out, after, part)
        # What was played is what a loss soon after this one goes on from.
        self.jitter.ring[self.jitter.slots_played[legs]] = out[legs]
        self._active = bool(self.run[legs].any())

    def _fill(self, out: Bytes, legs: Integers, part: int) -> None:
        new = legs[self.run[legs] == 0]
        if len(new):
            self._start(out, new, part)
            self.bridged[new] = False
            if not part:
                self._build(new)
        self._put(out, legs, part, self._made(legs))
        self.run[legs] = np.minimum(self.run[legs] + HALF, FADE_END)

    def _join(self, out: Bytes, legs: Integers, part: int) -> None:
        """From what is made up to what came, over a quarter of a period and 4 ms a 10 ms lost."""
        heard = self._linear(out[legs, part * HALF : (part + 1) * HALF], legs).astype(np.int32)
        made = self._made(legs)
        more = MERGE_STEP * (self.run[legs] // HALF - 1)
        length = np.minimum(self.pitch[legs] // 4 + more, HALF)[:, None]
        self._put(out, legs, part, _blend(made, heard, COLUMNS + 1, length.astype(np.int32)))
        self.run[legs] = 0

    def _linear(self, codes: Bytes, legs: Integers) -> Samples:
        offset = self.legs.codec[legs].astype(np.int64) << 8
        samples: Samples = DECODE.ravel().take(codes + offset[:, None])
        return samples

    def _put(self, out: Bytes, legs: Integers, part: int, samples: Words32) -> None:
        offset = self.legs.codec[legs].astype(np.int64) << 16
        index = np.clip(samples, -32768, 32767).astype(np.int16).view(np.uint16) + offset[:, None]
        out[legs, part * HALF : (part + 1) * HALF] = ENCODE.ravel().take(index)

    def _start(self, out: Bytes, legs: Integers, part: int) -> None:
        """Keep the last samples, find their pitch and how loud the background is."""
        jitter = self.jitter
        at = jitter.slots_played[legs] - jitter.row[legs]
        slots = (at[:, None] + np.arange(-PAST, 0)) % SLOTS + jitter.row[legs][:, None]
        codes = jitter.ring[slots].reshape(len(legs), PAST * FRAME)
        if part:
            codes = np.concatenate([codes[:, HALF:], out[legs, :HALF]], axis=1)
        past = self._linear(codes, legs)
        blocks = np.abs(past.astype(np.int32)).reshape(len(legs), -1, HALF).sum(axis=2)
        quietest = np.minimum(blocks.min(axis=1) // HALF, NOISE_MAX)
        told = self.comfort[legs]
        self.noise[legs] = np.where(told >= 0, told, quietest)
        self.history[legs] = past[:, -HISTORY:]
        # A network that fails loses a frame of everybody at once: the others keep their last pitch.
        self.pitch[legs[:MOST]] = pitch_of(past[:MOST, -HISTORY:])

    def _build(self, legs: Integers) -> None:
        """Where the frame after the lost one is here: arrive at its phase and its loudness.

        The repetition is bent, by linear interpolation, so that what would follow it resembles
        the beginning of that frame most; its loudness goes over from the one to the other.
        """
        jitter = self.jitter
        whole = (jitter.pairs_played[legs] == 0) & jitter.ready(legs)
        legs = legs[whole][:MOST]
        if not len(legs):
            return
        after = self._linear(jitter.ring[jitter.row[legs] + jitter.play_slot[legs]], legs)
        starts = np.repeat(np.arange(0, FRAME + 2 * HALF, HALF, dtype=np.int32), len(legs))
        parts = self._voice(np.tile(legs, 4), starts).reshape(4, len(legs), HALF)
        voice = parts.transpose(1, 0, 2).reshape(len(legs), 4 * HALF)
        shift = _phase(voice, after)
        at = np.arange(BRIDGED)
        bent = np.minimum(at, FRAME) * shift[:, None] / FRAME + at
        low = bent.astype(np.int64)
        rows = np.arange(len(legs))[:, None]
        part = bent - low
        mixed = voice[rows, low] * (1 - part) + voice[rows, low + 1] * part
        change = _loudness(voice[:, FRAME:BRIDGED], after) - 1
        mixed *= 1 + change[:, None] * (np.minimum(at, FRAME) / FRAME)
        self.bridge[legs] = np.clip(np.rint(mixed), -32768, 32767).astype(np.int16)
        self.bridged[legs] = True

    def _made(self, legs: Integers) -> Words32:
        """The next 10 ms of repeated speech and noise, (legs, 80)."""
        start = self.run[legs].astype(np.int32)
        where = (legs * 1009 + self.jitter.tick * FRAME + start) % NOISE_PERIOD
        noise = NOISE.take(where[:, None] + COLUMNS) * self.noise[legs][:, None] // NOISE_UNIT
        result: Words32 = noise.astype(np.int32)
        bridged = self.bridged[legs] & (start < BRIDGED)
        built = np.flatnonzero(bridged)
        if len(built):
            columns = start[built][:, None] + COLUMNS
            result[built] = self.bridge[legs[built][:, None], columns]
        voiced = np.flatnonzero((start < FADE_END) & ~bridged)
        if len(voiced):
            voice = self._voice(legs[voiced], start[voiced])
            keep = np.clip(FADE_END - (start[voiced, None] + COLUMNS), 0, FADE)
            result[voiced] = (voice * keep + result[voiced] * (FADE - keep)) // FADE
        return result

    def _voice(self, legs: Integers, start: Words32) -> Words32:
        """Appendix I: one, two, three periods in turn; each new loop is faded into."""
        loops = np.minimum(start // HALF + 1, 3)
        voice = self._loop(legs, loops, start, HALF)
        overlap = PITCH_MAX // 4
        join = np.flatnonzero(start <= 2 * HALF)
        if len(join):
            pitch = self.pitch[legs[join]][:, None]
            before = np.maximum(loops[join] - 1, 1)
            old = self._loop(legs[join], before, start[join], overlap)
            first = np.flatnonzero(start[join] == 0)
            history = self.history[legs[join][first]].astype(np.int32)
            before_loop = history[np.arange(len(first)), -1 - pitch[first, 0]]
            old[first] += (history[:, -1] - before_loop)[:, None]
            voice[join, :overlap] = _blend(
                old, voice[join, :overlap], COLUMNS[:overlap] + 1, pitch // 4
            )
        return voice

    def _loop(self, legs: Integers, loops: Words32, start: Words32, count: int) -> Words32:
        """`count` samples of the last periods said over and over, the seam overlap-added."""
        pitch = self.pitch[legs]
        length = (loops * pitch)[:, None]
        begun = (loops - 1) * HALF  # when this many periods came into use
        place = ((begun % pitch + start - begun)[:, None] + COLUMNS[:count]) % length
        at = ((legs + 1) * HISTORY)[:, None] - length + place
        samples: Words32 = self._flat.take(at).astype(np.int32)
        quarter = (pitch // 4)[:, None]
        into = place - length + quarter + 1
        row, column = np.nonzero(into > 0)
        if len(row):
            lead = self._flat.take(at[row, column] - length[row, 0]).astype(np.int32)
            samples[row, column] = _blend(
                samples[row, column], lead, into[row, column], quarter[row, 0]
            )
        return samples


def pitch_of(history: Samples) -> Words32:
    """The lag at which the last 20 ms resemble what was before them most; (legs,) samples.

    Appendix I §I.2.2: normalised cross-correlation. Sums of 16-bit products are exact in doubles.
    """
    signal = history[:, -(MATCH + PITCH_MAX) :].astype(np.float64)
    lags = PITCH_MAX - PITCH_MIN + 1
    windows = np.lib.stride_tricks.sliding_window_view(signal, MATCH, axis=1)[:, :lags]
    match = np.einsum("klt,kt->kl", windows, signal[:, -MATCH:])
    squares = np.zeros((len(signal), signal.shape[1] + 1))
    np.cumsum(signal * signal, axis=1, out=squares[:, 1:])
    energy = squares[:, MATCH : MATCH + lags] - squares[:, :lags]
    score = np.maximum(match, 0) / np.sqrt(np.maximum(energy, 1))
    # The shortest of equal lags: the last window is the nearest.
    best: Words32 = (PITCH_MIN + score[:, ::-1].argmax(axis=1)).astype(np.int32)
    return best


def _loudness(voice: Words32, after: Samples) -> Floats:
    """(n,) how loud the frame after a lost one begins, of what was made up to there."""
    made = np.sqrt((voice.astype(np.float64) ** 2).mean(axis=1)) + 1
    came = np.sqrt((after[:, :HALF].astype(np.float64) ** 2).mean(axis=1)) + 1
    ratio: Floats = np.clip(came / made, SOFTEST, 1.0)
    return ratio


def _phase(voice: Words32, after: Samples) -> Integers:
    """By how many samples the voice, (n, 320) from a frame before, should be ahead to meet it."""
    part = voice[:, FRAME - DRIFT : FRAME + DRIFT + HALF].astype(np.float64)
    windows = np.lib.stride_tricks.sliding_window_view(part, HALF, axis=1)
    match = np.einsum("klt,kt->kl", windows, after[:, :HALF].astype(np.float64))
    energy = np.einsum("klt,klt->kl", windows, windows)
    score = match / np.sqrt(np.maximum(energy, 1))
    score *= 1 - SHY * np.abs(np.arange(-DRIFT, DRIFT + 1))
    best: Integers = score.argmax(axis=1) - DRIFT
    best[score.max(axis=1) <= 0] = 0
    return best


def _blend(old: Words32, new: Words32, at: Words32, length: Words32) -> Words32:
    """From old to new in `length` steps, `at` counting from 1; new from there on."""
    share = np.minimum(at, length + 1)
    mixed: Words32 = (old * (length + 1 - share) + new * share) // (length + 1)
    return mixed
