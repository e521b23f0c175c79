"""From bytes to messages that deserve a transaction; the rest is answered or dropped here."""

from collections import Counter
from collections.abc import Callable
from typing import Literal, TypeGuard

from callcore.call.events import Banned, Refused
from callcore.call.gate import CAPABILITIES, KNOWN, WITHIN_DIALOG, Gate, Refusal
from callcore.call.limits import Bucket, Verdict
from callcore.call.overload import refuses
from callcore.effects import Close, Raw
from callcore.errors import RemoteProtocolError
from callcore.flow import Flow
from callcore.message import (
    Framer,
    Message,
    Ping,
    Request,
    Response,
    parse,
    refusal,
    render,
    response,
    validate,
)
from callcore.transaction import RETRY_AFTER_SECONDS, Transmit
from callcore.transaction.matching import reply_flow, stamp

RETRY_LATER = (("Retry-After", str(RETRY_AFTER_SECONDS)),)
# Where a message's end must be found; a WebSocket frame is one message (RFC 7118 §5.2.2).
FRAMED = frozenset({"tcp", "tls"})
FACTS_PER_SECOND = 50.0  # of refusals; the counters count them all
Effect = Transmit | Raw | Close | Refused | Banned
Tap = Callable[[Literal["in", "out"], bytes, Flow], None]  # whole messages, as on the wire


