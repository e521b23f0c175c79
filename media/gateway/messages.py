"""The control channel's messages between the signalling process and a gateway process."""

import msgspec

Address = tuple[str, int]


class Command(msgspec.Struct, frozen=True, tag=True):
    """Base of all commands; a gateway obeys them in the order sent."""


class Identity(Command, frozen=True):
    """Whom the gateway proves to be, in PEM: the first command of a life, never on a command line.

    Another certificate for each life: a browser makes a new DTLS association when it sees one.
    """

    certificate: str
    key: str


class Open(Command, frozen=True):
    """A session that a browser may reach now; `plane` is where its voice goes as plain RTP."""

    session: str
    ufrag: str
    password: str
    plane: Address


class Codec(msgspec.Struct, frozen=True):
    """A voice codec and its keys as the browser numbers them; -1: no keys.

    `plain` and `plain_dtmf` are the payload types on the plane's side.
    """

    name: str  # opus, PCMA or PCMU
    send: int
    receive: int
    dtmf_send: int = -1
    dtmf_receive: int = -1
    plain: int = 8
    plain_dtmf: int = 101


class Connect(Command, frozen=True):
    """What offer and answer agreed; again after each new agreement.

    `ufrag` and `password` are ours: other ones than before mean that ICE starts anew.
    """

    session: str
    ufrag: str
    password: str
    remote_ufrag: str
    fingerprints: tuple[tuple[str, str], ...]
    active: bool  # we are the DTLS client
    codec: Codec


class Aim(Command, frozen=True):
    """The plane's leg has moved."""

    session: str
    plane: Address


class Close(Command, frozen=True):
    session: str


class Stop(Command, frozen=True):
    """Tell the browsers, exit."""


class Report(msgspec.Struct, frozen=True, tag=True):
    """Base of what a gateway tells."""


class Ready(Report, frozen=True):
    """The gateway has its identity and serves."""

    pid: int


class Connected(Report, frozen=True):
    """The browser proved who it is; voice flows from now on."""

    session: str


class Failed(Report, frozen=True):
    """The browser never came, was another one, or went away; its session waits to be closed."""

    session: str
    why: str


COUNTERS = (
    "packets_in",  # voice and keys from browsers
    "packets_out",  # to browsers
    "strangers",  # datagrams of nobody's session
    "malformed",  # what could not be read, or not be decrypted
    "unnegotiated",  # payload types that were not agreed
    "checks",  # STUN requests answered
    "reports_in",  # RTCP from browsers, handed on to the plane
    "reports_out",  # and to them
    "send_errors",
)


class Heartbeat(Report, frozen=True):
    """A life sign and the counters since the start."""

    sessions: int = 0
    connected: int = 0
    cpu_seconds: float = 0.0
    packets_in: int = 0
    packets_out: int = 0
    strangers: int = 0
    malformed: int = 0
    unnegotiated: int = 0
    checks: int = 0
    reports_in: int = 0
    reports_out: int = 0
    send_errors: int = 0


class Setup(msgspec.Struct, frozen=True):
    """A gateway process's arguments, as JSON on its command line."""

    public: int  # descriptor of the socket that browsers reach
    plain: int  # and of the one that the plane reaches
    connect_seconds: float
    consent_seconds: float


AnyCommand = Identity | Open | Connect | Aim | Close | Stop
AnyReport = Ready | Connected | Failed | Heartbeat
