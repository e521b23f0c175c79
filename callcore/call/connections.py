"""Connections of ours: which leads where, which are being opened (RFC 3261 §18.1.1, RFC 5923)."""

from collections.abc import Iterable

from callcore.call.locate import default_port
from callcore.call.trunk import Target
from callcore.flow import Flow
from callcore.message import Request


class Connections:
    """One connection for each target, used for all that goes there, as long as it lasts."""

    def __init__(self) -> None:
        self._flows: dict[Target, Flow] = {}
        self._targets: dict[Flow, set[Target]] = {}
        self._opening: set[Target] = set()
        self._names: dict[Flow, frozenset[str]] = {}  # of certificates that were checked

    def __contains__(self, flow: Flow) -> bool:
        return flow in self._targets

    def flow(self, target: Target) -> Flow | None:
        """The connection to a target."""
        return self._flows.get(target)

    def must_open(self, target: Target) -> bool:
        """Whether a connection has to be asked for: there is none, and none on its way."""
        if target in self._flows or target in self._opening:
            return False
        self._opening.add(target)
        return True

    def opened(self, target: Target, flow: Flow) -> None:
        """A connection that was asked for is there."""
        self._opening.discard(target)
        self._use(target, flow)

    def failed(self, target: Target) -> None:
        """A connection that was asked for cannot be opened."""
        self._opening.discard(target)

    def proven(self, flow: Flow, names: frozenset[str]) -> None:
        """Somebody connected to us and proved by certificate to be these."""
        if names:
            self._names[flow] = names

    def heard(self, request: Request, flow: Flow, targets: Iterable[Target]) -> None:
        """RFC 5923 §5: whoever says `alias`, and is who they say, is called by their connection."""
        names = self._names.get(flow)
        if names is None or "alias" not in request.via.params:
            return
        remote = (flow.remote[0], request.via.port or default_port("tls"))
        for target in targets:
            is_them = (target.transport, target.remote) == ("tls", remote)
            if is_them and target.server_name in names and target not in self._flows:
                self._use(target, flow)

    def closed(self, flow: Flow) -> frozenset[Target]:
        """A connection is gone; the targets that it led to."""
        self._names.pop(flow, None)
        targets = self._targets.pop(flow, set())
        for target in targets:
            if self._flows.get(target) == flow:
                del self._flows[target]
        return frozenset(targets)

    def _use(self, target: Target, flow: Flow) -> None:
        self._flows[target] = flow
        self._targets.setdefault(flow, set()).add(target)
