"""Who may ask for what: judged before a transaction is spent on a request, as far as can be."""

from dataclasses import replace
from enum import Enum, auto

from callcore.call.auth import Authenticator, Challenged, Forbidden, Granted
from callcore.call.bans import Ban, Bans
from callcore.call.limits import Admission, Verdict
from callcore.call.messages import ALLOW
from callcore.call.messages import KNOWN as UNSERVED
from callcore.call.registrar import Registrar
from callcore.call.settings import EngineSettings
from callcore.call.trunk import Trunks
from callcore.errors import RemoteProtocolError
from callcore.flow import Flow
from callcore.identifiers import Identifiers
from callcore.message import Request, check_scheme
from callcore.value import dataclass

ALLOWED = (*ALLOW.split(", "), "REGISTER")
KNOWN = frozenset({*ALLOWED, *UNSERVED})
WITHIN_DIALOG = frozenset({"ACK", "CANCEL", "BYE", "INFO", "PRACK", "UPDATE"})
SUPPORTED: tuple[str, ...] = ("100rel", "timer", "norefersub", "replaces")
CAPABILITIES = (
    ("Allow", ", ".join(ALLOWED)),
    ("Accept", "application/sdp"),
    ("Accept-Encoding", "identity"),
    ("Accept-Language", "en"),
    ("Supported", ", ".join(SUPPORTED)),
)
# What starts nothing: it belongs to a transaction or dialog that was let in, or to none.
WITHIN = frozenset({b"SIP/", b"ACK "})
SECURE = frozenset({"tls", "wss"})


class Kind(Enum):
    """What a source is to us."""

    TRUNK = auto()
    SEAT = auto()
    STRANGER = auto()


@dataclass(frozen=True, slots=True)
class Source:
    """Where a request comes from; `name` is the trunk, or the user that it claims to be."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to give; `counts` when somebody did what they may not.

    `is_proven`: they did it from where they say they are, so that it may be held against them.
    """

    status: int
    why: str
    headers: tuple[tuple[str, str], ...] = ()
    counts: bool = True
    is_proven: bool = False


NOT_SECURE = Refusal(403, "not over TLS")


class Gate:
    """Admission, source and password of every request outside a dialog."""

    def __init__(
        self, settings: EngineSettings, trunks: Trunks, registrar: Registrar, ids: Identifiers
    ) -> None:
        self._settings = settings
        self._trunks = trunks
        self._registrar = registrar
        self._auth = Authenticator(settings.auth, settings.domain, settings.seats, ids.nonce_salt)
        self._admission: Admission | None = None
        self.bans = Bans(settings.bans)

    def admit(self, data: bytes, flow: Flow, now: float) -> Verdict:
        """Judge bytes not yet parsed: trunks pass, all others have a bucket, the banned nothing."""
        within = data[:4] in WITHIN
        if within and not self.bans:
            return Verdict.SERVE
        if self._trunks.owner(flow.transport, flow.remote, 0) is not None:
            return Verdict.SERVE
        seat = flow in self._registrar
        if not seat and self.bans.is_banned(flow.remote[0], now):
            return Verdict.IGNORE
        if within:
            return Verdict.SERVE
        if self._admission is None:
            self._admission = Admission(self._settings.limits, now)
        if seat:
            return self._admission.admit_seat(flow, now)
        return self._admission.admit(flow.remote[0], now)

    def offended(self, flow: Flow, why: str, now: float) -> Ban | None:
        """A proven failure of a host; hosts of trunks are never banned."""
        if self._trunks.has_host(flow.remote[0]):
            return None
        return self.bans.offended(flow.remote[0], why, now)

    def lift_ban(self, source: str, now: float) -> Ban | None:
        """Listen to a host again, as if it had never failed."""
        self._auth.forgive(source)
        return self.bans.lift(source, now)

    def knows(self, flow: Flow) -> bool:
        """Whether a flow is a trunk's or carries a seat's binding."""
        return (
            self._trunks.owner(flow.transport, flow.remote, 0) is not None
            or flow in self._registrar
        )

    def source(self, request: Request, flow: Flow) -> Source:
        """A bound flow is a seat's even where its host is also a trunk's."""
        user = request.from_.uri.user or ""
        if flow not in self._registrar:
            trunk = self._trunks.owner(flow.transport, flow.remote, request.via.port or 0)
            if trunk is not None:
                return Source(Kind.TRUNK, trunk)
            own = request.from_.uri.host.lower() == self._settings.domain.lower()
            if not own and not request.all("Authorization"):
                return Source(Kind.STRANGER, user)
        return Source(Kind.SEAT, user)

    def refuse_unread(self, request: Request, flow: Flow, now: float) -> Refusal | None:
        """What can be refused without a transaction (RFC 3261 §8.2.7); None to go on."""
        if request.method not in ALLOWED:
            status = 405 if request.method in KNOWN else 501
            return Refusal(status, "method", CAPABILITIES[:1])
        try:
            check_scheme(request)
        except RemoteProtocolError as error:
            return Refusal(error.status, "scheme")
        unsupported = [tag for tag in request.values("Require") if tag not in SUPPORTED]
        if unsupported:
            return Refusal(420, "Require", (("Unsupported", ", ".join(unsupported)),))
        return self._refuse_source(request, flow, now)

    def judge(self, request: Request, flow: Flow, now: float) -> Source | Refusal:
        """Who sent this request, with the password checked where it is a seat's."""
        if request.method == "REGISTER":
            claimed = Source(Kind.SEAT, request.to.uri.user or "")
        else:
            claimed = self.source(request, flow)
        if claimed.kind is Kind.TRUNK:
            return claimed
        if claimed.kind is Kind.STRANGER:
            return Refusal(403, "unknown peer")
        if not self._is_secure_enough(flow):
            return NOT_SECURE
        verdict = self._auth.judge(request, claimed.name, flow, now)
        if isinstance(verdict, Granted):
            return Source(Kind.SEAT, verdict.user)
        return _refusal(verdict)

    def _refuse_source(self, request: Request, flow: Flow, now: float) -> Refusal | None:
        if request.method == "OPTIONS":
            return None
        if request.method == "REGISTER":
            claimed = request.to.uri.user or ""
        else:
            source = self.source(request, flow)
            if source.kind is Kind.TRUNK:
                return None
            if source.kind is Kind.STRANGER:
                return Refusal(403, "unknown peer")
            claimed = source.name
        if not self._is_secure_enough(flow):
            return NOT_SECURE  # and no challenge: a password's answer shall not travel in the clear
        blocked = self._auth.is_blocked(claimed, flow, now)
        if blocked is not None:
            proven = self._auth.is_proven(request, flow, now)
            return replace(_refusal(blocked), is_proven=proven)
        if not request.all("Authorization"):
            return _refusal(self._auth.challenge(flow, now))
        return None

    def _is_secure_enough(self, flow: Flow) -> bool:
        return not self._settings.secure_seats or flow.transport in SECURE


def _refusal(verdict: Challenged | Forbidden) -> Refusal:
    if isinstance(verdict, Forbidden):
        return Refusal(403, verdict.why, verdict.headers)
    why = "wrong password" if verdict.failed else "no credentials"
    return Refusal(401, why, verdict.headers, verdict.failed, verdict.failed)
