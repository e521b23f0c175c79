"""All sessions of a gateway process behind two sockets: who sent this, and what becomes of it."""

from collections.abc import Callable
from typing import Protocol

from media.gateway import messages as m
from media.gateway import stun
from media.gateway.dtls import Credentials
from media.gateway.messages import Address
from media.gateway.session import Patience, Session
from media.gateway.translate import Malformed, Unnegotiated

# RFC 7983 §7: what a datagram is, by its first byte; RFC 5761 §4: RTCP among RTP by its second.
STUN = range(4)
DTLS = range(20, 64)
RTP = range(128, 192)
RTCP = range(192, 224)


class Wire(Protocol):
    """The two sockets."""

    def to_browser(self, data: bytes, address: Address) -> None: ...
    def to_plane(self, data: bytes, address: Address) -> None: ...


class Exchange:
    """Commands and datagrams in, datagrams and reports out."""

    def __init__(self, patience: Patience, wire: Wire, emit: Callable[[m.Report], None]) -> None:
        self._patience, self._wire, self._emit = patience, wire, emit
        self._credentials: Credentials | None = None
        self._sessions: dict[str, Session] = {}
        self._by_ufrag: dict[str, Session] = {}
        self._by_source: dict[Address, Session] = {}
        self._by_plane: dict[Address, Session] = {}
        self.counts = dict.fromkeys(m.COUNTERS, 0)

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def connected(self) -> int:
        """Sessions whose browser is there."""
        return sum(session.is_connected for session in self._sessions.values())

    def obey(self, command: m.Command, now: float) -> None:
        """Perform one command; one for a session that is not there is an old one: nothing."""
        match command:
            case m.Identity(certificate, key):
                self._credentials = Credentials(certificate, key)
            case m.Open():
                self._open(command)
            case m.Connect(name):
                if name in self._sessions:
                    self._connect(self._sessions[name], command, now)
            case m.Aim(name, plane):
                if name in self._sessions:
                    self._aim(self._sessions[name], plane)
            case m.Close(name):
                if name in self._sessions:
                    self._close(self._sessions.pop(name))

    def from_browser(self, data: bytes, source: Address, now: float) -> None:
        """A datagram from outside, from anybody."""
        first = data[0] if data else 255
        if first in STUN:
            self._checked(data, source, now)
            return
        session = self._by_source.get(source)
        if session is None:
            self.counts["strangers"] += 1
        elif first in RTP:
            self._voice(session, data)
        elif first in DTLS:
            self._send(session, session.handshake(data, now))
        else:
            self.counts["malformed"] += 1

    def from_plane(self, data: bytes, source: Address) -> None:
        """A packet of one of the plane's legs."""
        session = self._by_plane.get(source)
        if session is None:
            self.counts["strangers"] += 1
            return
        if len(data) > 1 and data[1] in RTCP:
            report = self._turn(session.outward_report, data)
            if report is not None and session.source is not None:
                self.counts["reports_out"] += 1
                self._wire.to_browser(report, session.source)
            return
        packet = self._turn(session.outward, data)
        if packet is not None and session.source is not None:
            self.counts["packets_out"] += 1
            self._wire.to_browser(packet, session.source)

    def fire(self, now: float) -> None:
        """Everything that is due; several times a second."""
        for session in tuple(self._sessions.values()):
            self._send(session, session.fire(now))

    def stop(self) -> None:
        """Close every session."""
        for session in self._sessions.values():
            self._send(session, session.close())

    def _open(self, command: m.Open) -> None:
        assert self._credentials is not None, "Identity comes first"
        session = Session(command, self._credentials, self._patience, self._emit)
        self._sessions[session.name] = session
        self._by_ufrag[session.ufrag] = session
        self._by_plane[session.plane] = session

    def _connect(self, session: Session, command: m.Connect, now: float) -> None:
        if self._by_ufrag.get(session.ufrag) is session:
            del self._by_ufrag[session.ufrag]
        if session.ufrag != command.ufrag:
            for address in session.leave():
                self._forget_source(session, address)
        flights = session.connect(command, now)
        self._by_ufrag[session.ufrag] = session
        self._send(session, flights)

    def _aim(self, session: Session, plane: Address) -> None:
        self._by_plane.pop(session.plane, None)
        session.plane = plane
        self._by_plane[plane] = session

    def _close(self, session: Session) -> None:
        self._send(session, session.close())
        if self._by_ufrag.get(session.ufrag) is session:
            del self._by_ufrag[session.ufrag]
        for address in session.sources:
            self._forget_source(session, address)
        if self._by_plane.get(session.plane) is session:
            del self._by_plane[session.plane]

    def _forget_source(self, session: Session, address: Address) -> None:
        if self._by_source.get(address) is session:
            del self._by_source[address]

    def _checked(self, data: bytes, source: Address, now: float) -> None:
        check = stun.read_check(data)
        session = None if check is None else self._by_ufrag.get(check.ufrag)
        answer = None
        if check is not None and session is not None:
            answer = session.check(check, source, now)
        if session is None or answer is None:
            self.counts["strangers"] += 1
            return
        self.counts["checks"] += 1
        self._by_source[source] = session
        self._wire.to_browser(answer, source)
        self._send(session, session.start(now))

    def _voice(self, session: Session, data: bytes) -> None:
        if len(data) > 1 and data[1] in RTCP:
            report = self._turn(session.inward_report, data)
            if report is not None:
                self.counts["reports_in"] += 1
                self._wire.to_plane(report, session.plane)
            return
        packet = self._turn(session.inward, data)
        if packet is not None:
            self.counts["packets_in"] += 1
            self._wire.to_plane(packet, session.plane)

    def _turn(self, turn: Callable[[bytes], bytes | None], data: bytes) -> bytes | None:
        try:
            return turn(data)
        except Malformed:
            self.counts["malformed"] += 1
        except Unnegotiated:
            self.counts["unnegotiated"] += 1
        return None

    def _send(self, session: Session, flights: list[bytes]) -> None:
        if session.source is not None:
            for flight in flights:
                self._wire.to_browser(flight, session.source)
