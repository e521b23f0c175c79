"""The gateway for the signalling process: where browsers are to go, and which session is where."""

import datetime
import secrets
import socket
import string
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from media import events
from media.errors import LocalProtocolError
from media.gateway import messages as m
from media.gateway.messages import Address
from media.io.fleet import Fleet
from media.io.process import Kind, WorkerProcess

GATEWAY = Kind("gateway", "media.io.gateway_worker", m.AnyReport, m.Ready, m.Heartbeat, m.Stop())
STOP_SECONDS = 3.0
CERTIFICATE_DAYS = 365
RECEIVE_BYTES = 1 << 20
UFRAG, PASSWORD = 8, 24  # characters; RFC 8445 §5.3 wants 24 and 128 bits of randomness
LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True)
class GatewaySettings:
    """`shown` are the hosts that browsers are told, the best first; ports both ends included."""

    address: str
    shown: tuple[str, ...]
    first_port: int
    last_port: int
    plain: str  # the address that the plane reaches us at, and we it
    processes: int = 1
    connect_seconds: float = 10.0
    consent_seconds: float = 30.0
    heartbeat_timeout_seconds: float = 3.0


@dataclass(frozen=True, slots=True)
class Ends:
    """A session's two sides: what the browser is told, and where the plane sends plain RTP."""

    candidates: tuple[Address, ...]
    ufrag: str
    password: str
    fingerprint: tuple[str, str]
    plain: Address


@dataclass(frozen=True, slots=True)
class GatewayStats:
    """Sums over the processes that run now."""

    sessions: int
    connected: int
    lost: int  # processes
    failed: int  # sessions
    up: int
    pids: tuple[int, ...]
    heartbeats: tuple[m.Heartbeat, ...]
    past: dict[str, int]  # counted by processes that are gone

    def packets(self) -> dict[str, int]:
        """All processes' counters, added up: none ever falls."""
        beats = self.heartbeats
        return {
            name: self.past[name] + sum(getattr(beat, name) for beat in beats)
            for name in m.COUNTERS
        }


@dataclass(slots=True)
class _Slot:
    """A process's place: its sockets outlive it."""

    public: socket.socket
    plain: socket.socket
    process: WorkerProcess
    fingerprint: tuple[str, str] = ("", "")
    sessions: set[str] = field(default_factory=set)


