"""An Engine on a stage: a fake clock, and peers that speak SIP as text."""

from callcore.call.settings import EngineSettings, Seat, Trunk
from callcore.effects import Close, Connect, Raw, Resolve
from callcore.engine import Engine
from callcore.flow import Flow
from callcore.message.digest import answer, parse_challenge
from callcore.transaction import Transmit

UDP = ("127.0.0.1", 5060)
SDP = (
    b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 8 0\r\n"
)
SEATS = {user: Seat(user, f"secret-{user}") for user in ("8001", "8002")}
IMS = Trunk("ims", peers=("10.0.0.1",), probe_seconds=0)
EFFECTS = (Transmit, Raw, Connect, Close, Resolve)


class CountingIdentifiers:
    """Names that count, for tests."""

    def __init__(self):
        self.number = 0

    def _next(self, kind):
        self.number += 1
        return f"{kind}{self.number}"

    def branch(self):
        return self._next("z9hG4bK-us")

    def tag(self):
        return self._next("tag")

    def call_id(self):
        return self._next("call")

    def nonce_salt(self):
        return self._next("salt")

    def leg(self):
        return self._next("leg")

    def fraction(self):
        return 0.5


def udp(host, port=5060):
    """The flow to a peer over UDP."""
    return Flow("udp", UDP, (host, port))


class Stage:
    """Drives an engine; `sent` and `events` hold what it did since they were last read."""

    def __init__(self, trunks=(IMS,), **more):
        self.engine = Engine(
            EngineSettings("hotline.local", SEATS, tuple(trunks), **more), CountingIdentifiers()
        )
        self.now = 0.0
        self.asked, self.sent, self.events = [], [], []
        self.engine.listening("udp", UDP)
        self.engine.listening("tcp", UDP)
        self.engine.start(self.now)
        self.collect()

    def collect(self):
        for effect in self.engine.take():
            if isinstance(effect, Transmit):
                self.sent.append((effect.flow, effect.message))
            elif isinstance(effect, EFFECTS):
                self.asked.append(effect)
            else:
                self.events.append(effect)

    def receive(self, data, flow):
        self.engine.receive(data if isinstance(data, bytes) else data.encode(), flow, self.now)
        self.collect()

    def wait(self, seconds):
        """Let time pass, firing at every deadline on the way."""
        until = self.now + seconds
        while (at := self.engine.deadline()) is not None and at <= until:
            self.now = max(self.now, at)
            self.engine.fire(self.now)
            self.collect()
        self.now = until

    def do(self, command, *arguments):
        getattr(self.engine, command)(*arguments, now=self.now)
        self.collect()

    def taken(self):
        """Messages sent since, as (remote, message)."""
        sent, self.sent = self.sent, []
        return [(flow.remote, message) for flow, message in sent]

    def statuses(self):
        """Statuses (or methods) sent since."""
        return [getattr(m, "status", None) or m.method for _, m in self.taken()]

    def told(self, kind=None):
        """Events since, of one kind or all."""
        events, self.events = self.events, []
        return [e for e in events if kind is None or isinstance(e, kind)]


class Peer:
    """One address that sends requests and answers ours."""

    def __init__(self, stage, host, port=5060, *, flow=None, domain="hotline.local"):
        self.stage, self.domain = stage, domain
        self.flow = flow or udp(host, port)
        self.host, self.port = host, port
        self.count = 0

    def request(self, method, *, user="8001", to="12345", headers=(), body=b"", **more):
        self.count += 1
        number = more.get("cseq", self.count)
        call_id = more.get("call_id", f"{self.host}-{self.port}-{self.count}")
        tag = f";tag={more['to_tag']}" if "to_tag" in more else ""
        uri = f"sip:{to}@{self.domain}" if to else f"sip:{self.domain}"
        to_uri = f"sip:{user if method == 'REGISTER' else to}@{self.domain}"
        transport = self.flow.transport.upper()
        lines = [
            f"{method} {more.get('uri', uri)} SIP/2.0",
            f"Via: SIP/2.0/{transport} {self.host}:{self.port};rport"
            f";branch=z9hG4bK{self.host}-{self.port}-{more.get('branch', self.count)}",
            "Max-Forwards: 70",
            f"From: <sip:{user}@{more.get('from_host', self.domain)}>;tag=peer",
            f"To: <{to_uri}>{tag}",
            f"Call-ID: {call_id}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:{user}@{self.host}:{self.port}>",
            *[f"{name}: {value}" for name, value in headers],
        ]
        if body:
            lines.append("Content-Type: application/sdp")
        lines.append(f"Content-Length: {len(body)}")
        return ("\r\n".join([*lines, "", ""])).encode() + body

    def send(self, method, **more):
        self.stage.receive(self.request(method, **more), self.flow)
        return self.stage.taken()

    def invite(self, **more):
        return self.send("INVITE", **{"body": SDP, "from_host": "net.example", **more})

    def register(self, user="8001", *, password=None, headers=(), **more):
        """REGISTER, prove the password when asked; the last response."""
        found = self.send("REGISTER", user=user, to="", headers=headers, **more)
        challenges = found[-1][1].all("WWW-Authenticate")
        if not challenges:
            return found[-1][1]
        value = answer(
            parse_challenge(challenges[0]),
            method="REGISTER",
            uri="sip:hotline.local",
            user=user,
            password=password or f"secret-{user}",
            cnonce="c",
            nc=1,
        )
        proof = [*headers, ("Authorization", value)]
        return self.send("REGISTER", user=user, to="", headers=proof, **more)[-1][1]

    def respond(self, request, status, **more):
        """Answer a request of the engine's."""
        self.stage.receive(self.response(request, status, **more), self.flow)
        return self.stage.taken()

    def response(self, request, status, *, body=b"", tag="far", headers=()):
        copied = [f"Via: {v}" for v in request.all("Via")]
        to = request.get("To")
        if status > 100 and request.to.tag is None:
            to += f";tag={tag}"
        copied += [f"From: {request.get('From')}", f"To: {to}"]
        copied += [f"Call-ID: {request.call_id}", f"CSeq: {request.get('CSeq')}"]
        copied += [f"{name}: {value}" for name, value in headers]
        if status > 100:
            copied.append(f"Contact: <sip:far@{self.host}:{self.port}>")
        if body:
            copied.append("Content-Type: application/sdp")
        lines = [f"SIP/2.0 {status} x", *copied, f"Content-Length: {len(body)}", "", ""]
        return "\r\n".join(lines).encode() + body


def only(found):
    """The one message of a list of (remote, message)."""
    assert len(found) == 1, found
    return found[0][1]
