"""What strangers throw at a SIP port: floods of requests, mutilated messages, somebody's RTP."""

import asyncio
import itertools
import random
import socket
from collections.abc import Iterable, Iterator

from phones.g711 import encode_alaw
from phones.raw import Address
from phones.tones import RATE, tone
from tests.callcore.message.samples import INVITE
from tests.fuzz.mutations import mutations

TICK_SECONDS = 0.02
FRAME = 160
REGISTER = """REGISTER sip:hotline.local SIP/2.0\r
Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKflood{number}\r
Max-Forwards: 70\r
From: <sip:80{seat:02}@hotline.local>;tag=f{number}\r
To: <sip:80{seat:02}@hotline.local>\r
Call-ID: flood-{number}@{host}\r
CSeq: 1 REGISTER\r
Contact: <sip:80{seat:02}@{host}:{port}>\r
Content-Length: 0\r
\r
"""
# To a number that nobody answers, so that what is left of it never becomes a call.
SAMPLE = INVITE.replace(b"192.0.2.15", b"127.0.1.9").replace(b"12345@", b"99999@")
MALFORMED = (
    b"",
    b"\x00" * 40,
    b"\xff\xfe" + bytes(range(256)),
    b"GET / HTTP/1.1\r\nHost: hotline.local\r\n\r\n",
    b"INVITE",
    b"INVITE sip:12345@hotline.local SIP/2.0\r\n\r\n",
    b"SIP/2.0 200 OK\r\n\r\n",
    b"SIP/2.0 999999999999 Huge\r\nCSeq: -1 INVITE\r\n\r\n",
    b"\r\n\r\n",
    SAMPLE.replace(b"SIP/2.0\r\n", b"SIP/7.0\r\n", 1),
    SAMPLE.replace(b"Content-Length: ", b"Content-Length: 9999"),
    SAMPLE.replace(b"Content-Length: ", b"Content-Length: -"),
    SAMPLE.replace(b"CSeq: 1 ", b"CSeq: 99999999999999999999 "),
    SAMPLE.replace(b"INVITE sip:", b"FROBNICATE sip:", 1),
    SAMPLE.replace(b"From: ", b"Subject: "),
    SAMPLE.replace(b"Max-Forwards: 70", b"Max-Forwards: seventy"),
    SAMPLE.replace(b"Via: ", b"Via: SIP/2.0/UDP a;b=" + b"x" * 20_000 + b", ", 1),
    SAMPLE + b"\x00" * 30_000,
)


def registers(host: str, port: int) -> Iterator[bytes]:
    """REGISTERs of a hundred users without a password, for ever."""
    for number in itertools.count():
        text = REGISTER.format(host=host, port=port, number=number, seat=number % 100)
        yield text.encode()


def mutilated() -> Iterator[bytes]:
    """Messages that are none, and thousands of mutations of some that are."""
    corpus = [SAMPLE, SAMPLE.replace(b"INVITE", b"BYE"), *MALFORMED[8:]]
    for data in mutations(corpus, 100_000, seed=random.randrange(10**6)):
        yield data
        yield random.choice(MALFORMED)


async def throw(
    datagrams: Iterable[bytes], host: str, to: Address, per_second: int, seconds: float
) -> int:
    """Sends so many as that makes, evenly; how many."""
    loop, source, sent = asyncio.get_running_loop(), iter(datagrams), 0
    total = int(per_second * seconds)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.bind((host, 0))
        sender.setblocking(False)
        begin = loop.time()
        while sent < total:
            due = min(int((loop.time() - begin) * per_second), total)
            for data in itertools.islice(source, due - sent):
                sender.sendto(data[:60_000], to)
                sent += 1
            await asyncio.sleep(TICK_SECONDS)
    return sent


def speech(hz: int) -> Iterator[bytes]:
    """RTP packets of a tone, 20 ms each, for ever."""
    samples = tone(hz, 1.0)
    frames = [encode_alaw(samples[at : at + FRAME]) for at in range(0, RATE, FRAME)]
    ssrc = random.randbytes(4)
    for number in itertools.count():
        head = bytes([0x80, 8]) + (number & 0xFFFF).to_bytes(2, "big")
        yield head + (number * FRAME).to_bytes(4, "big") + ssrc + frames[number % len(frames)]
