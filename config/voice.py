"""How voice is protected, and what its processes may take of the machine."""

from typing import Annotated, Literal

from pydantic import Field

from config.table import Allowed, Table

Core = Annotated[int, Field(ge=0, le=1023), Allowed("numbers of cores, from 0 on")]


class Voice(Table):
    """The keys of [media] that are about protection and processes."""

    srtp: Literal["off", "accept", "offer", "require"] = Field(
        default="offer",
        description="SRTP with keys in SDP (RFC 4568): off = refused; accept = taken when offered; "
        "offer = offered to phones over TLS too, which get a plain call if they refuse it; "
        "require = seats have no calls without it",
    )
    codecs: Annotated[
        tuple[Literal["PCMA", "PCMU", "G722", "L16"], ...], Field(strict=False, min_length=1)
    ] = Field(
        default=("PCMA", "PCMU"),
        description="voice codecs that are offered and accepted, in order of preference; "
        "G722 and L16 cost several times as much",
    )
    cpus: Annotated[tuple[Core, ...], Field(strict=False)] = Field(
        default=(), description="cores that the media processes are bound to in turn; empty = any"
    )
    realtime: bool = Field(
        default=True, description="real-time priority for media processes, where it is allowed"
    )
    spare: bool = Field(
        default=True,
        description="one more media process, started and idle, which takes the place of one that "
        "died at once; costs about 80 MB of memory",
    )
    sockets: Literal["auto", "io_uring", "plain"] = Field(
        default="auto",
        description="how media processes reach the network: io_uring costs about a third less, "
        "and is refused by old kernels and most containers; auto = where it is allowed",
    )
    stuck_seconds: float = Field(
        default=1.2,
        ge=0.5,
        le=60,
        description="a media process without a sign of life for so long is replaced, and its "
        "calls go on in another one; one that only waits for a processor has 20 s",
    )
