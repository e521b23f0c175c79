"""How good legs sounded, and how loud: counted when each of them ends."""

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Histogram

from media.events import Quality, Sound

MOS_BUCKETS = (1.5, 2, 2.6, 3.1, 3.6, 4, 4.2, 4.3, 4.4)
BUFFER_BUCKETS = (0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.24)
PEAK_BUCKETS = (-60, -50, -40, -30, -24, -18, -12, -6, -3, -1)
JITTER_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
ROUND_TRIP_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


class Side(NamedTuple):
    """One side's children: to look them up by their labels costs as much as to count."""

    mos_in: Histogram
    mos_out: Histogram
    jitter_seconds: Histogram
    buffer_seconds: Histogram
    peak_dbov: Histogram
    talk_seconds: Counter
    round_trip_seconds: Histogram


class LegMeters:
    """Histograms by the leg's side of its call: caller, agent or none."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.mos = Histogram(
            "callcore_leg_mos",
            "How good legs sounded by the E-model, as we heard them and as they heard us.",
            ["side", "direction"],
            buckets=MOS_BUCKETS,
            registry=registry,
        )
        self.jitter_seconds = Histogram(
            "callcore_leg_jitter_seconds",
            "Interarrival jitter of legs at their end.",
            ["side"],
            buckets=JITTER_BUCKETS,
            registry=registry,
        )
        self.buffer_seconds = Histogram(
            "callcore_leg_buffer_seconds",
            "Depth of legs' jitter buffers at their end.",
            ["side"],
            buckets=BUFFER_BUCKETS,
            registry=registry,
        )
        self.peak_dbov = Histogram(
            "callcore_leg_peak_dbov",
            "The loudest that legs were heard, decibels below overload (RFC 6464).",
            ["side"],
            buckets=PEAK_BUCKETS,
            registry=registry,
        )
        self.talk_seconds = Counter(
            "callcore_leg_talk_seconds",
            "How long legs were heard to talk.",
            ["side"],
            registry=registry,
        )
        self.round_trip_seconds = Histogram(
            "callcore_leg_round_trip_seconds",
            "Round trip to the legs' parties, where they tell by RTCP.",
            ["side"],
            buckets=ROUND_TRIP_BUCKETS,
            registry=registry,
        )

        self._sides: dict[str, Side] = {}

    def heard(self, side: str, quality: Quality, sound: Sound) -> None:
        """A leg has ended: how good it sounded, and how loud."""
        of_side = self._sides.get(side) or self._begin(side)
        of_side.buffer_seconds.observe(sound.depth_ms / 1000)
        of_side.peak_dbov.observe(sound.peak_dbov)
        of_side.talk_seconds.inc(sound.talk_ms / 1000)
        if quality.mos is not None:
            of_side.mos_in.observe(quality.mos)
            of_side.jitter_seconds.observe(quality.jitter_ms / 1000)
        if quality.remote_mos is not None:
            of_side.mos_out.observe(quality.remote_mos)
        if quality.round_trip_ms is not None:
            of_side.round_trip_seconds.observe(quality.round_trip_ms / 1000)

    def _begin(self, side: str) -> Side:
        self._sides[side] = made = Side(
            self.mos.labels(side, "in"),
            self.mos.labels(side, "out"),
            self.jitter_seconds.labels(side),
            self.buffer_seconds.labels(side),
            self.peak_dbov.labels(side),
            self.talk_seconds.labels(side),
            self.round_trip_seconds.labels(side),
        )
        return made
