"""Digest authentication of seats (RFC 3261 §22, RFC 8760), slowed down for those who guess."""

import math
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Literal

from callcore.call.settings import AuthSettings, Seat
from callcore.call.throttle import Throttle
from callcore.errors import RemoteProtocolError
from callcore.flow import Flow
from callcore.message import Request, parse_uri
from callcore.message.digest import (
    Challenge,
    Credentials,
    check_nonce,
    make_nonce,
    parse_credentials,
    verify,
)
from callcore.value import dataclass

NC_WINDOW = 64
STAMP = 12  # the digits of a nonce that say when it was made


@dataclass(frozen=True, slots=True)
class Granted:
    """The request is this user's."""

    user: str


@dataclass(frozen=True, slots=True)
class Challenged:
    """Answer 401 with these headers; `failed` when a wrong answer was given."""

    headers: tuple[tuple[str, str], ...]
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Forbidden:
    """Answer 403."""

    why: Literal["blocked", "another user"]
    headers: tuple[tuple[str, str], ...] = ()


Judgement = Granted | Challenged | Forbidden


class Authenticator:
    """Challenges and checks; `salt` is the injected source of randomness.

    A nonce is good for the host only that it was sent to. Who answers it has received it, so a
    failure that counts is never one of somebody who forged the source of a datagram.
    """

    def __init__(
        self, settings: AuthSettings, realm: str, seats: Mapping[str, Seat], salt: Callable[[], str]
    ) -> None:
        self._settings = settings
        self._realm = realm
        self._seats = seats
        self._salt = salt
        self._secret = "".join(salt() for _ in range(4)).encode()
        # Checked in place of the password of a user that there is not, in the same time.
        self._nobody = Seat("", salt())
        self._throttle = Throttle(settings)
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._horizon = ""  # the newest stamp of a nonce whose counts are forgotten

    def is_blocked(self, user: str, flow: Flow, now: float) -> Forbidden | None:
        """403 for those who guessed too often, before any work is done for them."""
        seconds = self._throttle.blocked_seconds(user, flow.remote, now)
        if seconds <= 0:
            return None
        return Forbidden("blocked", (("Retry-After", str(math.ceil(seconds))),))

    def forgive(self, host: str) -> None:
        """Forget that a host failed."""
        self._throttle.forgive(host)

    def challenge(
        self, flow: Flow, now: float, stale: bool = False, failed: bool = False
    ) -> Challenged:
        """RFC 8760 §2.3: one challenge for each algorithm, the preferred one first."""
        nonce = make_nonce(self._secret_for(flow), now, self._salt().encode())
        challenges = (
            Challenge(self._realm, nonce, algorithm, ("auth",), stale)
            for algorithm in self._settings.algorithms
        )
        headers = tuple(("WWW-Authenticate", str(challenge)) for challenge in challenges)
        return Challenged(headers, failed)

    def judge(self, request: Request, claimed: str, flow: Flow, now: float) -> Judgement:
        """Who sent this, for a request that claims to be `claimed`'s (To or From user)."""
        blocked = self.is_blocked(claimed, flow, now)
        if blocked is not None:
            return blocked
        credentials = self._credentials(request)
        if credentials is None:
            return self.challenge(flow, now)
        user = credentials.user
        blocked = self.is_blocked(user, flow, now)
        if blocked is not None:
            return blocked
        if not self._is_ours(credentials, flow, now):
            # RFC 7616 §3.3: stale says that the nonce is invalid, and tells nothing of a password
            # that nobody has looked at.
            return self.challenge(flow, now, stale=True)
        seat = self._seats.get(user, self._nobody)
        right = verify(
            credentials, method=request.method, password=seat.password, body=request.body
        )
        if not right or seat is self._nobody or not _is_for(credentials, request):
            self._throttle.failed(user, flow.remote, now)
            return self.challenge(flow, now, failed=True)
        if not self._is_next(credentials):
            return self.challenge(flow, now, stale=True)
        self._throttle.succeeded(user, flow.remote)
        if user != claimed:
            return Forbidden("another user")
        return Granted(user)

    def is_proven(self, request: Request, flow: Flow, now: float) -> bool:
        """Whether a request answers a nonce that was sent to where it comes from."""
        credentials = self._credentials(request)
        return credentials is not None and self._is_ours(credentials, flow, now)

    def _is_ours(self, credentials: Credentials, flow: Flow, now: float) -> bool:
        lifetime = self._settings.nonce_seconds
        return check_nonce(self._secret_for(flow), credentials.nonce, now, lifetime) == "ok"

    def _secret_for(self, flow: Flow) -> bytes:
        """By host alone: a connection that a phone opens anew has another port."""
        return self._secret + flow.remote[0].encode()

    def _credentials(self, request: Request) -> Credentials | None:
        """The Authorization for our realm by an algorithm that we offered."""
        for value in request.all("Authorization"):
            try:
                credentials = parse_credentials(value)
            except RemoteProtocolError:
                continue
            if credentials.realm != self._realm:
                continue
            if credentials.algorithm in self._settings.algorithms:
                return credentials
        return None

    def _is_next(self, credentials: Credentials) -> bool:
        """RFC 7616 §3.4: a nonce count is used once; a window allows UDP's reordering."""
        count = credentials.nc if credentials.qop else 1
        known = self._counts.get(credentials.nonce)
        if known is None and credentials.nonce[:STAMP] <= self._horizon:
            return False  # used before, perhaps: its counts would be forgotten by now
        highest, seen = known or (0, 0)
        if count > highest:
            seen = (seen << (count - highest) if count - highest < NC_WINDOW else 0) | 1
            highest = count
        else:
            bit = 1 << (highest - count)
            if highest - count >= NC_WINDOW or seen & bit:
                return False
            seen |= bit
        self._counts[credentials.nonce] = highest, seen & ((1 << NC_WINDOW) - 1)
        self._counts.move_to_end(credentials.nonce)
        if len(self._counts) > self._settings.remembered:
            nonce, _ = self._counts.popitem(last=False)
            self._horizon = max(self._horizon, nonce[:STAMP])
        return True


def _is_for(credentials: Credentials, request: Request) -> bool:
    """RFC 7616 §3.4.6: what was signed is what is asked for, as far as it says who is called.

    Hosts, ports and parameters are rewritten by proxies on the way and by phones themselves.
    """
    try:
        return parse_uri(credentials.uri).user == request.request_uri.user
    except RemoteProtocolError:
        return False
