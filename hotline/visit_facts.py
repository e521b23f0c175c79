"""The facts that a visit is told and the effects it asks for (hotline/visit.py is the machine)."""

from dataclasses import dataclass

# Facts in -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entered:
    """The caller's INVITE was answered and its media is open."""


@dataclass(frozen=True, slots=True)
class Offered:
    """The queue offers the call to an agent."""

    agent: str
    token: str


@dataclass(frozen=True, slots=True)
class OfferCancelled:
    """The queue takes the offer back (no answer in time)."""

    token: str


@dataclass(frozen=True, slots=True)
class Overflowed:
    """The queue gives the call up (longest wait reached)."""

    why: str


@dataclass(frozen=True, slots=True)
class AgentAnswered:
    """The agent's leg was answered and its session description fits."""

    leg: str


@dataclass(frozen=True, slots=True)
class AgentUnfit:
    """The agent's phone could not be used: no binding, or no common codec."""

    leg: str
    status: int


@dataclass(frozen=True, slots=True)
class LegEnded:
    """A leg is over; `by` as in callcore's Ended."""

    leg: str
    status: int
    by: str


@dataclass(frozen=True, slots=True)
class LegHeld:
    """A party put us on hold (RFC 3264 §8.4)."""

    leg: str


@dataclass(frozen=True, slots=True)
class LegResumed:
    """A party took us off hold."""

    leg: str


@dataclass(frozen=True, slots=True)
class LegSilent:
    """No RTP came for the time-out: that end is dead."""

    leg: str


@dataclass(frozen=True, slots=True)
class MediaLost:
    """The media worker of this visit died; a new one is there."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """An operator's or the drain's command: end it all."""

    reason: str


Event = (
    Entered
    | Offered
    | OfferCancelled
    | Overflowed
    | AgentAnswered
    | AgentUnfit
    | LegEnded
    | LegHeld
    | LegResumed
    | LegSilent
    | MediaLost
    | HangUp
)


# Effects out ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JoinQueue:
    """Tell the queue that the call arrived."""


@dataclass(frozen=True, slots=True)
class LeaveQueue:
    """Tell the queue that the caller hung up, waiting or talking."""


@dataclass(frozen=True, slots=True)
class AcceptOffer:
    """Tell the queue that the agent answered."""

    token: str


@dataclass(frozen=True, slots=True)
class RefuseOffer:
    """Tell the queue that the agent's phone refused, failed or is gone."""

    token: str
    status: int


@dataclass(frozen=True, slots=True)
class CallBridged:
    """Tell the queue that caller and agent hear each other: the service level's clock stops."""


@dataclass(frozen=True, slots=True)
class CallHeld:
    """Tell the queue that the agent holds the caller."""


@dataclass(frozen=True, slots=True)
class CallResumed:
    """Tell the queue that the agent talks again."""


@dataclass(frozen=True, slots=True)
class CallOver:
    """Tell the queue that the call ended by another hand than the caller's."""


@dataclass(frozen=True, slots=True)
class AgentLost:
    """Tell the queue that the agent is gone but the caller is not."""


@dataclass(frozen=True, slots=True)
class DialAgent:
    """Place the agent's leg."""

    leg: str
    agent: str


@dataclass(frozen=True, slots=True)
class EndLeg:
    """Hang up, cancel or refuse a leg, whatever its state."""

    leg: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CloseMedia:
    """Free the leg's port."""

    leg: str


@dataclass(frozen=True, slots=True)
class PlayWaiting:
    """Announcement, then music (only music when `again`)."""

    leg: str
    again: bool = False


@dataclass(frozen=True, slots=True)
class StopPlay:
    """Silence the prompts."""

    leg: str


@dataclass(frozen=True, slots=True)
class Bridge:
    """Let caller and agent hear each other."""

    caller_leg: str
    agent_leg: str


@dataclass(frozen=True, slots=True)
class Unbridge:
    """Take the bridge apart."""


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Tap both directions; `part` counts the agents that a citizen talked to in one call."""

    recording: str
    caller_leg: str
    agent_leg: str


@dataclass(frozen=True, slots=True)
class StopRecording:
    """Close the tap; the recorder seals what is spooled."""

    recording: str


@dataclass(frozen=True, slots=True)
class Reanchor:
    """Open the leg on another worker and tell its far end by re-INVITE."""

    leg: str
    near: str | None


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
    | AgentLost
    | DialAgent
    | EndLeg
    | CloseMedia
    | PlayWaiting
    | StopPlay
    | Bridge
    | Unbridge
    | StartRecording
    | StopRecording
    | Reanchor
    | Gone
)
