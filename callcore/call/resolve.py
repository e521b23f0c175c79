"""From a target to destinations: bindings of a seat, peers of a trunk (RFC 3261 §8.1.2)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from callcore.call.lines import Lines
from callcore.call.placement import Login, Party, SeatTarget, TrunkTarget
from callcore.call.registrar import Registrar
from callcore.call.settings import EngineSettings, Trunk
from callcore.call.target import Call, Destination
from callcore.call.trunk import Target
from callcore.errors import LocalProtocolError
from callcore.message import Uri
from callcore.message.grammar import quote

# RFC 3261 §18.1.1: a request beyond this must not go by UDP where the path's MTU is not known.
MOST_UDP_BYTES = 1300
# What an INVITE of ours has beside its addresses, offer and own headers: Via, Call-ID, Contact ...
FIXED_BYTES = 450
CREDENTIALS_BYTES = 320
NO_TCP_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Plan:
    """Where to call; `status` and `why` say what to answer when that is nowhere."""

    destinations: tuple[Destination, ...]
    status: int = 480
    why: str = "Temporarily Unavailable"
    trunk: str | None = None


class Resolution:
    """Knows registrar and trunks; decides nothing but addresses."""

    def __init__(
        self,
        settings: EngineSettings,
        registrar: Registrar,
        lines: Lines,
        fraction: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._registrar = registrar
        self._trunks = lines.trunks
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
        if self._lines.limits[trunk.name].is_full:
            return Plan((), 503, "max_calls", trunk.name)
        plan = self._trunk(trunk, target.number, caller)
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
        uri = f"{destination.request_uri};transport=tcp"
        return replace(destination, way=wide, request_uri=uri), destination

    def _seat(self, user: str, caller: Party) -> Plan:
        """RFC 5626 §5.3: to each binding by the flow that it came by."""
        domain = self._settings.domain
        from_ = _address(f"sip:{_escape(caller.number) or 'anonymous'}@{domain}", caller.display)
        to = _address(f"sip:{user}@{domain}")
        return Plan(
            tuple(
                Destination(binding.flow, binding.contact, from_, to, kind="seat")
                for binding in self._registrar.bindings(user)
            )
        )

    def _trunk(self, trunk: Trunk, number: str, caller: Party) -> Plan:
        if trunk.registration is not None:
            return self._registered_trunk(trunk, number, caller)
        mine = _escape(caller.number or trunk.outbound_number) or "anonymous"
        from_ = _address(f"sip:{mine}@{self._settings.domain}", caller.display)
        found = []
        for way in self._trunks.targets(trunk.name, self._fraction):
            uri = f"sip:{_escape(number)}@{self._domain(trunk.name, way)}"
            found.append(Destination(way, uri, from_, f"<{uri}>"))
        return Plan(tuple(found), 503, "no address of the trunk is known", trunk.name)

    def _domain(self, trunk: str, way: Target) -> str:
        """RFC 3263 §4: the Request-URI keeps the name, whichever of its addresses is used."""
        peer = self._trunks.peer_of(trunk, way)
        if peer is not None and peer.network is None:
            shown = f"{peer.host}:{peer.port}" if peer.port else peer.host
            means = peer.transport or "udp"
        else:
            host, port = way.remote
            shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            means = way.transport
        return shown if means == "udp" else f"{shown};transport={means}"

    def _registered_trunk(self, trunk: Trunk, number: str, caller: Party) -> Plan:
        """RFC 3608 §5: by the Service-Route; as the IMPU, or what the operator made of it."""
        settings, line = trunk.registration, self._lines.registration(trunk.name)
        if settings is None or line is None or not line.up:
            return Plan((), 503, "the trunk is not registered", trunk.name)
        impu = settings.impu if ":" in settings.impu else f"sip:{settings.impu}"
        uri = f"sip:{_escape(number)}@{settings.registrar}"
        route_set = line.service_route
        if not route_set and settings.proxy:
            route_set = (f"<sip:{settings.proxy};transport={settings.transport};lr>",)
        from_, to = _address(impu, caller.display), _address(uri)
        credentials = Login(settings.user, settings.password)
        return Plan(
            tuple(
                Destination(way, uri, from_, to, route_set, credentials)
                for way in self._trunks.targets(trunk.name, self._fraction)
            ),
            503,
            "no address of the trunk is known",
            trunk.name,
        )


def _size(destination: Destination, call: Call) -> int:
    """What an INVITE will have, rather too much than too little."""
    written = (destination.request_uri, destination.from_, destination.to, *destination.route_set)
    headers = sum(len(name) + len(value) + 4 for name, value in call.headers)
    proof = CREDENTIALS_BYTES if destination.credentials else 0
    text = sum(len(one) + 9 for one in written)
    return FIXED_BYTES + text + headers + proof + len(call.offer)


def _escape(user: str) -> str:
    """RFC 3261 §25.1: what stands unescaped in the user part of a URI."""
    if not user or (user.isascii() and user.removeprefix("+").isalnum()):
        return user
    return str(Uri(scheme="sip", user=user, host="h"))[4:-2]


def _address(uri: str, display: str = "") -> str:
    return f"{quote(display)} <{uri}>" if display else f"<{uri}>"
