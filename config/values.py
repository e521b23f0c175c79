"""Values that a configuration writes as one string and the program wants in parts."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal, cast

Transport = Literal["udp", "tcp", "tls", "ws", "wss"]
PeerTransport = Literal["udp", "tcp", "tls"]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

TRANSPORTS: tuple[str, ...] = ("udp", "tcp", "tls", "ws", "wss")
# Labels with a letter in the last one: nothing that could be meant as an address.
HOST_NAME = r"(?i)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?\.?"
SECURE_TRANSPORTS = ("tls", "wss")
WEB_TRANSPORTS = ("ws", "wss")


def _host_and_port(text: str) -> tuple[str, int | None]:
    """Split `address:port`, with an IPv6 address in brackets; ValueError on anything else."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.%]+)\]|([^\[\]:/\s]+))(?::(\d{1,5}))?", text)
    if match is None:
        raise ValueError("not an address and a port")
    port = int(match[3]) if match[3] is not None else None
    if port is not None and port > 65535:
        raise ValueError("a port is at most 65535")
    return match[1] or match[2], port


def _address(text: str) -> str:
    """An IP address as text; a name would need a resolver, and may be several addresses."""
    if text == "localhost":
        raise ValueError("localhost is two addresses: write 127.0.0.1 or [::1]")
    return str(ipaddress.ip_address(text))


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    return ipaddress.ip_address(host).is_loopback


def is_wildcard(host: str) -> bool:
    """Whether the address means every interface."""
    return ipaddress.ip_address(host).is_unspecified


def _joined(host: str, port: int | None) -> str:
    shown = f"[{host}]" if ":" in host else host
    return shown if port is None else f"{shown}:{port}"


@dataclass(frozen=True, slots=True)
class Address:
    """`127.0.0.1:8080`: where a listener of ours binds; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        return _joined(self.host, self.port)

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises ValueError."""
        host, port = _host_and_port(text)
        if port is None:
            raise ValueError("the port is missing")
        return cls(_address(host), port)


@dataclass(frozen=True, slots=True)
class Listen:
    """`udp://127.0.0.1:5060`: a transport and where it binds."""

    transport: Transport
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.transport}://{_joined(self.host, self.port)}"

    @classmethod
    def parse(cls, text: str) -> Listen:
        """Raises ValueError."""
        transport, separator, rest = text.partition("://")
        if not separator or transport not in TRANSPORTS:
            raise ValueError("no transport that we know in front of ://")
        address = Address.parse(rest)
        return cls(cast(Transport, transport), address.host, address.port)


@dataclass(frozen=True, slots=True)
class Ports:
    """`20000-29999`: a range, both ends included."""

    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"

    @classmethod
    def parse(cls, text: str) -> Ports:
        """Raises ValueError."""
        match = re.fullmatch(r"\s*(\d{1,5})\s*-\s*(\d{1,5})\s*", text)
        if match is None:
            raise ValueError("not two ports with a - between them")
        first, last = int(match[1]), int(match[2])
        if not 1024 <= first < last <= 65535:
            raise ValueError("not a rising range between 1024 and 65535")
        return cls(first, last)


@dataclass(frozen=True, slots=True)
class Peer:
    """`127.0.0.1:5070`, `tls://sbc.example.org` or `192.0.2.0/24`: who may call us over a trunk.

    A single address is also where we call, and so is a name, which has no `network`.
    """

    network: Network | None
    port: int | None = None
    transport: PeerTransport | None = None
    name: str = ""

    def __str__(self) -> str:
        if self.network is None:
            shown = _joined(self.name, self.port)
        elif self.network.prefixlen == self.network.max_prefixlen:
            shown = _joined(str(self.network.network_address), self.port)
        else:
            shown = str(self.network)
        return f"{self.transport}://{shown}" if self.transport else shown

    def overlaps(self, other: Peer) -> bool:
        """Whether a packet could come from both, so that its trunk would be anybody's guess.

        What a name stands for is known only later, and may change.
        """
        if self.network is None or other.network is None:
            return self.name != "" and (self.name, self.port) == (other.name, other.port)
        if self.network.version != other.network.version:
            return False
        ports_differ = None not in (self.port, other.port) and self.port != other.port
        return not ports_differ and self.network.overlaps(other.network)

    @classmethod
    def parse(cls, text: str) -> Peer:
        """Raises ValueError."""
        transport, separator, rest = text.rpartition("://")
        if separator and transport not in ("udp", "tcp", "tls"):
            raise ValueError("the transport in front of :// is udp, tcp or tls")
        chosen = cast(PeerTransport | None, transport or None)
        if "/" in rest:
            return cls(ipaddress.ip_network(rest), None, chosen)
        host, port = _host_and_port(rest)
        if port == 0:
            raise ValueError("a port is at least 1")
        if re.fullmatch(HOST_NAME, host):
            return cls(None, port, chosen, host.lower())
        return cls(ipaddress.ip_network(_address(host)), port, chosen)


def nameserver(text: str) -> str:
    """`192.0.2.53` or `192.0.2.53:5353`; raises ValueError."""
    host, port = _host_and_port(text)
    return _joined(str(ipaddress.ip_address(host)), port)


@dataclass(frozen=True, slots=True)
class Store:
    """`file:recordings` or `s3://bucket/prefix`: where sealed recordings go."""

    kind: Literal["file", "s3"]
    path: str = ""
    bucket: str = ""
    prefix: str = ""

    def __str__(self) -> str:
        if self.kind == "file":
            return f"file:{self.path}"
        return f"s3://{self.bucket}" + (f"/{self.prefix}" if self.prefix else "")

    @classmethod
    def parse(cls, text: str) -> Store:
        """Raises ValueError."""
        if text.startswith("file:"):
            path = text.removeprefix("file:").removeprefix("//")
            if not path:
                raise ValueError("the folder is missing after file:")
            return cls("file", path=path)
        match = re.fullmatch(r"s3://([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(.*))?", text)
        if match is None:
            raise ValueError("neither a folder nor a bucket")
        return cls("s3", bucket=match[1], prefix=(match[2] or "").strip("/"))
