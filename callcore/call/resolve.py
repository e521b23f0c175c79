"""From a target to destinations: bindings of a seat, peers of a trunk (RFC 3261 §8.1.2)."""

from callcore.call.codecs import rearrange
from callcore.call.identity import (
    ANONYMOUS,
    IDENTITIES,
    Ours,
    escape,
    history_of,
    outward,
    write,
    write_number,
)
from callcore.call.lines import Lines
from callcore.call.placement import Headers, Login, Party, SeatTarget, TrunkTarget
from callcore.call.profile import ORDINARY
from callcore.call.registrar import Registrar
from callcore.call.settings import EngineSettings, Registration, Trunk
from callcore.call.target import Call, Destination
from callcore.call.trunk import Trunks
from callcore.errors import LocalProtocolError
from callcore.message import parse_uri
from callcore.message.grammar import quote
from callcore.value import dataclass


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
        return self._trunk(trunk, target, caller)

    def carried(self, target: SeatTarget | TrunkTarget, offer: bytes, headers: Headers) -> Call:
        """What goes along with a call: a trunk has a list of codecs, and one of fields."""
        if isinstance(target, SeatTarget):
            return Call(offer, tuple(f for f in headers if f[0].lower() not in IDENTITIES))
        profile = self._trunks.settings[target.trunk].profile
        if profile.codecs != ORDINARY.codecs:  # which are all that our offers ever have
            offer = rearrange(offer, profile.codecs)
        return Call(offer, outward(headers, profile))

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
        for way in self._trunks.targets(trunk.name):
            host, port = way.remote
            at = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
            uri = write_number(trunk.profile, target.number, trunk.profile.to_domain or at)
            if way.transport != "udp" and uri.startswith("sip:"):
                uri += f";transport={way.transport}"
            headers = history_of(uri, written.headers, target.diverted)
            found.append(Destination(way, uri, written.from_, f"<{uri}>", headers=headers))
        return Plan(tuple(found), 503, "no address of the trunk is known", trunk.name)

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


def _address(uri: str, display: str = "") -> str:
    return f"{quote(display)} <{uri}>" if display else f"<{uri}>"
