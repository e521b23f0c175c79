"""Whom to call, and as whom."""

from dataclasses import dataclass

from callcore.call.trunk import Target
from callcore.flow import Flow


@dataclass(frozen=True, slots=True)
class SeatTarget:
    """A seat: all its bindings ring, the first to answer has the call."""

    user: str


@dataclass(frozen=True, slots=True)
class TrunkTarget:
    """A number through a trunk, over the first of its peers that takes the call."""

    trunk: str
    number: str


@dataclass(frozen=True, slots=True)
class Party:
    """The caller as the called one shall see it; an empty number is the trunk's own."""

    number: str
    display: str = ""


@dataclass(frozen=True, slots=True)
class Destination:
    """One branch of a call, resolved; addresses are name-addrs as they will be written."""

    way: Flow | Target
    request_uri: str
    from_: str
    to: str
    route_set: tuple[str, ...] = ()
    credentials: tuple[str, str] | None = None  # digest user and password


@dataclass(frozen=True, slots=True)
class Call:
    """What all branches of a call carry."""

    offer: bytes
    headers: tuple[tuple[str, str], ...] = ()
