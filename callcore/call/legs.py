"""The legs of an engine: what comes from the network and from the hotline finds its leg."""

from contextlib import suppress
from typing import NamedTuple

from callcore.call import callee, caller
from callcore.call.events import Arrived, Kind, Presented, Refused
from callcore.call.meanings import CHALLENGES, GONE, KINDS, kind_of
from callcore.call.messages import (
    build_invite,
    read_abilities,
    read_body,
    reply,
    unsupported,
)
from callcore.call.parting import decline_2xx
from callcore.call.placement import Headers, Login, Party, Placement, SeatTarget, TrunkTarget
from callcore.call.records import (
    LegOwner,
    LegSettings,
    Output,
    Record,
    Records,
    follow_target,
    own_contact,
)
from callcore.call.refresh import refuse_short
from callcore.call.replaces import judge, read_replaces, replaces_of
from callcore.call.state import (
    Abilities,
    Ask,
    Farewell,
    Identity,
    Leg,
    LegEvent,
    LegState,
    SendAck,
)
from callcore.call.terms import Terms
from callcore.dialog import from_request
from callcore.dialog.timer import LEAST_SECONDS
from callcore.errors import LocalProtocolError, RemoteProtocolError
from callcore.flow import Flow
from callcore.message import Request
from callcore.transaction import Ack, Answered, Cancelled, Failed, Incoming

__all__ = [
    "Call",
    "LegOwner",
    "LegSettings",
    "Legs",
    "Login",
    "Output",
    "Party",
    "Placement",
    "SeatTarget",
    "TrunkTarget",
    "follow_target",
    "own_contact",
]

SERVED = frozenset({"INVITE", "UPDATE", "BYE", "OPTIONS", "INFO", "PRACK", "REFER"})


class Call(NamedTuple):
    """What the engine has found out about an INVITE: whom it came from, what it wants."""

    source: str
    kind: Kind
    caller: str
    called: str
    presented: Presented = Presented()
    terms: Terms | None = None  # None: the ones of LegSettings


