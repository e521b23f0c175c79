"""What the engine is told about its world: seats, trunks and the limits it keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from callcore.call.profile import ORDINARY, Profile

Algorithm = Literal["MD5", "SHA-256"]


@dataclass(frozen=True, slots=True)
class Seat:
    """A phone of ours; `user` is both its address of record and its digest user."""

    user: str
    password: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Registration:
    """How a registering trunk presents itself; IMS keeps all these names apart.

    `user` is the digest user (IMPI), `impu` the address of record registered, `registrar` the
    Request-URI's domain, `proxy` the `host[:port]` that packets are sent to (empty: the
    registrar itself). An empty `realm` answers any realm.
    """

    user: str
    password: str
    impu: str
    registrar: str
    proxy: str = ""
    realm: str = ""
    transport: Literal["udp", "tcp"] = "udp"
    expires_seconds: int = 3600


@dataclass(frozen=True, slots=True)
class Trunk:
    """A way to the public network: static peers, or a registration with an operator.

    `peers` are `[udp://|tcp://]address[:port]` or CIDRs, all of which may call us; those that
    name one host are also where we call, in order; beside a registration they are further
    proxies. 0 in a limit means no limit.
    """

    name: str
    peers: tuple[str, ...] = ()
    registration: Registration | None = None
    outbound_number: str = ""
    max_calls: int = 0
    calls_per_second: float = 0.0
    probe_seconds: float = 30.0  # OPTIONS to each static peer; 0 = none
    answer_seconds: float = 6.0  # no response at all for so long: the next peer or proxy
    profile: Profile = ORDINARY


@dataclass(frozen=True, slots=True)
class RegistrarSettings:
    """RFC 3261 §10.3: the expiry that we grant, and how many contacts a seat may have."""

    min_expires_seconds: int = 30
    max_expires_seconds: int = 3600
    default_expires_seconds: int = 600
    max_bindings: int = 5


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """RFC 8760: algorithms in order of preference; and the throttle on failures."""

    algorithms: tuple[Algorithm, ...] = ("SHA-256", "MD5")
    nonce_seconds: float = 300.0
    failures: int = 5
    window_seconds: float = 60.0
    block_seconds: float = 30.0
    max_block_seconds: float = 3600.0
    remembered: int = 4096  # sources, users and nonces kept in mind, each


@dataclass(frozen=True, slots=True)
class BanSettings:
    """So many proven failures in the window, and a host is not listened to; 0 = never."""

    offences: int = 20
    window_seconds: float = 600.0
    seconds: float = 3600.0
    remembered: int = 4096  # hosts banned, and hosts that offended, each


@dataclass(frozen=True, slots=True)
class LimitSettings:
    """Requests a second that one host may start without being a trunk or a bound seat.

    A bound seat has a bucket of its own, which its neighbours cannot empty.
    """

    per_source: float = 200.0
    source_burst: float = 400.0
    strangers: float = 1000.0  # all hosts together
    strangers_burst: float = 2000.0
    remembered: int = 8192
    per_seat: float = 200.0
    seat_burst: float = 400.0


@dataclass(frozen=True, slots=True)
class NumberClass:
    """Numbers of one kind; in a pattern x is a digit, [3-9] one of some, a trailing * the rest."""

    name: str
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutboundSettings:
    """What seats may dial on trunks; 0 in a limit means no limit.

    The first class with a pattern that fits is a number's; a number of no class is refused.
    """

    classes: tuple[NumberClass, ...] = ()
    allowed: frozenset[str] = frozenset()
    country_code: str = "86"
    seat_calls: int = 2
    seat_calls_a_day: int = 300
    calls_a_day: int = 3000


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """All that the engine needs; `advertised` maps a transport to the host written for it.

    Without an advertised host the address of the listener used is written.
    """

    domain: str
    seats: Mapping[str, Seat] = field(default_factory=dict)
    trunks: tuple[Trunk, ...] = ()
    advertised: Mapping[str, str] = field(default_factory=dict)
    registrar: RegistrarSettings = RegistrarSettings()
    auth: AuthSettings = AuthSettings()
    limits: LimitSettings = LimitSettings()
    bans: BanSettings = BanSettings()
    secure_seats: bool = False  # seats register and call over TLS or WSS only
    outbound: OutboundSettings = OutboundSettings()
    user_agent: str = "callcore"
