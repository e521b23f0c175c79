"""`callcore run`: builds the parts, starts them in order, and takes them down in the other."""

import asyncio
import gc
import json
import random
import secrets
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import structlog
import uvloop

from acd.core import Core
from acd.events import Configured, Restarted
from acd.io.journal import Journal, JournalDamaged, JournalSettings, read
from acd.replay import replay
from callcore.engine import Engine
from callcore.io.identifiers import RandomIdentifiers
from callcore.io.server import SipServer
from config.schema import Config
from desk.app import create_app
from hotline.accounts import Accounts
from hotline.calls import CallBook
from hotline.clock import Clock
from hotline.conductor import Conductor
from hotline.events import LiveHub
from hotline.facade import Facade
from hotline.media_legs import MediaLegs
from hotline.meters import Meters
from hotline.parts import Parts
from hotline.queueing import Queueing
from media.errors import LocalProtocolError as MediaError
from media.errors import NotStarted
from media.io.plane import MediaPlane
from recorder.io.keeper import Keeper, KeeperError
from service.http import HttpServer
from service.wiring import acd_settings, engine_settings, keeper_settings, media_settings

log = structlog.get_logger("service")


def run(config: Config) -> int:
    """Run the engine until SIGTERM or SIGINT; the exit code (0, or 1 when it could not start)."""
    return uvloop.run(serve(config))


async def serve(config: Config) -> int:
    """The engine's whole life."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        async with AsyncExitStack() as stack:
            conductor = await start(config, stack)
            await stop.wait()
            log.info("draining", calls=len(conductor.visits))
            await conductor.drain(config.engine.drain_seconds)
    except (OSError, JournalDamaged, KeeperError, MediaError, NotStarted) as error:
        print(f"callcore: cannot start: {error}", file=sys.stderr)
        return 1
    log.info("stopped")
    return 0


async def start(config: Config, stack: AsyncExitStack) -> Conductor:
    """Start every part; what was started is stopped by `stack`, last first."""
    conductor = await build(config, Clock(), LiveHub(), stack)
    parts = conductor.parts
    http = HttpServer(
        create_app(Facade(conductor), token=config.http.token.get_secret_value()),
        config.http.listen,
    )
    await http.start()
    stack.push_async_callback(http.stop)
    # Last: whoever calls from now on finds everything in place.
    parts.sip.on_event = conductor.on_sip
    await parts.sip.start()
    conductor.open_remote_seats()
    stack.push_async_callback(parts.sip.stop)
    gc.collect()
    gc.freeze()  # what is there now lives as long as we do: no collection need look at it again
    announce(parts.sip, http)
    return conductor


async def build(config: Config, clock: Clock, hub: LiveHub, stack: AsyncExitStack) -> Conductor:
    """The parts below the listeners: recorder, journal and queue, media plane."""
    known: list[Conductor] = []  # the parts tell the conductor, which is made of them
    keeper = Keeper(keeper_settings(config), lambda event: known[0].on_recorder(event))
    plane = MediaPlane(media_settings(config), lambda event: known[0].on_media(event))
    core, journal = open_journal(config, stack)
    queueing = Queueing(core, journal, clock, lambda effect: known[0].on_queue(effect))
    stack.callback(queueing.close)
    engine = Engine(engine_settings(config), RandomIdentifiers())
    parts = Parts(
        config=config,
        sip=SipServer(engine, [str(listen) for listen in config.sip.listen]),
        plane=plane,
        media=MediaLegs(plane, config.media.public_address),
        queueing=queueing,
        keeper=keeper,
        clock=clock,
        hub=hub,
        book=CallBook(),
        meters=Meters(),
        call_ids=lambda: secrets.token_hex(8),
        chance=random.SystemRandom().random,
        accounts=Accounts(config, clock, hub, accounts_folder(config)),
    )
    conductor = Conductor(parts)
    known.append(conductor)
    await keeper.start()
    stack.push_async_callback(keeper.stop)
    await plane.start()
    stack.push_async_callback(plane.stop)
    queueing.tell(Configured(clock.wall_ms(), acd_settings(config)))
    # What a crash cut off is counted as failed; wrap-ups and breaks go on.
    queueing.tell(Restarted(clock.wall_ms()))
    return conductor


def accounts_folder(config: Config) -> Path | None:
    """Beside the journal, which may hold nothing else."""
    return Path(config.engine.journal).parent if config.engine.journal else None


def open_journal(config: Config, stack: AsyncExitStack) -> tuple[Core, Journal | None]:
    """The queue's core as the journal left it."""
    settings = acd_settings(config)
    if not config.engine.journal:
        return Core(settings), None
    folder = Path(config.engine.journal)
    journal = Journal(
        JournalSettings(folder),
        lambda error: log.error("journal not written", why=error.strerror or str(error)),
    )
    stack.callback(journal.close)
    if journal.repaired is not None:
        log.warning("torn tail cut off the journal", kept=str(journal.repaired))
    return replay(read(folder), settings), journal


def announce(sip: SipServer, http: HttpServer) -> None:
    """The one line on standard output that says all listeners are up."""
    document = {
        "sip": [f"{scheme}://{host}:{port}" for scheme, host, port in sip.addresses],
        "http": http.url,
    }
    print("ready", json.dumps(document), flush=True)
