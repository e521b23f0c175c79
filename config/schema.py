"""What a configuration may say: one model for each table, with every default.

Relative paths are relative to the working directory of the process. Descriptions are the
reference's text: docs/configuration.md is generated from this file.
"""

import base64
import ipaddress
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from config.calls import Calls
from config.codes import FeatureCodes
from config.minutes import Minutes
from config.profile import Profile
from config.queues import GENERAL, Agents, Name, PositiveSeconds, Queue, Route, Seconds, Skills
from config.secret import Secret
from config.security import NumberClass, Outbound, Security
from config.sounds import Tone
from config.survey import Message, Survey
from config.table import Allowed, Table
from config.values import Address, Listen, Peer, Ports, Store
from config.voice import Voice


def _parsed(parse: Callable[[str], Any], kind: type) -> BeforeValidator:
    """Turn the string into its value; a value (from a test, or a default) is left alone."""

    def validate(value: Any) -> Any:
        if isinstance(value, kind):
            return value
        if not isinstance(value, str):
            raise ValueError("not a string")
        return parse(value)

    return BeforeValidator(validate)


def _ip(value: str) -> str:
    return str(ipaddress.ip_address(value)) if value else value


def _encryption_key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text and len(base64.b64decode(text, validate=True)) != 32:
        raise ValueError("not 32 bytes")
    return value


def _database_url(value: SecretStr) -> SecretStr:
    scheme = value.get_secret_value().partition("://")[0].partition("+")[0]
    if scheme not in ("sqlite", "postgresql"):
        raise ValueError("neither SQLite nor PostgreSQL")
    return value


def _cluster_url(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if text and not text.startswith(("redis://", "rediss://")):
        raise ValueError("not a Redis URL")
    return value


HttpAddress = Annotated[
    Address,
    _parsed(Address.parse, Address),
    Allowed("an IP address and a port, as 127.0.0.1:8080 or [::1]:8080"),
]
SipListen = Annotated[
    Listen,
    _parsed(Listen.parse, Listen),
    Allowed("udp://, tcp://, tls://, ws:// or wss:// and an IP address with a port"),
]
PortRange = Annotated[
    Ports,
    _parsed(Ports.parse, Ports),
    Allowed('a rising range between 1024 and 65535, as "20000-29999"'),
]
TrunkPeer = Annotated[
    Peer,
    _parsed(Peer.parse, Peer),
    Allowed(
        "IP addresses with or without a port (127.0.0.1:5070), or networks (192.0.2.0/24); "
        "udp:// or tcp:// may stand in front"
    ),
]
StoreUrl = Annotated[
    Store,
    _parsed(Store.parse, Store),
    Allowed("file:FOLDER or s3://BUCKET/PREFIX"),
]
IpOrNone = Annotated[str, AfterValidator(_ip), Allowed("an IP address, or empty")]
Ip = Annotated[str, Field(min_length=1), AfterValidator(_ip), Allowed("an IP address")]
PhoneOrNone = Annotated[
    str, Field(pattern=r"^(\+?[0-9]{2,20})?$"), Allowed("a phone number in digits, or empty")
]
User = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_.+-]{1,64}$"),
    Allowed("1 to 64 letters, digits or any of _ . + -"),
]
Password = Annotated[Secret, Field(min_length=1)]


class Sip(Table):
    """How phones and trunks reach the engine."""

    domain: str = Field(
        default="hotline.local",
        pattern=r"^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$",
        description="the domain of the seats' addresses and the realm of their passwords",
        json_schema_extra={"allowed": "a domain name or an IPv4 address"},
    )
    listen: Annotated[tuple[SipListen, ...], Field(strict=False, min_length=1)] = Field(
        default=(Listen("udp", "127.0.0.1", 5060), Listen("tcp", "127.0.0.1", 5060)),
        description="where SIP is listened for; port 0 lets the system choose one",
    )
    certificate: str = Field(
        default="", description="PEM file of the certificate, for tls:// and wss://"
    )
    key: str = Field(default="", description="PEM file of the certificate's private key")
    seats_over_tls: bool = Field(
        default=False, description="seats register and call over tls:// and wss:// only"
    )


class Media(Voice):
    """Where voice flows."""

    address: Ip = Field(
        default="127.0.0.1", description="the address that RTP is bound to, and that SDP names"
    )
    public_address: IpOrNone = Field(
        default="", description="what SDP names instead, behind a one-to-one address translation"
    )
    ports: PortRange = Field(
        default=Ports(20000, 29999), description="UDP ports of the RTP streams"
    )
    workers: int = Field(
        default=1, ge=0, le=256, description="media processes; 0 = one for each core"
    )
    rtp_timeout_seconds: PositiveSeconds = Field(
        default=30, description="a call without any voice packet for so long is dead"
    )
    snippets: str = Field(
        default="",
        description="a folder with recordings of your own of the words that announcements are put "
        "together from (0.wav, ahead.wav ...: docs/media.md); empty = the machine's voice",
    )


