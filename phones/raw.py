"""Scripted SIP and RTP end points on plain sockets, with the times at which packets passed.

They are judges, not phones: one call at a time, UDP, A-law or mu-law. INVITEs and responses are
sent once, so that each is a packet with a time, and a response again when its INVITE comes again;
all else is asked until it is answered.
"""

import asyncio
import contextlib
import hashlib
import itertools
import re
import time
from dataclasses import dataclass, field

from phones.asking import GIVEN_UP_SECONDS, Asking
from phones.g711 import decode_alaw, decode_ulaw, encode_alaw
from phones.tones import RATE, strength, tone

Address = tuple[str, int]
FRAME_SECONDS, FRAME = 0.02, 160
HEARD = 0.7  # share of a frame's energy that must be the tone
_serial = itertools.count(1)


@dataclass
class RawMessage:
    """A SIP message cut at its lines; header names in lower case."""

    start: str
    headers: list[tuple[str, str]]
    body: str

    def get(self, name: str) -> str:
        """A header's first value, or nothing."""
        return next((value for key, value in self.headers if key == name), "")

    def all(self, name: str) -> list[str]:
        """A header's values."""
        return [value for key, value in self.headers if key == name]

    @property
    def status(self) -> int:
        """The status of a response; 0 of a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """The method, of a response as of a request."""
        return self.get("cseq").split()[-1]

    @property
    def branch(self) -> str:
        """The branch of the topmost Via."""
        return self.get("via").partition("branch=")[2].partition(";")[0]

    def rtp_address(self) -> Address:
        """Where the description in the body wants its audio."""
        host = re.search(r"^c=IN IP4 (\S+)", self.body, re.MULTILINE)
        port = re.search(r"^m=audio (\d+)", self.body, re.MULTILINE)
        if host is None or port is None:
            raise ValueError(f"no audio in {self.body!r}")
        return host.group(1), int(port.group(1))


def read(data: bytes) -> RawMessage:
    """A datagram as a message; ValueError of a keep-alive."""
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    start, *lines = head.split("\r\n")
    if " " not in start:
        raise ValueError("no SIP message")
    headers = [(k.strip().lower(), v.strip()) for k, _, v in (one.partition(":") for one in lines)]
    return RawMessage(start, headers, body)


def digest(challenge: str, method: str, uri: str, user: str, password: str) -> str:
    """The answer to a Digest challenge with MD5 (RFC 8760, RFC 7616)."""
    given = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge.partition(" ")[2]))
    algorithm = given.get("algorithm", "MD5")

    def h(text: str) -> str:
        return hashlib.new(algorithm.replace("-", "").lower(), text.encode()).hexdigest()

    realm, nonce = given["realm"], given["nonce"]
    ha1, ha2 = h(f"{user}:{realm}:{password}"), h(f"{method}:{uri}")
    parts = f'username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}"'
    if "qop" in given:
        response = h(f"{ha1}:{nonce}:00000001:c:auth:{ha2}")
        parts += ', qop=auth, nc=00000001, cnonce="c"'
    else:
        response = h(f"{ha1}:{nonce}:{ha2}")
    if "opaque" in given:
        parts += f', opaque="{given["opaque"]}"'
    return f'Digest {parts}, response="{response}", algorithm={algorithm}'


class RawRefused(ValueError):
    """A call of ours was refused; `answer` is how."""

    def __init__(self, answer: RawMessage) -> None:
        super().__init__(answer.start)
        self.answer = answer


class RtpEnd(asyncio.DatagramProtocol):
    """Sends a tone each 20 ms and notes when the other side's tone first arrived."""

    def __init__(self, says_hz: int, hears_hz: int) -> None:
        samples = tone(says_hz, 1.0)
        self.frames = [encode_alaw(samples[i : i + FRAME]) for i in range(0, RATE, FRAME)]
        self.hears_hz = hears_hz
        self.heard_at = 0.0
        self.received = 0
        self.heard = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        self._remote: Address = ("", 0)
        self.transport: asyncio.DatagramTransport

    async def open(self, host: str) -> Address:
        """Binds; its address."""
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(host, 0))
        found: Address = self.transport.get_extra_info("sockname")
        return found

    def datagram_received(self, data: bytes, address: Address) -> None:
        """RFC 3550 §5.1, no extensions: the payload begins at 12."""
        now = time.monotonic()
        self.received += 1
        if self.heard_at or len(data) < 12 + FRAME:
            return
        decode = decode_ulaw if data[1] & 0x7F == 0 else decode_alaw
        if strength(decode(data[12 : 12 + FRAME]), self.hears_hz) >= HEARD:
            self.heard_at = now
            self.heard.set()

    def send_to(self, remote: Address) -> None:
        """Begins to send there, at once and each 20 ms, or goes on there from now on."""
        self._remote = remote
        if self._sending is None:
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        begin, ssrc = time.monotonic(), next(_serial)
        for n in itertools.count():
            head = bytes([0x80, 8]) + (n & 0xFFFF).to_bytes(2, "big")
            head += (n * FRAME & 0xFFFFFFFF).to_bytes(4, "big") + ssrc.to_bytes(4, "big")
            self.transport.sendto(head + self.frames[n % len(self.frames)], self._remote)
            await asyncio.sleep(begin + (n + 1) * FRAME_SECONDS - time.monotonic())

    def close(self) -> None:
        """Stops sending and unbinds."""
        if self._sending is not None:
            self._sending.cancel()
        self.transport.close()


