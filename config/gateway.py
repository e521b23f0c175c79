"""The table of the browser seats' gateway."""

import ipaddress
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from config.table import Allowed, Table
from config.values import Ports


def _ip(value: str) -> str:
    return str(ipaddress.ip_address(value)) if value else value


def _ports(value: Any) -> Any:
    return Ports.parse(value) if isinstance(value, str) else value


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(values)) != len(values):
        raise ValueError("a codec stands twice")
    return values


IpOrNone = Annotated[str, AfterValidator(_ip), Allowed("an IP address, or empty")]
Seconds = Annotated[float, Field(gt=0, le=3600)]


class Gateway(Table):
    """Where browsers' voice arrives; it runs when [sip] listen has a ws:// or wss:// address.

    See [browser seats](browser-seats.md).
    """

    enabled: bool = Field(
        default=True, description="false: browsers may register, but no call reaches them"
    )
    socket_url: str = Field(
        default="",
        pattern=r"^(wss?://\S+)?$",
        description="where the page connects to, behind a proxy that ends TLS; "
        "empty = the ws:// and wss:// addresses of [sip] listen",
        json_schema_extra={"allowed": "a ws:// or wss:// address, or empty"},
    )
    processes: int = Field(
        default=1, ge=1, le=64, description="processes; one serves some dozens of seats"
    )
    address: IpOrNone = Field(
        default="", description="the address that is bound; empty = that of [media]"
    )
    public_address: IpOrNone = Field(
        default="",
        description="told to browsers before that one; empty = the public one of [media]",
    )
    ports: Annotated[
        Ports,
        BeforeValidator(_ports),
        Allowed('a rising range between 1024 and 65535, as "19000-19099"'),
    ] = Field(
        default=Ports(19000, 19099),
        description="UDP: each process takes the first one that is free, for all its seats",
    )
    codecs: Annotated[
        tuple[Literal["opus", "PCMA", "PCMU"], ...],
        Field(strict=False, min_length=1),
        AfterValidator(_each_once),
        Allowed('"opus", "PCMA", "PCMU", each once'),
    ] = Field(
        default=("opus", "PCMA", "PCMU"),
        description="what is spoken with browsers, in order of preference; "
        "PCMA needs no transcoding, opus a third of the bandwidth",
    )
    connect_seconds: Seconds = Field(
        default=10, description="how long an answered browser may take until its voice arrives"
    )
    consent_seconds: Seconds = Field(
        default=30, description="a browser that is silent for so long is gone (RFC 7675)"
    )
