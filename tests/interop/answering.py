"""A tiny program that answers every call; it ends when its standard input does."""

import asyncio
import sys
from collections import Counter

from callcore.call.events import Answered, Arrived, Ended, Event
from callcore.call.settings import EngineSettings, Trunk
from callcore.engine import Engine
from callcore.io.identifiers import RandomIdentifiers
from callcore.io.server import SipServer
from callcore.sdp import LocalMedia, make_answer


async def main() -> None:
    """Serve until standard input ends, then say what happened."""
    trunk = Trunk("sipp", peers=("127.0.0.1",), probe_seconds=0)
    engine = Engine(EngineSettings("hotline.local", trunks=(trunk,)), RandomIdentifiers())
    server = SipServer(engine, ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"])
    seen: Counter[str] = Counter()

    def on_event(event: Event) -> None:
        if isinstance(event, Arrived):
            assert event.offer is not None
            media = LocalMedia("127.0.0.1", 40000, session_id=1, version=1)
            body, _ = make_answer(event.offer, media)
            server.progress(event.leg)
            server.answer(event.leg, body)
            seen["answered"] += 1
        elif isinstance(event, Ended):
            assert event.by == "remote"
            seen["ended"] += 1
        assert not isinstance(event, Answered)

    server.on_event = on_event
    await server.start()
    print("ready", *[port for _, _, port in server.addresses], flush=True)
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, sys.stdin.read)
    print("answered", seen["answered"], "ended", seen["ended"], "legs", engine.legs, flush=True)
    await server.stop()


if __name__ == "__main__":
    asyncio.run(main())
