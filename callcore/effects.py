"""What the engine asks of its shell, beside Transmit: all about transports, nothing about SIP."""

from typing import NamedTuple

from callcore.flow import Flow, Transport


class Raw(NamedTuple):
    """Send bytes that are no message: the pong of a keep-alive (RFC 5626 §3.5.1)."""

    flow: Flow
    data: bytes


class Connect(NamedTuple):
    """Open a connection; answered by `connected` or `connect_failed`.

    For TLS `trust` names the settings that judge the far certificate (a trunk's name), and
    `server_name` is what it must be made out to.
    """

    transport: Transport
    remote: tuple[str, int]
    server_name: str = ""
    trust: str = ""


class Close(NamedTuple):
    """Close a stream once what was written to it is out; answered by `flow_closed`."""

    flow: Flow


class Resolve(NamedTuple):
    """Find the ways to a host name, and keep finding them; answered by `resolved`.

    Without a transport (None) or a port (0) the name's owner decides about them (RFC 3263).
    """

    host: str
    transport: Transport | None = None
    port: int = 0
