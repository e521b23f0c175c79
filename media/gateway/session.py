"""One browser's session: its address proven, its keys agreed, its packets turned both ways."""

from collections.abc import Callable
from dataclasses import dataclass

import pylibsrtp

from media.gateway import stun
from media.gateway.dtls import Association, Credentials, DtlsError, Keys
from media.gateway.messages import Address, Connect, Connected, Failed, Open, Report
from media.gateway.stun import Check
from media.gateway.translate import Direction, Malformed, directions

REPLAY_WINDOW = 1024  # packets
MOST_SOURCES = 16  # addresses that one browser may have proven


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a browser may take to come, in seconds, and then be silent (RFC 7675 §5.1)."""

    connect_seconds: float
    consent_seconds: float


class Session:
    """Datagrams in, datagrams out; `emit` is told when it is connected and when it has failed."""

    def __init__(
        self,
        opened: Open,
        credentials: Credentials,
        patience: Patience,
        emit: Callable[[Report], None],
    ) -> None:
        self.name = opened.session
        self.ufrag, self.password = opened.ufrag, opened.password
        self.plane = opened.plane
        self.source: Address | None = None  # where the browser is: the pair that it nominated
        self.sources: set[Address] = set()
        self.failed = False
        self._credentials, self._patience, self._emit = credentials, patience, emit
        self._agreed: Connect | None = None
        self._association: Association | None = None
        self._inward: Direction | None = None
        self._outward: Direction | None = None
        self._receive: pylibsrtp.Session | None = None
        self._send: pylibsrtp.Session | None = None
        self._due: float | None = None  # when it has failed unless something comes

    @property
    def is_connected(self) -> bool:
        """Whether voice may flow."""
        return self._send is not None and not self.failed

    def connect(self, agreed: Connect, now: float) -> list[bytes]:
        """Offer and answer agreed, perhaps anew; what is to be sent to the browser."""
        before, self._agreed = self._agreed, agreed
        self.ufrag, self.password = agreed.ufrag, agreed.password
        if before is None or before.codec != agreed.codec:
            self._inward, self._outward = directions(agreed.codec)
        if before is not None and before.fingerprints != agreed.fingerprints:
            self._forget()  # RFC 8842 §4: another certificate is another association
        old = self._association
        if old is not None and old.keys is None and old.active != agreed.active:
            self._association = None
        if self._send is None:
            self._due = now + self._patience.connect_seconds
        return self._shake(now)

    def leave(self) -> set[Address]:
        """ICE starts anew (RFC 8445 §9): the addresses of before, but the one in use, are no more.

        A browser that changes its network again and again would have no room for the next one.
        """
        gone = {address for address in self.sources if address != self.source}
        self.sources -= gone
        return gone

    def check(self, check: Check, source: Address, now: float) -> bytes | None:
        """The answer to a connectivity check; None when its sender does not know our password."""
        if not stun.is_proven(check, self.password):
            return None
        if source not in self.sources and len(self.sources) >= MOST_SOURCES:
            return None
        self.sources.add(source)
        if self.source is None or stun.nominates(check):
            self.source = source
        if self._send is not None:
            self._due = now + self._patience.consent_seconds
        return stun.answer(check, source, self.password)

    def start(self, now: float) -> list[bytes]:
        """The DTLS client's first flight, once there is somebody to send it to."""
        return self._shake(now)

    def handshake(self, datagram: bytes, now: float) -> list[bytes]:
        """A datagram of DTLS from a proven address."""
        if self.failed:
            return []
        if self._association is None:
            # Before the answer is known the browser may be ahead of it: it is the client then.
            if self._agreed is not None and self._agreed.active:
                return []
            self._association = Association(self._credentials, active=False)
        try:
            flights = self._association.receive(datagram)
            if self._association.closed:
                self.fail("the browser closed the association")
            self._settle(now)
        except DtlsError as error:
            self.fail(str(error))
            return []
        return flights

    def inward(self, packet: bytes) -> bytes | None:
        """SRTP from the browser as RTP for the plane; Malformed, Unnegotiated."""
        if self._receive is None or self._inward is None or self.failed:
            return None
        try:
            plain = self._receive.unprotect(packet)
        except (pylibsrtp.Error, ValueError) as error:
            raise Malformed(str(error)) from None
        return self._inward.turn(plain)

    def outward(self, packet: bytes) -> bytes | None:
        """RTP of the plane as SRTP for the browser; Malformed, Unnegotiated."""
        if self._send is None or self._outward is None or self.source is None or self.failed:
            return None
        try:
            return self._send.protect(self._outward.turn(packet))
        except (pylibsrtp.Error, ValueError) as error:
            raise Malformed(str(error)) from None

    def inward_report(self, packet: bytes) -> bytes | None:
        """SRTCP from the browser as RTCP for the plane; Malformed."""
        if self._receive is None or self._inward is None or self.failed:
            return None
        try:
            plain = self._receive.unprotect_rtcp(packet)
        except (pylibsrtp.Error, ValueError) as error:
            raise Malformed(str(error)) from None
        return self._inward.report(plain)

    def outward_report(self, packet: bytes) -> bytes | None:
        """RTCP of the plane as SRTCP for the browser."""
        if self._send is None or self._outward is None or self.source is None or self.failed:
            return None
        report = self._outward.report(packet)
        return None if report is None else self._send.protect_rtcp(report)

    def fire(self, now: float) -> list[bytes]:
        """Handshake flights that are due again; a browser that does not come is given up."""
        if self.failed:
            return []
        if self._due is not None and now >= self._due:
            self.fail(self._missing())
            return []
        if self._association is None or self.source is None:
            return []
        try:
            return self._association.fire()
        except DtlsError as error:
            self.fail(str(error))
            return []

    def close(self) -> list[bytes]:
        """What tells the browser that nothing more will come."""
        return self._association.close() if self._association is not None else []

    def fail(self, why: str) -> None:
        """Tell it once; whoever hears of it closes the session."""
        if not self.failed:
            self.failed = True
            self._emit(Failed(self.name, why))

    def _shake(self, now: float) -> list[bytes]:
        agreed = self._agreed
        if agreed is None or self.failed:
            return []
        try:
            if self._association is None and agreed.active and self.source is not None:
                self._association = Association(self._credentials, active=True)
                return self._association.start()
            self._settle(now)
        except DtlsError as error:
            self.fail(str(error))
        return []

    def _settle(self, now: float) -> None:
        """Keys are used when it is known whose they are."""
        association, agreed = self._association, self._agreed
        if association is None or association.keys is None or agreed is None:
            return
        if self._send is None:
            association.verify(agreed.fingerprints)
            self._receive, self._send = srtp(association.keys)
            self._due = now + self._patience.consent_seconds
            self._emit(Connected(self.name))

    def _forget(self) -> None:
        self._association = self._receive = self._send = None

    def _missing(self) -> str:
        if self._send is not None:
            return "the browser is silent"
        return "no connectivity check came" if self.source is None else "no DTLS handshake"


def srtp(keys: Keys) -> tuple[pylibsrtp.Session, pylibsrtp.Session]:
    """What comes, and what goes (RFC 3711); any SSRC, since a moved leg has another."""
    sessions = []
    kinds = (pylibsrtp.Policy.SSRC_ANY_INBOUND, pylibsrtp.Policy.SSRC_ANY_OUTBOUND)
    for key, kind in zip((keys.receive, keys.send), kinds, strict=True):
        policy = pylibsrtp.Policy(key=key, ssrc_type=kind, srtp_profile=keys.profile.number)
        policy.window_size = REPLAY_WINDOW
        sessions.append(pylibsrtp.Session(policy))
    return sessions[0], sessions[1]