class Legs(Records):
    """The collection; every method returns what is to be sent and told, in order.

    Feed it every effect of the layer that it `wants`. Requests outside dialogs are the engine's:
    it turns an INVITE into a leg by `arrive` once it knows who calls, and answers the others
    (`receive` would answer them 481). Nothing here raises RemoteProtocolError.
    """

    # From the network.

    def wants(self, effect: object) -> bool:
        """Whether an effect of the layer is about legs: requests without To tag are not."""
        if isinstance(effect, (Answered, Failed)):
            return isinstance(effect.owner, LegOwner)
        if isinstance(effect, Incoming):
            return effect.request.to.tag is not None
        return isinstance(effect, (Ack, Cancelled))

    def receive(self, effect: object, now: float) -> list[Output]:
        """An effect of the layer that is about a leg."""
        out: list[Output] = []
        if isinstance(effect, Answered):
            self._receive_response(effect, now, out)
        elif isinstance(effect, Incoming):
            self._receive_request(effect, now, out)
        elif isinstance(effect, Ack):
            record = self._find(effect.request)
            if record is not None and _is_of(record.leg, effect.request):
                self._step(record, LegEvent("ACK", effect.request), now, out)
        elif isinstance(effect, Cancelled):
            record = self._keys.get(effect.key)
            if record is not None:
                self._step(record, LegEvent("CANCEL", effect.cancel), now, out)
        elif isinstance(effect, Failed) and isinstance(effect.owner, LegOwner):
            record = self._records.get(effect.owner.leg)
            kind = GONE.get(effect.owner.what)
            if record is not None and kind is not None:
                self._step(record, LegEvent(kind, effect.why), now, out)
        return out

    def arrive(self, incoming: Incoming, call: Call, now: float) -> list[Output]:
        """An INVITE that the engine lets in; what is wrong with it is answered here.

        `Arrived` follows, or `Refused`: 400, 415, 420, 421, 422, 482 or 483; with Replaces also
        403, 481, 486 or 603 (RFC 3891 §3).
        """
        request = incoming.request
        who = self._identify(incoming, call)
        self._layer.tag(incoming.key, who.local_tag)
        merge_key = (request.call_id, request.from_.tag or "", request.cseq.number)
        try:
            self._check(request, merge_key, who.terms)
            replaced = self._find_replaced(request, who.terms)
            offer = read_body(request)
            dialog = from_request(request, who.local_tag)
            peer = read_abilities(request, Abilities())
            leg = Leg(who, LegState.INCOMING, request, incoming.key, dialog, peer=peer)
            self._check_demands(leg, request)
        except RemoteProtocolError as error:
            return self._refuse(incoming, who, call.source, error, now)
        if replaced:
            leg = leg._replace(replaces=replaced)
        record = Record(leg, incoming.flow)
        record.merge_key = merge_key
        record.keys.add(incoming.key)
        self._merged[merge_key] = self._keys[incoming.key] = record
        self._add(record)
        arrived = Arrived(
            who.name,
            call.source,
            call.kind,
            call.caller,
            call.called,
            offer,
            request,
            call.presented,
            replaced,
        )
        out: list[Output] = []
        self._settle(record, callee.arrive(leg, arrived)[1], now, out)
        return out

    def flow_closed(self, flow: Flow, now: float, instead: Flow | None = None) -> list[Output]:
        """A connection has closed: its legs end, or go on over another flow."""
        out: list[Output] = []
        for record in [record for record in self._records.values() if record.flow == flow]:
            if instead is not None and record.leg.state is LegState.CONFIRMED:
                record.flow = instead
            else:
                self._step(record, LegEvent("flow closed"), now, out)
        return out

    # Commands. One that comes to a leg which has ended is late, and does nothing.

    def place(self, leg: str, placement: Placement, now: float) -> list[Output]:
        """Call somebody; an offer is needed."""
        if leg in self._records:
            raise LocalProtocolError(f"leg {leg} exists")
        if not placement.offer:
            raise LocalProtocolError("an INVITE of ours needs an offer")
        who = Identity(
            name=leg,
            ours=True,
            call_id=self._identifiers.call_id(),
            local_tag=self._identifiers.tag(),
            contact=self._settings.contact(placement.flow),
            kind=placement.kind,
            banner=(("User-Agent", self._settings.user_agent),),
            login=placement.credentials,
            ring_limit_seconds=self._settings.ring_limit_seconds,
            terms=placement.terms or self._settings.terms,
        )
        made = Leg(who, LegState.CALLING, build_invite(who, placement))
        record = Record(made, placement.flow)
        self._add(record)
        out: list[Output] = []
        self._settle(record, caller.place(made)[1], now, out)
        return out

    def progress(
        self, leg: str, now: float, status: int = 180, description: bytes | None = None
    ) -> list[Output]:
        """A provisional response to their INVITE."""
        out: list[Output] = []
        record = self._records.get(leg)
        if record is not None:
            chance = self._identifiers.fraction()
            self._step(record, LegEvent("progress", (status, description), chance), now, out)
        return out

    def answer(self, leg: str, description: bytes, now: float) -> list[Output]:
        """A 200 to their INVITE: our answer, or our offer when they made none."""
        return self._command(leg, "answer", description, now)

    def refuse(self, leg: str, status: int, now: float, headers: Headers = ()) -> list[Output]:
        """A final refusal of their INVITE."""
        return self._command(leg, "refuse", (status, headers), now)

    def hang_up(
        self, leg: str, now: float, reason: str | None = None, headers: Headers = ()
    ) -> list[Output]:
        """End a leg whatever its state: CANCEL, BYE or a refusal; Ended follows at once.

        `headers` may be what `cause.carry` made of the end of another leg.
        """
        return self._command(leg, "hang up", Farewell(reason or "", headers), now)

    def offer(self, leg: str, description: bytes, now: float) -> list[Output]:
        """A re-INVITE from us; sent as soon as no other exchange is under way."""
        return self._command(leg, "offer", description, now)

    def accept_offer(self, leg: str, description: bytes, now: float) -> list[Output]:
        """Our answer to Offered (our offer, when theirs was None)."""
        return self._command(leg, "accept", description, now)

    def refuse_offer(self, leg: str, status: int, now: float) -> list[Output]:
        """Keep the session as it was."""
        return self._command(leg, "refuse offer", status, now)

    def accept_transfer(self, leg: str, now: float) -> list[Output]:
        """202 to Referred; the peer is told 100 at once."""
        return self._command(leg, "accept transfer", None, now)

    def refuse_transfer(self, leg: str, now: float, status: int = 603) -> list[Output]:
        """A final refusal of Referred."""
        return self._command(leg, "refuse transfer", status, now)

    def progress_transfer(self, leg: str, status: int, now: float) -> list[Output]:
        """How the new call fares, by status; a final one is the last (RFC 3515 §2.4.5)."""
        return self._command(leg, "report transfer", status, now)

    # Inside.

    def _command(self, leg: str, kind: str, data: object, now: float) -> list[Output]:
        out: list[Output] = []
        record = self._records.get(leg)
        if record is not None:
            self._step(record, LegEvent(kind, data), now, out)
        return out

    def _find(self, request: Request) -> Record | None:
        return self._dialogs.get((request.call_id, request.to.tag or ""))

    def _identify(self, incoming: Incoming, call: Call) -> Identity:
        return Identity(
            name=self._identifiers.leg(),
            ours=False,
            call_id=incoming.request.call_id,
            local_tag=self._identifiers.tag(),
            contact=self._settings.contact(incoming.flow),
            kind=call.kind,
            banner=(("Server", self._settings.user_agent),),
            ring_limit_seconds=self._settings.ring_limit_seconds,
            terms=call.terms or self._settings.terms,
        )

    def _check(self, request: Request, merge_key: tuple[str, str, int], terms: Terms) -> None:
        if merge_key in self._merged:  # RFC 3261 §8.2.2.2
            raise RemoteProtocolError("the same request by another way", status=482)
        if request.max_forwards == 0:  # we may call on, and so are a hop (RFC 7332 §4)
            raise RemoteProtocolError("too many hops", status=483)
        if unsupported(request, terms):
            raise RemoteProtocolError("an extension that we lack", status=420)

    def _check_demands(self, leg: Leg, request: Request) -> None:
        if leg.who.terms.reliable == "required" and not leg.peer.supports("100rel"):
            needed = [tag.lower() for tag in request.values("Require")]
            if "100rel" not in needed:
                raise RemoteProtocolError("reliability is demanded", status=421)
        if refuse_short(leg, request) is not None:
            raise RemoteProtocolError("the session interval is too small", status=422)

    def _find_replaced(self, request: Request, terms: Terms) -> str:
        """The leg that a Replaces names; RemoteProtocolError where RFC 3891 §3 refuses."""
        value = replaces_of(request)
        if value is None:
            return ""
        call_id, our_tag, their_tag, early_only = read_replaces(value)
        if not terms.transfers:
            raise RemoteProtocolError("no right to replace", status=403, where="Replaces")
        record = self._dialogs.get((call_id, our_tag))
        judge(None if record is None else record.leg, their_tag, early_only)
        return "" if record is None else record.leg.who.name

    def _refuse(
        self,
        incoming: Incoming,
        who: Identity,
        source: str,
        error: RemoteProtocolError,
        now: float,
    ) -> list[Output]:
        request = incoming.request
        headers: Headers = ()
        if error.status == 420:
            headers = (("Unsupported", ", ".join(unsupported(request, who.terms))),)
        elif error.status == 421:
            headers = (("Require", "100rel"),)
        elif error.status == 422:
            least = max(who.terms.session.minimum_seconds, LEAST_SECONDS)
            headers = (("Min-SE", str(least)),)
        elif error.status == 415:
            headers = (("Accept", "application/sdp"),)
        answer = reply(who, request, error.status, headers)
        out: list[Output] = []
        out += self._layer.respond(incoming.key, answer, now)
        out.append(Refused(source, request.method, error.status, str(error)))
        return out

    def _receive_request(self, incoming: Incoming, now: float, out: list[Output]) -> None:
        request = incoming.request
        record = self._find(request)
        if record is None:
            who = Identity("", False, request.call_id, self._identifiers.tag(), "", "trunk")
            answer = reply(who, request, 481)
        else:
            try:
                missing = unsupported(request, record.leg.who.terms)
                if not missing:
                    self._step_request(record, incoming, now, out)
                    return
                headers = (("Unsupported", ", ".join(missing)),)
                answer = reply(record.leg.who, request, 420, headers)
            except RemoteProtocolError as error:
                answer = reply(record.leg.who, request, error.status)
        out += self._layer.respond(incoming.key, answer, now)

    def _step_request(
        self, record: Record, incoming: Incoming, now: float, out: list[Output]
    ) -> None:
        method = incoming.request.method
        if method == "INVITE":
            self._keys[incoming.key] = record
            record.keys.add(incoming.key)
        chance = self._identifiers.fraction() if method in ("INVITE", "UPDATE") else 0.0
        kind = method if method in SERVED else "other"
        self._step(record, LegEvent(kind, incoming, chance), now, out)

    def _receive_response(self, answered: Answered, now: float, out: list[Output]) -> None:
        owner, response = answered.owner, answered.response
        if not isinstance(owner, LegOwner) or owner.what not in KINDS:
            return
        status = response.status
        record = self._records.get(owner.leg)
        if record is None:
            if response.cseq.method == "INVITE" and 200 <= status < 300:
                with suppress(RemoteProtocolError):  # unreadable: nowhere to send an ACK to
                    self._decline(answered, now, out)
            return
        if status in (401, 407):
            kind, cnonce = CHALLENGES[owner.what], self._identifiers.tag()
            self._step(record, LegEvent(kind, response, cnonce=cnonce), now, out)
            return
        kind = kind_of(owner.what, response)
        chance = self._identifiers.fraction() if kind == "offer pending" else 0.0
        try:
            self._step(record, LegEvent(kind, response, chance), now, out)
        except RemoteProtocolError:
            if status >= 200:  # a final response that cannot be read is as good as none
                self._step(record, LegEvent(GONE[owner.what], "remote"), now, out)

    def _decline(self, answered: Answered, now: float, out: list[Output]) -> None:
        """A 2xx for a leg that has ended: ACK and BYE (RFC 3261 §13.2.2.4)."""
        response = answered.response
        kind: Kind = answered.owner.kind if isinstance(answered.owner, LegOwner) else "trunk"
        who = Identity("", True, response.call_id, response.from_.tag or "", "", kind)
        record = Record(Leg(who, LegState.LEAVING), answered.flow)
        for effect in decline_2xx(record.leg, response):
            if isinstance(effect, SendAck):
                self._acknowledge(record, effect, now, out)
            elif isinstance(effect, Ask):
                self._ask(record, effect, now, out)


def _is_of(leg: Leg, ack: Request) -> bool:
    return leg.dialog is not None and leg.dialog.remote_tag == (ack.from_.tag or "")
