"""A network of our own making: packets come when we say, ticks go by the clock, all in memory."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media.conceal import Concealer
from media.g711 import PCMA, decode, encode
from media.slip import Slip
from tests.media.test_jitter import Bench


@dataclass(frozen=True)
class Sent:
    """A packet, and when it comes, in ms of the receiver's clock."""

    at_ms: float
    number: int
    timestamp: int
    payload: bytes


def stream(
    signal: NDArray[np.int16], delay_ms: NDArray[np.float64], ppm: float = 0, ptime_ms: int = 20
) -> list[Sent]:
    """A signal as packets with a delay each (nan: lost), of a sender whose clock is fast by ppm."""
    size = ptime_ms * 8
    codes = encode(signal, PCMA).tobytes()
    packets = [
        Sent(
            number * ptime_ms / (1 + ppm * 1e-6) + delay_ms[number],
            number,
            number * size,
            codes[number * size : (number + 1) * size],
        )
        for number in range(len(codes) // size)
        if not np.isnan(delay_ms[number])
    ]
    return sorted(packets, key=lambda packet: packet.at_ms)


class Line(Bench):
    """One leg with everything from its ring to what is heard."""

    def __init__(self) -> None:
        super().__init__(1)
        self.concealer = Concealer(self.jitter)
        self.slip = Slip(self.jitter, self.concealer)
        self.number = 0
        self.depths: list[int] = []  # samples between the newest and what is played now
        self.waits: list[int] = []  # samples that a packet waits which came at once

    def hear(self, packets: list[Sent], phase_ms: float = 7) -> NDArray[np.int16]:
        """All ticks until the last packet has come; what was heard."""
        heard = []
        waiting = list(reversed(packets))
        now = phase_ms
        while waiting:
            now += 20
            while waiting and waiting[-1].at_ms <= now:
                one = waiting.pop()
                self.put({0: (one.number, one.timestamp, one.payload)})
            self.number += 1
            still = self.slip.still(1)
            self.jitter.play(self.out, still)
            self.concealer.step(self.out)
            self.jitter.depth.step(self.number, 1)
            self.slip.step(self.out, still)
            heard.append(self.out[0].copy())
            depth = self.jitter.head_ts[0] - self.jitter.play_ts[0]
            carry = int(self.slip.carry[0])
            self.depths.append(int(depth.view(np.int32)) + carry)
            self.waits.append(int(self.jitter.depth.earliest[0]) + carry)
        return decode(np.concatenate(heard), PCMA)
