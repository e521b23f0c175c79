"""Tones by generation: one period of each as samples, which the prompts' bank then loops.

China's are those of ITU-T E.180 Supplement 2 (after GB/T 3380 and YDN 065): 450 Hz, told apart by
their cadence alone.
"""

from dataclasses import dataclass

import numpy as np

from media.dtmf import DIGITS
from media.errors import LocalProtocolError
from media.types import FRAME, RATE, Samples

FULL_DBM0 = 3.14  # of the loudest sine, G.711
EDGE = RATE // 200  # samples of rise and fall: 5 ms, so that no edge clicks
KEY_MS, KEY_GAP_MS = 100, 80
LOW = (697, 770, 852, 941)
HIGH = (1209, 1336, 1477, 1633)
KEYS = "123A456B789C*0#D"  # ITU-T Q.23: low frequency by high frequency
MOST_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Tone:
    """Frequencies together, in turn on and off for these seconds; no cadence: for ever."""

    hertz: tuple[float, ...]
    cadence: tuple[float, ...] = ()
    dbm0: float = -10.0  # of all frequencies together


TONES = {
    "dial": Tone((450,)),
    "special_dial": Tone((450,), (0.4, 0.04)),
    "ringback": Tone((450,), (1, 4)),
    "busy": Tone((450,), (0.35, 0.35)),
    "congestion": Tone((450,), (0.7, 0.7)),
    "unobtainable": Tone((450,), (0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.4, 0.4)),
    "waiting": Tone((450,), (0.4, 4)),
    "beep": Tone((1000,), (0.2, 0.02)),
    "recording": Tone((1400,), (0.4, 14.6)),
}


def check(name: str, tone: Tone) -> None:
    """LocalProtocolError for what cannot be made."""
    if not tone.hertz or not all(0 < hertz < RATE / 2 for hertz in tone.hertz):
        raise LocalProtocolError(f"tone {name}: frequencies must be between 0 and {RATE // 2} Hz")
    if not all(seconds > 0 for seconds in tone.cadence) or sum(tone.cadence) > MOST_SECONDS:
        raise LocalProtocolError(f"tone {name}: a cadence is seconds over 0, {MOST_SECONDS} in all")
    if not -60 <= tone.dbm0 <= FULL_DBM0:
        raise LocalProtocolError(f"tone {name}: {tone.dbm0} dBm0; allowed are -60 to {FULL_DBM0}")


def samples(tone: Tone) -> Samples:
    """One period, to be looped; rounded to whole frames of 20 ms."""
    if not tone.cadence:
        return _sound(tone, RATE, edges=False)  # whole cycles of whole hertz in a second
    parts = []
    for number, seconds in enumerate(tone.cadence):
        count = round(seconds * RATE)
        parts.append(np.zeros(count, np.int16) if number % 2 else _sound(tone, count, edges=True))
    period = np.concatenate(parts)
    whole = max(1, round(len(period) / FRAME)) * FRAME
    made: Samples = np.pad(period, (0, max(0, whole - len(period))))[:whole]
    return made


def _sound(tone: Tone, count: int, edges: bool) -> Samples:
    at = np.arange(count) / RATE
    each = 32767 * 10 ** ((tone.dbm0 - FULL_DBM0) / 20) / np.sqrt(len(tone.hertz))
    signal = sum((np.sin(2 * np.pi * hertz * at) for hertz in tone.hertz), np.zeros(count)) * each
    if edges and count >= 2 * EDGE:
        rise = 0.5 - 0.5 * np.cos(np.pi * np.arange(EDGE) / EDGE)
        signal[:EDGE] *= rise
        signal[-EDGE:] *= rise[::-1]
    sound: Samples = np.clip(np.rint(signal), -32768, 32767).astype(np.int16)
    return sound


def key(digit: str) -> Samples:
    """A key's two tones (ITU-T Q.23, -9 dBm0 in all) and the pause after them."""
    place = KEYS.index(digit)
    tone = Tone((LOW[place // 4], HIGH[place % 4]), (KEY_MS / 1000, KEY_GAP_MS / 1000), -9.0)
    return samples(tone)


def built_in(tones: dict[str, Tone]) -> dict[str, Samples]:
    """`tone:NAME` of ours and of these, which may replace ours, and `key:DIGIT`."""
    made = {f"tone:{name}": samples(tone) for name, tone in (TONES | tones).items()}
    return made | {f"key:{digit}": key(digit) for digit in DIGITS}
