"""Call flows as ladders: a peer that speaks SIP text, our layer and legs, and a clock that obeys.

Everything that comes out is named by `expect`, so that an unwanted message fails the test:
"INVITE", "200 BYE" (status and method), "Answered", "Ended 487 remote".
"""

import itertools
from typing import Self

from callcore.call.events import Ended, OfferRefused, Progressed, Refused
from callcore.call.legs import Call, Legs, LegSettings, Login, Placement
from callcore.flow import Flow
from callcore.message import Message, Request, Response, parse, validate
from callcore.transaction import Incoming, TransactionLayer, Transmit

UDP = Flow("udp", ("192.0.2.10", 5060), ("192.0.2.1", 5070))
TCP = Flow("tcp", ("192.0.2.10", 5060), ("192.0.2.1", 5070), 1)
CALL = Call("peer", "trunk", "13800000001", "12345")


def sdp(port: int = 6000, direction: str = "sendrecv") -> bytes:
    """A description with one audio section."""
    return (
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na={direction}\r\n"
    ).encode()


OFFER, ANSWER = sdp(6000), sdp(7000)


class Counting:
    """Identifiers that count, so that a test can name them."""

    def __init__(self, chance: float = 0.5) -> None:
        self._counts: dict[str, itertools.count[int]] = {}
        self.chance = chance

    def _next(self, name: str) -> str:
        return f"{name}{next(self._counts.setdefault(name, itertools.count(1)))}"

    def branch(self) -> str:
        return self._next("z9hG4bK-us-")

    def tag(self) -> str:
        return self._next("us")

    def call_id(self) -> str:
        return self._next("call-")

    def nonce_salt(self) -> str:
        return self._next("salt")

    def leg(self) -> str:
        return self._next("leg")

    def fraction(self) -> float:
        return self.chance


def name_of(output: object) -> str:
    """How `expect` names an output."""
    if isinstance(output, Transmit):
        message = output.message
        if isinstance(message, Request):
            return message.method
        assert isinstance(message, Response)
        return f"{message.status} {message.cseq.method}"
    name = type(output).__name__
    if isinstance(output, Ended):
        return f"Ended {output.status} {output.by}"
    if isinstance(output, Progressed | OfferRefused | Refused):
        return f"{name} {output.status}"
    return name


