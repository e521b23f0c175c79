"""A conductor over the real queue, paper phones and a paper media plane."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from acd.core import Core
from acd.settings import AcdSettings, AgentSettings, QueueSettings
from callcore.call import events as sip
from callcore.call.settings import EngineSettings
from callcore.flow import Flow
from callcore.message import Request, request
from callcore.sdp import parse_sdp
from callcore.sdp.offer_answer import LocalMedia, make_offer
from config.loader import loads
from config.schema import Config
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
from media import events as media
from media.errors import LocalProtocolError
from media.io.plane import Address
from recorder.io.index import Entry, Query
from service.wiring import outbound_settings

FLOW = Flow("udp", ("127.0.0.1", 5060), ("127.0.0.2", 5070))
OFFER = parse_sdp(make_offer(LocalMedia("127.0.0.2", 4000, session_id=1, version=1)))
G729 = parse_sdp(
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 18\r\n"
)
TEXT = """
    [[seats]]
    user = "8001"
    password = "x"
    [[seats]]
    user = "8002"
    password = "x"
    [[seats]]
    user = "9001"
    password = "x"
    role = "supervisor"
    [[queues]]
    name = "12345"
    wrap_up_seconds = 0
    survey = false
    [calls]
    platform_number = "055160012345"
    [[routes]]
    number = "12345"
    queue = "12345"
    [[trunks]]
    name = "ims"
    peers = ["127.0.0.2"]
"""


def configured(more: str = "") -> Config:
    """The usual configuration, and some tables more."""
    return loads(TEXT + more, file="test.toml", environ={})


CONFIG = configured()


class PaperSip:
    """Writes down what it is told; `hang_up` tells the end at once, as the engine does."""

    def __init__(self, settings: EngineSettings) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.on_event: Any = None
        self.heard_at: float | None = None
        self.shown: Any = None
        self.engine = self
        self.settings = settings

    def trunk_up(self, name: str) -> bool:
        return True

    def place(self, leg: str, target: Any, caller: Any, offer: bytes, headers: Any = ()) -> None:
        whom = getattr(target, "user", None) or target.number
        self.done.append(("place", leg, whom, caller.number, *headers))
        self.shown = caller

    def progress(self, leg: str, status: int = 180, body: bytes | None = None) -> None:
        self.done.append(("progress", leg, status))

    def answer(self, leg: str, body: bytes) -> None:
        self.done.append(("answer", leg))

    def refuse(self, leg: str, status: int, headers: tuple[Any, ...] = ()) -> None:
        assert 300 <= status < 700  # as the engine demands
        self.done.append(("refuse", leg, status, *(name for name, _ in headers)))
        self.on_event(sip.Ended(leg, status, "", "local"))

    def hang_up(self, leg: str, reason: str | None = None) -> None:
        self.done.append(("hang_up", leg))
        self.on_event(sip.Ended(leg, 0, "", "local"))

    def offer(self, leg: str, body: bytes) -> None:
        self.done.append(("offer", leg))

    def accept_transfer(self, leg: str) -> None:
        self.done.append(("accept_transfer", leg))

    def refuse_transfer(self, leg: str, status: int = 603) -> None:
        assert 300 <= status < 700
        self.done.append(("refuse_transfer", leg, status))

    def progress_transfer(self, leg: str, status: int) -> None:
        self.done.append(("progress_transfer", leg, status))

    def accept_offer(self, leg: str, body: bytes) -> None:
        self.done.append(("accept_offer", leg))

    def refuse_offer(self, leg: str, status: int) -> None:
        self.done.append(("refuse_offer", leg, status))


class PaperPlane:
    """Ports without sockets."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.full = False

    def open(self, leg: str, near: str | None = None) -> Address:
        if self.full:
            raise LocalProtocolError("no port is left")
        self.done.append(("open", leg))
        return Address("127.0.0.1", 20000 + 2 * len(self.done))

    def connect(self, leg: str, remote: Any) -> None:
        self.done.append(("connect", leg, remote.direction))

    def play(self, leg: str, prompts: tuple[str, ...], loop_last: bool = False) -> None:
        self.done.append(("play", leg, *prompts))

    def say(self, leg: str, prompts: tuple[str, ...]) -> None:
        self.done.append(("say", leg, *prompts))

    def stop_play(self, leg: str) -> None:
        self.done.append(("stop_play", leg))

    def discern(self, leg: str, on: bool) -> None:
        self.done.append(("discern", leg, on))

    def bridge(self, bridge: str, legs: tuple[str, ...], gains: Any = None) -> None:
        self.done.append(("bridge", *legs))

    def unbridge(self, bridge: str) -> None:
        pass

    def record(
        self, recording: str, left: Any, right: Any, header: dict[str, Any], paused: Any = ()
    ) -> None:
        self.done.append(("record", recording, *left, *right, header["agent"]))
        self.paused = list(paused)

    def pause_record(self, recording: str) -> None:
        self.done.append(("pause", recording))

    def resume_record(self, recording: str) -> None:
        self.done.append(("resume", recording))

    def stop_record(self, recording: str) -> None:
        self.done.append(("stop_record", recording))

    def close(self, leg: str) -> None:
        self.done.append(("close", leg))


