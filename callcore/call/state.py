"""What a leg is made of, what it is told, and what it asks for."""

from enum import StrEnum
from typing import Any, NamedTuple

from callcore.call.events import CallEvent, Kind
from callcore.call.placement import Headers, Login
from callcore.call.terms import Terms
from callcore.dialog import Dialog, Sender, SessionTimer
from callcore.message import Request, Response, Uri
from callcore.sdp import SessionDescription
from callcore.transaction import T1, TransactionKey


class LegState(StrEnum):
    """The life of a leg; from ABANDONING on, its Ended has been told."""

    INCOMING = "INCOMING"  # their INVITE has no final response yet
    ANSWERED = "ANSWERED"  # our 2xx has no ACK yet
    CALLING = "CALLING"  # our INVITE has no response at all
    RINGING = "RINGING"  # our INVITE has a provisional response
    CONFIRMED = "CONFIRMED"  # the call is up
    ABANDONING = "ABANDONING"  # CANCEL is due as soon as a provisional response allows it
    CANCELLING = "CANCELLING"  # CANCEL is sent, the INVITE's final response awaited
    HANGING_UP = "HANGING_UP"  # BYE is due as soon as our 2xx has its ACK
    LEAVING = "LEAVING"  # BYE is sent
    ENDED = "ENDED"


class SessionState(StrEnum):
    """Offers and answers once a call is up (RFC 3261 §14)."""

    IDLE = "IDLE"
    OFFERED = "OFFERED"  # theirs waits for our decision
    ACCEPTED = "ACCEPTED"  # our 2xx to their re-INVITE has no ACK yet
    OFFERING = "OFFERING"  # our re-INVITE is out
    WAITING = "WAITING"  # ours met theirs (491) and will be sent again


class LegTimer(StrEnum):
    """The timers of a leg; as kinds of events they differ from all other kinds."""

    C = "timer C"  # unanswered for too long (RFC 3261 §16.6)
    REPEAT = "timer of the 2xx"  # §13.3.1.4
    NO_ACK = "timer of the ACK"  # §13.3.1.4
    CANCELLED = "timer of the CANCEL"  # §9.1: no final response after CANCEL
    GLARE = "timer of the glare"  # §14.1: back-off after 491
    OFFER = "timer of the offer"  # nobody decided on an offer, either side
    PROVISIONAL = "timer of the 18x"  # RFC 3262 §3: sent again
    NO_PRACK = "timer of the PRACK"  # RFC 3262 §3: nobody acknowledged it
    REFRESH = "timer of the refresh"  # RFC 4028 §7.2
    EXPIRY = "timer of the session"  # RFC 4028 §10
    TRANSFER = "timer of the transfer"  # RFC 3515: nobody decided, or reported


class Identity(NamedTuple):
    """What never changes in a leg."""

    name: str
    ours: bool  # we sent the INVITE, and so own the Call-ID (§14.1)
    call_id: str
    local_tag: str
    contact: str  # our Contact, as a field value
    kind: Kind
    banner: Headers = ()  # User-Agent and the like
    login: Login | None = None
    ring_limit_seconds: float = 180.0
    terms: Terms = Terms()


class Unacknowledged(NamedTuple):
    """A 2xx of ours that is repeated until its ACK comes."""

    key: TransactionKey
    response: Response
    cseq: int
    delayed: bool  # the offer is ours, and the answer will be in the ACK
    interval_seconds: float = T1


class Session(NamedTuple):
    """The re-INVITE or UPDATE under way, and what is to be offered after it."""

    state: SessionState = SessionState.IDLE
    key: TransactionKey | None = None
    request: Request | None = None
    queued: bytes | None = None
    challenged: bool = False
    collisions: int = 0
    tag: str = ""  # the remote tag of the early dialog that it is in
    silent: bool = False  # ours only refreshes the session (RFC 4028 §7.4)