@dataclass
class RawCall:
    """One dialog of a raw end, and its audio."""

    rtp: RtpEnd
    rtp_address: Address
    call_id: str
    remote: Address
    remote_target: str = ""
    routes: list[str] = field(default_factory=list)
    ours: str = ""  # From or To with our tag
    theirs: str = ""
    answered_at: float = 0.0  # 200 sent or received, at the socket
    over: asyncio.Event = field(default_factory=asyncio.Event)


class RawEnd(asyncio.DatagramProtocol):
    """A SIP socket that is a trunk's caller or a seat."""

    def __init__(self, user: str, says_hz: int, hears_hz: int) -> None:
        self.user, self.says_hz, self.hears_hz = user, says_hz, hears_hz
        self.messages: asyncio.Queue[RawMessage] = asyncio.Queue()
        self.incoming: asyncio.Queue[tuple[RawMessage, Address, float]] = asyncio.Queue()
        self.calls: dict[str, RawCall] = {}
        self.last = RawMessage("", [], "")  # final response to a REGISTER
        self._asking = Asking()
        self._invites: dict[str, tuple[bytes, Address] | None] = {}  # by branch: our last response
        self.transport: asyncio.DatagramTransport
        self.address: Address = ("", 0)

    async def open(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Binds the SIP socket."""
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=(host, port)
        )
        self.address = self.transport.get_extra_info("sockname")

    def close(self) -> None:
        """Unbinds all sockets."""
        self._asking.close()
        for call in self.calls.values():
            call.rtp.close()
        self.transport.close()

    @property
    def contact(self) -> str:
        """Our Contact."""
        return f"<sip:{self.user}@{self.address[0]}:{self.address[1]}>"

    def datagram_received(self, data: bytes, address: Address) -> None:
        """Requests are answered here, responses and INVITEs are passed on with their times."""
        now = time.monotonic()
        try:
            message = read(data)
        except ValueError:
            return
        call = self.calls.get(message.get("call-id"))
        if message.status:
            if message.method == "INVITE":
                if message.status >= 200 and call is not None:
                    call.answered_at = call.answered_at or now
            elif not self._asking.is_news(message.branch, message.status):
                return
            self.messages.put_nowait(message)
        elif message.method == "INVITE" and message.branch in self._invites:
            if (sent := self._invites[message.branch]) is not None:
                self.transport.sendto(*sent)
        elif message.method == "INVITE" and call is None:
            self._invites[message.branch] = None
            self.incoming.put_nowait((message, address, now))
        elif message.method == "INVITE" and call is not None:
            self._moved(call, message, address)
        elif message.method in {"BYE", "CANCEL", "OPTIONS"}:
            self.respond(message, address, "200 OK")
            if message.method == "BYE" and call is not None:
                call.over.set()

    def _moved(self, call: RawCall, invite: RawMessage, address: Address) -> None:
        """A re-INVITE: our voice goes where it says; without a description it asks for ours."""
        self.respond(invite, address, "200 OK", self.description(call.rtp_address))
        with contextlib.suppress(ValueError):
            call.rtp.send_to(invite.rtp_address())

    # --- sending

    def respond(self, request: RawMessage, to: Address, status: str, body: str = "") -> None:
        """A response that copies what RFC 3261 §8.2.6.2 tells to copy."""
        lines = [f"SIP/2.0 {status}"]
        lines += [f"Via: {value}" for value in request.all("via")]
        lines += [f"Record-Route: {value}" for value in request.all("record-route")]
        tag = "" if ";tag=" in request.get("to") else f";tag=raw{request.get('call-id')[:8]}"
        lines += [f"From: {request.get('from')}", f"To: {request.get('to')}{tag}"]
        lines += [f"Call-ID: {request.get('call-id')}", f"CSeq: {request.get('cseq')}"]
        sent = self._put([*lines, f"Contact: {self.contact}"], body, to)
        if request.start.startswith("INVITE "):
            self._invites[request.branch] = sent, to

    def request(self, start: str, headers: list[str], to: Address, body: str = "") -> str:
        """A request with a Via of ours, which it returns."""
        host, port = self.address
        branch = f"z9hG4bKraw{next(_serial)}x{port}"
        via = f"Via: SIP/2.0/UDP {host}:{port};rport;branch={branch}"
        lines = [f"{start} SIP/2.0", via, "Max-Forwards: 70", *headers, f"Contact: {self.contact}"]
        if start.startswith(("INVITE ", "ACK ")):
            self._put(lines, body, to)
        else:
            self._asking.begin(branch, lambda: self._put(lines, body, to))
        return via

    def _put(self, lines: list[str], body: str, to: Address) -> bytes:
        if body:
            lines = [*lines, "Content-Type: application/sdp"]
        head = "\r\n".join([*lines, f"Content-Length: {len(body)}"])
        data = f"{head}\r\n\r\n{body}".encode()
        self.transport.sendto(data, to)
        return data

    def description(self, address: Address) -> str:
        """An offer or answer with G.711 alone."""
        host, port = address
        return (
            f"v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
            f"m=audio {port} RTP/AVP 8 0\r\na=ptime:20\r\na=sendrecv\r\n"
        )

    # --- doing

    async def response(self, call_id: str, timeout_seconds: float = GIVEN_UP_SECONDS) -> RawMessage:
        """The next final response of that Call-ID."""
        async with asyncio.timeout(timeout_seconds):
            while True:
                message = await self.messages.get()
                if message.get("call-id") == call_id and message.status >= 200:
                    return message

    async def register(self, registrar: Address, domain: str, password: str) -> int:
        """REGISTER, with the answer to a challenge; the last status."""
        call_id, status = f"reg{next(_serial)}-{self.address[1]}", 0
        party = f"<sip:{self.user}@{domain}>"
        extra: list[str] = []
        for number in (1, 2):
            headers = [f"From: {party};tag=r{number}", f"To: {party}", f"Call-ID: {call_id}"]
            headers += [f"CSeq: {number} REGISTER", "Expires: 600", *extra]
            self.request(f"REGISTER sip:{domain}", headers, registrar)
            answer = self.last = await self.response(call_id)
            status = answer.status
            if status != 401:
                break
            challenge = answer.get("www-authenticate")
            given = digest(challenge, "REGISTER", f"sip:{domain}", self.user, password)
            extra = [f"Authorization: {given}"]
        return status

    async def _call(self, call_id: str, remote: Address) -> RawCall:
        rtp = RtpEnd(self.says_hz, self.hears_hz)
        address = await rtp.open(self.address[0])
        call = self.calls[call_id] = RawCall(rtp, address, call_id, remote)
        return call

    async def place(
        self, to: Address, number: str, caller: str, more: tuple[str, ...] = ()
    ) -> RawCall:
        """INVITE (with `more` header lines), 200, ACK, and audio; RawRefused when refused."""
        call = await self._call(f"raw{next(_serial)}-{self.address[1]}", to)
        uri = f"sip:{number}@{to[0]}:{to[1]}"
        call.ours = f"<sip:{caller}@{self.address[0]}>;tag=c{next(_serial)}"
        headers = [f"From: {call.ours}", f"To: <{uri}>", f"Call-ID: {call.call_id}"]
        asserted = f"P-Asserted-Identity: <sip:{caller}@{self.address[0]}>"
        description = self.description(call.rtp_address)
        invite = [*headers, "CSeq: 1 INVITE", asserted, *more]
        via = self.request(f"INVITE {uri}", invite, to, description)
        answer = await self.response(call.call_id)
        if answer.status >= 300:
            # RFC 3261 §17.1.1.3: the ACK of a refusal belongs to the INVITE's transaction.
            lines = [f"ACK {uri} SIP/2.0", via, "Max-Forwards: 70", headers[0]]
            lines += [f"To: {answer.get('to')}", headers[2], "CSeq: 1 ACK"]
            self._put(lines, "", to)
            self.finish(call)
            raise RawRefused(answer)
        call.theirs = answer.get("to")
        call.remote_target = answer.get("contact").strip("<>").split(">")[0] or uri
        call.routes = answer.all("record-route")[::-1]
        self._in_dialog(call, "ACK", 1)
        call.rtp.send_to(answer.rtp_address())
        return call

    async def accept(self, timeout_seconds: float = 30.0) -> RawCall:
        """The next INVITE: 180, 200 at once, audio; `answered_at` is when the 200 left."""
        async with asyncio.timeout(timeout_seconds):
            invite, remote, _ = await self.incoming.get()
        call = await self._call(invite.get("call-id"), remote)
        tag = f";tag=raw{invite.get('call-id')[:8]}"
        call.ours, call.theirs = invite.get("to") + tag, invite.get("from")
        call.remote_target = invite.get("contact").strip("<>").split(">")[0]
        call.routes = invite.all("record-route")
        self.respond(invite, remote, "180 Ringing")
        self.respond(invite, remote, "200 OK", self.description(call.rtp_address))
        call.answered_at = time.monotonic()
        call.rtp.send_to(invite.rtp_address())
        return call

    def _in_dialog(self, call: RawCall, method: str, number: int) -> None:
        headers = [f"Route: {route}" for route in call.routes]
        headers += [f"From: {call.ours}", f"To: {call.theirs}", f"Call-ID: {call.call_id}"]
        headers += [f"CSeq: {number} {method}"]
        self.request(f"{method} {call.remote_target}", headers, call.remote)

    async def hang_up(self, call: RawCall) -> None:
        """BYE and its answer."""
        self._in_dialog(call, "BYE", 2)
        while (await self.response(call.call_id)).method != "BYE":
            pass
        self.finish(call)

    def finish(self, call: RawCall) -> None:
        """Forgets a call that is over."""
        call.rtp.close()
        self.calls.pop(call.call_id, None)
