"""`callcore run`: builds the parts, starts them in order, and takes them down in the other."""

import asyncio
import json
import random
import signal
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import structlog
import uvloop

from acd.core import Core
from acd.io.files import JournalDamaged
from callcore.engine import Engine
from callcore.io.identifiers import RandomIdentifiers
from callcore.io.server import SipServer
from config.schema import Config
from desk.app import create_app
from hotline.accounts import Accounts
from hotline.archive import Archive
from hotline.browser_care import BrowserCare
from hotline.browser_legs import BrowserLegs
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
from media.io.gateway import Gateway
from media.io.plane import MediaPlane
from recorder.io.keeper import Keeper, KeeperError
from service import collecting
from service.cluster import make_member
from service.http import HttpServer
from service.journal import open_store
from service.member import Member
from service.wiring import (
    acd_settings,
    engine_settings,
    gateway_settings,
    keeper_settings,
    leg_terms,
    media_settings,
    server_settings,
)

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
    # By itself it would end a process that starts; what is read then is new anyway.
    loop.add_signal_handler(signal.SIGHUP, lambda: None)
    try:
        async with AsyncExitStack() as stack:
            conductor = await start(config, stack)
            loop.add_signal_handler(signal.SIGHUP, conductor.parts.sip.reload_certificates)
            await stop.wait()
            log.info("draining", calls=len(conductor.visits))
            drain = asyncio.create_task(conductor.drain(config.engine.drain_seconds))
            member = conductor.parts.queueing.membership
            if isinstance(member, Member):
                await member.hand_over(drain, conductor.has_waiting)
            await drain
    except (OSError, JournalDamaged, KeeperError, MediaError, NotStarted) as error:
        print(f"callcore: cannot start: {error}", file=sys.stderr)
        return 1
    log.info("stopped")
    return 0


async def start(config: Config, stack: AsyncExitStack) -> Conductor:
    """Start every part; what was started is stopped by `stack`, last first."""
    conductor = await build(config, Clock(), LiveHub(), stack)
    parts = conductor.parts
    archive = Archive(parts.keeper, parts.clock, parts.meters, config)
    http = HttpServer(
        create_app(
            Facade(conductor),
            archive,
            token=config.http.token.get_secret_value(),
            accounts=config.accounts,
            access=config.recording_access,
        ),
        config.http.listen,
    )
    await http.start()
    stack.push_async_callback(http.stop)
    # Last: whoever calls from now on finds everything in place.
    parts.sip.on_event = conductor.on_sip
    member = parts.queueing.membership
    clustered = isinstance(member, Member)
    await parts.sip.start(registering=not clustered)
    conductor.presence.open_remote_seats()
    stack.push_async_callback(parts.sip.stop)
    if isinstance(member, Member):
        member.start()
        stack.push_async_callback(member.stop)
    collecting.settle()
    tidying = asyncio.create_task(collecting.collect_when_idle(lambda: not conductor.visits))
    stack.callback(tidying.cancel)
    announce(parts.sip, http)
    return conductor


async def build(config: Config, clock: Clock, hub: LiveHub, stack: AsyncExitStack) -> Conductor:
    """The parts below the listeners: recorder, journal and queue, media plane."""
    known: list[Conductor] = []  # the parts tell the conductor, which is made of them
    keeper = Keeper(keeper_settings(config), lambda event: known[0].on_recorder(event))
    plane = MediaPlane(media_settings(config), lambda event: known[0].on_media(event))
    store = open_store(config, stack)
    core = Core(acd_settings(config)) if store is None else store.core
    queueing = Queueing(
        core, store.journal if store else None, clock, lambda effect: known[0].on_queue(effect)
    )
    stack.callback(queueing.close)
    identifiers = RandomIdentifiers()
    engine = Engine(engine_settings(config), identifiers)
    gateway, browsers = make_gateway(config)
    media = MediaLegs(plane, leg_terms(config), browsers)
    engine.describe, engine.protect = media.described, media.protected
    parts = Parts(
        config=config,
        sip=sip_server(engine, config),
        plane=plane,
        media=media,
        queueing=queueing,
        keeper=keeper,
        clock=clock,
        hub=hub,
        book=CallBook(),
        meters=Meters(),
        call_ids=identifiers.leg,
        chance=random.SystemRandom().random,
        accounts=Accounts(config, clock, hub, accounts_folder(config)),
        gateway=gateway,
    )
    conductor = Conductor(parts)
    known.append(conductor)
    engine.reception.takes_calls = conductor.takes_calls
    await keeper.start()
    stack.push_async_callback(keeper.stop)
    await plane.start()
    log.info("media processes are up", sockets=plane.stats().sockets)
    stack.push_async_callback(plane.stop)
    if gateway is not None:
        gateway.on_event = BrowserCare(parts, conductor.on_media).hear
        await gateway.start()
        stack.push_async_callback(gateway.stop)
    if store is not None and config.cluster.url.get_secret_value():
        make_member(conductor, store)  # it leads, and tells the queue so, when it has the lease
        return conductor
    queueing.lead(acd_settings(config))
    return conductor


def accounts_folder(config: Config) -> Path | None:
    """Beside the journal, which may hold nothing else."""
    return Path(config.engine.journal).parent if config.engine.journal else None


def make_gateway(config: Config) -> tuple[Gateway | None, BrowserLegs | None]:
    """Neither where no browser can register."""
    settings = gateway_settings(config)
    if settings is None:
        return None, None
    gateway = Gateway(settings)
    return gateway, BrowserLegs(gateway, config.gateway.codecs)


def sip_server(engine: Engine, config: Config) -> SipServer:
    """The SIP side on its listeners; certificates that cannot be loaded anew stay as they were."""
    listen = [str(listen) for listen in config.sip.listen]
    server = SipServer(engine, listen, server_settings(config))

    def told(why: str) -> None:
        if why:
            log.error("certificates not loaded, the old ones stay in use", why=why)
        else:
            log.info("certificates loaded")

    server.on_certificates = told
    return server


def announce(sip: SipServer, http: HttpServer) -> None:
    """The one line on standard output that says all listeners are up."""
    document = {
        "sip": [f"{scheme}://{host}:{port}" for scheme, host, port in sip.addresses],
        "http": http.url,
    }
    print("ready", json.dumps(document), flush=True)