class Reception:
    """Frames, parses, counts, admits; `emit` takes what is to be sent or told at once.

    `is_served` tells a request that has its transaction already from a new one.

    `counters` counts (direction, method, status), status 0 for requests. Beside the messages:
    ("in", "keep-alive", 0), ("in", "malformed", status), ("in", "dropped", 503),
    ("in", "banned", 0),
    ("out", "malformed", status) and ("refused", why, status).
    """

    def __init__(
        self, gate: Gate, emit: Callable[[Effect], None], is_served: Callable[[Request], bool]
    ) -> None:
        self.counters: Counter[tuple[str, str, int]] = Counter()
        self.tap: Tap | None = None
        self.takes_calls: Callable[[], bool] = lambda: True  # what OPTIONS asks for
        self._gate = gate
        self._emit = emit
        self._framers: dict[Flow, Framer] = {}
        self._is_served = is_served
        self._overloaded = False
        self._facts = Bucket.full(FACTS_PER_SECOND, FACTS_PER_SECOND, 0.0)

    def receive(self, data: bytes, flow: Flow, now: float) -> list[Message]:
        """The messages in a datagram or frame, or in bytes of a stream, for the layer."""
        if flow.transport in FRAMED:
            return self._stream(data, flow, now)
        if data[:1] < b" " and (data[:1] < b"\x04" or not data.strip(b"\r\n\x00")):
            # STUN (RFC 7983 §7) and the keep-alives of RFC 5626 §3.5 and of common phones.
            self.counters["in", "keep-alive", 0] += 1
            if data == b"\r\n\r\n" and flow.transport != "udp":
                self._emit(Raw(flow, b"\r\n"))  # RFC 7118 §6: as over any other connection
            return []
        message = self._message(data, flow, now)
        return [] if message is None else [message]

    def is_homeless(
        self, message: Message, has_dialog: Callable[[Request], bool]
    ) -> TypeGuard[Request]:
        """A request within a dialog that we do not have: answered without a transaction.

        Anybody can make such requests up, so nothing is kept of them (RFC 3261 §8.2.7).
        """
        return (
            isinstance(message, Request)
            and message.to.tag is not None
            and message.method not in ("ACK", "CANCEL")
            and not has_dialog(message)
            and not self._is_served(message)
        )

    def delayed(self, seconds: float) -> None:
        """How long messages wait for us."""
        self._overloaded = refuses(self._overloaded, seconds)

    def is_waiting(self, flow: Flow) -> bool:
        """Whether a message has begun and not ended."""
        framer = self._framers.get(flow)
        return framer is not None and framer.is_waiting

    def flow_closed(self, flow: Flow) -> None:
        """Forget what was half received."""
        self._framers.pop(flow, None)

    def unmatched(self, message: Message, flow: Flow, error: RemoteProtocolError) -> None:
        """A message that broke the rules only when it was looked at more closely."""
        self.counters["in", "malformed", error.status] += 1
        if isinstance(message, Request) and message.method != "ACK":
            self._answer(message, flow, Refusal(error.status, ""))

    def refuse(self, request: Request, flow: Flow, why: Refusal, now: float) -> None:
        """Answer without a transaction."""
        self._answer(request, flow, why)
        self.count_refusal(request, flow, why, now)

    def count_refusal(self, request: Request, flow: Flow, why: Refusal, now: float) -> None:
        """A fact each, but under a flood only so many that no log is flooded too."""
        if why.counts:
            fact = Refused(flow.remote[0], request.method, why.status, why.why)
            self.count_refused(fact, now)
        if why.is_proven:
            ban = self._gate.offended(flow, why.why, now)
            if ban is not None:
                self._emit(Banned(ban.source, ban.why, ban.until - ban.since))

    def count_refused(self, fact: Refused, now: float) -> None:
        """A refusal that is a fact already."""
        self.counters["refused", fact.why, fact.status] += 1
        self._facts, told = self._facts.take(now)
        if told:
            self._emit(fact)

    def count_sent(self, sent: Transmit) -> None:
        """A message of ours; its method is read from the bytes, which nobody has parsed."""
        if self.tap is not None:
            self.tap("out", sent.data, sent.flow)
        message = sent.message
        if isinstance(message, Response):
            start = sent.data.find(b"\nCSeq: ") + 7
            method = sent.data[sent.data.find(b" ", start) + 1 : sent.data.find(b"\r", start)]
            self.counters["out", _label(method.decode("latin-1")), message.status] += 1
        elif isinstance(message, Request):
            self.counters["out", message.method, 0] += 1

    def _answer(self, request: Request, flow: Flow, why: Refusal) -> None:
        """RFC 3261 §8.2.7: the same request gets the same tag."""
        tag = f"{hash((request.call_id, request.via.branch)) & 0xFFFFFFFFFFFFFFFF:016x}"
        stamped = stamp(request, flow)
        answer = response(stamped, why.status, headers=why.headers, to_tag=tag)
        self._emit(Transmit(reply_flow(stamped, flow), render(answer), answer))

    def _stream(self, data: bytes, flow: Flow, now: float) -> list[Message]:
        framer = self._framers.get(flow)
        if framer is None:
            framer = self._framers[flow] = Framer()
        if framer.broken is not None:
            return []  # it is being closed
        messages: list[Message] = []
        try:
            items = framer.feed(data)
        except RemoteProtocolError:
            items = []
        for item in items:
            if isinstance(item, Ping):
                self.counters["in", "keep-alive", 0] += 1
                self._emit(Raw(flow, b"\r\n"))
                continue
            message = self._message(item, flow, now)
            if message is not None:
                messages.append(message)
        if framer.broken is not None:
            self._unreadable(data, flow, framer.broken)
            self._emit(Close(flow))
        return messages

    def _message(self, data: bytes, flow: Flow, now: float) -> Message | None:
        verdict = self._gate.admit(data, flow, now)
        if verdict is Verdict.DROP:
            self.counters["in", "dropped", 503] += 1
            return None
        if verdict is Verdict.IGNORE:
            self.counters["in", "banned", 0] += 1
            if flow.transport != "udp":
                self._emit(Close(flow))
            return None
        if self.tap is not None:
            self.tap("in", data, flow)
        try:
            message = parse(data)
            if not isinstance(message, Request):
                self.counters["in", _label(message.cseq.method), message.status] += 1
                return message
            validate(message)
            self.counters["in", _label(message.method), 0] += 1
            refused = self._refusal(message, flow, verdict, now)
        except RemoteProtocolError as error:
            self._unreadable(data, flow, error)
            return None
        if refused is None:
            return message
        self.refuse(message, flow, refused, now)
        return None

    def _refusal(
        self, request: Request, flow: Flow, verdict: Verdict, now: float
    ) -> Refusal | None:
        """What needs no transaction: it is refused, or asks only what we can do."""
        if request.method in WITHIN_DIALOG or request.to.tag is not None:
            return None
        if verdict is Verdict.REFUSE:
            return Refusal(503, "too many requests", RETRY_LATER)
        if self._overloaded and request.method == "INVITE" and not self._is_served(request):
            return Refusal(503, "overload", RETRY_LATER)
        refused = self._gate.refuse_unread(request, flow, now)
        if refused is None and request.method == "OPTIONS":
            if not self.takes_calls():  # §11.2: as an INVITE would be answered
                return Refusal(503, "takes no calls", RETRY_LATER, counts=False)
            return Refusal(200, "", CAPABILITIES, counts=False)
        return refused

    def _unreadable(self, data: bytes, flow: Flow, error: RemoteProtocolError) -> None:
        """RFC 4475: answered where the five fields of a response can be found, else dropped."""
        self.counters["in", "malformed", error.status] += 1
        answer = refusal(data, error)
        if answer is not None:
            self.counters["out", "malformed", error.status] += 1
            data = render(answer)
            if self.tap is not None:
                self.tap("out", data, flow)
            self._emit(Raw(flow, data))


def _label(method: str) -> str:
    """Methods that somebody invents must not become labels of metrics."""
    return method if method in KNOWN else "other"
