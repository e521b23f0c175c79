"""Why a leg is called, and what follows when it answers or fails: a table in place of cases."""

from dataclasses import dataclass
from typing import Literal

from hotline.parties import Place, Role, Target


@dataclass(frozen=True, slots=True)
class Errand:
    """`role` is a seat's (others are guests); `place` where it stands once it has answered.

    `asker` is where whoever asked for it waits meanwhile (None: stays where it is); `answered`
    what becomes of the asker then. `seconds` names the policy's patience; the queue's own offers
    are ended by the queue. `failed`: nothing more; the asker comes back into the talk; back to the
    asker, to the queue, or the end; the same without the asker; the end.
    """

    role: Role
    place: Place
    asker: Place | None = None
    answered: Literal["stays", "leaves"] = "stays"
    seconds: Literal["", "ring", "desk", "return"] = "ring"
    uses: str = ""  # what its minutes are booked under
    then: str = ""  # the errand of whom is called next
    carries: bool = False  # the queue's token is for that one
    failed: Literal["nothing", "asker", "return", "queue", "end"] = "nothing"


ERRANDS: dict[str, Errand] = {
    "offer": Errand(Role.AGENT, Place.TALK, seconds="", uses="remote seat"),
    "overflow": Errand(Role.AGENT, Place.TALK, seconds="", uses="overflow"),
    "transfer": Errand(
        Role.AGENT, Place.TALK, Place.OUT, "leaves", uses="transfer", failed="return"
    ),
    "return": Errand(Role.AGENT, Place.TALK, seconds="return", uses="remote seat", failed="queue"),
    "consult": Errand(Role.AGENT, Place.ASIDE, Place.ASIDE, uses="transfer", failed="asker"),
    "invite": Errand(Role.AGENT, Place.TALK, uses="three-way"),
    "emergency": Errand(Role.GUEST, Place.TALK, uses="emergency"),
    "monitor": Errand(Role.SUPERVISOR, Place.MONITOR),
    "whisper": Errand(Role.SUPERVISOR, Place.WHISPER),
    "barge": Errand(Role.SUPERVISOR, Place.TALK),
    "take over": Errand(Role.AGENT, Place.TALK, answered="leaves"),
    "desk": Errand(
        Role.AGENT, Place.TALK, seconds="desk", uses="remote seat", then="callee", failed="end"
    ),
    "follow-up": Errand(
        Role.AGENT, Place.TALK, seconds="desk", uses="remote seat", then="followed up", failed="end"
    ),
    "followed up": Errand(Role.CITIZEN, Place.TALK, uses="callback", failed="end"),
    "called back": Errand(
        Role.CITIZEN, Place.TALK, uses="callback", then="offer", carries=True, failed="end"
    ),
    "callee": Errand(Role.CITIZEN, Place.TALK, uses="outbound", failed="end"),
}
SUPERVISION = ("monitor", "whisper", "barge")


def role_of(errand: str, target: Target) -> Role:
    """A number is a guest, or the citizen who is called; a seat is nobody's citizen."""
    role = ERRANDS[errand].role
    if target.is_seat:
        return Role.AGENT if role is Role.CITIZEN else role
    return Role.GUEST if role is Role.AGENT and errand not in ("offer", "overflow") else role