class Gateway:
    """All methods but start and stop return at once; processes obey in the order of the calls."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.settings = settings
        self.on_event: Callable[[events.Event], None] = lambda event: None
        self.lost = 0
        self.failed = 0
        self._past = dict.fromkeys(m.COUNTERS, 0)
        self._slots: list[_Slot] = []
        self._places: dict[str, int] = {}
        self._fleet = Fleet("gateway", settings.heartbeat_timeout_seconds)

    async def start(self) -> None:
        """Bind the sockets and start the processes; OSError, NotStarted."""
        try:
            for number in range(self.settings.processes):
                self._slots.append(self._make(number))
            await self._fleet.ready()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Browsers are told, processes end."""
        await self._fleet.stop(STOP_SECONDS)
        for slot in self._slots:
            slot.public.close()
            slot.plain.close()
        self._slots = []

    @property
    def is_up(self) -> bool:
        """Whether a browser can be served now."""
        return any(slot.process.up for slot in self._slots)

    def open(self, session: str, plane: Address, *, wait: bool = False) -> Ends:
        """A session in the process with the fewest; LocalProtocolError when none is there.

        With `wait` one that is only starting will do: a call that has lost its process has time.
        """
        if session in self._places:
            raise LocalProtocolError(f"session {session} is open already")
        fit = [slot for slot in self._slots if slot.process.up]
        if not fit and wait:
            fit = self._slots
        if not fit:
            raise LocalProtocolError("no gateway process is up")
        slot = min(fit, key=lambda one: len(one.sessions))
        number = slot.process.number
        self._places[session] = number
        slot.sessions.add(session)
        ends = self._ends(slot)
        slot.process.send(m.Open(session, ends.ufrag, ends.password, self._reached(plane)))
        return ends

    def renew(self, session: str) -> Ends:
        """Other credentials for a session that is there: its browser starts ICE anew."""
        return self._ends(self._slot(session))

    def connect(self, agreed: m.Connect) -> None:
        """What offer and answer agreed."""
        self._slot(agreed.session).process.send(agreed)

    def aim(self, session: str, plane: Address) -> None:
        """The plane's leg has moved."""
        self._slot(session).process.send(m.Aim(session, self._reached(plane)))

    def close(self, session: str) -> None:
        """Forget a session; closing twice is harmless."""
        number = self._places.pop(session, None)
        if number is not None:
            self._slots[number].sessions.discard(session)
            self._slots[number].process.send(m.Close(session))

    def stats(self) -> GatewayStats:
        """As of the processes' last heartbeats, each half a second."""
        beats: tuple[m.Heartbeat, ...] = tuple(slot.process.heartbeat for slot in self._slots)
        pids = (slot.process.pid for slot in self._slots)
        return GatewayStats(
            sessions=len(self._places),
            connected=sum(beat.connected for beat in beats),
            lost=self.lost,
            failed=self.failed,
            up=sum(slot.process.up for slot in self._slots),
            pids=tuple(pid for pid in pids if pid is not None),
            heartbeats=beats,
            past=self._past,
        )

    def _make(self, number: int) -> _Slot:
        settings = self.settings
        ports = range(settings.first_port, settings.last_port + 1)
        public = bound(settings.address, ports)
        plain = bound(settings.plain, range(1))
        setup = m.Setup(
            public.fileno(), plain.fileno(), settings.connect_seconds, settings.consent_seconds
        )
        process = WorkerProcess(number, setup, self._report, self._lost, GATEWAY)
        process.inherited = (public.fileno(), plain.fileno())
        slot = _Slot(public, plain, process)
        self._fleet.processes.append(process)
        process.start()
        self._identify(slot)
        return slot

    def _identify(self, slot: _Slot) -> None:
        certificate, key, slot.fingerprint = make_identity()
        slot.process.send(m.Identity(certificate, key))

    def _slot(self, session: str) -> _Slot:
        try:
            return self._slots[self._places[session]]
        except KeyError:
            raise LocalProtocolError(f"no session {session}") from None

    def _ends(self, slot: _Slot) -> Ends:
        port = slot.public.getsockname()[1]
        return Ends(
            candidates=tuple((host, port) for host in self.settings.shown),
            ufrag=token(UFRAG),
            password=token(PASSWORD),
            fingerprint=slot.fingerprint,
            plain=(self.settings.plain, slot.plain.getsockname()[1]),
        )

    def _reached(self, plane: Address) -> Address:
        """A leg bound to all addresses is reached, and seen, at ours."""
        host = self.settings.plain if plane[0] in ("0.0.0.0", "::") else plane[0]
        return host, plane[1]

    def _report(self, number: int, report: msgspec.Struct) -> None:
        if isinstance(report, m.Failed) and self._places.get(report.session) == number:
            self.failed += 1
            self.on_event(events.GatewayFailed(report.session, report.why))

    def _lost(self, number: int) -> None:
        """A new process starts in the place of the old one, and proves to be another."""
        slot = self._slots[number]
        sessions = tuple(sorted(slot.sessions))
        for session in sessions:
            del self._places[session]
        slot.sessions.clear()
        self.lost += 1
        beat = slot.process.heartbeat
        self._past = {name: count + getattr(beat, name) for name, count in self._past.items()}
        slot.process.heartbeat = m.Heartbeat()  # the old one's says nothing of the new
        self._identify(slot)
        self.on_event(events.GatewayLost(number, sessions))


def bound(host: str, ports: range) -> socket.socket:
    """A UDP socket on the first port that is free; OSError that names them when none is."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in ports:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        try:
            sock.bind((host, port))
        except OSError as error:
            sock.close()
            last = error
            continue
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BYTES)
        return sock
    raise OSError(last.errno, f"gateway {host}, ports {ports[0]}-{ports[-1]}: {last.strerror}")


def token(length: int) -> str:
    """Characters of ICE (RFC 8839 §5.4), about six bits of randomness each."""
    return "".join(secrets.choice(LETTERS) for _ in range(length))


def make_identity() -> tuple[str, str, tuple[str, str]]:
    """A certificate and its key in PEM, and its fingerprint (RFC 8122 §5)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "callcore")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))  # a browser's clock may be behind
        .not_valid_after(now + datetime.timedelta(days=CERTIFICATE_DAYS))
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    digest = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    return public.decode(), secret.decode(), ("sha-256", digest)
