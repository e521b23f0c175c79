"""What the hotline counts as it happens; what can be read off the parts is collected.py's."""

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from media.events import Quality

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each counter that nobody asks for

MOS_BUCKETS = (1.5, 2, 2.6, 3.1, 3.6, 4, 4.2, 4.3, 4.4)
JITTER_BUCKETS = (0.001, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
ROUND_TRIP_BUCKETS = (0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
ANSWER_BUCKETS = (1, 2, 3, 5, 7.5, 10, 12.5, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600)


class Meters:
    """Counters and histograms in a registry of our own: no global state."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.calls = Counter(
            "callcore_calls",
            "Calls that are over, by direction and result.",
            ["direction", "result"],
            registry=self.registry,
        )
        self.answer_seconds = Histogram(
            "callcore_answer_seconds",
            "Wait from the entry to the queue until media was bridged.",
            buckets=ANSWER_BUCKETS,
            registry=self.registry,
        )
        self.sink_failures = Counter(
            "callcore_recording_write_failures",
            "Writes to the recordings' spool that failed.",
            registry=self.registry,
        )
        self.recording_accesses = Counter(
            "callcore_recording_accesses",
            "Lines of the recordings' audit log, by what was done.",
            ["action"],
            registry=self.registry,
        )
        self.workers_lost = Counter(
            "callcore_media_workers_lost",
            "Media workers that died or hung and were replaced.",
            registry=self.registry,
        )
        self.mos = Histogram(
            "callcore_leg_mos",
            "How good legs sounded by the E-model, as we heard them and as they heard us.",
            ["side", "direction"],
            buckets=MOS_BUCKETS,
            registry=self.registry,
        )
        self.jitter_seconds = Histogram(
            "callcore_leg_jitter_seconds",
            "Interarrival jitter of legs at their end.",
            ["side"],
            buckets=JITTER_BUCKETS,
            registry=self.registry,
        )
        self.round_trip_seconds = Histogram(
            "callcore_leg_round_trip_seconds",
            "Round trip to the legs' parties, where they tell by RTCP.",
            ["side"],
            buckets=ROUND_TRIP_BUCKETS,
            registry=self.registry,
        )
        self.faults = Counter(
            "callcore_internal_errors",
            "Faults of our own in handling a fact; each is in the log.",
            registry=self.registry,
        )

    def heard(self, side: str, quality: Quality) -> None:
        """A leg has ended: how good it sounded."""
        if quality.mos is not None:
            self.mos.labels(side, "in").observe(quality.mos)
            self.jitter_seconds.labels(side).observe(quality.jitter_ms / 1000)
        if quality.remote_mos is not None:
            self.mos.labels(side, "out").observe(quality.remote_mos)
        if quality.round_trip_ms is not None:
            self.round_trip_seconds.labels(side).observe(quality.round_trip_ms / 1000)
