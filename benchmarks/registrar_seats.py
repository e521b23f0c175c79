"""Seats that register and stay: the load of registrar.py, a socket for each seat.

Prints `ready` when all are registered; then CRLF every 25 s and REGISTER every 300 s from each,
spread evenly, until standard input is closed; then one line of JSON with what was done.
"""

import argparse
import asyncio
import contextlib
import json
import resource
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from phones.raw import digest

DOMAIN = "bench.local"
KEEP_ALIVE_SECONDS, REGISTER_SECONDS = 25.0, 300.0
SEATS_A_HOST = 1000  # one host may have 1,500 connections
AT_ONCE = 50  # registrations under way


class Seat(asyncio.DatagramProtocol, asyncio.Protocol):
    """One phone: a socket, its answers and what it sends."""

    def __init__(self, user: str, transport: str) -> None:
        self.user, self.kind = user, transport
        self.cseq = 0
        self.answers: asyncio.Queue[str] = asyncio.Queue()
        self.transport: Any

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.data_received(data)

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"SIP/2.0"):  # one answer a segment: there is one request at a time
            self.answers.put_nowait(data.decode())

    def send(self, data: bytes) -> None:
        """As the transport has it."""
        if self.kind == "udp":
            self.transport.sendto(data)
        else:
            self.transport.write(data)

    async def ask(self, request: bytes) -> str:
        """The answer; over UDP the request is sent again as RFC 3261's Timer E says."""
        for seconds in (0.5, 1.0, 2.0, 4.0, 4.0) if self.kind == "udp" else (20.0,):
            self.send(request)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    return await self.answers.get()
        raise ValueError(f"{self.user} is not answered")

    async def register(self) -> None:
        """REGISTER, the challenge and the answer; ValueError when it is not 200 then."""
        credentials = ""
        for _ in range(2):
            host, port = self.transport.get_extra_info("sockname")
            self.cseq += 1
            lines = [
                f"REGISTER sip:{DOMAIN} SIP/2.0",
                f"Via: SIP/2.0/{self.kind.upper()} {host}:{port};rport;"
                f"branch=z9hG4bK{self.user}x{self.cseq}",
                f"From: <sip:{self.user}@{DOMAIN}>;tag={self.user}",
                f"To: <sip:{self.user}@{DOMAIN}>",
                f"Call-ID: {self.user}-{port}",
                f"CSeq: {self.cseq} REGISTER",
                "Max-Forwards: 70",
                f"Contact: <sip:{self.user}@{host}:{port};transport={self.kind}>",
                *([credentials] if credentials else []),
                "Expires: 600",
                "Content-Length: 0",
            ]
            answer = await self.ask("\r\n".join([*lines, "", ""]).encode())
            if answer.startswith("SIP/2.0 200"):
                return
            challenge = answer.partition("WWW-Authenticate: ")[2].partition("\r\n")[0]
            uri = f"sip:{DOMAIN}"
            given = digest(challenge, "REGISTER", uri, self.user, self.user)
            credentials = f"Authorization: {given}"
        raise ValueError(f"{self.user} is not registered: {answer.splitlines()[0]}")


async def open_seat(number: int, transport: str, port: int) -> Seat:
    """A seat whose socket is there."""
    loop = asyncio.get_running_loop()
    seat = Seat(f"s{number}", transport)
    where = ("127.0.0.1", port)
    if transport == "udp":
        await loop.create_datagram_endpoint(lambda: seat, remote_addr=where)
    else:
        ours = (f"127.0.{1 + number // SEATS_A_HOST}.1", 0)
        await loop.create_connection(lambda: seat, *where, local_addr=ours)
    return seat


async def all_of(seats: int, transport: str, port: int) -> list[Seat]:
    """Open and register them, some at once."""
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> Seat:
        async with gate:
            seat = await open_seat(number, transport, port)
            await seat.register()
        return seat

    return list(await asyncio.gather(*(one(number) for number in range(seats))))


async def stay(seats: list[Seat], done: asyncio.Event) -> dict[str, int]:
    """Keep-alives and registrations, evenly spread, until `done`."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    kept = registered = 0
    work: set[asyncio.Task[None]] = set()
    while not done.is_set():
        await asyncio.sleep(0.02)
        passed = loop.time() - began
        while kept < passed * len(seats) / KEEP_ALIVE_SECONDS:
            seats[kept % len(seats)].send(b"\r\n\r\n")
            kept += 1
        while registered < passed * len(seats) / REGISTER_SECONDS:
            task = asyncio.create_task(seats[registered % len(seats)].register())
            work.add(task)
            task.add_done_callback(work.discard)
            registered += 1
    await asyncio.gather(*work)
    return {"keep_alives": kept, "registered_anew": registered}


async def main() -> None:
    """Register, say so, stay."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--transport", choices=("udp", "tcp"), required=True)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--seats", type=int, required=True)
    given = options.parse_args()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    seats = await all_of(given.seats, given.transport, given.port)
    print("ready", flush=True)
    done = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, done.set)
    print(json.dumps(await stay(seats, done)), flush=True)


asyncio.run(main())