class Ladder:
    """One peer and us. What we do is checked by `expect`; `last` finds what we sent."""

    def __init__(
        self, flow: Flow = UDP, *, chance: float = 0.5, settings: LegSettings | None = None
    ) -> None:
        self.flow = flow
        self.address = f"{flow.remote[0]}:{flow.remote[1]}"
        self.names = Counting(chance)
        self.layer = TransactionLayer(self.names)
        self.legs = Legs(self.layer, self.names, settings)
        self.now = 0.0
        self.out: list[tuple[float, object]] = []
        self.sent: list[Message] = []
        self.told: list[object] = []
        self.cseq = 0
        self._branches = itertools.count(1)
        self.our_tag = ""
        self.call_id = "peer-call"

    # What the peer does.

    def hear(self, data: bytes, flow: Flow | None = None) -> Self:
        """Bytes from the peer."""
        message = parse(data)
        if isinstance(message, Request):
            validate(message)
        for effect in self.layer.receive(message, flow or self.flow, self.now):
            self._put(effect)
        return self

    def request(
        self,
        method: str,
        body: bytes = b"",
        *,
        headers: tuple[str, ...] = (),
        cseq: int | None = None,
        branch: str | None = None,
        tag: str = "peer",
        to_tag: str | None = None,
    ) -> bytes:
        """A request of the peer within this call; the next CSeq unless one is given."""
        if cseq is None:
            cseq = self.cseq = self.cseq + 1
        branch = branch or f"z9hG4bK-peer-{next(self._branches)}"
        to_tag = self.our_tag if to_tag is None else to_tag
        to = "<sip:12345@192.0.2.10>" + (f";tag={to_tag}" if to_tag else "")
        lines = [
            f"{method} sip:12345@192.0.2.10 SIP/2.0",
            f"Via: SIP/2.0/{self.flow.transport.upper()} {self.address};branch={branch}",
            f"From: <sip:13800000001@192.0.2.1>;tag={tag}",
            f"To: {to}",
            f"Call-ID: {self.call_id}",
            f"CSeq: {cseq} {method}",
            f"Contact: <sip:peer@{self.address}>",
            *headers,
        ]
        if body and not any(line.startswith("Content-Type") for line in headers):
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode() + body

    def asks(self, method: str, body: bytes = b"", **how: object) -> Self:
        """The peer sends a request."""
        return self.hear(self.request(method, body, **how))  # type: ignore[arg-type]

    def acks(self, body: bytes = b"") -> Self:
        """The peer acknowledges our last final response to an INVITE."""
        final = self.last(2, "INVITE")
        cseq = final.cseq.number
        branch = None if final.status < 300 else final.via.branch
        tag = final.to.tag or ""
        return self.hear(self.request("ACK", body, cseq=cseq, branch=branch, to_tag=tag))

    def answers(
        self,
        status: int,
        body: bytes = b"",
        *,
        to: str | None = None,
        tag: str = "east",
        headers: tuple[str, ...] = (),
    ) -> Self:
        """The peer answers our last request (of the method `to`)."""
        asked = next(
            message
            for message in reversed(self.sent)
            if isinstance(message, Request)
            and message.method != "ACK"
            and to in (None, message.method)
        )
        lines = [f"SIP/2.0 {status} Whatever"]
        for name, value in asked.headers:
            if name in ("Via", "From", "Call-ID", "CSeq"):
                lines.append(f"{name}: {value}")
            if name == "To":
                lines.append(
                    f"To: {value}" + (f";tag={tag}" if tag and ";tag=" not in value else "")
                )
        lines += [f"Contact: <sip:east@{self.address}>", *headers]
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        return self.hear("\r\n".join([*lines, "", ""]).encode() + body)

    # What the hotline does.

    def place(self, leg: str = "out", **more: object) -> Self:
        """We call the peer."""
        values: dict[str, object] = {
            "request_uri": "sip:east@192.0.2.1:5070",
            "flow": self.flow,
            "from_": "<sip:12345@192.0.2.10>",
            "to": "<sip:east@192.0.2.1>",
            "offer": OFFER,
            "credentials": Login("alice", "secret"),
        }
        placement = Placement(**{**values, **more})  # type: ignore[arg-type]
        return self._take(self.legs.place(leg, placement, self.now))

    def do(self, command: str, *arguments: object, leg: str = "leg1") -> Self:
        """A command to a leg: `do("answer", ANSWER)`."""
        method = getattr(self.legs, command)
        if command == "progress":
            return self._take(method(leg, self.now, *arguments))
        if command in ("hang_up", "refuse_transfer"):
            return self._take(method(leg, self.now, *arguments))
        return self._take(method(leg, *arguments, self.now))

    def wait(self, seconds: float) -> Self:
        """Time passes; timers fire at their time."""
        until = self.now + seconds
        while True:
            due = [at for at in (self.layer.deadline(), self.legs.deadline()) if at is not None]
            at = min(due, default=until + 1)
            if at > until:
                break
            self.now = at
            for effect in self.layer.fire(at):
                self._put(effect)
            self._take(self.legs.fire(at))
        self.now = until
        return self

    def lose_connection(self, instead: Flow | None = None) -> Self:
        """The flow closes."""
        for effect in self.layer.transport_failed(self.flow, self.now):
            self._put(effect)
        return self._take(self.legs.flow_closed(self.flow, self.now, instead))

    # What is to be seen.

    def expect(self, *names: str) -> Self:
        """All that came out since the last `expect`, in order."""
        assert [name_of(output) for _, output in self.out] == list(names)
        self.out.clear()
        return self

    def expect_at(self, *timed: tuple[float, str]) -> Self:
        """The same with times."""
        assert [(round(at, 3), name_of(output)) for at, output in self.out] == list(timed)
        self.out.clear()
        return self

    def expect_nothing_left(self) -> Self:
        """After all timers: no leg, no timer, nothing in any table."""
        self.wait(400)
        assert len(self.legs) == 0
        assert len(self.layer) == 0
        assert self.legs.deadline() is None
        assert self.layer.deadline() is None
        tables = ("_records", "_dialogs", "_keys", "_merged", "_timers")
        assert [name for name in tables if getattr(self.legs, name)] == []
        tables = ("_servers", "_clients", "_streams", "_timers")
        assert [name for name in tables if getattr(self.layer, name)] == []
        return self

    def last(self, kind: int, method: str) -> Response:
        """Our last response of a class (2: any final one) to a method."""
        return next(
            message
            for message in reversed(self.sent)
            if isinstance(message, Response)
            and message.cseq.method == method
            and (message.status >= 200 if kind == 2 else message.status // 100 == kind)
        )

    def last_request(self, method: str) -> Request:
        """Our last request of a method."""
        return next(
            message
            for message in reversed(self.sent)
            if isinstance(message, Request) and message.method == method
        )

    def event(self, kind: type) -> object:
        """The last fact of this kind."""
        return next(event for event in reversed(self.told) if type(event) is kind)

    def _put(self, effect: object) -> None:
        if isinstance(effect, Transmit):
            self._take([effect])
        elif self.legs.wants(effect):
            self._take(self.legs.receive(effect, self.now))
        else:
            assert isinstance(effect, Incoming)
            if effect.request.method == "INVITE":
                self._take(self.legs.arrive(effect, CALL, self.now))
            else:
                self._take(self.legs.receive(effect, self.now))

    def _take(self, outputs: list[object]) -> Self:
        for output in outputs:
            self.out.append((self.now, output))
            if isinstance(output, Transmit):
                message = parse(output.data)
                self.sent.append(message)
                if isinstance(message, Response) and message.cseq.method == "INVITE":
                    self.our_tag = message.to.tag or self.our_tag
            else:
                self.told.append(output)
        return self


def incoming(flow: Flow = UDP, *, chance: float = 0.5) -> Ladder:
    """A call has arrived."""
    return Ladder(flow, chance=chance).asks("INVITE", OFFER).expect("100 INVITE", "Arrived")


def talking(flow: Flow = UDP, *, chance: float = 0.5) -> Ladder:
    """A call that came to us is up."""
    ladder = incoming(flow, chance=chance).do("answer", ANSWER).expect("200 INVITE")
    return ladder.acks().expect("Confirmed")


def called(flow: Flow = UDP, *, chance: float = 0.5) -> Ladder:
    """A call that we placed is up."""
    ladder = Ladder(flow, chance=chance).place().expect("INVITE")
    return ladder.answers(200, ANSWER).expect("ACK", "Answered")
