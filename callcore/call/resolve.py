"""From a target to destinations: bindings of a seat, peers of a trunk (RFC 3261 §8.1.2)."""

from dataclasses import dataclass

from callcore.call.lines import Lines
from callcore.call.placement import Login, Party, SeatTarget, TrunkTarget
from callcore.call.registrar import Registrar
from callcore.call.settings import EngineSettings, Trunk
from callcore.call.target import Destination
from callcore.call.trunk import Trunks
from callcore.errors import LocalProtocolError
from callcore.message import Uri
from callcore.message.grammar import quote


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
        self, settings: EngineSettings, registrar: Registrar, trunks: Trunks, lines: Lines
    ) -> None:
        self._settings = settings
        self._registrar = registrar
        self._trunks = trunks
        self._lines = lines

    def plan(self, target: SeatTarget | TrunkTarget, caller: Party) -> Plan:
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
        return self._trunk(trunk, target.number, caller)

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
        for way in self._trunks.targets(trunk.name):
            host, port = way.remote
            bracketed = f"[{host}]" if ":" in host else host
            uri = f"sip:{_escape(number)}@{bracketed}:{port}"
            if way.transport != "udp":
                uri += f";transport={way.transport}"
            found.append(Destination(way, uri, from_, f"<{uri}>"))
        return Plan(tuple(found), 503, "no address of the trunk is known", trunk.name)

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
                for way in self._trunks.targets(trunk.name)
            ),
            503,
            "no address of the trunk is known",
            trunk.name,
        )


def _escape(user: str) -> str:
    """RFC 3261 §25.1: what stands unescaped in the user part of a URI."""
    if not user or (user.isascii() and user.removeprefix("+").isalnum()):
        return user
    return str(Uri(scheme="sip", user=user, host="h"))[4:-2]


def _address(uri: str, display: str = "") -> str:
    return f"{quote(display)} <{uri}>" if display else f"<{uri}>"
