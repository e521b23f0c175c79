"""How good a conversation sounds, from what was lost and how long it took: ITU-T G.107.

The E-model's rating R begins at 93.2 for G.711 with all defaults, is lowered by delay (§7.4, Idd
and the talker's echo Idte at the default TELR of 65 dB) and by loss (§7.5, Ie,eff), and maps to a
mean opinion score by Annex B.
"""

import math
from dataclasses import dataclass

RATING = 93.2  # Ro - Is with all parameters at their defaults
# G.113 Appendix I: equipment impairment and robustness against random loss, with concealment.
G711 = (0.0, 25.1)
G722 = (13.0, 15.0)  # heard over 8 kHz by all but its own kind
ECHO_LOSS_DB = 65.0  # TELR
FRAMING_MS = 20.0  # a packet is spoken before it is sent
BUFFER_MS = 30.0  # a packet waits 20 to 40 ms before it is played


@dataclass(frozen=True, slots=True)
class Path:
    """One direction: lost packets of those due, jitter in ms, round trip in ms (None: unknown)."""

    lost: int
    due: int
    jitter_ms: float = 0.0
    round_trip_ms: float | None = None

    @property
    def loss(self) -> float:
        """The share of packets that never came, 0 to 1."""
        return min(1.0, self.lost / self.due) if self.due > 0 else 0.0


def mos(path: Path, codec: tuple[float, float] = G711) -> float:
    """The mean opinion score of one direction, 1 to 4.5; G.107 Annex B."""
    one_way_ms = (path.round_trip_ms or 0.0) / 2 + FRAMING_MS + BUFFER_MS + 2 * path.jitter_ms
    return score(rating(path.loss, one_way_ms, codec))


def rating(loss: float, one_way_ms: float, codec: tuple[float, float] = G711) -> float:
    """R for a share of packets lost at random and a delay from mouth to ear."""
    return RATING - delay_impairment(one_way_ms) - loss_impairment(loss, codec)


def loss_impairment(loss: float, codec: tuple[float, float]) -> float:
    """§7.5: Ie,eff with a burst ratio of 1."""
    impairment, robustness = codec
    percent = 100 * loss
    if not percent:
        return impairment
    return impairment + (95 - impairment) * percent / (percent + robustness)


def delay_impairment(one_way_ms: float) -> float:
    """§7.4: Idd beyond 100 ms, and Idte, the talker's own echo."""
    idd = 0.0
    if one_way_ms > 100:
        x = math.log2(one_way_ms / 100)
        idd = 25 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2)
    return idd + _echo(one_way_ms)


def _echo(one_way_ms: float) -> float:
    """Idte (7-19 to 7-22) with Roe for the default noise."""
    terv = ECHO_LOSS_DB - 40 * math.log10((1 + one_way_ms / 10) / (1 + one_way_ms / 150))
    terv += 6 * math.exp(-0.3 * one_way_ms**2)
    roe, re = 94.77, 80 + 2.5 * (terv - 14)
    half = (roe - re) / 2
    return max(0.0, (half + math.sqrt(half * half + 100) - 1) * (1 - math.exp(-one_way_ms)))


def score(r: float) -> float:
    """Annex B: the mean opinion score of a rating."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)
