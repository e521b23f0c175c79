"""The transaction layer: matches messages to machines and keeps their timers.

RFC 3261 §17.1.3, §17.2.3, §18; RFC 3581; RFC 6026. The only mutable thing of this package.
"""

import heapq
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from callcore.errors import LocalProtocolError
from callcore.flow import Flow
from callcore.identifiers import Identifiers
from callcore.message import Message, Request, Response, render, response
from callcore.transaction import client, invite_client, invite_server, server
from callcore.transaction.derived import ack_of, cancel_of, with_via
from callcore.transaction.effects import (
    Ack,
    Answered,
    Cancelled,
    Effect,
    Failed,
    Incoming,
    TransactionKey,
    Transmit,
)
from callcore.transaction.machine import (
    ACK,
    INVITE_CLASS,
    OTHER_CLASS,
    REQUEST,
    TRANSPORT_FAILED,
    Acknowledge,
    Arm,
    Event,
    Fail,
    Inform,
    Send,
    State,
)
from callcore.transaction.matching import (
    SentBy,
    client_key,
    local_sent_by,
    reply_flow,
    server_key,
    stamp,
)

RETRY_AFTER_SECONDS = 5


class Entry:
    """One live transaction: its machine, and what the layer knows around it."""

    __slots__ = ("flow", "is_client", "key", "local_tag", "owner", "request", "step", "table", "tx")

    def __init__(self, key: TransactionKey, flow: Flow, tx: Any, machine: Any) -> None:
        self.key = key
        self.flow = flow  # where our messages go
        self.tx = tx
        self.step: Callable[[Any, Event, float], tuple[Any, list[Any]]] = machine.step
        self.table: Mapping[tuple[str, str], object] = machine.TABLE
        self.is_client = False
        self.owner: Hashable = None
        self.request: Request | None = None  # an INVITE of ours, for its ACK and CANCEL
        self.local_tag: str | None = None


