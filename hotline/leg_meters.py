"""How good legs sounded, and how loud: counted when each of them ends."""

from prometheus_client import CollectorRegistry, Counter, Histogram

from media.events import Quality, Sound

MOS_BUCKETS = (1.5, 2, 2.6, 3.1, 3.6, 4, 4.2, 4.3, 4.4)
BUFFER_BUCKETS = (0.02, 0.04, 0.06, 0.08, 0.12, 0.16, 0.24)
PEAK_BUCKETS = (-60, -50, -40, -30, -24, -18, -12, -6, -3, -1)
JITTER_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
ROUND_TRIP_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)


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

    def heard(self, side: str, quality: Quality, sound: Sound) -> None:
        """A leg has ended: how good it sounded, and how loud."""
        self.buffer_seconds.labels(side).observe(sound.depth_ms / 1000)
        self.peak_dbov.labels(side).observe(sound.peak_dbov)
        self.talk_seconds.labels(side).inc(sound.talk_ms / 1000)
        if quality.mos is not None:
            self.mos.labels(side, "in").observe(quality.mos)
            self.jitter_seconds.labels(side).observe(quality.jitter_ms / 1000)
        if quality.remote_mos is not None:
            self.mos.labels(side, "out").observe(quality.remote_mos)
        if quality.round_trip_ms is not None:
            self.round_trip_seconds.labels(side).observe(quality.round_trip_ms / 1000)
