"""What the desk is told of the node itself: readiness, cluster, bans, SIP as it passes."""

from dataclasses import dataclass
from typing import Literal, Protocol

RoleName = Literal[
    "single",
    "leading",
    "alone",
    "doubtful",
    "following",
    "claiming",
    "catching_up",
    "stepping_down",
    "stopped",
]


@dataclass(frozen=True, slots=True)
class BanStatus:
    """A host that is not listened to, because it kept failing; times are ISO 8601."""

    source: str
    why: str
    since: str
    until: str


@dataclass(frozen=True, slots=True)
class SipPacket:
    """One SIP message as it passed; `call` is the call's id where it is part of one of ours."""

    at_us: int
    direction: Literal["in", "out"]
    transport: str
    local: tuple[str, int]
    remote: tuple[str, int]
    sip_call_id: str
    call: str | None
    data: bytes


class SipTrace(Protocol):
    """Messages as they pass, until it is closed."""

    @property
    def dropped(self) -> int: ...
    def take(self) -> list[SipPacket]: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """One node's view of its cluster.

    `sequence` is its journal's last event; `lag`: events that the stream, or this node, lacks yet.
    """

    node: str
    role: RoleName
    leader: str
    epoch: int
    sequence: int
    lag: int
    redis: bool
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Code:
    """What a text is about, for screens that say it in words of their own."""

    code: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether traffic should be sent here; `reasons` say why not, `warnings` what to mend.

    The codes stand beside the texts, one for each.
    """

    ready: bool
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    role: RoleName = "single"
    reason_codes: tuple[Code, ...] = ()
    warning_codes: tuple[Code, ...] = ()


@dataclass(frozen=True, slots=True)
class PhoneSettings:
    """What a browser needs to register as a seat: the domain, and where WebSockets are."""

    domain: str
    sockets: tuple[str, ...]
