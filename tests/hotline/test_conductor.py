"""The conductor over the real queue and paper phones: who is told what, in calls."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest

from acd import events as acd
from acd.core import Core
from acd.settings import AcdSettings, AgentSettings, QueueSettings
from callcore.call import events as sip
from callcore.call.settings import EngineSettings
from callcore.flow import Flow
from callcore.message import Request, request
from callcore.sdp import parse_sdp
from callcore.sdp.offer_answer import LocalMedia, make_offer
from config.loader import loads
from hotline.accounts import Accounts
from hotline.calls import CallBook
from hotline.clock import Clock
from hotline.commands import WrongState
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

FLOW = Flow("udp", ("127.0.0.1", 5060), ("127.0.0.2", 5070))
OFFER = parse_sdp(make_offer(LocalMedia("127.0.0.2", 4000, session_id=1, version=1)))
G729 = parse_sdp(
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 18\r\n"
)
CONFIG = loads(
    """
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
    """,
    file="test.toml",
    environ={},
)


class PaperSip:
    """Writes down what it is told; `hang_up` tells the end at once, as the engine does."""

    def __init__(self) -> None:
        self.done: list[tuple[Any, ...]] = []
        self.on_event: Any = None
        self.engine = self
        self.settings = EngineSettings("hotline.local")

    def trunk_up(self, name: str) -> bool:
        return True

    def place(self, leg: str, target: Any, caller: Any, offer: bytes, headers: Any = ()) -> None:
        whom = getattr(target, "user", None) or target.number
        self.done.append(("place", leg, whom, caller.number, *headers))

    def answer(self, leg: str, body: bytes) -> None:
        self.done.append(("answer", leg))

    def refuse(self, leg: str, status: int, headers: tuple[Any, ...] = ()) -> None:
        self.done.append(("refuse", leg, status, *(name for name, _ in headers)))
        self.on_event(sip.Ended(leg, status, "", "local"))

    def hang_up(self, leg: str, reason: str | None = None) -> None:
        self.done.append(("hang_up", leg))
        self.on_event(sip.Ended(leg, 0, "", "local"))

    def offer(self, leg: str, body: bytes) -> None:
        self.done.append(("offer", leg))

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
    finished: list[str] = field(default_factory=list)

    def finish(self, recording: str, extra: dict[str, Any]) -> None:
        self.finished.append(recording)

    def sink_failed(self, recording: str, why: str) -> None:
        pass


class House:
    """A conductor with all around it."""

    def __init__(self) -> None:
        self.sip, self.plane, self.keeper = PaperSip(), PaperPlane(), PaperKeeper()
        clock = Clock()
        agents = tuple(AgentSettings(s.user, s.skills) for s in CONFIG.seats)
        queue = QueueSettings("12345", skills=("general",), wrap_up_seconds=0)
        core = Core(AcdSettings(queues=(queue,), agents=agents))
        queueing = Queueing(core, None, clock, lambda e: self.conductor.on_queue(e))
        parts = Parts(
            config=CONFIG,
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
            accounts=Accounts(CONFIG, clock, LiveHub(), None),
            call_ids=iter(f"v{n}" for n in range(1, 100)).__next__,
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

    def answered(self, leg: str) -> None:
        self.conductor.on_sip(sip.Answered(leg, OFFER))

    def ended(self, leg: str, status: int = 200, by: Any = "remote") -> None:
        self.conductor.on_sip(sip.Ended(leg, status, "", by))

    @property
    def faults(self) -> float:
        value = self.conductor.parts.meters.registry.get_sample_value(
            "callcore_internal_errors_total"
        )
        assert value is not None
        return value


@pytest.fixture
async def house() -> Any:
    made = House()
    yield made
    made.conductor.parts.queueing.close()
    assert made.faults == 0


async def test_a_call_is_answered_recorded_and_counted_once(house: House) -> None:
    house.seat("8001")
    house.call()
    assert house.sip.done == [("answer", "c"), ("place", "v1-a1", "8001", "13800138000")]
    assert ("play", "c", "welcome.wav", "hold.wav") in house.plane.done
    house.answered("v1-a1")
    assert ("bridge", "c", "v1-a1") in house.plane.done
    assert ("record", "v1-1", "c", "v1-a1", "8001") in house.plane.done
    assert house.desk.agents()[0].state == "talking"
    house.ended("c")
    house.conductor.on_media(media.RecordingClosed("v1-1"))
    assert house.keeper.finished == ["v1-1"]
    record = house.desk.call("v1")
    assert (record.result, record.agent, record.recording) == ("answered", "8001", "v1-1")
    assert house.desk.queue("12345").answered == 1
    assert house.desk.agents()[0].state == "ready"
    assert house.conductor.visits == {}


async def test_a_waiting_caller_is_told_its_place_over_the_music(house: House) -> None:
    """您前面还有两位，预计等待三分钟; a call that has just ended is told nothing."""
    house.call()
    house.conductor.on_queue(acd.Announce("v1", 3, 180))
    words = ("ahead", "liang", "people", "wait", "3", "minutes")
    assert house.plane.done[-1] == ("say", "c", *(f"cmn/{word}" for word in words))
    house.ended("c")
    house.plane.done.clear()
    house.conductor.on_queue(acd.Announce("v1", 1, None))
    assert house.plane.done == []


async def test_a_caller_who_gives_up_is_abandoned_not_failed(house: House) -> None:
    house.call()
    house.ended("c")
    record = house.desk.call("v1")
    assert (record.result, record.state) == ("abandoned", "ended")
    assert record.wait_ms is not None
    assert house.desk.queue("12345").abandoned == 1


async def test_a_refusing_phone_gives_the_caller_to_the_next(house: House) -> None:
    house.seat("8001")
    house.seat("8002")
    house.call()
    first = house.sip.done[-1]
    house.ended(first[1], 486)
    second = house.sip.done[-1]
    assert (first[0], second[0], second[1]) == ("place", "place", "v1-a2")
    assert {first[2], second[2]} == {"8001", "8002"}


async def test_an_agent_who_dies_in_the_talk_leaves_the_caller_to_another(house: House) -> None:
    house.seat("8001")
    house.call()
    house.answered("v1-a1")
    house.seat("8002")
    house.conductor.on_media(media.RtpTimeout("v1-a1"))
    assert house.sip.done[-1][:3] == ("place", "v1-a2", "8002")
    house.answered("v1-a2")
    house.ended("v1-a2")
    assert house.desk.call("v1").recordings == ["v1-1", "v1-2"]
    assert house.desk.queue("12345").offered == 1


@pytest.mark.parametrize(
    ("called", "offer", "refusal"),
    [("999", OFFER, ("refuse", "c", 404)), ("12345", G729, ("refuse", "c", 488))],
)
async def test_what_cannot_be_served_is_refused(
    house: House, called: str, offer: Any, refusal: tuple[Any, ...]
) -> None:
    house.call(called=called, offer=offer)
    assert house.sip.done == [refusal]
    assert house.conductor.visits == {}


async def test_without_ports_the_caller_is_told_when_to_come_back(house: House) -> None:
    house.plane.full = True
    house.call()
    assert house.sip.done == [("refuse", "c", 503, "Retry-After")]


async def test_a_drain_refuses_new_calls_and_waits_for_those_there_are(house: House) -> None:
    house.seat("8001")
    house.call()
    house.answered("v1-a1")
    drain = asyncio.create_task(house.conductor.drain(30))
    await asyncio.sleep(0)
    house.call("d")
    assert house.sip.done[-1] == ("refuse", "d", 503, "Retry-After")
    assert not drain.done()
    house.ended("v1-a1")
    await drain
    assert house.conductor.visits == {}


async def test_a_drain_that_lasts_too_long_ends_the_calls(house: House) -> None:
    house.seat("8001")
    house.call()
    house.answered("v1-a1")
    await house.conductor.drain(0.01)
    assert house.conductor.visits == {}
    assert house.desk.call("v1").result == "answered"


async def test_a_lost_worker_moves_the_call_and_tells_both_ends(house: House) -> None:
    house.seat("8001")
    house.call()
    house.answered("v1-a1")
    house.sip.done.clear()
    house.plane.done.clear()
    house.conductor.on_media(media.WorkerLost(0, ("c", "v1-a1"), ("v1-1",)))
    assert house.sip.done == [("offer", "c"), ("offer", "v1-a1")]
    assert ("bridge", "c", "v1-a1") in house.plane.done
    assert ("record", "v1-1", "c", "v1-a1", "8001") in house.plane.done
    assert house.keeper.finished == []  # the recording goes on
    house.conductor.on_sip(sip.OfferAnswered("c", OFFER))
    house.conductor.on_sip(sip.OfferRefused("v1-a1", 488))
    assert house.conductor.visits == {}


async def test_hold_is_the_agents_and_the_caller_hears_music(house: House) -> None:
    house.seat("8001")
    house.call()
    house.answered("v1-a1")
    local = LocalMedia("127.0.0.3", 4002, session_id=1, version=2, direction="sendonly")
    house.conductor.on_sip(sip.Offered("v1-a1", parse_sdp(make_offer(local))))
    assert house.sip.done[-1] == ("accept_offer", "v1-a1")
    assert house.plane.done[-1] == ("play", "c", "hold.wav")
    assert house.desk.agents()[0].state == "held"
    house.conductor.on_sip(sip.Offered("v1-a1", OFFER))
    assert house.plane.done[-2:] == [("stop_play", "c"), ("bridge", "c", "v1-a1")]
    assert house.desk.agents()[0].state == "talking"


async def test_a_break_outlasts_a_registration(house: House) -> None:
    house.seat("8001")
    house.desk.set_agent_state("8001", "not_ready", "lunch")
    house.conductor.on_sip(sip.Registered("8001", "sip:8001@127.0.0.1", FLOW))
    assert house.desk.agents()[0].state == "not_ready"
    house.conductor.on_sip(sip.Unregistered("8001", "expired"))
    assert house.desk.agents()[0].state == "offline"


async def test_the_desk_is_told_every_step_in_order(house: House) -> None:
    house.seat("8001")
    house.call()
    house.answered("v1-a1")
    house.ended("c")
    told = [e["state"] for e in house.desk.events_since(0) if e["event"] == "call"]
    assert told == ["waiting", "ringing", "talking", "ending", "ended"]


async def test_a_recording_pauses_for_privacy_and_a_new_worker_keeps_to_it(house: House) -> None:
    house.seat("8001")
    house.call()
    with pytest.raises(WrongState, match="not being recorded"):
        house.desk.set_privacy("v1", True)
    house.answered("v1-a1")
    assert house.desk.set_privacy("v1", True).recording_paused
    assert ("pause", "v1-1") in house.plane.done
    house.conductor.on_media(media.WorkerLost(0, ("c", "v1-a1"), ("v1-1",)))
    assert house.plane.paused == ["left", "right"]
    assert not house.desk.set_privacy("v1", False).recording_paused
    assert ("resume", "v1-1") in house.plane.done
    house.ended("c")
    with pytest.raises(WrongState, match="not being recorded"):
        house.desk.set_privacy("v1", True)
