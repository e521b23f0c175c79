"""What the hotline counts as it happens; what can be read off the parts is collected.py's."""

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics

from hotline.leg_meters import LegMeters

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series beside each counter that nobody asks for

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
        self.faults = Counter(
            "callcore_internal_errors",
            "Faults of our own in handling a fact; each is in the log.",
            registry=self.registry,
        )
        self.legs = LegMeters(self.registry)
