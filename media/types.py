"""Names for the arrays that the tick works on."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Bytes: TypeAlias = NDArray[np.uint8]
Samples: TypeAlias = NDArray[np.int16]
Words32: TypeAlias = NDArray[np.int32]  # signed, for sums of samples
Words: TypeAlias = NDArray[np.uint32]
Halves: TypeAlias = NDArray[np.uint16]
Integers: TypeAlias = NDArray[np.int64]
Flags: TypeAlias = NDArray[np.bool_]

FRAME = 160  # samples of 20 ms at 8 kHz, and bytes of them in G.711
RATE = 8000  # samples a second
HALF = FRAME // 2  # senders count in steps of 10 ms
TICK_SECONDS = 0.02
