"""`callcore sip-trace`: what passes a running engine, drawn as it comes, written as a capture."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from rich.console import Console
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection, connect

from service.ladder import Ladder, Seen, end
from service.pcap import PcapWriter


class TraceRefused(Exception):
    """The engine cannot be asked, or says no."""


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """What to look at, and for how long; 0 = until Ctrl-C."""

    url: str
    token: str = ""
    call: str = ""
    reveal: bool = False
    write: Path | None = None
    full: bool = False
    seconds: float = 0.0
    messages: int = 0


def follow(options: TraceOptions, console: Console) -> int:
    """Draw and write until it is enough; how many messages there were."""
    ladder, count = Ladder(), 0
    with ExitStack() as stack:
        capture = None
        if options.write is not None:
            capture = PcapWriter(stack.enter_context(options.write.open("wb")))
        for seen in messages(options, console):
            count += 1
            if capture is not None:
                capture.write(seen)
            for line in ladder.lines(seen):
                console.print(line, soft_wrap=True)
            if options.full:
                console.print(text_of(seen), style="dim", markup=False, highlight=False)
            if options.messages and count >= options.messages:
                break
    return count


def live_address(url: str) -> str:
    """The engine's address as a WebSocket's; ValueError."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound:
        raise ValueError(f"--url {url}: as http://HOST:PORT")
    return url.replace("http", "ws", 1).rstrip("/")


def messages(options: TraceOptions, console: Console) -> Iterator[Seen]:
    """Messages as they come; TraceRefused when the engine will not tell."""
    query = {key: value for key, value in (("call", options.call),) if value}
    if options.reveal:
        query["reveal"] = "1"
    base = live_address(options.url)
    headers = {"Authorization": f"Bearer {options.token}"} if options.token else {}
    try:
        with connect(
            f"{base}/api/v1/trace?{urlencode(query)}", additional_headers=headers, max_size=None
        ) as socket:
            yield from read(socket, options, console)
    except ConnectionClosed as error:
        why = error.rcvd.reason if error.rcvd is not None else "the connection broke"
        raise TraceRefused(f"the engine at {options.url} stopped: {why}") from None
    except (OSError, InvalidHandshake) as error:
        raise TraceRefused(f"the engine at {options.url} cannot be asked: {error}") from None


def read(socket: ClientConnection, options: TraceOptions, console: Console) -> Iterator[Seen]:
    """What one connection brings, until its time is over."""
    until = time.monotonic() + options.seconds if options.seconds else None
    while until is None or time.monotonic() < until:
        try:
            left = None if until is None else max(0.01, until - time.monotonic())
            document = json.loads(socket.recv(left))
        except TimeoutError:
            return
        if "dropped" in document:
            console.print(f"[red]{document['dropped']} messages lost: too slow[/red]")
        elif "tracing" in document:
            console.print(f"[dim]tracing {options.call or 'all calls'}; Ctrl-C ends[/dim]")
        else:
            yield Seen.of(document)


def text_of(seen: Seen) -> str:
    """The whole message, safe for a terminal."""
    lines = seen.data.decode("utf-8", "replace").replace("\r\n", "\n").rstrip().split("\n")
    shown = ("".join(c if c.isprintable() else "?" for c in line) for line in lines)
    way = "from" if seen.direction == "in" else "to"
    return f"  {way} {end(seen)}\n" + "\n".join(f"    {line}" for line in shown) + "\n"
