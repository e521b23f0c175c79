"""How phones and trunks reach the engine: the tables [sip] and [[trunks]]."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from config.fields import IpOrNone, Name, PhoneOrNone, Seconds, parsed
from config.profile import Profile
from config.secret import Secret
from config.table import Allowed, Table
from config.values import Listen, Peer, nameserver

SipListen = Annotated[
    Listen,
    parsed(Listen.parse, Listen),
    Allowed(
        "udp://, tcp://, tls://, ws:// or wss://, an IP address and a port, "
        "as udp://127.0.0.1:5060 or tls://[::1]:5061"
    ),
]
TrunkPeer = Annotated[
    Peer,
    parsed(Peer.parse, Peer),
    Allowed(
        "IP addresses or host names, with or without a port (127.0.0.1:5070), or networks "
        "(192.0.2.0/24); udp://, tcp:// or tls:// may stand in front"
    ),
]
Nameserver = Annotated[
    str, AfterValidator(nameserver), Allowed("IP addresses with or without a port")
]


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
    public_address: IpOrNone = Field(
        default="",
        description="what Via and Contact name instead of the listener's address, behind a "
        "one-to-one address translation",
    )
    certificate: str = Field(
        default="", description="PEM file of the certificate, for tls:// and wss://"
    )
    key: str = Field(default="", description="PEM file of the certificate's private key")
    seats_over_tls: bool = Field(
        default=False, description="seats register and call over tls:// and wss:// only"
    )
    client_certificates: Literal["none", "optional", "required"] = Field(
        default="none",
        description="whether those who connect by tls:// or wss:// must show a certificate",
    )
    client_ca: str = Field(
        default="", description="PEM file of the authorities that sign those certificates"
    )
    certificate_check_seconds: Seconds = Field(
        default=10,
        description="how often all certificates' files are looked at, and loaded if they differ; "
        "0 = on SIGHUP only",
    )
    nameservers: Annotated[tuple[Nameserver, ...], Field(strict=False)] = Field(
        default=(),
        description="DNS servers that are asked for peers' names; empty = the system's",
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
        description="who may call us; the single addresses and the names are where we call, "
        "in order of preference (a name: by its NAPTR and SRV); register mode: further proxies",
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
        description="register mode: HOST[:PORT] that packets are sent to; "
        "empty = the registrar itself",
    )
    verify_certificate: bool = Field(
        default=True,
        description="over TLS: the operator's certificate must be signed by ca and made out to "
        "certificate_name",
    )
    srtp: Literal["", "off", "accept", "offer", "require"] = Field(
        default="",
        description="voice by SRTP, as [media] srtp has it for seats; empty = if the operator "
        "offers it and [media] srtp is not off",
    )
    ca: str = Field(
        default="", description="over TLS: PEM file of authorities; empty = the system's"
    )
    certificate_name: str = Field(
        default="",
        description="over TLS: whom its certificate must name; empty = the peer or proxy itself",
    )
    certificate: str = Field(
        default="",
        description="over TLS: PEM file of the certificate that we show; empty = that of [sip]",
    )
    key: str = Field(default="", description="over TLS: PEM file of its private key")
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
