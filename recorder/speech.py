"""Speech to text: what an adapter must be; none comes with the product (docs/recordings.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was said from when to when, in ms of the recording; `side` is caller or agent."""

    side: str
    start_ms: int
    end_ms: int
    text: str


class Transcriber(Protocol):
    """Made once; called in a thread, one recording after the other."""

    name: str

    def transcribe(self, samples: npt.NDArray[np.float32], rate: int) -> list[tuple[int, int, str]]:
        """(start_ms, end_ms, text) of one channel, (n,) float32 of -1..1 at `rate` Hz."""