class TransactionLayer:
    """All live transactions; at most `limit`, beyond which requests get 503.

    `sent_by` names us in Via for a flow. Requests handed to `receive` have passed
    `callcore.message.validate`.
    """

    def __init__(
        self, identifiers: Identifiers, sent_by: SentBy = local_sent_by, limit: int = 100_000
    ) -> None:
        self._identifiers = identifiers
        self._sent_by = sent_by
        self._limit = limit
        self._servers: dict[TransactionKey, Entry] = {}
        self._clients: dict[TransactionKey, Entry] = {}
        self._streams: dict[Flow, set[Entry]] = {}
        self._timers: list[tuple[float, int, Entry, str]] = []
        self._armed = 0
        self.refused = 0  # requests answered 503 for want of room

    def __len__(self) -> int:
        return len(self._servers) + len(self._clients)

    def serves(self, request: Request) -> bool:
        """Whether a request repeats one that has its transaction."""
        return server_key(request) in self._servers

    def receive(self, message: Message, flow: Flow, now: float) -> list[Effect]:
        """A message from the network; RemoteProtocolError if it cannot be matched at all."""
        out: list[Effect] = []
        if isinstance(message, Request):
            self._receive_request(message, flow, now, out)
        elif isinstance(message, Response):
            entry = self._clients.get(client_key(message))
            # RFC 3261 §8.1.3.3: a response with two Vias was meant for somebody else.
            if entry is not None and len(message.all("Via")) == 1:
                kind = _class(entry, message)
                self._step(entry, Event(kind, (message, flow)), now, out)
        return out

    def send_request(
        self, request: Request, flow: Flow, now: float, owner: Hashable
    ) -> tuple[TransactionKey, list[Transmit]]:
        """A new request of ours, without a Via; `owner` comes back with its responses."""
        branch = self._identifiers.branch()
        sent = with_via(request, self._via(flow, branch))
        return self._start(sent, branch, flow, now, owner)

    def send_ack(self, ack: Request, flow: Flow) -> Transmit:
        """The ACK of a 2xx, which is no transaction (RFC 3261 §13.2.2.4)."""
        sent = with_via(ack, self._via(flow, self._identifiers.branch()))
        return Transmit(flow, render(sent), sent)

    def cancel(
        self,
        key: TransactionKey,
        now: float,
        owner: Hashable,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> list[Transmit]:
        """CANCEL an INVITE of ours that has had a provisional response (RFC 3261 §9.1)."""
        entry = self._clients.get(key)
        if entry is None or entry.request is None or entry.tx.state is not State.PROCEEDING:
            return []
        cancel = cancel_of(entry.request, headers)
        branch = str(key[0])
        return self._start(cancel, branch, entry.flow, now, owner)[1]

    def abandon(self, key: TransactionKey) -> None:
        """Forget a request of ours that never got its final response (RFC 3261 §9.1)."""
        entry = self._clients.get(key)
        if entry is not None:
            entry.tx = invite_client.InviteClient(entry.tx.reliable, State.TERMINATED)
            self._end(entry)

    def tag(self, key: TransactionKey, local_tag: str) -> None:
        """The To tag that the user will answer with: a CANCEL's 200 has the same (§9.2)."""
        entry = self._servers.get(key)
        if entry is not None:
            entry.local_tag = local_tag

    def respond(self, key: TransactionKey, answer: Response, now: float) -> list[Transmit]:
        """Answer a request; nothing happens if its transaction has ended."""
        out: list[Any] = []
        entry = self._servers.get(key)
        if entry is not None:
            kind = _class(entry, answer)
            if (entry.tx.state, kind) not in entry.table:
                raise LocalProtocolError(f"{answer.status} to a request {entry.tx.state}")
            self._step(entry, Event(kind, Transmit(entry.flow, render(answer), answer)), now, out)
        return out

    def refuse(self, request: Request, flow: Flow, answer: Response) -> Transmit:
        """Answer without a transaction (RFC 3261 §8.2.7)."""
        return Transmit(reply_flow(request, flow), render(answer), answer)

    def transport_failed(self, flow: Flow, now: float) -> list[Effect]:
        """A connection has closed, and with it all that it carried (RFC 3261 §17.1.4, §17.2.4)."""
        out: list[Effect] = []
        for entry in sorted(self._streams.get(flow, ()), key=lambda entry: str(entry.key)):
            self._step(entry, Event(TRANSPORT_FAILED), now, out)
        return out

    def not_sent(self, request: Request, now: float) -> list[Effect]:
        """A datagram of ours that the system refused.

        A request that starts something fails at once (RFC 3261 §17.1.4): there may be another
        way. All others are as good as lost, and sent again: a full queue is no end of a call.
        """
        out: list[Effect] = []
        entry = self._clients.get((str(request.via.branch), request.method))
        starts = request.to.tag is None and request.method not in ("ACK", "CANCEL")
        if entry is not None and starts and entry.tx.state in (State.CALLING, State.TRYING):
            self._step(entry, Event(TRANSPORT_FAILED), now, out)
        return out

    def fire(self, now: float) -> list[Effect]:
        """Every timer that is due."""
        out: list[Effect] = []
        timers = self._timers
        while timers and timers[0][0] <= now:
            _, _, entry, timer = heapq.heappop(timers)
            if (entry.tx.state, timer) in entry.table:  # else its state has outlived it
                self._step(entry, Event(timer), now, out)
        return out

    def deadline(self) -> float | None:
        """When `fire` is next needed; timers that their state has outlived are dropped here."""
        timers = self._timers
        while timers:
            at, _, entry, timer = timers[0]
            if (entry.tx.state, timer) in entry.table:
                return at
            heapq.heappop(timers)
        return None

    def _via(self, flow: Flow, branch: str) -> str:
        # RFC 3581 §3: rport always; harmless over streams.
        return f"SIP/2.0/{flow.transport.upper()} {self._sent_by(flow)};branch={branch};rport"

    def _receive_request(self, request: Request, flow: Flow, now: float, out: list[Effect]) -> None:
        # What finds a dialog has to be readable before anything is kept.
        _ = request.to.tag, request.from_.tag
        key = server_key(request)
        if request.method == "ACK":
            self._receive_ack(key, request, flow, now, out)
            return
        cancels = request.method == "CANCEL"
        entry = self._servers.get((*key[:-1], "CANCEL") if cancels else key)
        if entry is not None:
            self._step(entry, Event(REQUEST), now, out)
            return
        request = stamp(request, flow)
        if len(self) >= self._limit:
            self.refused += 1
            headers = [("Retry-After", str(RETRY_AFTER_SECONDS))]
            tag = self._identifiers.tag()
            out.append(
                self.refuse(request, flow, response(request, 503, headers=headers, to_tag=tag))
            )
        elif cancels:
            self._receive_cancel(key, request, flow, now, out)
        else:
            self._serve(key, request, flow)
            if request.method == "INVITE":
                out += self.respond(key, response(request, 100), now)
            out.append(Incoming(key, request, flow))

    def _receive_ack(
        self, key: TransactionKey, ack: Request, flow: Flow, now: float, out: list[Effect]
    ) -> None:
        entry = self._servers.get(key)
        # §17.2.3 for RFC 2543: the To tag must be the one that we answered with.
        if entry is None or (
            len(key) > 4 and entry.local_tag is not None and entry.local_tag != ack.to.tag
        ):
            out.append(Ack(ack, flow))
        else:
            self._step(entry, Event(ACK, Ack(ack, flow)), now, out)

    def _receive_cancel(
        self, key: TransactionKey, cancel: Request, flow: Flow, now: float, out: list[Effect]
    ) -> None:
        """RFC 3261 §9.2; a CANCEL is hop by hop, so it comes from where the INVITE did."""
        entry = self._servers.get(key)
        if entry is None or entry.flow.remote[0] != flow.remote[0]:
            # Anybody can make one up: nothing is kept of it (§8.2.7).
            answer = response(cancel, 481, to_tag=self._identifiers.tag())
            out.append(self.refuse(cancel, flow, answer))
            return
        own = (*key[:-1], "CANCEL")
        self._serve(own, cancel, flow)
        tag = entry.local_tag or self._identifiers.tag()
        out += self.respond(own, response(cancel, 200, to_tag=tag), now)
        if entry.tx.state is State.PROCEEDING:
            out.append(Cancelled(key, cancel))

    def _serve(self, key: TransactionKey, request: Request, flow: Flow) -> None:
        reliable = flow.transport != "udp"
        back = reply_flow(request, flow)
        if request.method == "INVITE":
            entry = Entry(key, back, invite_server.InviteServer(reliable), invite_server)
        else:
            entry = Entry(key, back, server.Server(reliable), server)
        self._servers[key] = entry
        if reliable:
            self._streams.setdefault(back, set()).add(entry)

    def _start(
        self, request: Request, branch: str, flow: Flow, now: float, owner: Hashable
    ) -> tuple[TransactionKey, list[Transmit]]:
        key: TransactionKey = (branch, request.method)
        machine: Any = invite_client if request.method == "INVITE" else client
        reliable = flow.transport != "udp"
        tx, effects = machine.start(Transmit(flow, render(request), request), reliable=reliable)
        entry = Entry(key, flow, tx, machine)
        entry.is_client = True
        entry.owner = owner
        if machine is invite_client:
            entry.request = request
        self._clients[key] = entry
        if reliable:
            self._streams.setdefault(flow, set()).add(entry)
        out: list[Any] = []
        self._perform(entry, effects, now, out)
        return key, out

    def _step(self, entry: Entry, event: Event, now: float, out: list[Effect]) -> None:
        entry.tx, effects = entry.step(entry.tx, event, now)
        if effects:
            self._perform(entry, effects, now, out)
        state = entry.tx.state
        if state is State.TERMINATED:
            self._end(entry)
        elif state is State.ACCEPTED:
            entry.request = None  # the ACK of a 2xx is the user's

    def _perform(self, entry: Entry, effects: list[Any], now: float, out: list[Effect]) -> None:
        for effect in effects:
            kind = type(effect)
            if kind is Send:
                out.append(effect.message)
            elif kind is Arm:
                self._armed += 1
                heapq.heappush(
                    self._timers, (now + effect.seconds, self._armed, entry, effect.timer)
                )
            elif kind is Inform:
                if entry.is_client:
                    out.append(Answered(entry.owner, *effect.message))
                else:
                    out.append(effect.message)
            elif kind is Acknowledge and entry.request is not None:
                ack = ack_of(entry.request, effect.response[0])
                out.append(Transmit(entry.flow, render(ack), ack))
            elif kind is Fail and entry.is_client:
                out.append(Failed(entry.owner, effect.why))

    def _end(self, entry: Entry) -> None:
        found = self._clients if entry.is_client else self._servers
        if found.get(entry.key) is entry:
            del found[entry.key]
        entry.request = None
        of_stream = self._streams.get(entry.flow)
        if of_stream is not None:
            of_stream.discard(entry)
            if not of_stream:
                del self._streams[entry.flow]


def _class(entry: Entry, message: Response) -> str:
    return (INVITE_CLASS if entry.key[-1] == "INVITE" else OTHER_CLASS)[message.status // 100]
