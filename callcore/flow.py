"""A flow: the path by which bytes come and go (RFC 5626 §3, in its widest sense)."""

from typing import Literal, NamedTuple

Transport = Literal["udp", "tcp", "tls", "ws", "wss"]


class Flow(NamedTuple):
    """One path between us and a peer.

    `serial` is 0 for UDP; for streams it is the connection's number, so that a binding made
    over one connection can never be reached over a later one from the same port.
    """

    transport: Transport
    local: tuple[str, int]
    remote: tuple[str, int]
    serial: int = 0
