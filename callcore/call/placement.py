"""Who is to be called, and how: what goes into an INVITE of ours."""

from typing import NamedTuple

from callcore.call.events import Diverted, Kind
from callcore.call.terms import Terms
from callcore.flow import Flow
from callcore.value import dataclass

Headers = tuple[tuple[str, str], ...]


class Login(NamedTuple):
    """What answers a 401 or 407 (RFC 3261 §22)."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Party:
    """Somebody as a number and a name; `withheld` asks the network to show neither.

    `ours`: the number of ours that a trunk is shown, whatever its profile would say.
    """

    number: str
    display: str = ""
    withheld: bool = False
    ours: str = ""


@dataclass(frozen=True, slots=True)
class SeatTarget:
    """A seat of ours, wherever it is registered."""

    user: str


@dataclass(frozen=True, slots=True)
class TrunkTarget:
    """A number behind a trunk.

    `diverted` when a call is forwarded to it: by whom, the first first; a caller's number then is
    that of the call forwarded. `seat`: on whose behalf, where it is a seat's wish. `urgent`: an
    emergency, which passes even where the trunk is full.
    """

    trunk: str
    number: str
    diverted: tuple[Diverted, ...] = ()
    seat: str | None = None
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Placement:
    """An INVITE to be sent over `flow`; `from_` and `to` are name-addrs without tags."""

    request_uri: str
    flow: Flow
    from_: str
    to: str
    offer: bytes
    route_set: tuple[str, ...] = ()
    headers: Headers = ()
    credentials: Login | None = None
    kind: Kind = "trunk"
    max_forwards: int = 70
    terms: Terms | None = None  # None: the ones of LegSettings
