"""Announcements over music, and tones over a call: what is below is faded down and up again."""

import numpy as np
from numpy.typing import NDArray

from media.g711 import DECODE, ENCODE
from media.legs import Legs
from media.prompts import Bank, Player
from media.types import FRAME, Bytes, Integers

Floats = NDArray[np.float32]
BELOW = 0.16  # -16 dB: music under a voice
FADE_TICKS = 10
LINEAR: Floats = DECODE.astype(np.float32).ravel()
RAMP: Floats = (np.arange(1, FRAME + 1) / FRAME).astype(np.float32)


class Overlay:
    """`gain` is how loud what is below is now; 1 where nothing is over it."""

    def __init__(self, bank: Bank, legs: Legs) -> None:
        self.legs = legs
        self.player = Player(bank, legs.capacity)
        self.bank = bank
        self.gain: Floats = np.ones(legs.capacity, np.float32)
        self.low: Floats = np.ones(legs.capacity, np.float32)  # what it is faded to
        self.busy = False
        self.dialling: set[int] = set()
        self.relaying: set[int] = set()  # somebody else's keys, of whose end nobody is told

    def say(self, leg: int, prompts: tuple[str, ...], below: float = BELOW) -> None:
        """Start, in place of what was being said; LocalProtocolError for unknown prompts."""
        self.player.play(leg, prompts, loop_last=False)
        self.dialling.discard(leg)
        self.relaying.discard(leg)
        self.low[leg] = below
        self.busy = True

    def dial(self, leg: int, keys: tuple[str, ...]) -> None:
        """Press keys in the sound, with nothing below them."""
        self.say(leg, keys, 0.0)
        self.gain[leg] = 0
        self.dialling.add(leg)

    def relay(self, leg: int, key: str) -> None:
        """A key that another party presses, behind those before; unless something is said."""
        if self.player.position[leg] < 0:
            self.say(leg, (key,), 0.0)
            self.gain[leg] = 0
            self.relaying.add(leg)
        elif leg in self.relaying:
            self.player.queues[leg][0].append(key)

    def stop(self, leg: int) -> None:
        """At once: the leg closes."""
        self.dialling.discard(leg)
        self.relaying.discard(leg)
        self.player.stop(leg)
        self.gain[leg] = 1

    def hush(self, leg: int) -> None:
        """Say no more; what is below comes back. Keys are pressed to the end."""
        if leg not in self.dialling | self.relaying:
            self.player.stop(leg)

    def step(
        self, pool: Bytes, source: Integers, bank_at: int
    ) -> tuple[Integers, Bytes, list[int]]:
        """(legs, (legs, 160) codes to be sent instead of their sources, legs that are through)."""
        high = len(source)
        said, frames, finished = self.player.step(high)
        saying = np.zeros(high, np.bool_)
        saying[said] = True
        legs = np.flatnonzero(saying | (self.gain[:high] < 1))
        self.busy = bool(len(legs))
        step = (1 - self.low[legs]) / FADE_TICKS
        before = self.gain[legs]
        after = np.where(
            saying[legs], np.maximum(before - step, self.low[legs]), np.minimum(before + step, 1)
        ).astype(np.float32)
        self.gain[legs] = after
        offset = self.legs.codec[legs].astype(np.int64)[:, None]
        slope = before[:, None] + (after - before)[:, None] * RAMP
        mixed = LINEAR.take(pool[source[legs]] + (offset << 8)) * slope
        # The bank's first half is A-law.
        mixed[saying[legs]] += LINEAR.take(pool[bank_at + frames])
        linear = np.clip(np.rint(mixed), -32768, 32767).astype(np.int16)
        codes: Bytes = ENCODE.ravel().take(linear.view(np.uint16) + (offset << 16))
        return legs, codes, finished
