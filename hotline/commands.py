"""What the desk may ask of the hotline, and what it is told: the only door between the two."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from hotline.node_status import BanStatus as BanStatus
from hotline.node_status import ClusterStatus as ClusterStatus
from hotline.node_status import Code as Code
from hotline.node_status import PhoneSettings as PhoneSettings
from hotline.node_status import Readiness as Readiness
from hotline.node_status import RoleName as RoleName
from hotline.node_status import SipPacket as SipPacket
from hotline.node_status import SipTrace as SipTrace

CallResult = Literal["answered", "abandoned", "overflowed", "rejected", "failed", "called_back"]


class UnknownThing(Exception):
    """A queue, agent, call or recording of that name does not exist (HTTP 404)."""


class WrongState(Exception):
    """The command does not fit the thing's present state, which the message names (HTTP 409)."""


class NotAllowed(Exception):
    """The command names something that the configuration does not allow (HTTP 422)."""


class WrongPerson(Exception):
    """Whoever asks may not do it, or is not who they say (HTTP 403)."""


class Unavailable(Exception):
    """The part that would do it is away for the moment (HTTP 503)."""


@dataclass(frozen=True, slots=True)
class ServiceLevels:
    """The five ways to count (docs/service-level.md), each 0..1, or None without any call."""

    A: float | None
    B: float | None
    C: float | None
    D: float | None
    E: float | None


@dataclass(frozen=True, slots=True)
class QueueStatus:
    """A queue now and since midnight, or since the start when that is later."""

    name: str
    waiting: int
    offered: int
    answered: int
    abandoned: int
    answered_in_target: int
    overflowed: int
    service_level: ServiceLevels
    longest_wait_seconds: float
    target_seconds: float
    target_ratio: float
    policy: str
    called_back: int = 0
    rejected: int = 0
    callbacks: int = 0  # promised and not yet made
    predicted_wait_seconds: float | None = None  # of a caller who came now; None = nobody on duty
    handle_seconds: float = 0.0  # talk and wrap-up, as measured
    patience_seconds: float = 0.0  # of the callers, as measured


@dataclass(frozen=True, slots=True)
class CallbackStatus:
    """A promised callback; `due` is the earliest time of the next try, times are ISO 8601."""

    callback: str
    number: str
    queue: str
    call_id: str
    queued: str
    asked: str
    state: str
    due: str | None
    attempts: int
    result: str | None


@dataclass(frozen=True, slots=True)
class MarkStatus:
    """A number that somebody marked; `review` is in_force, proposed or rejected."""

    number: str
    kind: str
    review: str
    by: str
    at: str
    note: str
    reviewed_by: str
    priority: int
    agent: str


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """A seat: who, what it does, since when (ISO 8601), with which call."""

    user: str
    name: str
    role: str
    state: str
    since: str
    reason: str
    call_id: str | None
    skills: tuple[str, ...]
    registered: bool
    until: str | None = None  # when the state ends by itself, or is reported
    mobile: bool = False  # rings or talks at the person's mobile
    answer_delay_ms: int | None = None  # its own, from the ringing to the talk, as measured


@dataclass(slots=True)
class Segment:
    """One party's part in a call: who, from when to when, and why it came (hotline/errands.py)."""

    leg: str
    who: str
    kind: Literal["seat", "number"]
    why: str
    since: str
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a leg ended: SIP's status and Q.850's cause, words, and by whose hand."""

    leg: str
    status: int
    q850: int
    reason: str
    by: str


@dataclass(slots=True)
class CallRecord:
    """A citizen's call; times are ISO 8601 with milliseconds, None while they have not come."""

    call_id: str
    caller: str
    called: str
    direction: Literal["inbound", "outbound", "internal"]
    queue: str | None
    agent: str | None
    arrived: str
    queued: str | None = None
    answered: str | None = None
    ended: str | None = None
    result: CallResult | None = None
    wait_ms: int | None = None
    recording: str | None = None
    state: str = "waiting"
    recordings: list[str] = field(default_factory=list)
    sip_status: int | None = None
    recording_paused: bool = False
    # How the caller's and the last agent's leg sounded (media.events.Quality), once it has ended.
    quality: dict[str, dict[str, float | None]] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    causes: list[Cause] = field(default_factory=list)
    tones: dict[str, str] = field(default_factory=dict)  # leg -> what its network played last
    outgoing_seconds: float = 0.0  # of calls of ours over trunks, to the millisecond
    billed_seconds: int = 0  # the same in started units
    order: str = ""  # the work order's number, told to and by the city's platform
    partner_call: str = ""  # the platform's own id of the call
    follows: str = ""  # the call that this one follows up (回访)
    message: bool = False  # the citizen left one, and is to be called back
    callback: str = ""  # the callback that the message became
    survey: str | None = None  # the key that the citizen pressed
    withheld: bool = False  # the caller wants the number kept from others (RFC 3323)


