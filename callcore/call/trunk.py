"""Trunks: who may call us as which trunk, where we call, and whether a peer is alive."""

import ipaddress
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

from callcore.call.settings import Trunk
from callcore.errors import LocalProtocolError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
GOOD_TO_RISE = 2
BAD_TO_FALL = 2
REMEMBERED = 4096


class Target(NamedTuple):
    """An address that requests can be sent to."""

    transport: Literal["udp", "tcp"]
    remote: tuple[str, int]


@dataclass(frozen=True, slots=True)
class Peer:
    """One entry of `peers`; port 0 says that the entry named none.

    `network` is None for a host name, until it is resolved.
    """

    transport: Literal["udp", "tcp"]
    host: str
    port: int
    network: Network | None

    @property
    def is_target(self) -> bool:
        """Whether it names one host, so that we can call it."""
        return self.network is None or self.network.num_addresses == 1


def parse_peer(text: str) -> Peer:
    """`[udp://|tcp://]host[:port]` or a CIDR; LocalProtocolError names what is wrong."""
    scheme, separator, rest = text.rpartition("://")
    if separator and scheme not in ("udp", "tcp"):
        raise LocalProtocolError(f"peer {text!r}: transport must be udp or tcp")
    transport: Literal["udp", "tcp"] = "tcp" if scheme == "tcp" else "udp"
    try:
        network = ipaddress.ip_network(rest.strip("[]"), strict=False)
        return Peer(transport, str(network.network_address), 0, network)
    except ValueError:
        host, port = split_host_port(rest)
    try:
        return Peer(transport, host, port, ipaddress.ip_network(host))
    except ValueError:
        pass
    if not host or "/" in host:
        raise LocalProtocolError(f"peer {text!r} is no address, network or host name")
    return Peer(transport, host, port, None)


def split_host_port(text: str) -> tuple[str, int]:
    """`host[:port]` or `[v6]:port`; port 0 when there is none."""
    host, separator, port = text.rpartition(":")
    if not separator or (host.count(":") and not host.startswith("[")):
        return text.strip("[]"), 0
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise LocalProtocolError(f"{text!r}: the port must be 1 to 65535")
    return host.strip("[]"), int(port)


@dataclass(frozen=True, slots=True)
class Health:
    """Up or down with hysteresis; `up` is None until the first sign decides."""

    up: bool | None = None
    against: int = 0

    def observe(self, good: bool) -> "Health":
        """One probe answered (or call answered), or one that was not."""
        if self.up is None:
            return Health(good)
        if good is self.up:
            return Health(self.up)
        needed = GOOD_TO_RISE if good else BAD_TO_FALL
        if self.against + 1 >= needed:
            return Health(good)
        return replace(self, against=self.against + 1)


class Trunks:
    """The static side of all trunks: source matching, targets in order of preference, health."""

    def __init__(self, trunks: Iterable[Trunk]) -> None:
        self.settings = {trunk.name: trunk for trunk in trunks}
        self._peers: dict[str, list[Peer]] = {}
        for trunk in self.settings.values():
            peers = [parse_peer(text) for text in trunk.peers]
            if trunk.registration is not None:
                peers.insert(0, proxy_of(trunk))
            self._peers[trunk.name] = peers
        self._addresses: dict[str, tuple[str, ...]] = {}
        self._health: dict[tuple[str, Target], Health] = {}
        self._owners: OrderedDict[tuple[str, str, int, int], str | None] = OrderedDict()

    def names(self) -> set[str]:
        """Host names that must be resolved before their peers count."""
        return {p.host for peers in self._peers.values() for p in peers if p.network is None}

    def resolved(self, host: str, addresses: tuple[str, ...]) -> None:
        """The addresses that a host name has now."""
        if self._addresses.get(host) != addresses:
            self._addresses[host] = addresses
            self._owners.clear()

    def owner(self, transport: str, remote: tuple[str, int], via_port: int) -> str | None:
        """Which trunk a request comes from.

        A peer written with a port is that port alone, so that seats and trunks can share a
        host; over TCP, where ports are ephemeral, the port that its Via names stands for it.
        """
        key = (transport, remote[0], remote[1], 0 if transport == "udp" else via_port)
        if key in self._owners:
            return self._owners[key]
        ports = {remote[1]} if transport == "udp" else {remote[1], via_port or 5060}
        owner = self._search(remote[0], ports)
        self._owners[key] = owner
        if len(self._owners) > REMEMBERED:
            self._owners.popitem(last=False)
        return owner

    def has_host(self, host: str) -> bool:
        """Whether a peer of any trunk is at this host, by whatever port."""
        ports = {peer.port for peers in self._peers.values() for peer in peers}
        return self._search(host, ports) is not None

    def targets(self, trunk: str) -> list[Target]:
        """Where to call, in the order configured, those known to be down last."""
        found: list[Target] = []
        for peer in self._peers[trunk]:
            if not peer.is_target:
                continue
            hosts = self._addresses.get(peer.host, ()) if peer.network is None else (peer.host,)
            found.extend(Target(peer.transport, (host, peer.port or 5060)) for host in hosts)
        return sorted(found, key=lambda t: self.health(trunk, t).up is False)

    def written(self, trunk: str, target: Target) -> str:
        """The host and port of a target as the configuration writes them, for a Route."""
        for peer in self._peers[trunk]:
            hosts = self._addresses.get(peer.host, ()) if peer.network is None else (peer.host,)
            if target.remote[0] in hosts and target.remote[1] == (peer.port or 5060):
                host = f"[{peer.host}]" if ":" in peer.host else peer.host
                return f"{host}:{peer.port}" if peer.port else host
        raise LocalProtocolError(f"{target} is no target of trunk {trunk!r}")

    def health(self, trunk: str, target: Target) -> Health:
        """What is known of one target."""
        return self._health.get((trunk, target), Health())

    def observe(self, trunk: str, target: Target, good: bool) -> bool | None:
        """Note a sign of life or of death; the trunk's new state when that changed it."""
        before = self.is_up(trunk)
        self._health[(trunk, target)] = self.health(trunk, target).observe(good)
        after = self.is_up(trunk)
        return after if after is not before else None

    def is_up(self, trunk: str) -> bool | None:
        """Whether any target lives; None before the first sign of any."""
        states = [self.health(trunk, target).up for target in self.targets(trunk)]
        if True in states:
            return True
        return None if None in states or not states else False

    def _search(self, host: str, ports: set[int]) -> str | None:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return None
        fallback: str | None = None
        for name, peers in self._peers.items():
            for peer in peers:
                if peer.network is not None:
                    same = address.version == peer.network.version and address in peer.network
                else:
                    same = host in self._addresses.get(peer.host, ())
                if same and peer.port in ports:
                    return name  # the most exact match wins over whole hosts and networks
                if same and not peer.port and fallback is None:
                    fallback = name
        return fallback


def proxy_of(trunk: Trunk) -> Peer:
    """The peer that a registering trunk sends to and is called by."""
    registration = trunk.registration
    if registration is None:
        raise LocalProtocolError(f"trunk {trunk.name!r} does not register")
    host = registration.proxy or registration.registrar
    return parse_peer(f"{registration.transport}://{host}")
