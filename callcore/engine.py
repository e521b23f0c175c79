"""The whole SIP side as one object without I/O: bytes and time in, effects and events out."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from callcore.call.addresses import Addresses
from callcore.call.commands import LegCommands
from callcore.call.connections import Connections
from callcore.call.events import Arrived, CallEvent, Ended, Event, Offered, Referred, Refused
from callcore.call.events import Kind as LegKind
from callcore.call.fraud import TollGuard
from callcore.call.gate import Gate, Kind, Refusal, Source
from callcore.call.legs import LegOwner, Legs, LegSettings, Output
from callcore.call.lines import Ask, Keep, Lines, Probe
from callcore.call.lines import Effect as LineEffect
from callcore.call.locate import Way
from callcore.call.outgoing import Outgoing
from callcore.call.placement import Headers, Party, Placement, SeatTarget, TrunkTarget
from callcore.call.readings import Readings
from callcore.call.reception import Effect as ReceptionEffect
from callcore.call.reception import Reception
from callcore.call.records import Left
from callcore.call.registrar import Binding, Registrar
from callcore.call.resolve import Resolution
from callcore.call.settings import EngineSettings
from callcore.call.target import Call, Destination
from callcore.call.terms import Terms, terms_of
from callcore.call.timed import Timed, earliest
from callcore.call.trunk import Target, Trunks
from callcore.effects import Close, Connect, Raw, Resolve
from callcore.errors import RemoteProtocolError
from callcore.flow import Flow, Transport
from callcore.identifiers import Identifiers
from callcore.message import Message, Request, response
from callcore.transaction import Answered, Failed, Incoming, TransactionLayer, Transmit
from callcore.transaction import Effect as LayerEffect

TRUNKS = (Keep, Probe)  # owners
NO_DIALOG = Refusal(481, "no dialog", counts=False)
Effect = Transmit | Raw | Connect | Close | Resolve | Event


class Engine(Readings, LegCommands):
    """Composes transactions, legs, registrar and trunks; the shell performs what `take` gives."""

    def __init__(self, settings: EngineSettings, identifiers: Identifiers) -> None:
        self.settings = settings
        # What a seat is offered over its own transport: browsers want another description.
        self.describe: Callable[[str, Transport, bytes], bytes] = lambda leg, transport, offer: (
            offer
        )
        # The protected description for whoever is called over a transport, who may refuse it and
        # is offered the other one then; None: there is no choice.
        self.protect: Callable[[str, Transport], bytes | None] = lambda leg, transport: None
        self.registrar = Registrar(settings.registrar)
        self.trunks = Trunks(settings.trunks)
        self.lines = Lines(settings, self.trunks, identifiers)
        self._ids = identifiers
        self._out: list[Effect] = []
        self._addresses = Addresses(settings.advertised)
        self.gate = self._gate = Gate(settings, self.trunks, self.registrar, identifiers)
        self._guard = TollGuard(settings.outbound, settings.seats, self.registrar.has)
        self._resolution = Resolution(settings, self.registrar, self.lines, identifiers.fraction)
        self._layer = TransactionLayer(identifiers, self._addresses.via)
        self.reception = self._reception = Reception(self._gate, self._out_now, self._layer.serves)
        self.delayed = self._reception.delayed  # the shell says how long messages wait
        leg_settings = LegSettings(self._addresses.contact, user_agent=settings.user_agent)
        self._legs = Legs(self._layer, identifiers, leg_settings)
        self._outgoing = Outgoing(self)
        self._parts: tuple[Timed, ...] = (
            self._layer,
            self._legs,
            self._outgoing,
            self.registrar,
            self.lines,
        )
        self._connections = Connections()
        self._asks: dict[Target, list[Ask]] = {}
        self._trunk_of: dict[str, str] = {}
        self._trunk_terms = {trunk.name: terms_of(trunk.profile) for trunk in settings.trunks}

    # -- what the shell tells ---------------------------------------------------------------

    def listening(
        self, transport: Transport, address: tuple[str, int], shown: str | None = None
    ) -> None:
        """A listener is bound; `shown` is its host for peers where it is bound to all."""
        self._addresses.add(transport, address, shown or address[0])

    def start(self, now: float, *, registering: bool = True) -> None:
        """Register and probe trunks; every listener is bound. A node that follows only probes."""
        self._out += self.trunks.names()
        self._perform(self.lines.start(self._addresses.written(), now, registering), now)

    def register(self, now: float) -> None:
        """Register the trunks that want it: calls shall come to us."""
        self._perform(self.lines.register(now), now)

    def deregister(self, now: float) -> None:
        """Take our registrations back: calls shall come to another node."""
        self._perform(self.lines.deregister(now), now)

    def restore(self, bindings: Sequence[Binding], now: float) -> None:
        """Seats as another node knew them; each by a flow that begins at a listener of ours."""
        for binding in bindings:
            if binding.user in self.settings.seats:
                self._out += self.registrar.restore(binding, now)

    def stop(self, now: float) -> None:
        """Take our registrations back."""
        self._perform(self.lines.stop(now), now)

    @property
    def is_stopped(self) -> bool:
        """Whether nothing is left to take back."""
        return self.lines.is_stopped

    def receive(self, data: bytes, flow: Flow, now: float) -> None:
        """A datagram, or bytes of a stream however cut; never raises for what is in them."""
        for message in self._reception.receive(data, flow, now):
            try:
                if self._reception.is_homeless(message, self._legs.has_dialog):
                    self._reception.refuse(message, flow, NO_DIALOG, now)
                    continue
                self._layered(self._layer.receive(message, flow, now), now)
            except RemoteProtocolError as error:
                self._reception.unmatched(message, flow, error)

    def flow_closed(self, flow: Flow, now: float) -> None:
        """A connection is gone, with all that depended on it."""
        self._reception.flow_closed(flow)
        targets = self._connections.closed(flow)
        self._out += self.registrar.flow_closed(flow)
        self._layered(self._layer.transport_failed(flow, now), now)
        self._legged(self._legs.flow_closed(flow, now), now)
        for target in sorted(targets):
            self._perform(self.lines.connection_lost(target, now), now)

    def proven(self, flow: Flow, names: frozenset[str]) -> None:
        """A certificate of whoever connected to us was checked: these are its names."""
        self._connections.proven(flow, names)

    def transport_failed(self, flow: Flow, now: float, message: Message | None = None) -> None:
        """Something could not be sent; a datagram of `message` alone, or all of a connection."""
        self.counters["out", "failed", 0] += 1
        if flow.transport != "udp":
            self._layered(self._layer.transport_failed(flow, now), now)
        elif isinstance(message, Request):
            self._layered(self._layer.not_sent(message, now), now)

    def connected(self, asked: Connect, flow: Flow, now: float) -> None:
        """A connection that we asked for is open."""
        target = Target(*asked)
        self._connections.opened(target, flow)
        for ask in self._asks.pop(target, ()):
            self._ask(ask, flow, now)
        self._outgoing.reached(target, flow, now)

    def connect_failed(self, asked: Connect, why: str, now: float) -> None:
        """A connection that we asked for could not be opened."""
        target = Target(*asked)
        self._connections.failed(target)
        self._resolution.unreachable(target, now)
        for ask in self._asks.pop(target, ()):
            self._perform(self.lines.lost(ask.owner, why, now), now)
        self._outgoing.reached(target, None, now)

    def resolved(self, asked: Resolve, ways: tuple[Way, ...], now: float) -> None:
        """The ways to a peer's name; those that no listener of ours can go are none."""
        usable = tuple(way for way in ways if self._addresses.can_reach(way.transport, way.host))
        self.trunks.resolved(asked, usable)
        self._perform(self.lines.addresses_changed(now), now)

    def fire(self, now: float) -> None:
        """Every timer that is due."""
        self._layered(self._layer.fire(now), now)
        self._legged(self._legs.fire(now), now)
        self._outgoing.fire(now)
        self._out += self.registrar.fire(now)
        self._perform(self.lines.fire(now), now)

    def deadline(self) -> float | None:
        """When to fire."""
        return earliest(self._parts)

    def take(self) -> list[Effect]:
        """The effects since the last call, in order."""
        out, self._out = self._out, []
        return out

    def keeps(self, flow: Flow) -> bool:
        """Whether a silent connection is of use: a trunk's, a seat's, or one with a call on it."""
        return self._gate.knows(flow) or flow in self._connections or self._legs.is_carried_by(flow)

    def is_waiting(self, flow: Flow) -> bool:
        """Whether a message has come in part only."""
        return self._reception.is_waiting(flow)

    # -- commands ---------------------------------------------------------------------------

    def place(
        self,
        leg: str,
        target: SeatTarget | TrunkTarget,
        caller: Party,
        offer: bytes,
        headers: Headers = (),
        *,
        now: float,
    ) -> None:
        """Call a seat or a number; one Ended will come of it whatever happens."""
        seat, why = None, None
        if isinstance(target, TrunkTarget) and target.seat is not None:
            seat = target.seat
            why = self._guard.judge(seat, target.number, now)
        if seat is not None and why is not None:
            self._reception.count_refused(Refused(seat, "INVITE", 403, why), now)
            self._out.append(Ended(leg, 403, why, "local"))
            return
        plan = self._resolution.plan(target, caller, Call(offer, headers), now)
        if not plan.destinations:
            self._out.append(Ended(leg, plan.status, plan.why, "local"))
            return
        call = self._resolution.carried(target, offer, headers)
        if plan.trunk is None:
            again = partial(self._resolution.plan, target, caller, Call(offer, headers))
            self._outgoing.place_all(leg, plan.destinations, call, now, again)
            return
        if seat is not None:
            self._guard.began(leg, seat, now)
        self._trunk_of[leg] = plan.trunk
        self.lines.limits[plan.trunk].add(leg)
        patience = self.trunks.settings[plan.trunk].answer_seconds
        self._outgoing.place_in_turn(leg, plan.destinations, call, now, patience)

    # -- what Outgoing needs (its Carrier) --------------------------------------------------

    def reach(self, way: Flow | Target) -> Flow | None:
        """The flow to a destination; None while a connection is being opened."""
        if isinstance(way, Flow):
            return way
        if way.transport == "udp":
            return Flow("udp", self._addresses.source("udp", way.remote), way.remote)
        flow = self._connections.flow(way)
        if flow is None and self._connections.must_open(way):
            self._out.append(Connect(*way))
        return flow

    def begin(
        self, branch: str, destination: Destination, flow: Flow, call: Call, now: float
    ) -> bool:
        """Place one branch; whether it is offered a protection that it may refuse."""
        leg = self._outgoing.leg(branch)
        offer, trunk = call.offer, self._trunk_of.get(leg)
        if destination.kind == "seat":
            offer = self.describe(leg, flow.transport, offer)
        protected = None if destination.plain else self.protect(leg, flow.transport)
        if protected is not None:
            offer = protected if trunk is None else self._resolution.fitting(protected, trunk)
        placement = Placement(
            request_uri=destination.request_uri,
            flow=flow,
            from_=destination.from_,
            to=destination.to,
            offer=offer,
            route_set=destination.route_set,
            headers=(*destination.headers, *call.headers),
            credentials=destination.credentials,
            kind=destination.kind,
            terms=self._terms(trunk),
        )
        self._legged(self._legs.place(branch, placement, now), now)
        return protected is not None

    def tell(self, event: CallEvent) -> None:
        """Tell a fact of a leg."""
        if isinstance(event, Arrived):
            if event.replaces:
                event = replace(event, replaces=self._outgoing.leg(event.replaces))
            if event.kind == "trunk":
                self._trunk_of[event.leg] = event.source
                self.lines.limits[event.source].add(event.leg)
                event = self._resolution.heard(event, event.source)
        elif isinstance(event, Offered) and event.leg in self._trunk_of:
            event = self._resolution.heard(event, self._trunk_of[event.leg])
        elif isinstance(event, Referred) and event.replaced:
            event = replace(event, replaced=self._outgoing.leg(event.replaced))
        elif isinstance(event, Ended):
            self._guard.ended(event.leg)
            trunk = self._trunk_of.pop(event.leg, None)
            if trunk is not None:
                self.lines.limits[trunk].remove(event.leg)
        self._out.append(event)

    def dead(self, target: Target, why: str, now: float) -> None:
        """A static peer did not answer a call: as good as a probe that it did not answer."""
        for trunk in self.trunks.settings:
            if target in self.trunks.targets(trunk):
                self._perform(self.lines.observed(trunk, target, False, why, now), now)

    # -- within -----------------------------------------------------------------------------

    def _layered(self, effects: Sequence[LayerEffect], now: float) -> None:
        """Pass on what transactions report: to legs, to trunks, or to gate and registrar."""
        for effect in effects:
            if type(effect) is Transmit:
                self._out_now(effect)
            elif isinstance(effect, (Answered, Failed)) and isinstance(effect.owner, TRUNKS):
                self._lined(effect, effect.owner, now)
            elif isinstance(effect, Incoming) and not self._legs.wants(effect):
                try:
                    self._incoming(effect, now)
                except RemoteProtocolError as error:  # by its transaction, which waits for it
                    self._respond(effect, Refusal(error.status, str(error), counts=False), now)
            else:
                if isinstance(effect, Answered) and isinstance(effect.owner, LegOwner):
                    self._outgoing.heard(effect.owner.leg)
                self._legged(self._legs.receive(effect, now), now)

    def _lined(self, effect: Answered | Failed, owner: Keep | Probe, now: float) -> None:
        if isinstance(effect, Failed):
            self._perform(self.lines.lost(owner, effect.why, now), now)
        elif effect.response.status >= 200:
            self._perform(self.lines.answered(owner, effect.response, now), now)

    def _legged(self, outputs: list[Output], now: float) -> None:
        for output in outputs:
            if isinstance(output, Transmit):
                self._out_now(output)
            elif isinstance(output, Refused):
                self._reception.count_refused(output, now)
            elif isinstance(output, Left):
                self._outgoing.left(output.leg, now)
            else:
                self._outgoing.fact(output, now)

    def _out_now(self, effect: ReceptionEffect) -> None:
        if type(effect) is Transmit:
            self._reception.count_sent(effect)
        self._out.append(effect)

    def _incoming(self, incoming: Incoming, now: float) -> None:
        """A request outside a dialog that has a transaction now."""
        request, flow = incoming.request, incoming.flow
        if request.method not in ("REGISTER", "INVITE"):
            self._respond(incoming, NO_DIALOG, now)
            return
        judged = self._gate.judge(request, flow, now)
        if isinstance(judged, Refusal):
            self._respond(incoming, judged, now)
        elif request.method == "REGISTER":
            outcome = self.registrar.register(request, judged.name, flow, now)
            refused = Refusal(outcome.status, outcome.why, outcome.headers, outcome.status == 403)
            self._respond(incoming, refused, now)
            self._out += outcome.facts
        else:
            self._arrive(incoming, judged, now)

    def _arrive(self, incoming: Incoming, source: Source, now: float) -> None:
        kind: LegKind = "seat"
        if source.kind is Kind.TRUNK:
            kind = "trunk"
            if incoming.flow.transport == "tls":
                targets = self.trunks.targets(source.name)
                self._connections.heard(incoming.request, incoming.flow, targets)
            full = self.lines.limits[source.name].admit(now)
            if full is not None:
                headers = (("Retry-After", str(full[1])),)
                self._respond(incoming, Refusal(503, full[0], headers), now)
                return
        origin = self._resolution.origin(incoming.request, source.name, kind)
        origin = origin._replace(terms=self._terms(source.name if kind == "trunk" else None))
        self._legged(self._legs.arrive(incoming, origin, now), now)

    def _terms(self, trunk: str | None) -> Terms:
        """What a trunk is granted and asked for, or (None) a seat."""
        return self.settings.seat_terms if trunk is None else self._trunk_terms[trunk]

    def _respond(self, incoming: Incoming, why: Refusal, now: float) -> None:
        answer = response(incoming.request, why.status, headers=why.headers, to_tag=self._ids.tag())
        self._layered(self._layer.respond(incoming.key, answer, now), now)
        self._reception.count_refusal(incoming.request, incoming.flow, why, now)

    def _perform(self, effects: list[LineEffect], now: float) -> None:
        """Send what trunks ask for, tell what they tell."""
        for effect in effects:
            if isinstance(effect, Ask):
                flow = self.reach(effect.target)
                if flow is None:
                    self._asks.setdefault(effect.target, []).append(effect)
                else:
                    self._ask(effect, flow, now)
            else:
                self._out.append(effect)

    def _ask(self, ask: Ask, flow: Flow, now: float) -> None:
        _, effects = self._layer.send_request(ask.request, flow, now, ask.owner)
        self._layered(effects, now)
