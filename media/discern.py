"""Tones that a network plays before it answers, told apart by frequency and cadence.

ITU-T E.180 and its Supplement 2, E.182: ringback, busy, congestion, number unobtainable and the
special information tone. Each 20 ms of a leg are correlated with the frequencies that exchanges
use (Goertzel's sums as one product of matrices); what they say is one of a few symbols, whose runs
are the cadence. Whatever is none of these is sound: an announcement, or music in place of ringback.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from media.g711 import DECODE
from media.types import FRAME, RATE, TICK_SECONDS, Bytes, Integers

Floats = NDArray[np.float32]
SINGLE = (400, 425, 450, 480)  # Hz: within 15 of whatever an exchange's tone has
PAIRS = ((350, 440), (440, 480), (480, 620))  # North America's
SPECIAL = ((915, 950, 985), (1370, 1400, 1430), (1775, 1800, 1825))  # E.180 §8: 50 to either side
PURE = 0.7  # of a frame's energy
LEAST_POWER = 3e4  # mean square: about -39 dBm0
SILENT, TONE, OTHER = 0, 1, 5  # and 2, 3, 4: the parts of the special information tone
SPECIAL_FRAMES = 10  # of 16: each part lasts 330 ms
SOUND_FRAMES = 50  # a second of sound that is no tone
ALIKE_FRAMES = 3
CYCLES = 3
EDGE_FRAMES = 2  # a frame across an edge is neither on nor off


def _frequencies() -> tuple[int, ...]:
    pairs = (hz for pair in PAIRS for hz in pair)
    special = (hz for part in SPECIAL for hz in part)
    return tuple(dict.fromkeys((*SINGLE, *pairs, *special)))


HERTZ = _frequencies()
AT = {hz: place for place, hz in enumerate(HERTZ)}
_ANGLE = 2 * np.pi * np.arange(FRAME)[:, None] * np.array(HERTZ, np.float64) / RATE
WAVES: Floats = np.concatenate([np.cos(_ANGLE), np.sin(_ANGLE)], axis=1).astype(np.float32)
LINEAR: Floats = DECODE.astype(np.float32).ravel()


def symbols(codes: Bytes, codec: Bytes) -> Integers:
    """What each frame, (legs, 160), is."""
    linear = LINEAR.take(codes + (codec.astype(np.int64)[:, None] << 8))
    energy = np.einsum("ij,ij->i", linear, linear)
    sums = linear @ WAVES
    count = len(HERTZ)
    power = sums[:, :count] ** 2 + sums[:, count:] ** 2
    share = 2 * power / (FRAME * np.maximum(energy, 1.0))[:, None]
    found: Integers = np.full(len(codes), OTHER, np.int64)
    for part, hertz in enumerate(SPECIAL):
        found[share[:, [AT[hz] for hz in hertz]].max(axis=1) >= PURE] = 2 + part
    single = share[:, [AT[hz] for hz in SINGLE]].max(axis=1)
    pairs = [share[:, AT[a]] + share[:, AT[b]] for a, b in PAIRS]
    found[np.maximum(single, np.max(pairs, axis=0)) >= PURE] = TONE
    found[energy < LEAST_POWER * FRAME] = SILENT
    return found


@dataclass(slots=True)
class Ear:
    """What one leg's network has played so far; lengths are in frames."""

    cycles: list[tuple[int, int]] = field(default_factory=list)  # on, off
    on: int = 0
    off: int = 0
    odd: int = 0  # of the pause: frames that are no silence
    special: list[int] = field(default_factory=list)  # frames of each part, in their order
    run: int = 0  # of frames that are no tone and no silence
    sound: int = 0
    told: set[str] = field(default_factory=set)

    def hear(self, symbol: int) -> str:
        """One frame more; the name of a tone that is recognised for the first time, or ""."""
        name = self._special(symbol) or self._cadence(symbol) or self._sound(symbol)
        if not name or name in self.told:
            return ""
        self.told.add(name)
        return name

    def _special(self, symbol: int) -> str:
        """E.180 §8: three tones one after the other."""
        if symbol == 2 and len(self.special) != 1:
            self.special = [0]
        if symbol in (2, 3, 4):
            part = symbol - 2
            if part == len(self.special) and self.special and self.special[-1] >= SPECIAL_FRAMES:
                self.special.append(0)
            if part == len(self.special) - 1:
                self.special[part] += 1
        done = len(self.special) == len(SPECIAL) and self.special[-1] >= SPECIAL_FRAMES
        return "special" if done else ""

    def _cadence(self, symbol: int) -> str:
        if symbol != TONE:
            self.off += bool(self.on)
            self.odd += bool(self.on and symbol != SILENT)
            return _long(self.on, self.off) if self.odd <= EDGE_FRAMES else ""
        if self.off > EDGE_FRAMES:  # the next cycle begins
            clean = self.odd <= EDGE_FRAMES
            self.cycles = [*self.cycles, (self.on, self.off)][-8:] if clean else []
            self.on = self.off = self.odd = 0
        else:  # a click in the tone
            self.on += self.off
            self.off = self.odd = 0
        self.on += 1
        return _short(self.cycles) if self.on == 1 else ""

    def _sound(self, symbol: int) -> str:
        self.run = self.run + 1 if symbol == OTHER else 0
        self.sound += self.run > EDGE_FRAMES
        return "sound" if self.sound >= SOUND_FRAMES else ""


def _long(on: int, off: int) -> str:
    """Ringback: a second or two of tone, and a long pause."""
    return "ringback" if 40 <= on <= 110 and off >= 90 else ""


def _short(cycles: list[tuple[int, int]]) -> str:
    """Pauses as long as the tones, by their length; or three short ones and a longer one."""
    if len(cycles) >= 4 and _is_unobtainable(cycles[-4:]):
        return "unobtainable"
    last = cycles[-CYCLES:]
    lengths = [length for cycle in last for length in cycle]
    if len(last) < CYCLES or max(lengths) - min(lengths) > ALIKE_FRAMES:
        return ""
    seconds = sum(lengths) / len(lengths) * TICK_SECONDS
    if 0.28 <= seconds <= 0.57:
        return "busy"  # 0.35 s in China, 0.5 s elsewhere
    if 0.15 <= seconds < 0.28 or 0.57 < seconds <= 0.85:
        return "congestion"  # 0.7 s in China, 0.25 s elsewhere
    return ""


def _is_unobtainable(cycles: list[tuple[int, int]]) -> bool:
    """China's: 0.1 s thrice, and 0.4 s; from whichever of them it is heard."""
    ons = [on for on, _ in cycles]
    return sum(3 <= on <= 8 for on in ons) == 3 and sum(16 <= on <= 24 for on in ons) == 1


class Discerning:
    """The ears of the legs that are listened to: those that ring with something to hear."""

    def __init__(self) -> None:
        self.ears: dict[int, Ear] = {}

    def start(self, leg: int) -> None:
        """From now on, anew."""
        self.ears[leg] = Ear()

    def stop(self, leg: int) -> None:
        """It is answered, or gone."""
        self.ears.pop(leg, None)

    def listen(self, heard: Bytes, codec: Bytes) -> list[tuple[int, str]]:
        """A frame of all legs, (n, 160): legs and the tones that were recognised now."""
        legs = list(self.ears)
        found = symbols(heard[legs], codec[legs]).tolist()
        named = ((leg, self.ears[leg].hear(one)) for leg, one in zip(legs, found, strict=True))
        return [(leg, name) for leg, name in named if name]
