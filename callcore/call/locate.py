"""From a peer's name to addresses (RFC 3263): which questions to ask, what the answers mean.

`locate` is a generator: it yields questions, is sent their replies, and returns what was found.
It knows neither sockets nor clocks nor chance; `in_order` has its randomness injected.
"""

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from callcore.flow import Transport

Kind = Literal["NAPTR", "SRV", "A", "AAAA"]

# What a name without a transport may lead to; RFC 3263 §4.1.
SERVICES: dict[str, Transport] = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
PREFIXES: dict[str, str] = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}
# One answer must not make us ask, or probe, without end.
MOST_RECORDS = 32
MOST_WAYS = 32
NO_TTL = float("inf")


class Naptr(NamedTuple):
    """RFC 3403 §4.1."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Srv(NamedTuple):
    """RFC 2782."""

    priority: int
    weight: int
    port: int
    target: str


class Question(NamedTuple):
    """One name and the kind of record asked for."""

    name: str
    kind: Kind


class Reply(NamedTuple):
    """What a server said; no records is an answer too. `ttl_seconds`: how long it holds."""

    records: tuple[Naptr | Srv | str, ...] = ()
    ttl_seconds: float = NO_TTL


# None: nobody answered, which tells nothing about the name.
Replies = Mapping[Question, Reply | None]


class Way(NamedTuple):
    """One address of a name; a lower `rank` comes first, `weight` decides within a rank."""

    transport: Transport
    host: str
    port: int
    rank: int = 0
    weight: int = 0


class Found(NamedTuple):
    """All ways to a name, and how long they hold."""

    ways: tuple[Way, ...]
    ttl_seconds: float


class _Host(NamedTuple):
    """A host that is still to be looked up."""

    transport: Transport
    name: str
    port: int
    rank: tuple[int, int] = (0, 0)
    weight: int = 0


Search = Generator[tuple[Question, ...], Replies, Found | None]


def default_port(transport: str) -> int:
    """RFC 3261 §19.1.2."""
    return 5061 if transport == "tls" else 5060


def locate(name: str, transport: Transport | None = None, port: int = 0) -> Search:
    """RFC 3263 §4: NAPTR, SRV and addresses of a name; None when that could not be found out."""
    if port:  # §4.2: a port names the host itself
        return (yield from _addresses([_Host(transport or "udp", name, port)], NO_TTL))
    services = [(transport, PREFIXES[transport] + name)] if transport in PREFIXES else []
    ttl = NO_TTL
    if transport is None:
        question = Question(name, "NAPTR")
        reply = (yield (question,))[question]
        # A server that cannot do NAPTR must not keep us from SRV: what fails there counts.
        if reply is not None:
            ttl = reply.ttl_seconds
            services = _chosen(reply.records)
        services = services or [
            (SERVICES[service], PREFIXES[SERVICES[service]] + name) for service in SERVICES
        ]
    asked = {service: Question(service, "SRV") for _, service in services}
    replies = yield tuple(asked.values())
    hosts: list[_Host] = []
    missing = False
    for number, (means, service) in enumerate(services):
        found = replies[asked[service]]
        if found is None:
            missing = True
            continue
        ttl = min(ttl, found.ttl_seconds)
        hosts += _hosts(means, number, found.records)
    if not hosts:
        if missing:
            return None
        # §4.2: no SRV at all: the name is a host's.
        means = transport or "udp"
        hosts = [_Host(means, name, default_port(means))]
    return (yield from _addresses(hosts, ttl))


def _chosen(records: Iterable[Naptr | Srv | str]) -> list[tuple[Transport, str]]:
    """§4.1: the services that we speak, in the order that their owner wants."""
    usable = [
        record
        for record in records
        if isinstance(record, Naptr)
        and record.flags.lower() == "s"
        and record.service.upper() in SERVICES
        and record.replacement.strip(".")
    ]
    usable.sort(key=lambda record: (record.order, record.preference))
    return [
        (SERVICES[record.service.upper()], record.replacement.rstrip("."))
        for record in usable[:MOST_RECORDS]
    ]


def _hosts(
    transport: Transport, number: int, records: Iterable[Naptr | Srv | str]
) -> Iterable[_Host]:
    """RFC 2782: a target of "." says that the service is decidedly not there."""
    for record in sorted(r for r in records if isinstance(r, Srv))[:MOST_RECORDS]:
        if record.target.strip("."):
            rank = (number, record.priority)
            target = record.target.rstrip(".")
            yield _Host(transport, target, record.port, rank, record.weight)


def _addresses(hosts: Sequence[_Host], ttl: float) -> Search:
    """The addresses of all hosts; what of them could not be found out is left out."""
    hosts = hosts[:MOST_RECORDS]
    kinds: tuple[Kind, ...] = ("A", "AAAA")
    names = dict.fromkeys(host.name for host in hosts)
    replies = yield tuple(Question(name, kind) for name in names for kind in kinds)
    ranks = {rank: place for place, rank in enumerate(sorted({host.rank for host in hosts}))}
    ways: dict[Way, None] = {}
    missing = False
    for host in hosts:
        for kind in kinds:
            reply = replies[Question(host.name, kind)]
            if reply is None:
                missing = True
                continue
            ttl = min(ttl, reply.ttl_seconds)
            for address in reply.records:
                rank = ranks[host.rank]
                ways[Way(host.transport, str(address), host.port, rank, host.weight)] = None
    if not ways and missing:
        return None
    return Found(tuple(sorted(ways, key=lambda way: way.rank))[:MOST_WAYS], ttl)


def in_order(ways: Sequence[Way], fraction: Callable[[], float]) -> list[Way]:
    """RFC 2782: by rank; within a rank by chance, in proportion to the weights."""
    ordered: list[Way] = []
    for rank in sorted({way.rank for way in ways}):
        left = sorted((way for way in ways if way.rank == rank), key=lambda way: way.weight)
        while len(left) > 1 and any(way.weight for way in left):
            ordered.append(left.pop(_drawn(left, fraction())))
        ordered += left
    return ordered


def _drawn(left: Sequence[Way], fraction: float) -> int:
    """The running sum at or beyond a number drawn from 0 to the sum, both included."""
    mark = int(fraction * (sum(way.weight for way in left) + 1))
    running = 0
    for place, way in enumerate(left):
        running += way.weight
        if running >= mark:
            return place
    return len(left) - 1
