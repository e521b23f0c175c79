"""A pass-through B2BUA and registrar: the process that signalling.py and registrar.py measure.

    python benchmarks/signalling_server.py --listen 127.0.0.1:5060 --to 127.0.0.1:5080

Prints `ready`, then works until SIGTERM; then prints one line of JSON with its CPU time and
counters. SIP through the whole Engine and SipServer, no media. With --seats it has as many seats,
s0 upwards, whose password is their name; and since one host stands for all of them, the limits of
one host are lifted: the work of keeping them is done all the same.
"""

# benchmarks: a part of others

import argparse
import asyncio
import contextlib
import gc
import json
import resource
import signal

import uvloop

from callcore.call.b2bua import B2bua
from callcore.call.events import Arrived
from callcore.call.legs import Output
from callcore.call.placement import Headers, Party, Placement, TrunkTarget
from callcore.call.settings import AuthSettings, EngineSettings, LimitSettings, Seat, Trunk
from callcore.engine import Engine
from callcore.errors import RemoteProtocolError
from callcore.flow import Flow
from callcore.io.identifiers import RandomIdentifiers
from callcore.io.server import SipServer

WIDE = LimitSettings(*(1e6, 1e6) * 2, per_seat=1e6, seat_burst=1e6)
NOWHERE = Flow("udp", ("0.0.0.0", 0), ("0.0.0.0", 0))


class ServerLegs:
    """The commands of a SipServer in the shape that B2bua gives them."""

    def __init__(self, server: SipServer, trunk: str) -> None:
        self._server = server
        self._trunk = trunk
        self._incoming: set[str] = set()

    def place(self, leg: str, placement: Placement, now: float) -> list[Output]:
        self._server.place(
            leg, TrunkTarget(self._trunk, placement.to), Party(placement.from_), placement.offer
        )
        return []

    def progress(
        self, leg: str, now: float, status: int = 180, description: bytes | None = None
    ) -> list[Output]:
        self._server.progress(leg, status, description)
        return []

    def answer(self, leg: str, description: bytes, now: float) -> list[Output]:
        self._server.answer(leg, description)
        return []

    def refuse(self, leg: str, status: int, now: float, headers: Headers = ()) -> list[Output]:
        self._server.refuse(leg, status, headers)
        return []

    def hang_up(self, leg: str, now: float, reason: str | None = None) -> list[Output]:
        self._server.hang_up(leg, reason)
        return []

    def offer(self, leg: str, description: bytes, now: float) -> list[Output]:
        self._server.offer(leg, description)
        return []

    def accept_offer(self, leg: str, description: bytes, now: float) -> list[Output]:
        self._server.accept_offer(leg, description)
        return []

    def refuse_offer(self, leg: str, status: int, now: float) -> list[Output]:
        self._server.refuse_offer(leg, status)
        return []

    def is_incoming(self, leg: str) -> bool:
        return self._server.engine.is_incoming(leg)


def route(event: Arrived) -> Placement:
    """Every call goes on to the number that it called, as the caller that it came from."""
    if not event.request.body:
        raise RemoteProtocolError("no offer", status=488)
    return Placement("", NOWHERE, event.caller, event.called, event.request.body)


async def serve(options: argparse.Namespace) -> None:
    """Run until SIGTERM."""
    trunks = (
        Trunk("in", peers=(options.caller,), probe_seconds=0),
        Trunk("out", peers=(options.to,), probe_seconds=0),
    )
    seats = {name: Seat(name, name) for name in (f"s{n}" for n in range(options.seats))}
    limits = WIDE if seats else LimitSettings()
    auth = AuthSettings(algorithms=("MD5",))  # what SIPp can answer
    settings = EngineSettings("bench.local", trunks=trunks, seats=seats, limits=limits, auth=auth)
    listen = [one if "://" in one else f"udp://{one}" for one in options.listen.split(",")]
    server = SipServer(Engine(settings, RandomIdentifiers()), listen)
    b2bua = B2bua(ServerLegs(server, "out"), route)  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()

    def pass_on(event: object) -> None:
        if hasattr(event, "leg"):
            b2bua.perform([event], loop.time())  # type: ignore[list-item]

    server.on_event = pass_on
    await server.start()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, stop.set)
    gc.collect()
    gc.freeze()
    print("ready", server.addresses[0][2], flush=True)
    before = resource.getrusage(resource.RUSAGE_SELF)
    await stop.wait()
    usage = resource.getrusage(resource.RUSAGE_SELF)
    user, system = usage.ru_utime - before.ru_utime, usage.ru_stime - before.ru_stime
    report = {
        "cpu_seconds": round(user + system, 3),
        "user_seconds": round(user, 3),
        "cpu_ms_a_call": round(1000 * (user + system) / max(1, b2bua.answered), 3),
        "answered": b2bua.answered,
        "legs": server.engine.legs,
        "transactions": server.engine.transactions,
        "max_rss_kb": usage.ru_maxrss,
    }
    print(json.dumps(report), flush=True)
    await server.stop()


def main() -> None:
    """Parse and run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--listen", default="127.0.0.1:5060", help="[udp://|tcp://]HOST:PORT,...")
    parser.add_argument("--to", default="127.0.0.1:5080", help="where calls go")
    parser.add_argument("--caller", default="127.0.0.1", help="who may call: address or CIDR")
    parser.add_argument("--seats", type=int, default=0, help="how many may register")
    parser.add_argument("--profile", default="", help="write a cProfile to this file")
    options = parser.parse_args()
    with contextlib.ExitStack() as stack:
        if options.profile:
            import cProfile

            profile = stack.enter_context(cProfile.Profile())
            stack.callback(profile.dump_stats, options.profile)
        uvloop.run(serve(options))


if __name__ == "__main__":
    main()
