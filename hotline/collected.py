"""Metrics that are read off the parts when Prometheus asks, so that no hot path counts twice."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import get_args

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from acd.events import AgentState
from hotline.parts import Parts
from media.messages import LATE_BUCKETS_MS

LEVELS = ("A", "B", "C", "D", "E")
STATES: tuple[AgentState, ...] = get_args(AgentState)


@dataclass(frozen=True, eq=False)
class PartsCollector(Collector):
    """One pass over the parts for each scrape."""

    parts: Parts

    def collect(self) -> Iterable[Metric]:
        """All families."""
        yield from self._sip()
        yield from self._trunks()
        yield from self._queues()
        yield from self._agents()
        yield from self._media()
        yield from self._gateway()
        yield from self._recordings()
        yield from self._journal()
        yield from self._cluster()

    def _sip(self) -> Iterator[Metric]:
        engine = self.parts.sip.engine
        messages = CounterMetricFamily(
            "callcore_sip_messages",
            "SIP messages; requests have status 0.",
            labels=["direction", "method", "status"],
        )
        refused = CounterMetricFamily(
            "callcore_sip_refused",
            "Requests turned down before they became calls: strangers, wrong passwords, limits.",
            labels=["why", "status"],
        )
        for (direction, method, status), count in sorted(engine.counters.items()):
            if direction == "refused":
                refused.add_metric([method, str(status)], count)
            else:
                messages.add_metric([direction, method, str(status)], count)
        yield from (messages, refused)
        yield gauge("sip_transactions", "SIP transactions alive.", engine.transactions)
        yield gauge("sip_legs", "SIP legs alive.", engine.legs)
        yield gauge("registrations", "Bindings of seats.", engine.registrations)
        banned = len(engine.gate.bans.listed(self.parts.clock.anywhere()))
        yield gauge("sip_bans", "Hosts that are not listened to.", banned)
        yield from self._connections()

    def _connections(self) -> Iterator[Metric]:
        """TCP, TLS and WebSockets; what a configuration does not listen for is not shown."""
        if not self.parts.sip.addresses:
            return  # not started yet
        streams = self.parts.sip.streams
        now = Counter(flow.transport for flow in streams.flows)
        scheme = {one.transport for one in self.parts.config.sip.listen} - {"udp"}
        alive = GaugeMetricFamily(
            "callcore_sip_connections", "Connections open now.", labels=["transport"]
        )
        for transport in sorted(scheme | set(now)):
            alive.add_metric([transport], now[transport])
        ended = CounterMetricFamily(
            "callcore_sip_connections_cut",
            "Connections that were refused, or cut off, and why.",
            labels=["why"],
        )
        for why, count in sorted(streams.counters.items()):
            if why != "binary":
                ended.add_metric([why], count)
        yield from (alive, ended)

    def _trunks(self) -> Iterator[Metric]:
        engine = self.parts.sip.engine
        up = GaugeMetricFamily("callcore_trunk_up", "1: calls may pass.", labels=["trunk"])
        calls = GaugeMetricFamily("callcore_trunk_calls", "Calls now.", labels=["trunk"])
        minutes = GaugeMetricFamily(
            "callcore_trunk_minutes_used", "Outgoing minutes used this month.", labels=["trunk"]
        )
        for trunk in self.parts.config.trunks:
            up.add_metric([trunk.name], engine.trunk_up(trunk.name))
            calls.add_metric([trunk.name], engine.trunk_calls(trunk.name))
            minutes.add_metric([trunk.name], self.parts.accounts.used_minutes(trunk.name))
        yield from (up, calls, minutes)

    def _queues(self) -> Iterator[Metric]:
        names = (
            "offered",
            "answered",
            "answered_in_target",
            "abandoned",
            "overflowed",
            "called_back",
            "rejected",
        )
        counters = {
            name: CounterMetricFamily(
                f"callcore_queue_{name}", f"Calls {name.replace('_', ' ')}.", labels=["queue"]
            )
            for name in names
        }
        waiting = GaugeMetricFamily("callcore_queue_waiting", "Calls waiting.", labels=["queue"])
        level = GaugeMetricFamily(
            "callcore_service_level_ratio",
            "Service level by definition (docs/service-level.md).",
            labels=["queue", "definition", "window"],
        )
        callbacks = GaugeMetricFamily(
            "callcore_queue_callbacks", "Callbacks promised and not yet made.", labels=["queue"]
        )
        predicted = GaugeMetricFamily(
            "callcore_queue_predicted_wait_seconds",
            "Wait of a caller who came now; absent while nobody is on duty.",
            labels=["queue"],
        )
        core, now_ms = self.parts.queueing.core, self.parts.clock.wall_ms()
        for queue in self.parts.config.queues:
            view = core.queue(queue.name, now_ms)
            callbacks.add_metric([queue.name], view.callbacks)
            if view.predicted_wait_seconds is not None:
                predicted.add_metric([queue.name], view.predicted_wait_seconds)
            waiting.add_metric([queue.name], view.waiting + view.ringing)
            for name in names:
                counters[name].add_metric([queue.name], getattr(view.total, name))
            for definition in LEVELS:
                ratio = getattr(view.service_level, definition)
                if ratio is not None:
                    level.add_metric([queue.name, definition, "day"], ratio)
        yield from (waiting, callbacks, predicted)
        yield from counters.values()
        yield level

    def _agents(self) -> Iterator[Metric]:
        agents = GaugeMetricFamily("callcore_agents", "Seats by state.", labels=["state"])
        count = dict.fromkeys(STATES, 0)
        for view in self.parts.queueing.core.agents():
            count[view.state] += 1
        for state, number in count.items():
            agents.add_metric([state], number)
        yield agents

    def _media(self) -> Iterator[Metric]:
        stats = self.parts.plane.stats()
        yield gauge("media_legs", "RTP legs open.", stats.legs)
        workers = GaugeMetricFamily(
            "callcore_media_workers", "Media processes that are up.", labels=["sockets"]
        )
        for kind in ("io_uring", "plain"):
            workers.add_metric([kind], stats.sockets.count(kind))
        yield workers
        spare = stats.spare is not None
        yield gauge("media_spare_workers", "Media processes that wait for one to die.", int(spare))
        packets = CounterMetricFamily(
            "callcore_media_packets", "RTP packets.", labels=["direction"]
        )
        packets.add_metric(["in"], stats.packets_in)
        packets.add_metric(["out"], stats.packets_out)
        yield packets
        odd = CounterMetricFamily(
            "callcore_media_odd_packets",
            "RTP packets that were not simply played, and frames made up, by why.",
            labels=["why"],
        )
        for why, count in stats.counts.items():
            if why not in ("packets_in", "packets_out"):
                odd.add_metric([why], count)
        yield odd
        heard = stats.packets_in + stats.lost
        yield gauge(
            "media_loss_ratio",
            "Packets lost, of those due, since the start.",
            stats.lost / heard if heard else 0.0,
        )
        late = HistogramMetricFamily(
            "callcore_media_tick_late_seconds", "How late each tick began."
        )
        total, buckets = 0, []
        for bound, number in zip((*LATE_BUCKETS_MS, None), stats.late, strict=True):
            total += number
            buckets.append(("+Inf" if bound is None else str(bound / 1000), float(total)))
        late.add_metric([], buckets, stats.late_seconds)
        yield late

    def _gateway(self) -> Iterator[Metric]:
        if self.parts.gateway is None:
            return
        stats = self.parts.gateway.stats()
        yield gauge("gateway_up", "Gateway processes that serve browsers.", stats.up)
        yield gauge("gateway_sessions", "Browsers' legs open.", stats.sessions)
        yield gauge("gateway_connected", "Browsers whose voice can flow.", stats.connected)
        packets = CounterMetricFamily(
            "callcore_gateway_packets",
            "RTP and RTCP packets of browsers, and datagrams that were dropped.",
            labels=["kind"],
        )
        for kind, count in stats.packets().items():
            packets.add_metric([kind], count)
        yield packets
        for name, text, count in (
            ("lost", "Gateway processes that died or hung and were replaced.", stats.lost),
            ("failed", "Browsers that never came or fell silent.", stats.failed),
        ):
            family = CounterMetricFamily(f"callcore_gateway_{name}", text)
            family.add_metric([], count)
            yield family

    def _recordings(self) -> Iterator[Metric]:
        status = self.parts.keeper.status()
        recordings = CounterMetricFamily(
            "callcore_recordings", "Recordings since the start, by state.", labels=["state"]
        )
        recordings.add_metric(["spooled"], status.spooled + status.stored + status.failed)
        recordings.add_metric(["stored"], status.stored)
        recordings.add_metric(["failed"], status.failed)
        yield recordings
        yield gauge("recording_spool_bytes", "Bytes in the spool.", status.spool_bytes)
        yield gauge(
            "recording_oldest_unstored_seconds",
            "Since when the oldest finished recording waits for the store.",
            status.oldest_unstored_seconds,
        )
        yield gauge("recording_store_up", "1: the store answers.", status.store_ok)
        yield gauge("recording_spool_free_bytes", "Room for recordings.", status.free_bytes)
        guarded = CounterMetricFamily(
            "callcore_recordings_guarded",
            "Recordings taken at random, fetched and played since the start, by result.",
            labels=["result"],
        )
        warden = self.parts.keeper.warden
        guarded.add_metric(["plays"], warden.played)
        guarded.add_metric(["fails"], warden.failed)
        yield guarded
        if warden.played_at is not None:  # 0 would be an alert at each start
            yield gauge(
                "recording_guard_last_success_timestamp_seconds",
                "When the last recording was fetched and played.",
                warden.played_at,
            )
        yield gauge("recording_database_up", "1: the database answers.", status.database_ok)
        if warden.abilities is None:  # 0 would be an alert until the store has told
            return
        abilities = GaugeMetricFamily(
            "callcore_recording_store_ability",
            "1: the store does it by itself.",
            labels=["ability"],
        )
        for name, can in warden.abilities.metrics.items():
            abilities.add_metric([name], can)
        yield abilities

    def _journal(self) -> Iterator[Metric]:
        journal = self.parts.queueing.journal
        if journal is None:
            return
        text = "Events of the queue that are not on the disk yet."
        yield gauge("journal_pending_events", text, journal.pending)
        lost = CounterMetricFamily(
            "callcore_journal_lost_events", "Events that no disk took: it was away for too long."
        )
        lost.add_metric([], journal.lost)
        yield lost

    def _cluster(self) -> Iterator[Metric]:
        status = self.parts.queueing.membership.status()
        leads = self.parts.queueing.leads()
        yield gauge("cluster_leader", "1: this node takes calls.", leads)
        yield gauge("cluster_epoch", "The leadership that this node knows of.", status.epoch)
        yield gauge("cluster_lag_events", "Events not replicated yet.", status.lag)
        journal = self.parts.queueing.journal  # without a cluster there is one as well
        sequence = 0 if journal is None else journal.sequence
        yield gauge("cluster_sequence", "The last event of this node's journal.", sequence)
        yield gauge("cluster_redis_up", "1: Redis answers; 0 without one.", status.redis)


def gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    """One number without labels."""
    return GaugeMetricFamily(f"callcore_{name}", text, value=float(value))
