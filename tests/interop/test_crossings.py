"""What crosses on the way to a trunk, with SIPp at the other end: a CANCEL and a 200, two 200s."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from callcore.call.events import Answered, AnsweredInVain, Ended, Event, Progressed
from callcore.call.placement import Party, TrunkTarget
from callcore.call.settings import EngineSettings, Trunk
from callcore.engine import Engine
from callcore.io.identifiers import RandomIdentifiers
from callcore.io.server import SipServer
from callcore.sdp import LocalMedia, make_offer
from phones.sipp import Sipp, SippOptions

pytestmark = pytest.mark.interop

OFFER = make_offer(LocalMedia("127.0.0.1", 40000, session_id=1, version=1))
PATIENCE_SECONDS = 30


class Line:
    """An engine with one trunk, and what it told."""

    def __init__(self, port: int) -> None:
        trunk = Trunk("city", peers=(f"127.0.0.1:{port}",), probe_seconds=0)
        self.engine = Engine(EngineSettings("hotline.local", trunks=(trunk,)), RandomIdentifiers())
        self.server = SipServer(self.engine, ["udp://127.0.0.1:0"])
        self.told: asyncio.Queue[Event] = asyncio.Queue()
        self.server.on_event = self.told.put_nowait

    def call(self, leg: str) -> None:
        self.server.place(leg, TrunkTarget("city", "13900000001"), Party(""), OFFER)

    async def until(self, kind: type[Event]) -> Event:
        """The next event of a kind; others are passed over."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not isinstance(event := await self.told.get(), kind):
                pass
        return event


@pytest.fixture
async def far(request: pytest.FixtureRequest) -> AsyncIterator[Sipp]:
    async with Sipp(SippOptions(request.param, timeout_seconds=PATIENCE_SECONDS)) as sipp:
        yield sipp


@pytest.fixture
async def line(far: Sipp) -> AsyncIterator[Line]:
    made = Line(far.port)
    await made.server.start()
    yield made
    await made.server.stop()


@pytest.mark.parametrize("far", ["uas_crossed"], indirect=True)
async def test_a_200_that_crosses_our_cancel_gets_its_ack_and_a_bye(far: Sipp, line: Line) -> None:
    """RFC 3261 §9.1, §15.

    us                  SIPp
     |---- INVITE ------->|
     |<------ 180 --------|
     |---- CANCEL ------->|
     |<------ 200 --------|  to the CANCEL
     |<------ 200 --------|  to the INVITE: it was answered when the CANCEL came
     |------ ACK -------->|
     |------ BYE -------->|
    """
    line.call("L")
    await line.until(Progressed)
    line.server.hang_up("L")
    ended = await line.until(Ended)
    assert isinstance(ended, Ended)
    assert (ended.leg, ended.status, ended.by) == ("L", 487, "local")
    assert await line.until(AnsweredInVain) == AnsweredInVain("L")
    result = await far.wait()
    assert result.ok, result


@pytest.mark.parametrize("far", ["uas_forked"], indirect=True)
async def test_of_two_phones_that_answer_at_once_the_second_is_let_go(
    far: Sipp, line: Line
) -> None:
    """RFC 3261 §13.2.2.4: each 2xx has its ACK, and the call is with the first."""
    line.call("L")
    answered = await line.until(Answered)
    assert isinstance(answered, Answered)
    assert answered.leg == "L"
    assert await line.until(AnsweredInVain) == AnsweredInVain("L")
    result = await far.wait()
    assert result.ok, result
    assert line.told.empty()  # the call is up
