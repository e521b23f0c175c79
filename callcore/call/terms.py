"""What a kind of peer is granted and asked for: reliability, session timer, transfers."""

from dataclasses import dataclass
from typing import Literal

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
