"""Where legs are kept: the tables that find them, their timers, and their effects made real."""

import heapq
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from callcore.call.events import CallEvent, Kind, Referred, Refused
from callcore.call.leg import step
from callcore.call.replaces import read_replaces
from callcore.call.state import (
    Abandon,
    Arm,
    Ask,
    Cancel,
    Effect,
    Farewell,
    HangUp,
    Leg,
    LegEvent,
    LegState,
    Reply,
    SendAck,
    Stop,
    Tell,
)
from callcore.call.terms import Terms
from callcore.errors import RemoteProtocolError
from callcore.flow import Flow
from callcore.identifiers import Identifiers
from callcore.message import Request, Uri
from callcore.transaction import TransactionKey, TransactionLayer, Transmit

NO_TERMS = Terms()
MergeKey = tuple[str, str, int]


class Left(NamedTuple):
    """Nothing is open any more between us and the phone of a seat that we called: after Ended."""

    leg: str


Output = Transmit | CallEvent | Refused | Left


class LegOwner(NamedTuple):
    """The owner of a request of ours: TransactionLayer gives it back with the response."""

    leg: str
    what: str
    kind: Kind = "trunk"


def follow_target(hop: Uri, flow: Flow, kind: Kind) -> Flow:
    """The flow of a request within a dialog.

    A seat is asked by the flow that it used, for its Contact may be behind a NAT (RFC 5626 §1);
    a trunk by what Route or Contact says, if that is an address (RFC 3261 §12.2.1.1).
    """
    if kind == "seat" or flow.transport != "udp":
        return flow
    remote = (hop.host, hop.port or 5060)
    if remote == flow.remote or not is_address(hop.host):
        return flow
    return flow._replace(remote=remote)


