"""From a target to destinations: bindings of a seat, peers of a trunk (RFC 3261 §8.1.2)."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from callcore.call.codecs import keep, rearrange
from callcore.call.events import Arrived, Kind, Offered
from callcore.call.identity import (
    ANONYMOUS,
    IDENTITIES,
    Ours,
    escape,
    history_of,
    outward,
    read,
    write,
    write_number,
)
from callcore.call.legs import Call as Origin
from callcore.call.lines import Lines
from callcore.call.placement import Headers, Login, Party, SeatTarget, TrunkTarget
from callcore.call.profile import ORDINARY
from callcore.call.registrar import Registrar
from callcore.call.settings import EngineSettings, Registration, Trunk
from callcore.call.target import Call, Destination
from callcore.call.trunk import Target, Trunks
from callcore.errors import LocalProtocolError
from callcore.message import Request, parse_uri
from callcore.message.grammar import quote
from callcore.value import dataclass

# RFC 3261 §18.1.1: a request beyond this must not go by UDP where the path's MTU is not known.
MOST_UDP_BYTES = 1300
# What an INVITE of ours has beside its addresses, offer and own headers: Via, Call-ID, Contact ...
FIXED_BYTES = 450
NO_TCP_SECONDS = 600.0
WithOffer = TypeVar("WithOffer", Arrived, Offered)


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to call; `status` and `why` say what to answer when that is nowhere."""

    destinations: tuple[Destination, ...]
    status: int = 480
    why: str = "Temporarily Unavailable"
    trunk: str | None = None


