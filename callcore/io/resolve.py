"""Names of peers: looked up in the background (RFC 3263), looked up again as their TTL ends."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass

import dns.asyncresolver
import dns.exception
import dns.rdtypes.IN.NAPTR
import dns.rdtypes.IN.SRV
import dns.resolver
from dns.rdata import Rdata

from callcore.call.locate import Found, Naptr, Question, Reply, Srv, Way, locate
from callcore.effects import Resolve


@dataclass(frozen=True, slots=True)
class ResolverSettings:
    """Whom to ask (`ADDRESS` or `ADDRESS:PORT`; none: the system's servers), and how often.

    What a name has is kept for its TTL, within bounds; after a failure, asked again sooner.
    """

    nameservers: tuple[str, ...] = ()
    hosts_file: str = "/etc/hosts"
    question_seconds: float = 2.0
    patience_seconds: float = 5.0
    least_seconds: float = 5.0
    most_seconds: float = 3600.0
    absent_seconds: float = 30.0  # a name that does not exist
    retry_seconds: float = 15.0


class Resolver:
    """Keeps the ways to the names given fresh; tells them by `on_resolved`.

    Servers that do not answer tell nothing: the ways known so far stay in use. A server that
    says that a name has none is believed.
    """

    def __init__(
        self,
        on_resolved: Callable[[Resolve, tuple[Way, ...]], None],
        settings: ResolverSettings | None = None,
    ) -> None:
        self.failures = 0
        self._on_resolved = on_resolved
        self._settings = settings or ResolverSettings()
        self._resolver = _resolver(self._settings)
        self._tasks: dict[Resolve, asyncio.Task[None]] = {}

    def resolve(self, asked: Resolve) -> None:
        """Start to follow a name."""
        if asked not in self._tasks:
            self._tasks[asked] = asyncio.create_task(self._follow(asked))

    async def stop(self) -> None:
        """Follow none any more."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    async def locate(self, asked: Resolve) -> Found | None:
        """One look; None when nobody answered."""
        search = locate(*asked)
        questions = next(search)
        while True:
            replies = await asyncio.gather(*(self._ask(question) for question in questions))
            try:
                questions = search.send(dict(zip(questions, replies, strict=True)))
            except StopIteration as over:
                found: Found | None = over.value
                return found

    async def _follow(self, asked: Resolve) -> None:
        settings = self._settings
        while True:
            found = await self.locate(asked)
            if found is None:
                self.failures += 1
                await asyncio.sleep(settings.retry_seconds)
                continue
            self._on_resolved(asked, found.ways)
            seconds = max(settings.least_seconds, found.ttl_seconds)
            await asyncio.sleep(min(seconds, settings.most_seconds))

    async def _ask(self, question: Question) -> Reply | None:
        if question.kind in ("A", "AAAA"):
            written = hosts_of(question.name, self._settings.hosts_file)
            if written:
                is_v6 = question.kind == "AAAA"
                of_kind = tuple(host for host in written if (":" in host) is is_v6)
                return Reply(of_kind, self._settings.absent_seconds)
        try:
            answer = await self._resolver.resolve(
                question.name, question.kind, raise_on_no_answer=False, search=False
            )
        except dns.resolver.NXDOMAIN:
            return Reply((), self._settings.absent_seconds)
        except (dns.exception.DNSException, OSError):
            return None
        records = tuple(_record(one) for one in answer.rrset or ())
        ttl = float(answer.chaining_result.minimum_ttl)
        return Reply(records, ttl if records else min(ttl, self._settings.absent_seconds))


def hosts_of(name: str, path: str) -> tuple[str, ...]:
    """The addresses that the hosts file has for a name; hosts(5)."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return ()
    found: dict[str, None] = {}
    for line in lines:
        address, *names = line.partition("#")[0].split() or [""]
        if name.lower() in (one.lower() for one in names):
            found[address.partition("%")[0]] = None
    return tuple(found)


def _resolver(settings: ResolverSettings) -> dns.asyncresolver.Resolver:
    try:
        resolver = dns.asyncresolver.Resolver(configure=not settings.nameservers)
    except dns.resolver.NoResolverConfiguration:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
    if settings.nameservers:
        servers = [_server(text) for text in settings.nameservers]
        resolver.nameservers = [host for host, _ in servers]
        resolver.nameserver_ports = dict(servers)
    resolver.timeout = settings.question_seconds
    resolver.lifetime = settings.patience_seconds
    return resolver


def _server(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        return text.strip("[]"), 53
    return host.strip("[]"), int(port)


def _record(data: Rdata) -> Naptr | Srv | str:
    if isinstance(data, dns.rdtypes.IN.SRV.SRV):
        return Srv(data.priority, data.weight, data.port, data.target.to_text())
    if isinstance(data, dns.rdtypes.IN.NAPTR.NAPTR):
        return Naptr(
            data.order,
            data.preference,
            data.flags.decode("latin-1"),
            data.service.decode("latin-1"),
            data.replacement.to_text(),
        )
    return data.to_text()


def outward_host(host: str) -> str:
    """The address that packets leave from, for a listener bound to all of them.

    Connecting a UDP socket sends nothing; it asks the kernel for the route. Without a route
    the loopback address is all that can be reached.
    """
    if host not in ("0.0.0.0", "::"):
        return host
    is_v6 = host == "::"
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("2001:db8::1" if is_v6 else "192.0.2.1", 9))
        except OSError:
            return "::1" if is_v6 else "127.0.0.1"
        return str(probe.getsockname()[0])
