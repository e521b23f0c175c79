"""Microseconds to parse an INVITE and to read Via, From, To, Call-ID and CSeq, beside others.

Ours, sippy, aiosipua and sipmessage take the same 2,000 messages of 860 bytes. They are what a
trunk brings to a hotline: branch, tag, caller and Call-ID differ in each, the number called and
the CSeq of a first INVITE do not; `parse_all_different_us` is the time when those two differ as
well. The bar holds for both.
The figure is the best of many short passes, as the machine is shared.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from callcore.message import Request, parse, render, request, response

BAR_MICROSECONDS = 8.0
BAR_TIMES_FASTER = 3.0
BYTES = 860

SDP = """v=0
o=- 3724394400 3724394400 IN IP4 192.0.2.15
s=-
c=IN IP4 192.0.2.15
t=0 0
m=audio 40376 RTP/AVP 8 0 101
a=rtpmap:8 PCMA/8000
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=ptime:20
""".replace("\n", "\r\n")

HEAD = """INVITE sip:12345@hotline.example.com SIP/2.0
Via: SIP/2.0/UDP 192.0.2.15:5060;branch=z9hG4bK{n:08x}-524287-1;rport
Max-Forwards: 70
From: "Caller {n:06d}" <sip:0551{n:08d}@trunk.example.com>;tag={n:08x}abc
To: <sip:{called}@hotline.example.com>
Call-ID: {n:016x}@192.0.2.15
CSeq: {cseq} INVITE
Contact: <sip:0551{n:08d}@192.0.2.15:5060;transport=udp>
Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO
Supported: 100rel, timer, replaces
User-Agent: {agent}
Content-Type: application/sdp
Content-Length: {length}

""".replace("\n", "\r\n")


def invite(n: int, called: int = 12345, cseq: int = 1) -> bytes:
    """One INVITE of exactly BYTES bytes; the name of the agent makes up the length."""
    parts = {"n": 1_000_000 + n, "called": called, "cseq": cseq, "length": len(SDP)}
    bare = len(HEAD.format(agent="", **parts)) + len(SDP)
    agent = ("Example Gateway 4.2 " * 9)[: BYTES - bare]
    return (HEAD.format(agent=agent, **parts) + SDP).encode()


def read_ours(data: bytes) -> None:
    """Parse and read the five fields, each wholly checked."""
    message = parse(data)
    _ = (message.via, message.from_, message.to, message.call_id, message.cseq)


def read_ours_to_the_parts(data: bytes) -> None:
    """The same, with every part of the five taken out."""
    message = parse(data)
    _ = (message.via.branch, message.from_.tag, message.to.tag, message.cseq.number)
    _ = (message.from_.uri.user, message.to.uri.user, message.from_.display, message.call_id)


def sippy_reader() -> Callable[[bytes], None] | None:
    """sippy's way from a datagram to the same five; None where sippy is not installed."""
    try:
        from sippy.SipRequest import SipRequest
    except ImportError:
        return None

    def read(data: bytes) -> None:
        message = SipRequest(data.decode())
        for name in ("via", "from", "to", "call-id", "cseq"):
            message.getHFBody(name)

    return read


def aiosipua_reader() -> Callable[[bytes], None] | None:
    """aiosipua's way to the same five."""
    try:
        from aiosipua import SipMessage
    except ImportError:
        return None

    def read(data: bytes) -> None:
        message = SipMessage.parse(data)
        _ = (message.via, message.from_addr, message.to_addr, message.call_id, message.cseq)

    return read


def sipmessage_reader() -> Callable[[bytes], None] | None:
    """sipmessage's way to the same five."""
    try:
        from sipmessage import Message
    except ImportError:
        return None

    def read(data: bytes) -> None:
        message = Message.parse(data)
        _ = (message.via, message.from_address, message.to_address, message.call_id, message.cseq)

    return read


PEERS = {"sippy": sippy_reader, "aiosipua": aiosipua_reader, "sipmessage": sipmessage_reader}


def microseconds(work: Callable[[bytes], object], items: list) -> float:
    """The time for one item in one pass over all."""
    start = time.perf_counter()
    for item in items:
        work(item)
    return (time.perf_counter() - start) / len(items) * 1e6


def best(work: Callable[[bytes], object], items: list, rounds: int) -> float:
    """The best of many short passes: noise only ever adds."""
    size = 250
    parts = [items[at : at + size] for at in range(0, len(items), size)]
    return min(microseconds(work, part) for _ in range(rounds) for part in parts)


def measure(rounds: int) -> dict[str, float]:
    """All figures in microseconds."""
    data = [invite(n) for n in range(2000)]
    different = [invite(n, 10000 + n, 10000 + n) for n in range(2000)]
    assert {len(item) for item in data + different} == {BYTES}
    requests = [message for message in map(parse, data) if isinstance(message, Request)]
    peers = {name: reader() for name, reader in PEERS.items()}
    gc.collect()
    gc.freeze()
    figures = {
        "bytes": float(BYTES),
        "parse_us": best(read_ours, data, rounds),
        "parse_all_different_us": best(read_ours, different, rounds),
        "parse_to_the_parts_us": best(read_ours_to_the_parts, data, rounds),
        "respond_us": best(lambda m: render(response(m, 180, to_tag="a1b2c3")), requests, rounds),
        "rebuild_us": best(
            lambda m: render(request(m.method, m.uri, headers=m.headers, body=m.body)),
            requests,
            rounds,
        ),
    }
    print("ours measured", file=sys.stderr)
    for name, theirs in peers.items():
        if theirs is None:
            print(f"{name} is not installed (pip install {name}): not compared", file=sys.stderr)
            continue
        figures[f"{name}_us"] = best(theirs, data[:500], max(2, rounds // 4))
        print(f"{name} measured", file=sys.stderr)
    measured = [figures[f"{name}_us"] for name, theirs in peers.items() if theirs is not None]
    if measured:
        figures["times_faster_than_the_fastest"] = min(measured) / figures["parse_us"]
    return {name: round(value, 2) for name, value in figures.items()}


def main() -> int:
    """Measure, print, and say by the exit status whether the bars are met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rounds")
    rounds = 4 if parser.parse_args().quick else 40
    figures = measure(rounds)
    bars = {
        "parse_us": BAR_MICROSECONDS,
        "parse_all_different_us": BAR_MICROSECONDS,
        "times_faster_than_the_fastest": BAR_TIMES_FASTER,
    }
    ok = (
        max(figures["parse_us"], figures["parse_all_different_us"]) <= BAR_MICROSECONDS
        and figures.get("times_faster_than_the_fastest", BAR_TIMES_FASTER) >= BAR_TIMES_FASTER
    )
    print(json.dumps({"name": "parse", "figures": figures, "bars": bars, "ok": ok}))
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
