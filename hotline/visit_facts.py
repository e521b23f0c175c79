"""The facts that a visit is told, and the commands (visit.py is the machine)."""

from callcore.value import dataclass
from hotline.parties import Party, Place, Target

# Of the queue -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Entered:
    """The caller's INVITE was answered and its media is open."""


@dataclass(frozen=True, slots=True)
class Offered:
    """The queue offers the call to an agent."""

    agent: Target
    token: str
    errand: str = "offer"  # or "overflow": beside the queue's own offer, the first to answer wins


@dataclass(frozen=True, slots=True)
class OfferCancelled:
    """The queue takes the offer back: no answer in time, or another phone was faster."""

    token: str
    reason: str = "no answer"


@dataclass(frozen=True, slots=True)
class Overflowed:
    """The queue gives the call up; `message`: the citizen may leave one."""

    why: str
    message: bool = False


# Of a leg ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LegRinging:
    """A 18x; `early`: with a description, so that its network is heard from now on."""

    leg: str
    early: bool = False


@dataclass(frozen=True, slots=True)
class LegAnswered:
    """A leg that we called was answered, and its session description fits."""

    leg: str


@dataclass(frozen=True, slots=True)
class LegUnfit:
    """A leg that we called answered and cannot be used: no common codec."""

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
class Digit:
    """A party pressed a key."""

    leg: str
    digit: str


@dataclass(frozen=True, slots=True)
class ToneHeard:
    """What the network of a leg plays before it answers: busy, congestion ... (discern.py)."""

    leg: str
    tone: str


@dataclass(frozen=True, slots=True)
class PromptsEnded:
    """A party has heard its prompts to the end."""

    leg: str


@dataclass(frozen=True, slots=True)
class MediaLost:
    """The media worker of this visit died; a new one is there."""


@dataclass(frozen=True, slots=True)
class Fired:
    """A timer that was armed has run out."""

    timer: str


# Commands: of the desk, of a phone's REFER, of a feature code. NotNow where they do not fit. ------


@dataclass(frozen=True, slots=True)
class HangUp:
    """An operator's or the drain's command: end it all; `survey`: but ask the citizen first."""

    reason: str
    survey: bool = False


@dataclass(frozen=True, slots=True)
class Dial:
    """Bring somebody into the visit; errands.py says what follows. `reports` to a REFER.

    `then` is called once the target has answered; `token` is the queue's, where it asked for this.
    """

    target: Target
    errand: str
    by: str = ""
    reports: bool = False
    then: Target | None = None
    token: str = ""


@dataclass(frozen=True, slots=True)
class Attach:
    """A seat called to take part in a talk: a supervisor, by feature code."""

    leg: str
    seat: Target
    errand: str


@dataclass(frozen=True, slots=True)
class Complete:
    """The attended transfer: who consulted leaves, whom it consulted talks with the others."""

    by: str


@dataclass(frozen=True, slots=True)
class Join:
    """Everybody of the consultation into the talk."""

    by: str


@dataclass(frozen=True, slots=True)
class Move:
    """A party to another place: hold and resume, consultation and back, monitor to barge-in."""

    leg: str
    place: Place


@dataclass(frozen=True, slots=True)
class Mute:
    """Nobody hears that party any more, or (False) again."""

    leg: str
    muted: bool = True


@dataclass(frozen=True, slots=True)
class TakeOver:
    """A supervisor who takes part already has the call from now on; its agent leaves."""

    leg: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Hang one party up, or give up calling it."""

    leg: str


@dataclass(frozen=True, slots=True)
class Enqueue:
    """Transfer to a queue."""

    queue: str
    by: str
    reports: bool = False


@dataclass(frozen=True, slots=True)
class Adopt:
    """The parties of another visit take the place of the leg `by` (RFC 5589 §7: attended)."""

    by: str
    parties: tuple[Party, ...]
    reports: bool = True


@dataclass(frozen=True, slots=True)
class Yield:
    """All but the party `leg` go over to another visit."""

    leg: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """A new leg takes the place of an old one, which the engine ends (RFC 3891)."""

    old: str
    new: str
    target: Target


Fact = (
    Entered
    | Offered
    | OfferCancelled
    | Overflowed
    | LegRinging
    | LegAnswered
    | LegUnfit
    | LegEnded
    | LegHeld
    | LegResumed
    | LegSilent
    | Digit
    | ToneHeard
    | PromptsEnded
    | MediaLost
    | Fired
)
Command = (
    HangUp
    | Dial
    | Attach
    | Complete
    | Join
    | Move
    | Mute
    | TakeOver
    | Remove
    | Enqueue
    | Adopt
    | Yield
    | Replaced
)
Event = Fact | Command