class Line(Table):
    """What is a trunk's own, and no profile's."""

    name: Name = Field(description="its name in metrics, logs and calls")
    profile: str = Field(
        default="",
        description="ims, ibcf, plain, or the path of a file: where the keys from mode on "
        "have their values from, those excepted that stand here",
    )
    peers: Annotated[tuple[TrunkPeer, ...], Field(strict=False)] = Field(
        default=(),
        description="who may call us; the single addresses are where we call, "
        "in order of preference; register mode: further proxies",
    )
    user: str = Field(
        default="", description="register mode: the user that answers the challenge (IMPI)"
    )
    password: Secret = Field(default=SecretStr(""), description="register mode: its password")
    impu: str = Field(
        default="",
        pattern=r"^(sips?:\S+|tel:\S+)?$",
        description="register mode: the public identity that is registered; "
        "empty = sip:USER@REGISTRAR",
        json_schema_extra={"allowed": "a sip:, sips: or tel: address, or empty"},
    )
    registrar: str = Field(default="", description="register mode: the domain that REGISTER names")
    proxy: str = Field(
        default="",
        description="register mode: ADDRESS[:PORT] that packets are sent to; "
        "empty = the registrar itself",
    )
    realm: str = Field(
        default="", description="register mode: the only realm that gets an answer; empty = any"
    )
    outbound_number: PhoneOrNone = Field(
        default="", description="the number that our outgoing calls show"
    )
    max_calls: int = Field(default=60, ge=0, le=100_000, description="calls at once; 0 = no limit")
    calls_per_second: float = Field(
        default=20, ge=0, le=10_000, description="new incoming calls a second; 0 = no limit"
    )
    minutes_per_month: int = Field(
        default=20_000, ge=0, description="outgoing minutes in the package; 0 = not metered"
    )


class Trunk(Profile, Line):
    """A way to the public network; write [[trunks]] once for each. See [trunks](trunks.md)."""


class Seat(Table):
    """A phone of ours and the person at it; write [[seats]] once for each."""

    user: User = Field(description="the user that the phone registers")
    password: Password = Field(description="its password")
    name: str = Field(default="", max_length=100, description="the person's name")
    role: Literal["agent", "supervisor"] = Field(
        default="agent", description="agents take the queues' calls"
    )
    skills: Skills = Field(
        default=GENERAL, description="the skills that queues ask for; english:7 = at level 7 of 9"
    )
    mobile: PhoneOrNone = Field(default="", description="the person's mobile, for overflow")
    remote: bool = Field(default=False, description="takes calls at the mobile, after pressing 1")
    auto_ready: bool = Field(
        default=True, description="ready as soon as the phone is registered; no desk needed"
    )
    auto_answer: Literal["none", "alert-info", "call-info", "answer-mode"] = Field(
        default="none",
        description="the header that asks the phone to answer by itself, as headsets want it",
    )


class Recordings(Table):
    """Where recordings go and how long they stay."""

    store: StoreUrl = Field(
        default=Store("file", path="recordings"), description="where sealed recordings are kept"
    )
    spool: str = Field(
        default="spool",
        min_length=1,
        description="folder of the recordings that are not stored yet",
    )
    endpoint: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="S3 endpoint other than AWS",
        json_schema_extra={"allowed": "an http:// or https:// address, or empty"},
    )
    region: str = Field(default="", description="S3 region")
    access_key: Secret = Field(default=SecretStr(""), description="S3 access key")
    secret_key: Secret = Field(default=SecretStr(""), description="S3 secret key")
    retention_days: int = Field(
        default=366,
        ge=365,
        le=36_500,
        description="how long a recording is kept; the law wants a year",
    )
    key: Annotated[
        Secret, AfterValidator(_encryption_key), Allowed("32 bytes in base64, or empty")
    ] = Field(
        default=SecretStr(""), description="encryption key; empty = the store's own encryption"
    )


class Http(Table):
    """The API, the metrics and the desk."""

    listen: HttpAddress = Field(
        default=Address("127.0.0.1", 8080), description="where HTTP is served"
    )
    token: Secret = Field(
        default=SecretStr(""), description="what every request must show; needed beyond loopback"
    )


class Database(Table):
    """The index of recordings and the desk's data."""

    url: Annotated[
        Secret,
        AfterValidator(_database_url),
        Allowed("sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"),
    ] = Field(default=SecretStr("sqlite:///callcore.db"), description="where it is")


class Cluster(Table):
    """Several engines together."""

    url: Annotated[
        Secret, AfterValidator(_cluster_url), Allowed("redis://... or rediss://..., or empty")
    ] = Field(
        default=SecretStr(""), description="the Redis that they share; empty = this process alone"
    )
    node: Name = Field(default="node-1", description="this engine's name among them")


class Engine(Table):
    """The engine's own life."""

    drain_seconds: Seconds = Field(
        default=30,
        description="how long calls may go on after SIGTERM, while no new ones are taken",
    )
    journal: str = Field(
        default="journal", description="folder of the queue's journal; empty = none"
    )


class Logging(Table):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="the least that is written"
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto = console on a terminal, JSON elsewhere"
    )
    mask_numbers: bool = Field(
        default=True, description="phone numbers show their first three and last two digits only"
    )


class Config(Table):
    """All tables; an empty file is a sound configuration without seats, trunks and queues."""

    sip: Sip = Sip()
    media: Media = Media()
    trunks: Annotated[tuple[Trunk, ...], Field(strict=False)] = ()
    seats: Annotated[tuple[Seat, ...], Field(strict=False)] = ()
    queues: Annotated[tuple[Queue, ...], Field(strict=False)] = ()
    routes: Annotated[tuple[Route, ...], Field(strict=False)] = ()
    calls: Calls = Calls()
    feature_codes: FeatureCodes = FeatureCodes()
    survey: Survey = Survey()
    message: Message = Message()
    minutes: Minutes = Minutes()
    tones: Annotated[tuple[Tone, ...], Field(strict=False)] = ()
    agents: Agents = Agents()
    security: Security = Security()
    outbound: Outbound = Outbound()
    number_classes: Annotated[tuple[NumberClass, ...], Field(strict=False)] = ()
    recordings: Recordings = Recordings()
    http: Http = Http()
    database: Database = Database()
    cluster: Cluster = Cluster()
    engine: Engine = Engine()
    logging: Logging = Logging()
