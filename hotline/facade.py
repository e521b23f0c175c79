"""The hotline as the desk sees it: commands in, pictures of the state out."""

from collections.abc import Callable, Iterator
from typing import Any

import structlog
from prometheus_client import generate_latest

from callcore.call.bans import Ban
from callcore.io.trace import Tracer
from hotline.clock import iso
from hotline.collected import PartsCollector
from hotline.commands import (
    BanStatus,
    CallRecord,
    ClusterStatus,
    PhoneSettings,
    Readiness,
    Unavailable,
    UnknownThing,
    WrongState,
)
from hotline.conductor import Conductor
from hotline.custodies import Custodies
from hotline.readiness import readiness
from hotline.tracing import CallTrace
from media.errors import LocalProtocolError as MediaError

log = structlog.get_logger("hotline")


class Facade(Custodies):
    """Implements hotline.commands.HotlineCommands over a conductor and its parts."""

    def __init__(self, conductor: Conductor) -> None:
        super().__init__(conductor)
        self._tracer = Tracer(conductor.parts.sip.engine)
        self._parts.meters.registry.register(PartsCollector(self._parts))

    # Calls ------------------------------------------------------------------------------------

    def calls(self, limit: int, *, active: bool = False) -> list[CallRecord]:
        """The latest calls, newest first."""
        return self._parts.book.latest(limit, active=active)

    def hang_up(self, call_id: str) -> CallRecord:
        """End a call; WrongState when it is over."""
        record = self.call(call_id)
        if not self._conductor.hang_up(call_id, "by command"):
            raise WrongState(f"call {call_id} has ended")
        return record

    def set_privacy(self, call_id: str, paused: bool) -> CallRecord:
        """Pause or resume what is recorded of a call; WrongState when nothing is."""
        record = self.call(call_id)
        if record.ended is not None or not record.recordings:
            raise WrongState(f"call {call_id} is not being recorded")
        try:
            self._conductor.performer.sound.set_privacy(call_id, paused)
        except MediaError:
            raise WrongState(f"call {call_id} is not being recorded now") from None
        record.recording_paused = paused
        log.info("privacy", call_id=call_id, paused=paused)
        return record

    def trunks(self) -> list[dict[str, Any]]:
        """Each trunk: up, calls, limits."""
        engine = self._parts.sip.engine
        return [
            {
                "name": trunk.name,
                "mode": trunk.mode,
                "up": engine.trunk_up(trunk.name),
                "calls": engine.trunk_calls(trunk.name),
                "max_calls": trunk.max_calls,
            }
            for trunk in self._parts.config.trunks
        ]

    def bans(self) -> list[BanStatus]:
        """Hosts that are not listened to."""
        now = self._parts.clock.anywhere()
        return [self._ban(ban) for ban in self._parts.sip.engine.gate.bans.listed(now)]

    def lift_ban(self, source: str) -> BanStatus:
        """Listen to a host again; UnknownThing when it is not banned."""
        ban = self._parts.sip.engine.gate.lift_ban(source, self._parts.clock.anywhere())
        if ban is None:
            raise UnknownThing(f"{source} is not banned")
        log.info("ban lifted", source=source)
        return self._ban(ban)

    def _ban(self, ban: Ban) -> BanStatus:
        offset_ms = self._parts.clock.wall_ms() - self._parts.clock.anywhere() * 1000
        since, until = (iso(round(offset_ms + at * 1000)) for at in (ban.since, ban.until))
        return BanStatus(ban.source, ban.why, since, until)

    def trace(self, wake: Callable[[], None], *, call: str, reveal: bool) -> CallTrace:
        """SIP messages as they pass."""
        legs = self._parts.sip.engine.call_ids, self._conductor.performer.call_of_leg
        return CallTrace(self._tracer, wake, (call, reveal), legs)

    def phone(self) -> PhoneSettings:
        """Where browsers register: as the configuration says, else at our own listeners."""
        config = self._parts.config
        if config.gateway.socket_url:
            return PhoneSettings(config.sip.domain, (config.gateway.socket_url,))
        bound = [one for one in self._parts.sip.addresses if one[0] in ("ws", "wss")]
        bound.sort(reverse=True)  # wss first
        hosts = ((s, f"[{host}]" if ":" in host else host, port) for s, host, port in bound)
        sockets = tuple(f"{scheme}://{host}:{port}" for scheme, host, port in hosts)
        return PhoneSettings(config.sip.domain, sockets)

    # Health, metrics, events ------------------------------------------------------------------

    def readiness(self) -> Readiness:
        """What keeps traffic away, and what only needs mending."""
        return readiness(self._conductor, self.cluster())

    def cluster(self) -> ClusterStatus:
        """This node's part in its cluster."""
        return self._parts.queueing.membership.status()

    def must_lead(self) -> None:
        """Unavailable where nothing may be changed, because another node leads."""
        if not self._parts.queueing.leads():
            leader = self.cluster().leader or "no node, for the moment"
            raise Unavailable(f"this node does not lead its cluster; {leader} does: ask there")

    def metrics(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._parts.meters.registry)

    def events_since(self, sequence: int) -> Iterator[dict[str, Any]]:
        """Live events after `sequence`."""
        return self._parts.hub.since(sequence)

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Be woken after each live event."""
        return self._parts.hub.listen(wake)

    @property
    def last_sequence(self) -> int:
        """The newest live event's number."""
        return self._parts.hub.sequence
