"""Our own addresses: where we listen, and how that is written in Via and Contact."""

from collections.abc import Mapping

from callcore.flow import Flow

Address = tuple[str, int]


class Addresses:
    """All listeners; `advertised` maps a transport to the host to write in place of its own."""

    def __init__(self, advertised: Mapping[str, str]) -> None:
        self._advertised = advertised
        self._listeners: dict[str, dict[Address, str]] = {}

    def add(self, transport: str, address: Address, shown: str) -> None:
        """A listener is bound; `shown` is the host by which peers reach it."""
        host = self._advertised.get(transport) or shown
        self._listeners.setdefault(transport, {})[address] = host

    def written(self) -> dict[str, Address]:
        """Host and port to write for each transport: its first listener's."""
        return {
            transport: (host, address[1])
            for transport, listeners in self._listeners.items()
            for address, host in list(listeners.items())[:1]
        }

    def source(self, transport: str, remote: Address) -> Address:
        """The listener that a datagram to `remote` leaves from: the first of its family."""
        listeners = self._listeners.get(transport, {})
        is_v6 = ":" in remote[0]
        fitting = (address for address in listeners if (":" in address[0]) is is_v6)
        return next(fitting, ("::" if is_v6 else "0.0.0.0", 0))

    def sent_by(self, flow: Flow) -> str:
        """RFC 3261 §18.1.1: where we listen, which for a connection of ours is not its port."""
        listeners = self._listeners.get(flow.transport, {})
        host, port = listeners.get(flow.local), flow.local[1]
        if host is None and flow.transport != "udp":
            host, port = self.written().get(flow.transport, flow.local)
        host = host or flow.local[0]
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    def via(self, flow: Flow) -> str:
        """RFC 5923 §4: where we listen for TLS, the peer may reach us by our connection too."""
        reuse = flow.transport == "tls" and "tls" in self._listeners
        return f"{self.sent_by(flow)};alias" if reuse else self.sent_by(flow)

    def contact(self, flow: Flow) -> str:
        """RFC 3261 §8.1.1.8: where requests of this dialog shall come."""
        # RFC 7118 §5.1 knows one name for both; RFC 3261 §26.2.2 wants tls said by sips, which
        # phones of today that dial sip: over TLS do not follow.
        means = "ws" if flow.transport == "wss" else flow.transport
        transport = "" if means == "udp" else f";transport={means}"
        return f"<sip:{self.sent_by(flow)}{transport}>"

    def can_reach(self, transport: str, host: str) -> bool:
        """Whether packets can leave for there: over UDP by a listener, else by any of its family.

        Without any listener nothing is known yet.
        """
        is_v6 = ":" in host
        means = [transport] if transport == "udp" else list(self._listeners)
        bound = [address for one in means for address in self._listeners.get(one, ())]
        return not self._listeners or any((":" in address[0]) is is_v6 for address in bound)
