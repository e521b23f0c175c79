"""The living side of all trunks: registrations kept, peers probed, calls limited and counted."""

from dataclasses import dataclass
from typing import NamedTuple

from callcore.call.events import TrunkChanged
from callcore.call.limits import TrunkLimit
from callcore.call.registration import (
    Arm,
    Changed,
    Event,
    Send,
    State,
    TrunkRegistration,
    step,
)
from callcore.call.settings import EngineSettings, Registration
from callcore.call.trunk import Target, Trunks
from callcore.identifiers import Identifiers
from callcore.message import Request, Response, parse_uri, request


class Keep(NamedTuple):
    """Owner of a REGISTER of ours."""

    trunk: str


class Probe(NamedTuple):
    """Owner of an OPTIONS to a static peer."""

    trunk: str
    target: Target


@dataclass(frozen=True, slots=True)
class Ask:
    """Send this request there; what becomes of it goes to `answered` or `lost`."""

    request: Request
    target: Target
    owner: Keep | Probe


Effect = Ask | TrunkChanged


class Lines:
    """Machines of all trunks and their timers; `Trunks` knows the addresses."""

    def __init__(self, settings: EngineSettings, trunks: Trunks, identifiers: Identifiers) -> None:
        self._settings = settings
        self.trunks = trunks
        self._identifiers = identifiers
        self._registrations: dict[str, TrunkRegistration] = {}
        self._targets: dict[str, Target] = {}
        self._timers: dict[Keep | Probe, float] = {}
        self._stopping = False
        self.limits: dict[str, TrunkLimit] = {}

    def start(self, local: dict[str, tuple[str, int]], now: float) -> list[Effect]:
        """Begin to register and to probe; `local` is host and port to write, by transport."""
        effects: list[Effect] = []
        for trunk in self.trunks.settings.values():
            self.limits[trunk.name] = TrunkLimit(trunk.calls_per_second, trunk.max_calls, now)
            if trunk.registration is not None:
                contact = _contact(trunk.registration, local)
                self._registrations[trunk.name] = TrunkRegistration(
                    trunk.registration,
                    contact,
                    self._identifiers.call_id(),
                    self._identifiers.tag(),
                )
                effects += self._step(trunk.name, Event("start"), now)
            elif trunk.probe_seconds <= 0:
                effects.append(TrunkChanged(trunk.name, True, "not probed"))
        self._schedule(now)
        return effects

    def stop(self, now: float) -> list[Effect]:
        """Take registrations back; probe no more."""
        self._stopping = True
        self._timers = {owner: at for owner, at in self._timers.items() if type(owner) is Keep}
        effects: list[Effect] = []
        for name in self._registrations:
            effects += self._step(name, self._event("stop"), now)
        return effects

    @property
    def is_stopped(self) -> bool:
        """Whether every registration is taken back, or given up."""
        return all(r.state is State.IDLE for r in self._registrations.values())

    def registration(self, trunk: str) -> TrunkRegistration | None:
        """What a registering trunk has learnt: routes, identities."""
        return self._registrations.get(trunk)

    def is_up(self, trunk: str) -> bool:
        """Whether calls may be expected to pass."""
        registration = self._registrations.get(trunk)
        if registration is not None:
            return registration.up
        return self.trunks.is_up(trunk) is not False

    def addresses_changed(self, now: float) -> list[Effect]:
        """A name was resolved: there may be new targets, and reasons to try at once."""
        self._schedule(now)
        effects: list[Effect] = []
        for name, registration in self._registrations.items():
            if registration.state is State.BACKING_OFF and name not in self._targets:
                effects += self._step(name, self._event("fired"), now)
        return effects

    def answered(self, owner: Keep | Probe, response: Response, now: float) -> list[Effect]:
        """A final response to a request of ours."""
        if isinstance(owner, Probe):
            # Whatever it says, somebody is there; only 503 says that it is of no use (§21.5.4).
            good = response.status != 503
            return self.observed(owner.trunk, owner.target, good, f"answered {response.status}")
        token, fraction = self._identifiers.tag(), self._identifiers.fraction()
        return self._step(owner.trunk, Event.of(response, fraction, token), now)

    def lost(self, owner: Keep | Probe, why: str, now: float) -> list[Effect]:
        """A request of ours that nobody answered."""
        if isinstance(owner, Probe):
            return self.observed(owner.trunk, owner.target, False, why)
        return self._step(owner.trunk, self._event("lost"), now)

    def observed(self, trunk: str, target: Target, good: bool, why: str) -> list[Effect]:
        """A sign of life or death of a static peer, from a probe or from a call."""
        if trunk in self._registrations:
            return []
        changed = self.trunks.observe(trunk, target, good)
        return [] if changed is None else [TrunkChanged(trunk, changed, why)]

    def connection_lost(self, target: Target, now: float) -> list[Effect]:
        """The connection to a registrar's proxy is gone, and with it our contact."""
        effects: list[Effect] = []
        for name, used in self._targets.items():
            if used == target:
                effects += self._step(name, self._event("lost"), now)
        return effects

    def fire(self, now: float) -> list[Effect]:
        """Refresh and probe what is due."""
        due = [owner for owner, at in self._timers.items() if at <= now]
        effects: list[Effect] = []
        for owner in due:
            del self._timers[owner]
            if isinstance(owner, Keep):
                effects += self._step(owner.trunk, self._event("fired"), now)
            else:
                effects += self._probe(owner, now)
        return effects

    def deadline(self) -> float | None:
        """When to fire."""
        return min(self._timers.values()) if self._timers else None

    def _event(self, kind: str) -> Event:
        token, fraction = self._identifiers.tag(), self._identifiers.fraction()
        return Event(kind, None, fraction, token)  # type: ignore[arg-type]

    def _step(self, name: str, event: Event, now: float) -> list[Effect]:
        self._registrations[name], asked = step(self._registrations[name], event, now)
        effects: list[Effect] = []
        for effect in asked:
            if isinstance(effect, Arm):
                self._timers.pop(Keep(name), None)
                if effect.at is not None:
                    self._timers[Keep(name)] = effect.at
            elif isinstance(effect, Changed):
                effects.append(TrunkChanged(name, effect.up, effect.why))
            elif isinstance(effect, Send):
                effects += self._ask(name, effect.request, now)
        return effects

    def _ask(self, name: str, register: Request, now: float) -> list[Effect]:
        """RFC 3263 §4.3: the next address after each failure."""
        targets = self.trunks.targets(name)
        if not targets:
            self._targets.pop(name, None)
            return self._step(name, self._event("lost"), now)
        target = targets[self._registrations[name].failures % len(targets)]
        self._targets[name] = target
        return [Ask(register, target, Keep(name))]

    def _schedule(self, now: float) -> None:
        """Probes of targets that have none yet, spread over the first seconds."""
        if self._stopping:
            return
        for trunk in self.trunks.settings.values():
            if trunk.registration is not None or trunk.probe_seconds <= 0:
                continue
            for target in self.trunks.targets(trunk.name):
                owner = Probe(trunk.name, target)
                if owner not in self._timers:
                    self._timers[owner] = now + self._identifiers.fraction()

    def _probe(self, owner: Probe, now: float) -> list[Effect]:
        if owner.target not in self.trunks.targets(owner.trunk):
            return []  # the name has other addresses now
        health = self.trunks.health(owner.trunk, owner.target)
        every = self.trunks.settings[owner.trunk].probe_seconds
        if health.up is False or health.against:
            every /= 3  # in doubt, find out sooner
        self._timers[owner] = now + every * (0.9 + 0.2 * self._identifiers.fraction())
        return [Ask(self._options(owner.target), owner.target, owner)]

    def _options(self, target: Target) -> Request:
        host = f"[{target.remote[0]}]" if ":" in target.remote[0] else target.remote[0]
        uri = f"sip:{host}:{target.remote[1]}"
        domain = self._settings.domain
        headers = [
            ("Max-Forwards", "70"),
            ("From", f"<sip:{domain}>;tag={self._identifiers.tag()}"),
            ("To", f"<{uri}>"),
            ("Call-ID", self._identifiers.call_id()),
            ("CSeq", "1 OPTIONS"),
            ("Accept", "application/sdp"),
        ]
        return request("OPTIONS", uri, headers=headers)


def _contact(registration: Registration, local: dict[str, tuple[str, int]]) -> str:
    """The Contact that the operator will call us at, in the form that it will be echoed in."""
    host, port = local.get(registration.transport, ("127.0.0.1", 5060))
    bracketed = f"[{host}]" if ":" in host else host
    impu = registration.impu if ":" in registration.impu else f"sip:{registration.impu}"
    user = parse_uri(impu).user or registration.user
    return str(parse_uri(f"sip:{user}@{bracketed}:{port};transport={registration.transport}"))