@dataclass(frozen=True, slots=True)
class CallAction:
    """What is to be done with a call; `verb` is one of hotline/control.py's ORDERS.

    `to` is whom to call; `party` who does it or whom it is done to; `by` a supervisor's seat;
    `order` the number of the work order, which the city's platform is told.
    """

    verb: str
    to: str = ""
    party: str = ""
    by: str = ""
    order: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """A citizen by what is known of the case, without the number: one of the three."""

    call: str = ""
    callback: str = ""
    order: str = ""


@dataclass(frozen=True, slots=True)
class PartyStatus:
    """Who takes part in a call, and where it stands (docs/calls.md)."""

    leg: str
    who: str
    kind: str
    role: str
    stage: str
    place: str
    muted: bool


@dataclass(frozen=True, slots=True)
class MinutesStatus:
    """A trunk's month: what is used, by reason, and what it comes to if it goes on like this."""

    trunk: str
    month: str
    minutes: int
    used_minutes: float
    by_use: dict[str, float]
    calls: int
    expected_minutes: float | None
    exhausted_on: str | None


@dataclass(frozen=True, slots=True)
class RecordingEntry:
    """One sealed, or still spooled, recording."""

    recording: str
    call_id: str
    caller: str
    called: str
    agent: str
    queue: str
    started: str
    ended: str | None
    duration_ms: int
    state: str
    sha256: str | None
    size: int | None
    order: str = ""  # the work order's number
    result: str = ""  # how the call ended


CustodyAction = Literal["hold", "lift", "ask", "approve", "withdraw"]


@dataclass(frozen=True, slots=True)
class CustodyWish:
    """What an approver wants done to a recording: its hold, or its deletion."""

    action: CustodyAction
    by: str
    password: str = field(repr=False)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CustodyStep:
    """Something that was done to a recording; `at` is ISO 8601."""

    kind: str
    by: str
    at: str
    reason: str


@dataclass(frozen=True, slots=True)
class CustodyStatus:
    """State: kept, held, asked, approved or deleted; and how it came to it."""

    recording: str
    state: str
    retain_until: str
    steps: tuple[CustodyStep, ...]


@dataclass(frozen=True, slots=True)
class Audio:
    """A recording's sound, ready for a player: `chunks(start, stop)` reads bytes on demand.

    `chunks` blocks (disk, object store): it is to be read in a thread.
    """

    content_type: str
    file_name: str
    size: int
    chunks: Callable[[int, int | None], Iterator[bytes]]


class HotlineCommands(Protocol):
    """The desk's view of the hotline."""

    def queues(self) -> list[QueueStatus]: ...
    def queue(self, name: str) -> QueueStatus: ...
    def agents(self) -> list[AgentStatus]: ...
    def set_agent_state(
        self, user: str, state: Literal["ready", "not_ready"], reason: str
    ) -> AgentStatus: ...
    def force_agent_state(
        self, user: str, state: Literal["ready", "not_ready"], reason: str, by: str
    ) -> AgentStatus: ...
    def extend_wrap_up(self, user: str) -> AgentStatus: ...
    def callbacks(self) -> list[CallbackStatus]: ...
    def cancel_callback(self, callback: str) -> CallbackStatus: ...
    def marks(self) -> list[MarkStatus]: ...
    def mark_caller(self, wanted: MarkStatus) -> MarkStatus: ...
    def review_mark(self, number: str, *, keep: bool, by: str) -> MarkStatus: ...
    def clear_mark(self, number: str, by: str) -> None: ...
    def prioritise(self, call_id: str, priority: int, keyword: str) -> CallRecord: ...
    def calls(self, limit: int, *, active: bool = False) -> list[CallRecord]: ...
    def call(self, call_id: str) -> CallRecord: ...
    def hang_up(self, call_id: str) -> CallRecord: ...
    def set_privacy(self, call_id: str, paused: bool) -> CallRecord: ...
    def act(self, call_id: str, action: CallAction) -> CallRecord: ...
    def place(self, agent: str, to: str) -> CallRecord: ...
    def follow_up(self, agent: str, about: Reference) -> CallRecord: ...
    def parties(self, call_id: str, viewer: str = "") -> list[PartyStatus]: ...
    def minutes(self) -> list[MinutesStatus]: ...
    def trunks(self) -> list[dict[str, Any]]: ...
    def bans(self) -> list[BanStatus]: ...
    def lift_ban(self, source: str) -> BanStatus: ...
    def trace(self, wake: Callable[[], None], *, call: str, reveal: bool) -> SipTrace: ...
    def phone(self) -> PhoneSettings: ...
    def readiness(self) -> Readiness: ...
    def cluster(self) -> ClusterStatus: ...
    def must_lead(self) -> None: ...
    def metrics(self) -> bytes: ...
    def events_since(self, sequence: int) -> Iterator[dict[str, Any]]: ...
    def listen(self, wake: Callable[[], None]) -> Callable[[], None]: ...
    @property
    def last_sequence(self) -> int: ...
    async def give_order(self, call_id: str, order: str) -> list[str]: ...
    async def custody(self, recording: str, wish: CustodyWish | None = None) -> CustodyStatus: ...
