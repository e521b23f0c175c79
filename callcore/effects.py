"""What the engine asks of its shell, beside Transmit: all about transports, nothing about SIP."""

from typing import NamedTuple

from callcore.flow import Flow, Transport


class Raw(NamedTuple):
    """Send bytes that are no message: the pong of a keep-alive (RFC 5626 §3.5.1)."""

    flow: Flow
    data: bytes


class Connect(NamedTuple):
    """Open a connection; answered by `connected` or `connect_failed`."""

    transport: Transport
    remote: tuple[str, int]


class Close(NamedTuple):
    """Close a stream once what was written to it is out; answered by `flow_closed`."""

    flow: Flow


class Resolve(NamedTuple):
    """Find the addresses of a host name, and keep finding them; answered by `resolved`."""

    host: str
