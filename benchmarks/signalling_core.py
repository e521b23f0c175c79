"""CPU time of one bridged call in the SIP core alone: no sockets, 14 messages, two legs.

Every message of the two ends is prepared as text, parsed by us, and all that we send is
rendered; the core runs as it does in the engine, with its timers. Bar: 900 microseconds.
"""

import argparse
import gc
import itertools
import json
import sys
import time

from callcore.call.b2bua import B2bua
from callcore.call.events import Arrived
from callcore.call.legs import Call, Legs, Placement
from callcore.flow import Flow
from callcore.message import Request, parse, validate
from callcore.transaction import Incoming, TransactionLayer, Transmit

BAR_MICROSECONDS = 900.0
WEST = Flow("udp", ("192.0.2.10", 5060), ("192.0.2.1", 5070))
EAST = Flow("udp", ("192.0.2.10", 5060), ("192.0.2.2", 5080))
SDP = (
    "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n"
    "m=audio 6000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\n"
)


class Counting:
    """Identifiers that count."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def branch(self) -> str:
        """A branch."""
        return f"z9hG4bK{next(self._numbers)}"

    def tag(self) -> str:
        """A tag."""
        return f"t{next(self._numbers)}"

    def call_id(self) -> str:
        """A Call-ID."""
        return f"c{next(self._numbers)}"

    def nonce_salt(self) -> str:
        """A salt."""
        return f"s{next(self._numbers)}"

    def leg(self) -> str:
        """A leg's name."""
        return f"l{next(self._numbers)}"

    def fraction(self) -> float:
        """No chance at all."""
        return 0.5


def route(arrived: Arrived) -> Placement:
    """Every call goes east."""
    return Placement(
        f"sip:{arrived.called}@192.0.2.2:5080",
        EAST,
        f"<sip:{arrived.caller}@192.0.2.10>",
        f"<sip:{arrived.called}@192.0.2.2:5080>",
        arrived.request.body,
    )


class Switch:
    """The core, put together as the engine does it."""

    def __init__(self) -> None:
        names = Counting()
        self.layer = TransactionLayer(names)
        self.legs = Legs(self.layer, names)
        self.b2bua = B2bua(self.legs, route)

    def receive(self, data: bytes, flow: Flow, now: float) -> list[Transmit]:
        """One packet in, packets out."""
        message = parse(data)
        if isinstance(message, Request):
            validate(message)
        packets: list[Transmit] = []
        for effect in self.layer.receive(message, flow, now):
            if isinstance(effect, Transmit):
                packets.append(effect)
            elif self.legs.wants(effect):
                packets += self.b2bua.perform(self.legs.receive(effect, now), now)
            elif isinstance(effect, Incoming):
                call = Call("west", "trunk", "13800000001", "12345")
                packets += self.b2bua.perform(self.legs.arrive(effect, call, now), now)
        return packets

    def fire(self, now: float) -> list[Transmit]:
        """Timers."""
        packets = [effect for effect in self.layer.fire(now) if isinstance(effect, Transmit)]
        packets += self.b2bua.perform(self.legs.fire(now), now)
        return packets


def request(method: str, number: int, cseq: int, to_tag: str = "", body: str = "") -> bytes:
    """A request of the caller."""
    branch = f"z9hG4bK-w{number}-{cseq}-{method}"
    return (
        f"{method} sip:12345@192.0.2.10:5060 SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 192.0.2.1:5070;branch={branch}\r\n"
        f"From: <sip:13800000001@192.0.2.1:5070>;tag=w{number}\r\n"
        f"To: <sip:12345@192.0.2.10:5060>{to_tag}\r\nCall-ID: west-{number}@192.0.2.1\r\n"
        f"CSeq: {cseq} {method}\r\nContact: <sip:13800000001@192.0.2.1:5070>\r\n"
        "Max-Forwards: 70\r\nContent-Type: application/sdp\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


def response(status: str, to: bytes, body: str = "") -> bytes:
    """A response of the called side."""
    head = to.decode().split("\r\n\r\n")[0].split("\r\n")[1:]
    kept = [h for h in head if h.startswith(("Via", "From", "To", "Call-ID", "CSeq"))]
    kept = [h + ";tag=east" if h.startswith("To") and ";tag=" not in h else h for h in kept]
    kept += ["Contact: <sip:12345@192.0.2.2:5080>", "Content-Type: application/sdp"]
    head_text = "\r\n".join([f"SIP/2.0 {status}", *kept, f"Content-Length: {len(body)}"])
    return f"{head_text}\r\n\r\n{body}".encode()


def method_of(packet: Transmit) -> str:
    """The first word of a packet."""
    return packet.data.split(b" ", 1)[0].decode()


class Meter:
    """Adds up the time spent inside the core."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.seconds = 0.0
        self.sent = 0

    def feed(self, data: bytes, flow: Flow, now: float) -> list[Transmit]:
        """One packet, timed; due timers are part of it."""
        start = time.process_time()
        packets = self.switch.receive(data, flow, now)
        self.switch.layer.deadline()
        self.switch.legs.deadline()
        self.seconds += time.process_time() - start
        self.sent += len(packets)
        return packets

    def fire(self, now: float) -> None:
        """What the timers cost belongs to the calls too."""
        start = time.process_time()
        self.switch.fire(now)
        self.seconds += time.process_time() - start


def call(meter: Meter, number: int, now: float) -> None:
    """INVITE to BYE: seven messages in, seven and more out."""
    sent = meter.feed(request("INVITE", number, 1, body=SDP), WEST, now)
    invite = next(packet for packet in sent if method_of(packet) == "INVITE")
    meter.feed(response("180 Ringing", invite.data), EAST, now)
    sent = meter.feed(response("200 OK", invite.data, SDP), EAST, now)
    answer = next(packet for packet in sent if method_of(packet) == "SIP/2.0")
    tag = ";tag=" + (answer.message.to.tag or "")
    meter.feed(request("ACK", number, 1, tag), WEST, now)
    sent = meter.feed(request("BYE", number, 2, tag), WEST, now)
    bye = next(packet for packet in sent if method_of(packet) == "BYE")
    meter.feed(response("200 OK", bye.data), EAST, now)


def main() -> int:
    """Print the figure."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--quick", action="store_true")
    calls = 2000 if arguments.parse_args().quick else 10000
    meter = Meter(Switch())
    rounds: list[float] = []
    gc.freeze()
    for first in range(0, calls, calls // 10):
        meter.seconds, meter.sent = 0.0, 0
        for number in range(first, first + calls // 10):
            now = number / 300  # 300 calls a second
            call(meter, number, now)
            meter.fire(now)
        rounds.append(meter.seconds / (calls // 10) * 1e6)
        print(f"{rounds[-1]:.0f} us a call", file=sys.stderr)
    best = sorted(rounds)[len(rounds) // 2]
    live = len(meter.switch.layer)
    meter.fire(1e6)
    clean = not len(meter.switch.layer) and not len(meter.switch.legs)
    figures = {
        "microseconds_a_call": round(best),
        "sent_a_call": meter.sent / (calls // 10),
        "live_transactions": live,
        "nothing_left": clean,
    }
    ok = best <= BAR_MICROSECONDS and clean
    bars = {"microseconds_a_call": BAR_MICROSECONDS}
    print(json.dumps({"name": "signalling_core", "figures": figures, "bars": bars, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
