"""The effects that a visit asks for; hotline/performer.py does them."""

from callcore.value import dataclass
from hotline.parties import Target

Hears = tuple[tuple[str, tuple[str, ...]], ...]

# Told to the queue ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JoinQueue:
    """The call arrived."""


@dataclass(frozen=True, slots=True)
class LeaveQueue:
    """The caller hung up, waiting or talking."""


@dataclass(frozen=True, slots=True)
class AcceptOffer:
    """The agent answered."""

    token: str


@dataclass(frozen=True, slots=True)
class RefuseOffer:
    """The agent's phone refused, failed or is gone."""

    token: str
    status: int


@dataclass(frozen=True, slots=True)
class CallBridged:
    """Caller and agent hear each other: the service level's clock stops."""

    agent: str


@dataclass(frozen=True, slots=True)
class CallHeld:
    """The agent holds the caller."""


@dataclass(frozen=True, slots=True)
class CallResumed:
    """The agent talks again."""


@dataclass(frozen=True, slots=True)
class CallOver:
    """The call ended by another hand than the caller's."""


@dataclass(frozen=True, slots=True)
class HandedOver:
    """The call has another agent of ours now."""

    agent: str


@dataclass(frozen=True, slots=True)
class Departed:
    """The agent left a call that goes on without it."""


@dataclass(frozen=True, slots=True)
class Requeued:
    """Back into a queue ("": the one that it came from), with the time that it came."""

    queue: str = ""


@dataclass(frozen=True, slots=True)
class Unreached:
    """The citizen of a callback was busy, did not answer or could not be had."""

    status: int


@dataclass(frozen=True, slots=True)
class AgentLost:
    """The agent is gone but the caller is not."""


@dataclass(frozen=True, slots=True)
class SeatBusy:
    """A seat takes part that the queue did not send: nothing may be offered to it."""

    user: str


@dataclass(frozen=True, slots=True)
class SeatFree:
    """It does no longer."""

    user: str


# SIP --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DialLeg:
    """Call a party; `asker` is who wanted it, as the one that forwards the call."""

    leg: str
    target: Target
    errand: str
    asker: Target | None = None


@dataclass(frozen=True, slots=True)
class AnswerLeg:
    """Answer a leg that arrived."""

    leg: str


@dataclass(frozen=True, slots=True)
class ProgressLeg:
    """Tell a leg that arrived that it rings; `media`: with something to hear."""

    leg: str
    media: bool = False


@dataclass(frozen=True, slots=True)
class RefuseLeg:
    """Refuse a leg that arrived, as the one it wanted did."""

    leg: str
    status: int


@dataclass(frozen=True, slots=True)
class EndLeg:
    """Hang up, cancel or refuse a leg, whatever its state."""

    leg: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AcceptReferral:
    """202 to a REFER."""

    leg: str


@dataclass(frozen=True, slots=True)
class Report:
    """NOTIFY how the call of a REFER fares."""

    leg: str
    status: int


@dataclass(frozen=True, slots=True)
class HandOver:
    """These legs are another visit's from now on."""

    legs: tuple[str, ...]


# Media ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arrange:
    """Who hears whom from now on: each leg with those that it hears."""

    hears: Hears


@dataclass(frozen=True, slots=True)
class Play:
    """A prompt to one leg, by its part in the play: welcome, music, ringback, confirm ..."""

    leg: str
    what: str


@dataclass(frozen=True, slots=True)
class StopPlay:
    """Silence the prompts."""

    leg: str


@dataclass(frozen=True, slots=True)
class CloseMedia:
    """Free the leg's port."""

    leg: str


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Tap both directions: the citizen left, whom it talks with right."""

    recording: str
    caller_leg: str
    other_leg: str


@dataclass(frozen=True, slots=True)
class StopRecording:
    """Close the tap; the recorder seals what is spooled."""

    recording: str


@dataclass(frozen=True, slots=True)
class Discern:
    """Whether tones of the leg's network are to be told."""

    leg: str
    on: bool


@dataclass(frozen=True, slots=True)
class Reanchor:
    """Open the leg on another worker and tell its far end by re-INVITE."""

    leg: str
    near: str | None


# Books ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Joined:
    """A party takes part from now on, and why."""

    leg: str
    target: Target
    errand: str


@dataclass(frozen=True, slots=True)
class Parted:
    """A party is gone."""

    leg: str


@dataclass(frozen=True, slots=True)
class StartMinutes:
    """The trunk counts from now on."""

    leg: str
    trunk: str
    uses: str


@dataclass(frozen=True, slots=True)
class StopMinutes:
    """It counts no longer."""

    leg: str


@dataclass(frozen=True, slots=True)
class AnsweredInVain:
    """A leg over a trunk answered and cannot be used: the trunk charges for it all the same."""

    leg: str


@dataclass(frozen=True, slots=True)
class Scored:
    """The citizen's answer to the survey."""

    key: str


@dataclass(frozen=True, slots=True)
class MessageTaken:
    """The citizen left a message: somebody is to call back."""


@dataclass(frozen=True, slots=True)
class Arm:
    """Tell Fired in so many seconds."""

    timer: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Disarm:
    """Forget the timer."""

    timer: str


@dataclass(frozen=True, slots=True)
class Gone:
    """Every leg has ended: forget the visit."""


Effect = (
    JoinQueue
    | LeaveQueue
    | AcceptOffer
    | RefuseOffer
    | CallBridged
    | CallHeld
    | CallResumed
    | CallOver
    | HandedOver
    | Departed
    | Requeued
    | Unreached
    | AgentLost
    | SeatBusy
    | SeatFree
    | DialLeg
    | AnswerLeg
    | ProgressLeg
    | RefuseLeg
    | EndLeg
    | AcceptReferral
    | Report
    | HandOver
    | Arrange
    | Play
    | StopPlay
    | CloseMedia
    | StartRecording
    | StopRecording
    | Discern
    | Reanchor
    | Joined
    | Parted
    | StartMinutes
    | StopMinutes
    | AnsweredInVain
    | Scored
    | MessageTaken
    | Arm
    | Disarm
    | Gone
)
