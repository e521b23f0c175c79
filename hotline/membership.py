"""Whether this node answers calls, and what its cluster looks like from here."""

from typing import Protocol

from hotline.commands import ClusterStatus


class Membership(Protocol):
    """The node's part in the cluster; asked for each new call."""

    def leads(self) -> bool:
        """Whether a new call may be taken now."""

    def status(self) -> ClusterStatus:
        """For people and for Prometheus."""


class Single:
    """No cluster: always the one."""

    def __init__(self, node: str = "") -> None:
        self._node = node

    def leads(self) -> bool:
        """Nobody else could."""
        return True

    def status(self) -> ClusterStatus:
        """Alone by configuration."""
        return ClusterStatus(self._node, "single", self._node, 0, 0, 0, redis=False)
