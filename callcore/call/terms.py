"""What a kind of peer is granted and asked for: reliability, session timer, transfers."""

from dataclasses import dataclass
from typing import Literal

from callcore.call.profile import Profile
from callcore.dialog import SessionTerms

# Which of our provisional responses are reliable (RFC 3262) when the peer can do it:
# none, those with a description, all; `required` refuses peers that cannot (421), and
# demands it of those that we call.
Reliability = Literal["never", "media", "always", "required"]


WHATEVER = SessionTerms()  # a timer if the peer asks for one


@dataclass(frozen=True, slots=True)
class Terms:
    """`transfers` is the right to send REFER (RFC 3515) and Replaces (RFC 3891)."""

    reliable: Reliability = "media"
    session: SessionTerms = WHATEVER
    transfers: bool = False


SEAT = Terms(session=SessionTerms(1800))
RELIABILITY: dict[str, Reliability] = {
    "off": "never",
    "supported": "media",
    "required": "required",
}
REFRESHER: dict[str, Literal["", "us", "peer"]] = {"ours": "us", "theirs": "peer", "either": ""}


def terms_of(profile: Profile) -> Terms:
    """What a trunk's profile says of it; a carrier does not transfer calls of ours."""
    seconds = 0 if profile.session_timer == "off" else profile.session_seconds
    refresher = REFRESHER.get(profile.session_timer, "")
    session = SessionTerms(seconds, profile.min_session_seconds, refresher)
    return Terms(RELIABILITY[profile.prack], session)