@dataclass
class PaperKeeper:
    """Writes down what is finished."""

    finished: list[str] = field(default_factory=list)
    facts: dict[str, dict[str, Any]] = field(default_factory=dict)
    index: list[Entry] = field(default_factory=list)

    def finish(self, recording: str, extra: dict[str, Any]) -> None:
        self.finished.append(recording)
        self.facts.setdefault(recording, {}).update(extra)

    async def find(self, query: Query) -> list[Entry]:
        return [entry for entry in self.index if entry.call_id == query.call_id]

    def sink_failed(self, recording: str, why: str) -> None:
        pass


class House:
    """A conductor with all around it; the usual queue, or a `core` that knows its own."""

    def __init__(
        self,
        config: Config = CONFIG,
        clock: Clock | None = None,
        core: Core | None = None,
        journal: Any = None,
        call_ids: Iterator[str] | None = None,
    ) -> None:
        settings = EngineSettings("hotline.local", outbound=outbound_settings(config))
        self.sip, self.plane, self.keeper = PaperSip(settings), PaperPlane(), PaperKeeper()
        clock = clock or Clock()
        agents = tuple(AgentSettings(s.user, s.skills) for s in config.seats)
        queue = QueueSettings("12345", skills=("general",), wrap_up_seconds=0)
        core = core or Core(AcdSettings(queues=(queue,), agents=agents))
        queueing = Queueing(core, journal, clock, lambda e: self.conductor.on_queue(e))
        parts = Parts(
            config=config,
            sip=self.sip,  # type: ignore[arg-type]
            plane=self.plane,  # type: ignore[arg-type]
            media=MediaLegs(self.plane),  # type: ignore[arg-type]
            queueing=queueing,
            keeper=self.keeper,  # type: ignore[arg-type]
            clock=clock,
            hub=LiveHub(),
            book=CallBook(),
            meters=Meters(),
            chance=lambda: 0.0,
            accounts=Accounts(config, clock, LiveHub(), None),
            call_ids=(call_ids or iter(f"v{n}" for n in range(1, 100))).__next__,
        )
        self.conductor = Conductor(parts)
        self.sip.on_event = self.conductor.on_sip
        self.desk = Facade(self.conductor)

    def seat(self, user: str) -> None:
        self.conductor.on_sip(sip.Registered(user, f"sip:{user}@127.0.0.1", FLOW))

    def call(
        self, leg: str = "c", called: str = "12345", offer: Any = OFFER, headers: Any = ()
    ) -> None:
        invite: Request = request("INVITE", f"sip:{called}@h", headers=[])
        said = sip.Presented(headers=headers)
        self.conductor.on_sip(
            sip.Arrived(leg, "ims", "trunk", "13800138000", called, offer, invite, said)
        )

    def dials(self, leg: str, user: str, called: str) -> None:
        """A seat calls."""
        invite: Request = request("INVITE", f"sip:{called}@h", headers=[])
        arrived = sip.Arrived(leg, user, "seat", user, called, OFFER, invite)
        self.conductor.on_sip(arrived)

    def types(self, leg: str, keys: str) -> None:
        for key in keys:
            self.conductor.on_media(media.Dtmf(leg, key, 100))

    def answered(self, leg: str) -> None:
        self.conductor.on_sip(sip.Answered(leg, OFFER))

    def ended(self, leg: str, status: int = 200, by: Any = "remote") -> None:
        self.conductor.on_sip(sip.Ended(leg, status, "", by))

    def close(self) -> None:
        """The end of a test."""
        self.conductor.parts.queueing.close()
        self.conductor.performer.close()
        assert self.faults == 0

    @property
    def faults(self) -> float:
        value = self.conductor.parts.meters.registry.get_sample_value(
            "callcore_internal_errors_total"
        )
        assert value is not None
        return value