def is_address(host: str) -> bool:
    """Whether a host is an IP address, and no name that only looks like one at its start."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def own_contact(flow: Flow) -> str:
    """Our Contact by default: the address that the flow leaves from."""
    host, port = flow.local
    shown = f"[{host}]" if ":" in host else host
    transport = "" if flow.transport == "udp" else f";transport={flow.transport}"
    return f"<sip:callcore@{shown}:{port}{transport}>"


@dataclass(frozen=True, slots=True)
class LegSettings:
    """How legs present themselves and find their way."""

    contact: Callable[[Flow], str] = own_contact
    next_hop: Callable[[Uri, Flow, Kind], Flow] = follow_target
    user_agent: str = "callcore"
    ring_limit_seconds: float = 180.0
    terms: Terms = NO_TERMS


class Record:
    """A leg, and how it stands in the tables."""

    __slots__ = ("alarms", "asked", "flow", "keys", "leg", "merge_key")

    def __init__(self, leg: Leg, flow: Flow) -> None:
        self.leg = leg
        self.flow = flow
        self.alarms: dict[str, int] = {}  # timer -> its number in the heap
        self.asked: dict[str, TransactionKey] = {}  # INVITE, OFFER -> its transaction
        self.keys: set[TransactionKey] = set()  # their INVITEs without a final response
        self.merge_key: MergeKey | None = None


class Records:
    """The tables. A leg that has ended is in none of them."""

    def __init__(
        self,
        layer: TransactionLayer,
        identifiers: Identifiers,
        settings: LegSettings | None = None,
    ) -> None:
        self._layer = layer
        self._identifiers = identifiers
        self._settings = settings or LegSettings()
        self._records: dict[str, Record] = {}
        self._dialogs: dict[tuple[str, str], Record] = {}
        self._keys: dict[TransactionKey, Record] = {}
        self._merged: dict[MergeKey, Record] = {}
        self._timers: list[tuple[float, int, Record, str]] = []
        self._armed = 0

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, leg: str) -> bool:
        return leg in self._records

    def flow_of(self, leg: str) -> Flow | None:
        """The flow of a leg."""
        record = self._records.get(leg)
        return None if record is None else record.flow

    def is_carried_by(self, flow: Flow) -> bool:
        """Whether a leg lives on a flow; looks at all: for what is asked rarely."""
        return any(record.flow == flow for record in self._records.values())

    def has_dialog(self, request: Request) -> bool:
        """Whether a leg has a dialog of the request's Call-ID and To tag."""
        return (request.call_id, request.to.tag or "") in self._dialogs

    def call_ids(self) -> dict[str, str]:
        """Call-ID -> leg, of all: for those who trace."""
        return {call_id: record.leg.who.name for (call_id, _), record in self._dialogs.items()}

    def is_incoming(self, leg: str) -> bool:
        """Whether a leg is a call to us that has no final response yet."""
        record = self._records.get(leg)
        return record is not None and record.leg.state is LegState.INCOMING

    def fire(self, now: float) -> list[Output]:
        """Every timer that is due."""
        out: list[Output] = []
        timers = self._timers
        while timers and timers[0][0] <= now:
            _, number, record, timer = heapq.heappop(timers)
            if record.alarms.get(timer) == number:
                del record.alarms[timer]
                self._step(record, LegEvent(timer, None, self._identifiers.fraction()), now, out)
        return out

    def deadline(self) -> float | None:
        """When `fire` is next needed; stopped timers are dropped here."""
        timers = self._timers
        while timers:
            at, number, record, timer = timers[0]
            if record.alarms.get(timer) == number:
                return at
            heapq.heappop(timers)
        return None

    def _add(self, record: Record) -> None:
        who = record.leg.who
        self._records[who.name] = record
        self._dialogs[who.call_id, who.local_tag] = record

    def _drop(self, record: Record) -> None:
        who = record.leg.who
        del self._records[who.name]
        del self._dialogs[who.call_id, who.local_tag]
        for key in record.keys:
            self._keys.pop(key, None)
        if record.merge_key is not None:
            del self._merged[record.merge_key]
        record.alarms.clear()

    def _step(self, record: Record, event: LegEvent, now: float, out: list[Output]) -> None:
        record.leg, effects = step(record.leg, event, now)
        self._settle(record, effects, now, out)

    def _settle(self, record: Record, effects: list[Effect], now: float, out: list[Output]) -> None:
        for effect in effects:
            PERFORM[type(effect)](self, record, effect, now, out)
        if record.leg.state is LegState.ENDED:
            self._drop(record)
            who = record.leg.who
            if who.ours and who.kind == "seat":
                out.append(Left(who.name))

    def _ask(self, record: Record, ask: Ask, now: float, out: list[Output]) -> None:
        who = record.leg.who
        flow = record.flow
        if ask.hop is not None:
            flow = self._settings.next_hop(ask.hop, flow, who.kind)
        owner = LegOwner(who.name, ask.what, who.kind)
        key, effects = self._layer.send_request(ask.request, flow, now, owner)
        if ask.what in ("INVITE", "OFFER"):
            record.asked[ask.what] = key
        out += effects

    def _acknowledge(self, record: Record, ack: SendAck, now: float, out: list[Output]) -> None:
        flow = self._settings.next_hop(ack.hop, record.flow, record.leg.who.kind)
        out.append(self._layer.send_ack(ack.request, flow))

    def _reply(self, record: Record, reply: Reply, now: float, out: list[Output]) -> None:
        if reply.response.status >= 200 and reply.key in record.keys:
            record.keys.discard(reply.key)
            self._keys.pop(reply.key, None)
        out += self._layer.respond(reply.key, reply.response, now)

    def _cancel(self, record: Record, cancel: Cancel, now: float, out: list[Output]) -> None:
        key = record.asked["INVITE"]
        owner = LegOwner(record.leg.who.name, "CANCEL")
        out += self._layer.cancel(key, now, owner, cancel.headers)

    def _abandon(self, record: Record, abandon: Abandon, now: float, out: list[Output]) -> None:
        key = record.asked.get(abandon.what)
        if key is not None:
            self._layer.abandon(key)

    def _hang_up(self, record: Record, effect: HangUp, now: float, out: list[Output]) -> None:
        other = self._records.get(effect.leg)
        if other is not None:
            self._step(other, LegEvent("hang up", Farewell(effect.reason)), now, out)

    def _tell(self, record: Record, tell: Tell, now: float, out: list[Output]) -> None:
        event = tell.event
        if isinstance(event, Referred) and event.replaces:
            event = replace(event, replaced=self._named(event.replaces))
        out.append(event)

    def _named(self, replaces: str) -> str:
        """The leg that a Replaces names, as the peer sees it (RFC 3891 §7.1)."""
        try:
            call_id, our_tag, their_tag, _ = read_replaces(replaces)
        except RemoteProtocolError:
            return ""
        record = self._dialogs.get((call_id, our_tag))
        if record is None or record.leg.dialog is None:
            return ""
        return record.leg.who.name if record.leg.dialog.remote_tag == their_tag else ""

    def _arm(self, record: Record, arm: Arm, now: float, out: list[Output]) -> None:
        self._armed += 1
        record.alarms[arm.timer] = self._armed
        heapq.heappush(self._timers, (now + arm.seconds, self._armed, record, arm.timer))

    def _stop(self, record: Record, stop: Stop, now: float, out: list[Output]) -> None:
        record.alarms.pop(stop.timer, None)


PERFORM: dict[type, Callable[[Records, Record, Any, float, list[Output]], None]] = {
    Ask: Records._ask,
    SendAck: Records._acknowledge,
    Reply: Records._reply,
    Cancel: Records._cancel,
    HangUp: Records._hang_up,
    Abandon: Records._abandon,
    Tell: Records._tell,
    Arm: Records._arm,
    Stop: Records._stop,
}