class Early(NamedTuple):
    """One early dialog of an INVITE of ours: each fork has an offer and answer of its own.

    `body` is what it last told of its media reliably, empty before our offer has its answer.
    """

    dialog: Dialog
    rseq: int = 0  # of the last reliable response
    prack: Request | None = None
    challenged: bool = False
    description: SessionDescription | None = None
    body: bytes = b""


class Abilities(NamedTuple):
    """What the peer says that it can do, as it wrote it: Allow and Supported."""

    allow: str = ""
    supported: str = ""

    def allows(self, method: str) -> bool:
        """Whether a method is in Allow."""
        return method in self.allow.upper().replace(",", " ").split()

    def supports(self, option: str) -> bool:
        """Whether an option tag is in Supported."""
        return option in self.supported.lower().replace(",", " ").split()


class Transfer(NamedTuple):
    """A REFER of theirs and the subscription that it made (RFC 3515)."""

    key: TransactionKey | None = None  # not yet decided on
    request: Request | None = None
    event: str = "refer"  # with the id of all but the first (RFC 3515 §2.4.6)
    silent: bool = False  # RFC 4488: no subscription wanted
    notify: Request | None = None  # under way
    challenged: bool = False
    queue: tuple[int, ...] = ()  # statuses to be told
    last: int = 100
    over: bool = False


class Leg(NamedTuple):
    """One leg of a call; a value, changed by `_replace` (a third of the time of a dataclass)."""

    who: Identity
    state: LegState
    invite: Request | None = None  # until its final response
    key: TransactionKey | None = None  # of their INVITE
    dialog: Dialog | None = None
    early: tuple[Early, ...] = ()
    unacknowledged: Unacknowledged | None = None
    session: Session = Session()
    challenged: bool = False
    authorization: Headers = ()
    strays: tuple[str, ...] = ()  # remote tags of forks that were answered too late
    peer: Abilities = Abilities()
    ours: bytes = b""  # our last description
    theirs: bytes = b""  # their last answer
    sender: Sender | None = None
    timer: SessionTimer | None = None
    refresh: Request | None = None  # an UPDATE of ours under way, RFC 4028 §7.4
    transfer: Transfer | None = None
    referrals: int = 0  # REFERs so far
    replaces: str = ""  # the leg that is hung up when this one is answered
    reasons: Headers = ()  # of a CANCEL or BYE that has to wait


class LegEvent(NamedTuple):
    """Something that happened to a leg, with the randomness that it may need."""

    kind: str
    data: Any = None
    chance: float = 0.0
    cnonce: str = ""


class Farewell(NamedTuple):
    """The data of "hang up": words, and headers of BYE or CANCEL in place of those of ours."""

    reason: str = ""
    headers: Headers = ()


class Ask(NamedTuple):
    """Send a request; `what` comes back with its responses. No hop: by the leg's own flow."""

    what: str  # INVITE | OFFER | BYE | STRAY | PRACK | REFRESH | NOTIFY
    request: Request
    hop: Uri | None = None


class SendAck(NamedTuple):
    """Send the ACK of a 2xx."""

    request: Request
    hop: Uri


class Reply(NamedTuple):
    """Answer a request."""

    key: TransactionKey
    response: Response


class Cancel(NamedTuple):
    """CANCEL our INVITE."""

    headers: Headers = ()


class HangUp(NamedTuple):
    """End another leg, whose place this one took (RFC 3891 §3)."""

    leg: str
    reason: str


class Abandon(NamedTuple):
    """Forget the client transaction of this request."""

    what: str


class Tell(NamedTuple):
    """Tell the hotline."""

    event: CallEvent


class Arm(NamedTuple):
    """Start a timer, or start it anew."""

    timer: LegTimer
    seconds: float


class Stop(NamedTuple):
    """Stop a timer."""

    timer: LegTimer


Effect = Ask | SendAck | Reply | Cancel | HangUp | Abandon | Tell | Arm | Stop
Step = tuple[Leg, list[Effect]]
