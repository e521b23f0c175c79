"""What each leg is heard to say: from its ring, gaps filled, at our pace, as loud as wanted.

Then what is known of it: levels, who talks, keys pressed in the sound. One call a tick.
"""

from collections.abc import Sequence

import numpy as np

from media import events
from media.conceal import Concealer
from media.discern import Discerning
from media.dtmf import Pressed
from media.gain import Gains
from media.inband import Ears
from media.jitter import Jitter
from media.legs import Legs
from media.levels import LOOK_MS, Levels
from media.slip import Slip
from media.types import RATE, Bytes, Flags, Integers


class Hearing:
    """Holds the parts and runs them in order."""

    def __init__(self, legs: Legs) -> None:
        self.legs = legs
        self.jitter = Jitter(legs)
        self.concealer = Concealer(self.jitter)
        self.slip = Slip(self.jitter, self.concealer)
        self.gains = Gains(legs.capacity)
        self.levels = Levels(legs.capacity)
        self.ears = Ears(legs.capacity)
        self.discerning = Discerning()
        self.watched: Flags = np.zeros(legs.capacity, np.bool_)
        self.pressed: Sequence[Pressed] = ()  # in the sound, found to be over in this tick
        self.tones: Sequence[tuple[int, str]] = ()  # recognised in this tick
        self.changed: Integers = np.zeros(0, np.int64)  # watched legs that began or ceased to talk

    def forget(self, leg: int) -> None:
        """Nothing of what was heard so far has to do with what comes next."""
        self.jitter.clear(leg)
        self.concealer.clear(leg)
        self.slip.clear(leg)
        self.ears.clear(leg)

    def clear(self, leg: int) -> None:
        """The row is another leg's from now on."""
        self.forget(leg)
        self.levels.clear(leg)
        self.gains.set(leg, 0)
        self.watched[leg] = False
        self.discerning.stop(leg)

    def step(self, heard: Bytes, tick: int) -> None:
        """Fill (n, 160) codes, one row a leg."""
        high = len(heard)
        still = self.slip.still(high)
        self.jitter.play(heard, still)
        self.concealer.step(heard)
        self.jitter.depth.step(tick, high)
        self.slip.step(heard, still)
        codec = self.legs.codec[:high]
        self.gains.step(heard, codec)
        changed = self.levels.look(heard, codec, tick)
        self.changed = changed[self.watched[changed]] if len(changed) else changed
        self._listen(heard, codec)
        self.tones = self.discerning.listen(heard, codec) if self.discerning.ears else ()

    def _listen(self, heard: Bytes, codec: Bytes) -> None:
        """Keys in the sound of legs that have agreed on no other way."""
        legs, high = self.legs, len(heard)
        by_ear = legs.latched[:high] & legs.receives[:high] & (legs.dtmf_receive_type[:high] < 0)
        which = np.flatnonzero(by_ear)
        self.pressed = self.ears.listen(which, heard[which], codec[which]) if len(which) else ()

    def sound(self, leg: int) -> events.Sound:
        """What is known of one leg; the levels are the loudest since the last time."""
        rms, peak = self.levels.take(leg)
        per_ms = RATE // 1000
        return events.Sound(
            rms_dbov=round(rms, 1),
            peak_dbov=round(peak, 1),
            talking=bool(self.levels.talking[leg]),
            talk_ms=int(self.levels.talked[leg]) * LOOK_MS,
            depth_ms=self.waits(leg) // per_ms,
            spread_ms=int(self.jitter.depth.spread[leg]) // per_ms,
        )

    def waits(self, leg: int) -> int:
        """RFC 3611 §4.7.7, the nominal delay: samples that a packet waits which came at once.

        What is in hand is less by as much as the network held up the last packet, so it swings with
        each; it stands in until enough packets have come.
        """
        jitter = self.jitter
        in_hand = int((jitter.head_ts[leg] - jitter.play_ts[leg]).view(np.int32))
        depth = int(jitter.depth.earliest[leg]) or max(0, in_hand)
        return depth + int(self.slip.carry[leg])