class Resolution:
    """Knows registrar, trunks and their profiles; decides what is written, never who may."""

    def __init__(
        self,
        settings: EngineSettings,
        registrar: Registrar,
        lines: Lines,
        fraction: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._registrar = registrar
        self._trunks: Trunks = lines.trunks
        self._lines = lines
        self._fraction = fraction
        self._no_tcp: dict[Target, float] = {}  # until when nobody is thought to listen there

    def unreachable(self, target: Target, now: float) -> None:
        """A connection there could not be opened: large requests go by UDP for a while."""
        self._no_tcp = {t: until for t, until in self._no_tcp.items() if until > now}
        self._no_tcp[target] = now + NO_TCP_SECONDS

    def plan(self, target: SeatTarget | TrunkTarget, caller: Party, call: Call, now: float) -> Plan:
        """Resolve a target; an unknown seat or trunk is our own mistake."""
        if isinstance(target, SeatTarget):
            if target.user not in self._settings.seats:
                raise LocalProtocolError(f"no seat {target.user!r}")
            return self._seat(target.user, caller)
        trunk = self._trunks.settings.get(target.trunk)
        if trunk is None:
            raise LocalProtocolError(f"no trunk {target.trunk!r}")
        if self._lines.limits[trunk.name].is_full and not target.urgent:
            return Plan((), 503, "max_calls", trunk.name)
        plan = self._trunk(trunk, target, caller)
        if trunk.registration is not None:
            return plan  # the proxy that knows us is asked as we registered by it
        chosen = (one for d in plan.destinations for one in self._widened(trunk, d, call, now))
        return replace(plan, destinations=tuple(chosen))

    def _widened(
        self, trunk: Trunk, destination: Destination, call: Call, now: float
    ) -> tuple[Destination, ...]:
        """RFC 3261 §18.1.1: a large request by TCP first; by UDP if nobody listens there.

        A peer whose transport is written down is asked by that and no other.
        """
        way = destination.way
        if not isinstance(way, Target) or way.transport != "udp":
            return (destination,)
        peer = self._trunks.peer_of(trunk.name, way)
        chosen = peer is None or peer.transport is not None
        if chosen or _size(destination, call) <= MOST_UDP_BYTES:
            return (destination,)
        wide = way._replace(transport="tcp")
        if self._no_tcp.get(wide, now) > now:
            return (destination,)
        uri = destination.request_uri
        if uri.startswith("sip:"):
            uri += ";transport=tcp"
        return replace(destination, way=wide, request_uri=uri), destination

    def carried(self, target: SeatTarget | TrunkTarget, offer: bytes, headers: Headers) -> Call:
        """What goes along with a call: a trunk has a list of codecs, and one of fields."""
        if isinstance(target, SeatTarget):
            return Call(offer, tuple(f for f in headers if f[0].lower() not in IDENTITIES))
        profile = self._trunks.settings[target.trunk].profile
        return Call(self.fitting(offer, target.trunk), outward(headers, profile))

    def fitting(self, offer: bytes, trunk: str) -> bytes:
        """An offer of ours with the codecs that a trunk has."""
        codecs = self._trunks.settings[trunk].profile.codecs
        # The ordinary ones are all that our offers ever have.
        return offer if codecs == ORDINARY.codecs else rearrange(offer, codecs)

    def origin(self, request: Request, source: str, kind: Kind) -> Origin:
        """Who calls whom: a seat is who it proved to be, whatever it says about itself."""
        if kind == "trunk":
            caller, called, presented = read(request, self._trunks.settings[source].profile)
            return Origin(source, kind, caller, called, presented)
        called = request.request_uri.user or request.to.uri.user or ""
        return Origin(source, kind, source, called)

    def heard(self, event: WithOffer, trunk: str) -> WithOffer:
        """A trunk's offer with the codecs that may pass."""
        codecs = self._trunks.settings[trunk].profile.codecs
        if event.offer is None or codecs == ORDINARY.codecs:
            return event
        return replace(event, offer=keep(event.offer, codecs))

    def _seat(self, user: str, caller: Party) -> Plan:
        """RFC 5626 §5.3: to each binding by the flow that it came by."""
        domain = self._settings.domain
        number = ANONYMOUS if caller.withheld else caller.number
        display = "" if caller.withheld else caller.display
        from_ = _address(f"sip:{escape(number) or ANONYMOUS}@{domain}", display)
        to = _address(f"sip:{user}@{domain}")
        return Plan(
            tuple(
                Destination(
                    binding.flow, binding.contact, from_, to, route_set=binding.path, kind="seat"
                )
                for binding in self._registrar.bindings(user)
            )
        )

    def _trunk(self, trunk: Trunk, target: TrunkTarget, caller: Party) -> Plan:
        if trunk.registration is not None:
            return self._registered_trunk(trunk, trunk.registration, target, caller)
        written = write(trunk, Ours(self._settings.domain), caller, target.diverted)
        found = []
        for way in self._trunks.targets(trunk.name, self._fraction):
            at, means = self._written(trunk.name, way)
            uri = write_number(trunk.profile, target.number, trunk.profile.to_domain or at)
            if means != "udp" and uri.startswith("sip:"):
                uri += f";transport={means}"
            headers = history_of(uri, written.headers, target.diverted)
            found.append(Destination(way, uri, written.from_, f"<{uri}>", headers=headers))
        return Plan(tuple(found), 503, "no address of the trunk is known", trunk.name)

    def _written(self, trunk: str, way: Target) -> tuple[str, str]:
        """RFC 3263 §4: a Request-URI keeps the name, and the transport that is written with it."""
        peer = self._trunks.peer_of(trunk, way)
        if peer is not None and peer.network is None:
            return self._trunks.written(trunk, way), peer.transport or "udp"
        host, port = way.remote
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}", way.transport

    def _registered_trunk(
        self, trunk: Trunk, settings: Registration, target: TrunkTarget, caller: Party
    ) -> Plan:
        """By the proxy that knows us, as an identity that the registrar has for us."""
        line, proxy = self._lines.registration(trunk.name), self._lines.proxy(trunk.name)
        if line is None or proxy is None or not line.up:
            return Plan((), 503, "the trunk is not registered", trunk.name)
        impu = settings.impu if ":" in settings.impu else f"sip:{settings.impu}"
        home = parse_uri(impu).host or settings.registrar
        ours = Ours(home, impu, line.associated)
        written = write(trunk, ours, caller, target.diverted)
        uri = write_number(
            trunk.profile, target.number, trunk.profile.to_domain or settings.registrar
        )
        headers = history_of(uri, written.headers, target.diverted)
        destination = Destination(
            proxy,
            uri,
            written.from_,
            f"<{uri}>",
            self._lines.route_set(trunk.name),
            Login(settings.user, settings.password),
            headers=headers,
        )
        return Plan((destination,), trunk=trunk.name)


def _size(destination: Destination, call: Call) -> int:
    """What an INVITE will have, rather too much than too little."""
    written = (destination.request_uri, destination.from_, destination.to, *destination.route_set)
    headers = (*destination.headers, *call.headers)
    fields = sum(len(name) + len(value) + 4 for name, value in headers)
    text = sum(len(one) + 9 for one in written)
    return FIXED_BYTES + text + fields + len(call.offer)


def _address(uri: str, display: str = "") -> str:
    return f"{quote(display)} <{uri}>" if display else f"<{uri}>"
