"""Where one branch of a call goes, and what all its branches carry."""

from collections.abc import Hashable

from callcore.call.events import Kind
from callcore.call.placement import Headers, Login
from callcore.call.trunk import Target
from callcore.flow import Flow
from callcore.value import dataclass


@dataclass(frozen=True, slots=True)
class Destination:
    """One branch of a call, resolved; addresses are name-addrs as they will be written."""

    way: Flow | Target
    request_uri: str
    from_: str
    to: str
    route_set: tuple[str, ...] = ()
    credentials: Login | None = None
    kind: Kind = "trunk"
    headers: Headers = ()  # who calls, as this way's profile says it
    plain: bool = False  # it refused a protected description

    @property
    def party(self) -> Hashable:
        """Who answers there: a phone's contact, or a peer's address whatever the number."""
        return self.request_uri if self.kind == "seat" else self.way


@dataclass(frozen=True, slots=True)
class Call:
    """What all branches of a call carry."""

    offer: bytes
    headers: Headers = ()
