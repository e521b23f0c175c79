"""The session timer (RFC 4028): how long a call lives without a sign of life, and who gives it.

INVITE, UPDATE     their Session-Expires too small: 422 with Min-SE
     |
     v                 half of it: the refresher sends UPDATE or re-INVITE
2xx: agreed ----------------------------------------------------------> 2xx: agreed anew
     |
     +---- no refresh came: BYE, a little before the end for who waited for it
"""

from typing import Literal, NamedTuple

from callcore.errors import RemoteProtocolError
from callcore.message import Message, Request, Response

LEAST_SECONDS = 90  # RFC 4028 §4: no minimum may be below
LONGEST_SECONDS = 24 * 3600
OPTION = "timer"

Headers = tuple[tuple[str, str], ...]


class SessionTerms(NamedTuple):
    """What we want: `seconds` 0 asks for no timer, but keeps one that the peer asks for."""

    seconds: int = 0
    minimum_seconds: int = LEAST_SECONDS
    refresher: Literal["", "us", "peer"] = ""  # empty: who sent the request (RFC 4028 table 2)


class SessionTimer(NamedTuple):
    """What was agreed on; `ours` says that we refresh."""

    seconds: int
    ours: bool

    @property
    def refresh_seconds(self) -> float:
        """RFC 4028 §7.2: refreshed when half of it is over."""
        return self.seconds / 2

    @property
    def patience_seconds(self) -> float:
        """RFC 4028 §10: who waits for a refresh says BYE a little before the end."""
        return self.seconds if self.ours else self.seconds - min(32.0, self.seconds / 3)


def _seconds(message: Message, name: str) -> tuple[int, str] | None:
    """A number of seconds and its parameters; RemoteProtocolError(400) for anything else."""
    value = message.get(name)
    if value is None:
        return None
    number, _, params = value.partition(";")
    number = number.strip()
    if not number.isascii() or not number.isdigit() or len(number) > 10:
        raise RemoteProtocolError(f"{name} is no number", where=name)
    return int(number), params.lower()


def _refresher(params: str) -> str:
    for param in params.split(";"):
        name, _, value = param.partition("=")
        if name.strip() == "refresher":
            return value.strip()
    return ""


def request_headers(terms: SessionTerms, timer: SessionTimer | None = None) -> Headers:
    """Of an INVITE or UPDATE of ours (RFC 4028 §7.1); the roles of a running timer are kept."""
    least = max(terms.minimum_seconds, LEAST_SECONDS)
    if timer is not None:
        who = "uac" if timer.ours else "uas"
        headers: Headers = (("Session-Expires", f"{timer.seconds};refresher={who}"),)
    elif terms.seconds:
        who = {"us": ";refresher=uac", "peer": ";refresher=uas"}.get(terms.refresher, "")
        headers = (("Session-Expires", f"{max(terms.seconds, least)}{who}"),)
    else:
        return ()
    return (*headers, ("Min-SE", str(least))) if least > LEAST_SECONDS else headers


def serve(request: Request, peer_can: bool, terms: SessionTerms) -> SessionTimer | None:
    """What our 2xx to an INVITE or UPDATE agrees to (RFC 4028 §9, table 2).

    RemoteProtocolError: 422 for an interval that is too small, 400 for one that is none.
    """
    asked = _seconds(request, "Session-Expires")
    least = max(terms.minimum_seconds, LEAST_SECONDS)
    theirs = _seconds(request, "Min-SE")
    floor = max(least, theirs[0] if theirs is not None else 0)
    if asked is None:
        if not terms.seconds:
            return None
        wanted = "" if terms.refresher == "" else terms.refresher
        ours = not peer_can or wanted == "us"
        return SessionTimer(min(max(terms.seconds, floor), LONGEST_SECONDS), ours)
    seconds, params = asked
    if seconds < least and peer_can:
        raise RemoteProtocolError("the session interval is too small", status=422)
    seconds = max(seconds, floor)
    if terms.seconds:
        seconds = min(seconds, max(terms.seconds, floor))
    refresher = _refresher(params)
    if not peer_can:
        ours = True
    elif refresher in ("uac", "uas"):
        ours = refresher == "uas"
    else:
        ours = terms.refresher == "us"
    return SessionTimer(min(seconds, LONGEST_SECONDS), ours)


def response_headers(timer: SessionTimer | None) -> Headers:
    """Of our 2xx (RFC 4028 §9): Require, if the peer is the one that has to refresh."""
    if timer is None:
        return ()
    if timer.ours:
        return (("Session-Expires", f"{timer.seconds};refresher=uas"),)
    return ("Session-Expires", f"{timer.seconds};refresher=uac"), ("Require", OPTION)


def agree(answer: Response) -> SessionTimer | None:
    """What a 2xx to a request of ours agrees to; without the field the call has no end (§7.2).

    One that cannot be read is none.
    """
    try:
        given = _seconds(answer, "Session-Expires")
    except RemoteProtocolError:
        return None
    if given is None or not given[0] > 0:
        return None
    return SessionTimer(min(given[0], LONGEST_SECONDS), _refresher(given[1]) != "uas")


def least_of(refusal: Response, asked_seconds: int) -> int | None:
    """What a 422 demands (RFC 4028 §7.3); None when asking again would be of no use."""
    try:
        given = _seconds(refusal, "Min-SE")
    except RemoteProtocolError:
        return None
    if given is None or not asked_seconds < given[0] <= LONGEST_SECONDS:
        return None
    return given[0]
