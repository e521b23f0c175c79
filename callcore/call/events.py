"""The facts that the engine tells: about calls, registrations and trunks.

`body` beside a description is the same description in the bytes that came.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from callcore.flow import Flow
from callcore.message import Request
from callcore.sdp import SessionDescription
from callcore.value import dataclass

if TYPE_CHECKING:
    from callcore.call.cause import Reason

Kind = Literal["trunk", "seat"]
By = Literal["remote", "local", "timeout", "transport"]
DiversionReason = Literal[
    "unknown", "unconditional", "user-busy", "no-answer", "deflection", "unavailable"
]


@dataclass(frozen=True, slots=True)
class Diverted:
    """A number that forwarded a call, and why (RFC 5806 §4, RFC 4458)."""

    number: str
    reason: DiversionReason = "unconditional"


@dataclass(frozen=True, slots=True)
class Presented:
    """What a trunk says about a call beside its numbers; `headers` are those it lets pass."""

    display: str = ""
    withheld: bool = False
    diverted: tuple[Diverted, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Arrived:
    """Somebody calls us; `offer` is None for a delayed offer (RFC 3261 §13.2.1).

    The numbers are in our way to write them; `caller` is "anonymous" when it is withheld.
    `replaces` is the leg of ours that this call wants the place of (RFC 3891): to answer it hangs
    that leg up.
    """

    leg: str
    source: str
    kind: Kind
    caller: str
    called: str
    offer: SessionDescription | None
    request: Request
    presented: Presented = Presented()
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class Progressed:
    """A 18x to an INVITE of ours; `dialog` tells forks of it apart, by their To tag.

    A description is early media until the next comes, whatever its fork.
    """

    leg: str
    status: int
    description: SessionDescription | None
    body: bytes = b""
    dialog: str = ""


@dataclass(frozen=True, slots=True)
class Answered:
    """A 2xx to an INVITE of ours; it has its ACK already."""

    leg: str
    description: SessionDescription | None
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class AnsweredInVain:
    """A 2xx that is of no use, and has its ACK and its BYE: the far end may charge for it.

    It crossed our CANCEL, came of another fork, or cannot be read; before or after `Ended`.
    """

    leg: str


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The ACK for a 2xx of ours; with the answer when the offer was ours (delayed offer)."""

    leg: str
    description: SessionDescription | None
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Offered:
    """A re-INVITE, UPDATE or PRACK: hold, resume, a new address; to be accepted or refused.

    `offer` is None when the peer asks for an offer of ours; accept_offer then carries it.
    """

    leg: str
    offer: SessionDescription | None
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class OfferWithdrawn:
    """The peer cancelled what Offered told of, or we waited too long: no reply is due."""

    leg: str


@dataclass(frozen=True, slots=True)
class OfferAnswered:
    """The answer to an offer of ours."""

    leg: str
    description: SessionDescription | None
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class OfferRefused:
    """An offer of ours was refused; the session goes on as it was (RFC 3261 §14.1)."""

    leg: str
    status: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A leg is over: exactly once for each leg that Arrived or was placed.

    `cause` is Q.850's, told by the peer or by the status; `reasons` are what the peer told
    (RFC 3326). `cause.carry` makes of them what the next leg is to be told.
    """

    leg: str
    status: int
    reason: str
    by: By
    cause: int = 0
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Referred:
    """The peer of a leg asks us to transfer it (RFC 3515).

    Reply accept_transfer or refuse_transfer, then report with progress_transfer. `to` is the URI
    to call; `replaces` the Replaces that the call must have (RFC 3891), and `replaced` the leg of
    ours that this names, if it does: an attended transfer between two calls through us.
    """

    leg: str
    to: str
    replaces: str = ""
    replaced: str = ""
    referred_by: str = ""


@dataclass(frozen=True, slots=True)
class Registered:
    """A seat can be reached."""

    user: str
    contact: str
    flow: Flow


@dataclass(frozen=True, slots=True)
class Unregistered:
    """A seat can no longer be reached."""

    user: str
    why: Literal["expired", "asked", "flow closed"]


@dataclass(frozen=True, slots=True)
class TrunkChanged:
    """A trunk can be used, or no longer."""

    trunk: str
    up: bool
    why: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that we turned down, to be counted."""

    source: str
    method: str
    status: int
    why: str


@dataclass(frozen=True, slots=True)
class Banned:
    """A source that kept failing is not listened to for `seconds`."""

    source: str
    why: str
    seconds: float


CallEvent = (
    Arrived
    | Progressed
    | Answered
    | AnsweredInVain
    | Confirmed
    | Offered
    | OfferWithdrawn
    | OfferAnswered
    | OfferRefused
    | Ended
    | Referred
)
Event = CallEvent | Registered | Unregistered | TrunkChanged | Refused | Banned
