"""The living side of all trunks: registrations kept, peers probed, calls limited and counted."""

from dataclasses import dataclass, replace
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
from callcore.call.trunk import Health, Target, Trunks
from callcore.errors import RemoteProtocolError
from callcore.identifiers import Identifiers
from callcore.message import Request, Response, parse_name_addr, parse_uri, request


class Keep(NamedTuple):
    """Owner of a REGISTER of ours, by its CSeq; 0 is the timer of the registration."""

    trunk: str
    cseq: int = 0


class Probe(NamedTuple):
    """Owner of an OPTIONS to a static peer or the proxy used; 0 is the timer of the next."""

    trunk: str
    target: Target
    serial: int = 0


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
        self._targets: dict[str, Target] = {}  # the proxy that each registration uses
        self._turns: dict[str, int] = {}  # how many proxies were left so far
        self._health: dict[str, Health] = {}  # of that proxy
        self._open: dict[Probe, int] = {}  # the serial of the probe that is out
        self._serial = 0
        self._timers: dict[Keep | Probe, float] = {}
        self._stopping = False
        self.limits: dict[str, TrunkLimit] = {}

    def start(
        self, local: dict[str, tuple[str, int]], now: float, registering: bool = True
    ) -> list[Effect]:
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
                    answer_seconds=trunk.answer_seconds,
                )
                if registering:
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

    def register(self, now: float) -> list[Effect]:
        """Begin to register what does not, or is about to be no longer."""
        effects: list[Effect] = []
        for name, registration in self._registrations.items():
            if registration.state in (State.IDLE, State.LEAVING):
                effects += self._step(name, self._event("start"), now)
        return effects

    def deregister(self, now: float) -> list[Effect]:
        """Take registrations back, and probe on."""
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

    def proxy(self, trunk: str) -> Target | None:
        """The proxy that a registering trunk uses now."""
        return self._targets.get(trunk)

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
            return self._probed(owner, good, f"answered {response.status}", now)
        if owner.cseq != self._registrations[owner.trunk].cseq:
            return []  # to a REGISTER that was given up
        token, fraction = self._identifiers.tag(), self._identifiers.fraction()
        return self._step(owner.trunk, Event.of(response, fraction, token), now)

    def lost(self, owner: Keep | Probe, why: str, now: float) -> list[Effect]:
        """A request of ours that nobody answered."""
        if isinstance(owner, Probe):
            return self._probed(owner, False, why, now)
        if owner.cseq != self._registrations[owner.trunk].cseq:
            return []
        return self._step(owner.trunk, self._event("lost"), now)

    def observed(
        self, trunk: str, target: Target, good: bool, why: str, now: float
    ) -> list[Effect]:
        """A sign of life or death of a peer, from a probe or from a call."""
        if trunk in self._registrations:
            return self._observed_proxy(trunk, target, good, now)
        changed = self.trunks.observe(trunk, target, good)
        return [] if changed is None else [TrunkChanged(trunk, changed, why)]

    def _observed_proxy(self, trunk: str, target: Target, good: bool, now: float) -> list[Effect]:
        """A proxy that is dead takes our binding with it: register by the next, at once."""
        registration = self._registrations[trunk]
        if target != self._targets.get(trunk) or registration.state is not State.REGISTERED:
            return []
        health = self._health[trunk] = self._health.get(trunk, Health(True)).observe(good)
        if health.up is not False:
            return []
        self._turns[trunk] = self._turns.get(trunk, 0) + 1
        return self._step(trunk, self._event("lost"), now)

    def _probed(self, probe: Probe, good: bool, why: str, now: float) -> list[Effect]:
        """What became of a probe; it counts once, and not after it was given up."""
        timer = probe._replace(serial=0)
        if self._open.get(timer) != probe.serial:
            return []
        del self._open[timer]
        self._timers.pop(probe, None)
        effects = self.observed(probe.trunk, probe.target, good, why, now)
        if not good and timer in self._timers:  # in doubt, find out sooner
            every = self.trunks.settings[probe.trunk].probe_seconds
            self._timers[timer] = min(self._timers[timer], now + every / 3)
        return effects

    def connection_lost(self, target: Target, now: float) -> list[Effect]:
        """The connection to a registrar's proxy is gone, and with it our contact."""
        effects: list[Effect] = []
        for name, used in list(self._targets.items()):  # one without an address is taken out
            if used == target:
                effects += self._step(name, self._event("lost"), now)
        return effects

    def fire(self, now: float) -> list[Effect]:
        """Refresh and probe what is due."""
        due = [owner for owner, at in self._timers.items() if at <= now]
        effects: list[Effect] = []
        for owner in due:
            if self._timers.pop(owner, None) is None:
                continue  # one of the others did away with it
            if isinstance(owner, Keep):
                effects += self._step(owner.trunk, self._event("fired"), now)
            elif owner.serial:
                effects += self._probed(owner, False, "no answer", now)
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
        before = replace(self._registrations[name], ways=len(self.trunks.targets(name)))
        after, asked = step(before, event, now)
        self._registrations[name] = after
        if after.state is State.BACKING_OFF is not before.state:
            self._turns[name] = self._turns.get(name, 0) + 1
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
        if after.state is State.REGISTERED is not before.state:
            self._health[name] = Health(True)
            self._schedule(now)
        return effects

    def _ask(self, name: str, register: Request, now: float) -> list[Effect]:
        """RFC 3263 §4.3: the next address after each failure, else the one that works."""
        target = self._next_proxy(name)
        if target is None:
            self._targets.pop(name, None)
            return self._step(name, self._event("lost"), now)
        self._targets[name] = target
        registration = self._registrations[name]
        headers = [
            (field, self._route(name, target) if field == "Route" else value)
            for field, value in register.headers
        ]
        made = request("REGISTER", register.uri, headers=headers)
        return [Ask(made, target, Keep(name, registration.cseq))]

    def _next_proxy(self, name: str) -> Target | None:
        targets = self.trunks.targets(name)
        return targets[self._turns.get(name, 0) % len(targets)] if targets else None

    def _route(self, name: str, target: Target) -> str:
        """The proxy as the first Route (RFC 3261 §8.1.2)."""
        return f"<sip:{self.trunks.written(name, target)};transport={target.transport};lr>"

    def route_set(self, trunk: str) -> tuple[str, ...]:
        """RFC 3608 §5, TS 24.229 §5.1.2A: the proxy that we use, then its Service-Route."""
        registration, target = self._registrations[trunk], self._targets.get(trunk)
        service_route = registration.service_route
        if target is None or not registration.settings.proxy:
            return service_route
        proxy = self._route(trunk, target)
        if not service_route:
            return (proxy,)
        if not self.trunks.settings[trunk].profile.proxy_route or _same_hop(
            proxy, service_route[0]
        ):
            return service_route
        return (proxy, *service_route)

    def _schedule(self, now: float) -> None:
        """Probes of targets that have none yet, spread over the first seconds."""
        if self._stopping:
            return
        for trunk in self.trunks.settings.values():
            if trunk.probe_seconds <= 0:
                continue
            if trunk.registration is None:
                for target in self.trunks.targets(trunk.name):
                    owner = Probe(trunk.name, target)
                    self._timers.setdefault(owner, now + self._identifiers.fraction())
            elif self._probes_proxy(trunk.name):
                owner = Probe(trunk.name, self._targets[trunk.name])
                self._timers.setdefault(owner, now + trunk.probe_seconds)

    def _probes_proxy(self, trunk: str) -> bool:
        """Whether the proxy is to be probed: while we are registered by it."""
        return self._registrations[trunk].state is State.REGISTERED and trunk in self._targets

    def _probe(self, owner: Probe, now: float) -> list[Effect]:
        """Send the next; the one before has waited long enough."""
        effects: list[Effect] = []
        if owner in self._open:
            previous = owner._replace(serial=self._open[owner])
            effects = self._probed(previous, False, "no answer", now)
        trunk = self.trunks.settings[owner.trunk]
        if owner.target not in self.trunks.targets(owner.trunk):
            return effects  # the name has other addresses now
        if trunk.registration is not None and (
            not self._probes_proxy(trunk.name) or self._targets[trunk.name] != owner.target
        ):
            return effects  # begun again once we are registered
        health = self.trunks.health(owner.trunk, owner.target)
        every = trunk.probe_seconds / (3 if health.up is False or health.against else 1)
        self._timers[owner] = now + every * (0.9 + 0.2 * self._identifiers.fraction())
        self._serial += 1
        self._open[owner] = self._serial
        probe = owner._replace(serial=self._serial)
        self._timers[probe] = now + trunk.answer_seconds
        return [*effects, Ask(self._options(owner.target), owner.target, probe)]

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


def _same_hop(one: str, other: str) -> bool:
    """Whether two Route values lead to the same host and port."""
    try:
        first, second = parse_name_addr(one).uri, parse_name_addr(other).uri
    except RemoteProtocolError:
        return False
    return (first.host, first.port or 5060) == (second.host, second.port or 5060)


def _contact(registration: Registration, local: dict[str, tuple[str, int]]) -> str:
    """The Contact that the operator will call us at, in the form that it will be echoed in."""
    host, port = local.get(registration.transport, ("127.0.0.1", 5060))
    bracketed = f"[{host}]" if ":" in host else host
    impu = registration.impu if ":" in registration.impu else f"sip:{registration.impu}"
    user = parse_uri(impu).user or registration.user
    return str(parse_uri(f"sip:{user}@{bracketed}:{port};transport={registration.transport}"))
