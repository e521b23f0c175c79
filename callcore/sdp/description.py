"""A session description (RFC 8866): what offer/answer needs of it."""

from __future__ import annotations

from callcore.value import dataclass

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")
DEFAULT_PTIME_MS = 20


@dataclass(frozen=True, slots=True)
class Codec:
    """One payload type of a media description (RFC 8866 §6.6)."""

    payload_type: int
    name: str
    rate: int
    channels: int = 1
    fmtp: str = ""

    def same_as(self, other: Codec) -> bool:
        """The same encoding, whatever its number (RFC 3264 §6.1)."""
        return (self.name.lower(), self.rate, self.channels) == (
            other.name.lower(),
            other.rate,
            other.channels,
        )


PCMU = Codec(0, "PCMU", 8000)
PCMA = Codec(8, "PCMA", 8000)
TELEPHONE_EVENT = Codec(101, "telephone-event", 8000, fmtp="0-15")

# What we can speak. RFC 3551 §4.5.2: G.722 samples at 16 kHz, but its clock is said to be 8000.
VOICES = {
    "PCMA": PCMA,
    "PCMU": PCMU,
    "G722": Codec(9, "G722", 8000),
    "L16": Codec(97, "L16", 8000),
}

# RFC 3551 §6: audio payload types that need no rtpmap.
STATIC = {
    codec.payload_type: codec
    for codec in (
        PCMU,
        Codec(3, "GSM", 8000),
        Codec(4, "G723", 8000),
        Codec(5, "DVI4", 8000),
        Codec(6, "DVI4", 16000),
        Codec(7, "LPC", 8000),
        PCMA,
        Codec(9, "G722", 8000),
        Codec(10, "L16", 44100, 2),
        Codec(11, "L16", 44100),
        Codec(12, "QCELP", 8000),
        Codec(13, "CN", 8000),
        Codec(14, "MPA", 90000),
        Codec(15, "G728", 8000),
        Codec(16, "DVI4", 11025),
        Codec(17, "DVI4", 22050),
        Codec(18, "G729", 8000),
    )
}


@dataclass(frozen=True, slots=True)
class Media:
    """One m= section.

    `direction` is as its owner says it (a=, the session's if it has none, else sendrecv);
    `connection` is the address without brackets, the session's if the section has none;
    `attributes` holds every a= line but rtpmap, fmtp, ptime and the direction.
    """

    kind: str
    port: int
    proto: str
    formats: tuple[str, ...]
    connection: str = ""
    attributes: tuple[tuple[str, str | None], ...] = ()
    direction: str = "sendrecv"
    ptime: int | None = None  # milliseconds
    codecs: tuple[Codec, ...] = ()  # in the order of preference
    ports: int = 1

    @property
    def on_hold(self) -> bool:
        """The owner wants no media from us: either style of hold (RFC 3264 §8.4)."""
        return self.direction in ("sendonly", "inactive") or self.connection in ("0.0.0.0", "::")


@dataclass(frozen=True, slots=True)
class Origin:
    """The o= line (RFC 8866 §5.2)."""

    user: str
    session_id: int
    version: int
    address: str


@dataclass(frozen=True, slots=True)
class SessionDescription:
    """A whole description; `direction` and `connection` hold for sections without their own."""

    origin: Origin
    media: tuple[Media, ...] = ()
    connection: str = ""
    name: str = "-"
    direction: str | None = None
    attributes: tuple[tuple[str, str | None], ...] = ()
    times: tuple[str, ...] = ("0 0",)
