"""Our registration with an operator's registrar (RFC 3261 §10.2), as one table.

IDLE --start--> REGISTERING --2xx--> REGISTERED --fired--> REGISTERING ...
REGISTERING --refused, lost, fired--> BACKING_OFF --fired--> REGISTERING
any --stop--> LEAVING (if the registrar knows us) --any answer--> IDLE
LEAVING --start--> RETURNING --any answer--> REGISTERING; RETURNING --stop--> LEAVING
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Literal

from callcore.call.settings import Registration
from callcore.errors import RemoteProtocolError
from callcore.message import Request, Response, parse_uri, request
from callcore.message.digest import Challenge, answer, parse_challenge
from callcore.message.fields import read_seconds

BACK_OFF_SECONDS = 5.0
MAX_BACK_OFF_SECONDS = 300.0


class State(Enum):
    """Where the registration stands."""

    IDLE = auto()
    REGISTERING = auto()
    REGISTERED = auto()
    BACKING_OFF = auto()
    LEAVING = auto()
    RETURNING = auto()  # leaving, and wanted again since


Kind = Literal["start", "stop", "fired", "2xx", "challenged", "too_brief", "refused", "lost"]


@dataclass(frozen=True, slots=True)
class Event:
    """A fact for the machine; `jitter` in [0, 1) and `token` (a cnonce) come from outside."""

    kind: Kind
    response: Response | None = None
    jitter: float = 0.5
    token: str = "0"

    @classmethod
    def of(cls, response: Response, jitter: float, token: str) -> "Event":
        """The event that a final response is."""
        kinds: dict[int, Kind] = {401: "challenged", 407: "challenged", 423: "too_brief"}
        kind: Kind = "2xx" if response.status < 300 else kinds.get(response.status, "refused")
        return cls(kind, response, jitter, token)


@dataclass(frozen=True, slots=True)
class Send:
    """Send this REGISTER to the proxy; it wants a Via."""

    request: Request


@dataclass(frozen=True, slots=True)
class Arm:
    """Fire at this time; None: no longer."""

    at: float | None


@dataclass(frozen=True, slots=True)
class Changed:
    """The trunk became usable, or ceased to be."""

    up: bool
    why: str


Effect = Send | Arm | Changed
Step = tuple["TrunkRegistration", list[Effect]]


@dataclass(frozen=True, slots=True)
class TrunkRegistration:
    """One registration; `service_route` (RFC 3608), `associated` (RFC 7315): of the last 2xx.

    `ways` says by how many proxies the registrar can be reached; `answer_seconds` how long one
    may be silent (0: as long as the transaction lasts).
    """

    settings: Registration
    contact: str
    call_id: str
    from_tag: str
    state: State = State.IDLE
    cseq: int = 0
    expires_seconds: int = 0
    failures: int = 0
    challenges: tuple[tuple[int, Challenge], ...] = ()
    nc: int = 0
    rounds: int = 0
    up: bool = False
    service_route: tuple[str, ...] = ()
    associated: tuple[str, ...] = ()
    ways: int = 1
    answer_seconds: float = 0.0


def step(registration: TrunkRegistration, event: Event, now: float) -> Step:
    """Look the event up in the table; what is not there does not matter in that state."""
    handler = TABLE.get((registration.state, event.kind))
    if handler is None:
        return registration, []
    try:
        return handler(registration, event, now)
    except RemoteProtocolError:
        # An answer that cannot be read is none that we can use.
        return _refuse(registration, replace(event, kind="refused"), now)


def begin(registration: TrunkRegistration, event: Event, now: float) -> Step:
    """RFC 3261 §10.2.4: a refresh is the same REGISTER with a higher CSeq."""
    expires = registration.expires_seconds or registration.settings.expires_seconds
    begun = replace(registration, state=State.REGISTERING, expires_seconds=expires, rounds=0)
    sent, send = _send(begun, event.token)
    patience = registration.answer_seconds
    return sent, [Arm(now + patience if patience else None), send]


def confirm(registration: TrunkRegistration, event: Event, now: float) -> Step:
    """RFC 3261 §10.2.4, 3608 §5: remember the expiry granted and the route to take."""
    assert event.response is not None
    granted = _granted(registration, event.response)
    if granted <= 0:
        return fail(registration, replace(event, kind="refused"), now)
    confirmed = replace(
        registration,
        state=State.REGISTERED,
        failures=0,
        up=True,
        service_route=tuple(event.response.values("Service-Route")),
        associated=tuple(event.response.values("P-Associated-URI")),
    )
    effects: list[Effect] = [Arm(now + granted * (0.7 + 0.15 * event.jitter))]
    if not registration.up:
        effects.append(Changed(True, "registered"))
    return confirmed, effects


def prove(registration: TrunkRegistration, event: Event, now: float) -> Step:
    """RFC 3261 §22.2: answer a challenge once; again only for another nonce that says stale."""
    assert event.response is not None
    status = event.response.status
    challenge = _challenge(registration.settings, event.response)
    known = dict(registration.challenges)
    if challenge is None or registration.rounds >= 3:
        return _refuse(registration, event, now)
    if registration.rounds and status in known and not challenge.stale:
        return _refuse(registration, event, now)
    known[status] = challenge
    challenged = replace(
        registration, challenges=tuple(known.items()), nc=0, rounds=registration.rounds + 1
    )
    sent, send = _send(challenged, event.token)
    patience = registration.answer_seconds
    return sent, [Arm(now + patience), send] if patience else [send]


def lengthen(registration: TrunkRegistration, event: Event, now: float) -> Step:
    """RFC 3261 §10.2.8: a 423 says with Min-Expires what would do."""
    assert event.response is not None
    least = read_seconds(event.response.get("Min-Expires"))
    if least is None or not registration.expires_seconds < least <= 2**31:
        return fail(registration, event, now)
    sent, send = _send(replace(registration, expires_seconds=least), event.token)
    return sent, [send]


def fail(registration: TrunkRegistration, event: Event, now: float) -> Step:
    """RFC 5626 §4.5: wait longer after each failure, never all clients at once.

    A proxy that was not tried yet is tried at once (RFC 3263 §4.3).
    """
    failures, ways = registration.failures, max(1, registration.ways)
    seconds = min(MAX_BACK_OFF_SECONDS, BACK_OFF_SECONDS * 2.0 ** min(failures // ways, 16))
    seconds *= 0.5 + event.jitter / 2
    retry_after = (event.response and event.response.get("Retry-After")) or ""
    digits = retry_after.split(";")[0].split("(")[0].strip()
    if digits.isdecimal():
        seconds = max(seconds, min(float(digits), 3600.0))
    if (failures + 1) % ways:
        seconds = 0.0
    failed = replace(
        registration,
        state=State.BACKING_OFF,
        failures=registration.failures + 1,
        challenges=(),
        up=False,
    )
    effects: list[Effect] = [Arm(now + seconds)]
    if registration.up or registration.failures == 0:
        effects.append(Changed(False, _why(event)))
    return failed, effects


def leave(registration: TrunkRegistration, event: Event, now: float) -> Step:
    """RFC 3261 §10.2.2: take our binding away at stop."""
    leaving = replace(registration, state=State.LEAVING, expires_seconds=0, up=False, rounds=0)
    sent, send = _send(leaving, event.token)
    effects: list[Effect] = [Arm(now + 2.0), send]
    if registration.up:
        effects.append(Changed(False, "stopped"))
    return sent, effects


def come_back(registration: TrunkRegistration, event: Event, now: float) -> Step:
    """RFC 3261 §10.2: no new registration before the one that is out is answered, or given up."""
    return replace(registration, state=State.RETURNING), []


def leave_after_all(registration: TrunkRegistration, event: Event, now: float) -> Step:
    """What takes our binding away is on its way already."""
    return replace(registration, state=State.LEAVING), []


def rest(registration: TrunkRegistration, event: Event, now: float) -> Step:
    """Nothing more to do, whatever the registrar thought of it."""
    return replace(registration, state=State.IDLE), [Arm(None)]


Handler = Callable[[TrunkRegistration, Event, float], Step]

TABLE: dict[tuple[State, Kind], Handler] = {
    (State.IDLE, "start"): begin,
    (State.REGISTERING, "2xx"): confirm,
    (State.REGISTERING, "challenged"): prove,
    (State.REGISTERING, "too_brief"): lengthen,
    (State.REGISTERING, "refused"): fail,
    (State.REGISTERING, "lost"): fail,
    (State.REGISTERING, "fired"): fail,  # silent for too long
    (State.REGISTERING, "stop"): leave,
    (State.REGISTERED, "fired"): begin,
    (State.REGISTERED, "lost"): begin,  # the connection that our contact is reached by
    (State.REGISTERED, "stop"): leave,
    (State.BACKING_OFF, "fired"): begin,
    (State.BACKING_OFF, "stop"): rest,
    (State.LEAVING, "start"): come_back,
    (State.LEAVING, "challenged"): prove,
    (State.LEAVING, "2xx"): rest,
    (State.LEAVING, "refused"): rest,
    (State.LEAVING, "too_brief"): rest,
    (State.LEAVING, "lost"): rest,
    (State.LEAVING, "fired"): rest,
    (State.RETURNING, "stop"): leave_after_all,
    (State.RETURNING, "challenged"): prove,
    (State.RETURNING, "2xx"): begin,
    (State.RETURNING, "refused"): begin,
    (State.RETURNING, "too_brief"): begin,
    (State.RETURNING, "lost"): begin,
    (State.RETURNING, "fired"): begin,
}


def _refuse(registration: TrunkRegistration, event: Event, now: float) -> Step:
    if registration.state is State.LEAVING:
        return rest(registration, event, now)
    if registration.state is State.RETURNING:
        return begin(registration, event, now)
    return fail(registration, event, now)


def _why(event: Event) -> str:
    if event.response is None:
        return "no answer from the registrar"
    return f"registrar answered {event.response.status} {event.response.reason}".rstrip()


def _granted(registration: TrunkRegistration, response: Response) -> int:
    """RFC 3261 §10.2.4: the expires of our contact, else the Expires header, else what we asked."""
    ours = parse_uri(registration.contact)
    for contact in response.contacts:
        if contact.uri == ours:
            expires = read_seconds(contact.params.get("expires"))
            if expires is not None:
                return expires
    if response.expires is not None:
        return response.expires
    return registration.expires_seconds


def _challenge(settings: Registration, response: Response) -> Challenge | None:
    """RFC 8760 §2.4: the first challenge that we understand, for our realm."""
    name = "WWW-Authenticate" if response.status == 401 else "Proxy-Authenticate"
    for value in response.all(name):
        try:
            challenge = parse_challenge(value)
        except RemoteProtocolError:
            continue  # an algorithm that we do not have, perhaps
        if settings.realm in ("", challenge.realm):
            return challenge
    return None


def _send(registration: TrunkRegistration, token: str) -> tuple[TrunkRegistration, Send]:
    settings = registration.settings
    uri = f"sip:{settings.registrar}"
    impu = settings.impu if ":" in settings.impu else f"sip:{settings.impu}"
    headers = [
        ("Max-Forwards", "70"),
        ("From", f"<{impu}>;tag={registration.from_tag}"),
        ("To", f"<{impu}>"),
        ("Call-ID", registration.call_id),
        ("CSeq", f"{registration.cseq + 1} REGISTER"),
        ("Contact", f"<{registration.contact}>;expires={registration.expires_seconds}"),
        ("Expires", str(registration.expires_seconds)),
        ("Supported", "path"),
    ]
    if settings.proxy:
        headers.append(("Route", f"<sip:{settings.proxy};transport={settings.transport};lr>"))
    for status, challenge in registration.challenges:
        credentials = answer(
            challenge,
            method="REGISTER",
            uri=uri,
            user=settings.user,
            password=settings.password,
            body=b"",
            cnonce=token,
            nc=registration.nc + 1,
        )
        name = "Authorization" if status == 401 else "Proxy-Authorization"
        headers.append((name, credentials))
    sent = replace(registration, cseq=registration.cseq + 1, nc=registration.nc + 1)
    return sent, Send(request("REGISTER", uri, headers=headers))
