"""What each leg is told and tells by RTCP: loss, jitter, round trip, and so how good it sounds.

Arrival is known to the tick, so jitter is measured against a clock of 20 ms: a packet that is late
by less is seen now and then as a whole tick, which is right on average (RFC 3550 A.8 averages),
but the first milliseconds are noise.
"""

from dataclasses import dataclass

import numpy as np

from media import rtcp
from media.events import LegStats, Quality
from media.legs import Legs
from media.quality import G711, G722, Path, mos
from media.rtp import Headers, since
from media.types import FRAME, Flags, Integers, Words

SAMPLES_PER_MS = 8
INTERVAL_TICKS = 250  # 5 s, RFC 3550 §6.2, each leg at its own tick
FIRST_TICKS = 100
MOST_ROUND_TRIP_SECONDS = 30.0  # beyond it the stamps are not ours


@dataclass(frozen=True, slots=True)
class Own:
    """A leg's own stream as it is sent: SSRC, next timestamp, packets and octets so far."""

    ssrc: int
    timestamp: int
    packets: int
    octets: int
    name: str  # RFC 7022: it stays when the SSRC changes


class Reports:
    """Arrays for what is counted with each packet, small tables for what comes in 5 seconds."""

    def __init__(self, legs: Legs) -> None:
        capacity = legs.capacity
        self.legs = legs
        self.transit: Words = np.zeros(capacity, np.uint32)
        self.seen: Flags = np.zeros(capacity, np.bool_)
        self.jitter = np.zeros(capacity, np.float64)  # samples
        self.prior: Integers = np.zeros((capacity, 2), np.int64)  # expected, received
        self.sent: Integers = np.zeros((capacity, 2), np.int64)  # by the two reports before
        self.theirs: dict[int, tuple[int, float]] = {}  # leg -> middle of its last SR, when
        self.remote: dict[int, rtcp.Heard] = {}
        self.round_trip: dict[int, float] = {}  # seconds

    def clear(self, leg: int) -> None:
        """The leg is new."""
        self.jitter[leg] = 0.0
        self.prior[leg] = 0
        self.renamed(leg)
        self.restart(leg)
        for table in (self.theirs, self.remote, self.round_trip):
            table.pop(leg, None)

    def restart(self, leg: int) -> None:
        """Another source: its clock has nothing to do with the last one's."""
        self.seen[leg] = False

    def renamed(self, leg: int) -> None:
        """We go on under another SSRC, of which nothing was told yet."""
        self.sent[leg] = 0

    def note(self, legs: Integers, headers: Headers, tick: int) -> None:
        """RFC 3550 A.8, one packet of each of these legs."""
        transit = np.uint32(tick * FRAME & 0xFFFFFFFF) - headers.timestamp
        change = np.abs(since(transit, self.transit[legs]))
        # A jump of the timestamps is no jitter.
        change = np.where(self.seen[legs] & (change < 8000), change, 0)
        self.jitter[legs] += (change - self.jitter[legs]) / 16
        self.transit[legs] = transit
        self.seen[legs] = True

    def hear(self, leg: int, report: rtcp.Report, own: int, at: float) -> None:
        """§6.4: the party's word; `own` is our SSRC, `at` when it came, seconds since 1970."""
        if report.sender is not None:
            self.theirs[leg] = rtcp.middle(report.sender.ntp), at
        for heard in report.heard:
            if heard.ssrc != own:
                continue
            self.remote[leg] = heard
            if heard.last:
                units = rtcp.middle(rtcp.ntp(at)) - heard.last - heard.delay & 0xFFFFFFFF
                if units < MOST_ROUND_TRIP_SECONDS * 65536:
                    self.round_trip[leg] = units / 65536

    def due(self, tick: int) -> list[int]:
        """The legs whose turn it is to report."""
        turn = np.arange((-tick) % INTERVAL_TICKS, self.legs.high, INTERVAL_TICKS)
        legs = self.legs
        # A leg that is not talked to yet, or that has just come, has nothing to say.
        known = (legs.sends[turn] | legs.receives[turn]) & (
            (legs.counts["packets_out"][turn] > FIRST_TICKS) | legs.latched[turn]
        )
        return [int(leg) for leg in turn[known]]

    def make(self, leg: int, own: Own, now: float, goodbye: bool = False) -> bytes:
        """A report of the leg's stream and of what it hears.

        §6.4: who has sent since the report before the last one is a sender, held since or not.
        """
        sender = None
        before, last = (int(number) for number in self.sent[leg])
        self.sent[leg] = last, own.packets
        if own.packets > before:
            sender = rtcp.Sender(rtcp.ntp(now), own.timestamp, own.packets, own.octets)
        heard = (self._block(leg, now),) if self.legs.latched[leg] else ()
        return rtcp.build(rtcp.Report(own.ssrc, sender, heard, goodbye), own.name)

    def _block(self, leg: int, now: float) -> rtcp.Heard:
        """A.3: since the start, and the fraction since the last report."""
        legs = self.legs
        expected = int(legs.highest[leg] - legs.first[leg]) + 1
        received = int(legs.received[leg])
        before, had = (int(number) for number in self.prior[leg])
        self.prior[leg] = expected, received
        due, got = expected - before, received - had
        fraction = min(255, max(0, due - got) * 256 // due) if due > 0 and before <= expected else 0
        last, at = self.theirs.get(leg, (0, now))
        return rtcp.Heard(
            ssrc=int(legs.ssrc[leg]),
            fraction=fraction,
            lost=int(legs.lost_before[leg]) + expected - received,
            highest=int(legs.highest[leg]) & 0xFFFFFFFF,
            jitter=int(self.jitter[leg]),
            last=last,
            delay=max(0, int((now - at) * 65536)) if last else 0,
        )

    def quality(self, leg: int, stats: LegStats, codec: str = "") -> Quality:
        """Both directions of a leg: as we heard it, and as it heard us; `codec` where not G.711."""
        impairment = G722 if codec == "G722" else G711
        round_trip = self.round_trip.get(leg)
        round_trip_ms = None if round_trip is None else round(1000 * round_trip, 1)
        jitter_ms = float(self.jitter[leg]) / SAMPLES_PER_MS
        due = stats.packets_in + stats.lost
        heard = Path(stats.lost, due, jitter_ms, round_trip_ms)
        told = self.remote.get(leg)
        said = None
        if told is not None:
            said = Path(
                max(0, told.lost), stats.packets_out, told.jitter / SAMPLES_PER_MS, round_trip_ms
            )
        return Quality(
            loss=round(heard.loss, 5),
            jitter_ms=round(jitter_ms, 1),
            round_trip_ms=round_trip_ms,
            mos=round(mos(heard, impairment), 2) if due else None,
            remote_loss=None if said is None else round(said.loss, 5),
            remote_jitter_ms=None if said is None else round(said.jitter_ms, 1),
            remote_mos=None if said is None else round(mos(said, impairment), 2),
        )
