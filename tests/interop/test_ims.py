"""Our registering trunk with kamailio as an IMS: digest, Path, Service-Route, loss, fail-over."""

import asyncio
import contextlib
import re
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from callcore.call.events import Answered, Arrived, Diverted, Ended, Event, TrunkChanged
from callcore.call.placement import Party, TrunkTarget
from callcore.call.registration import State
from callcore.call.settings import EngineSettings
from callcore.engine import Engine
from callcore.io.identifiers import RandomIdentifiers
from callcore.io.server import SipServer
from callcore.message import Request, parse
from callcore.sdp import LocalMedia, make_answer, make_offer
from config.loader import loads
from service.wiring import trunk_settings
from tests.peers.ims import Ims, Ports

PEERS = Path(__file__).resolve().parents[1] / "peers"
MEDIA = LocalMedia("127.0.0.1", 40000, session_id=1, version=1)
TRUNK = """
[[trunks]]
name = "city"
profile = "ims"
user = "hotline@ims.example"
password = "wide-open-sea"
impu = "sip:pilot@ims.example"
registrar = "ims.example"
outbound_number = "055165551234"
area = "551"
probe_seconds = 0.5
answer_seconds = 0.7
"""

Told = TypeVar("Told", bound=Event)

pytestmark = pytest.mark.interop


def free_ports(count: int) -> list[int]:
    """Ports that nobody has bound now, for UDP and TCP."""
    with contextlib.ExitStack() as stack:
        found = []
        while len(found) < count:
            udp = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            tcp = stack.enter_context(socket.socket())
            udp.bind(("127.0.0.1", 0))
            with contextlib.suppress(OSError):
                tcp.bind(udp.getsockname())
                found.append(int(udp.getsockname()[1]))
        return found


class Hotline:
    """An engine with one trunk, which answers what comes in; `events` is all that it told."""

    def __init__(self, text: str) -> None:
        trunk = trunk_settings(loads(text).trunks[0])
        self.engine = Engine(EngineSettings("hotline.local", trunks=(trunk,)), RandomIdentifiers())
        self.server = SipServer(self.engine, ["udp://127.0.0.1:0", "tcp://127.0.0.1:0"])
        self.server.on_event = self._on_event
        self.events: list[Event] = []
        self._seen = 0

    def _on_event(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Arrived):
            assert event.offer is not None
            self.server.progress(event.leg)
            self.server.answer(event.leg, make_answer(event.offer, MEDIA)[0])

    async def until(self, kind: type[Told], seconds: float = 15.0) -> Told:
        """The next event of a kind that was not waited for yet."""
        async with asyncio.timeout(seconds):
            while True:
                while self._seen < len(self.events):
                    event = self.events[self._seen]
                    self._seen += 1
                    if isinstance(event, kind):
                        return event
                await asyncio.sleep(0.01)

    def call(self, leg: str, number: str, caller: Party, diverted: tuple[Diverted, ...] = ()):
        """Place a call over the trunk."""
        self.server.place(leg, TrunkTarget("city", number, diverted), caller, make_offer(MEDIA))


@contextlib.asynccontextmanager
async def hotline(*proxies: Ims, more: str = ""):
    """A hotline that is registered with the first of the proxies."""
    peers = ", ".join(f'"{proxy.edge}"' for proxy in proxies[1:])
    line = Hotline(f'{TRUNK}proxy = "{proxies[0].edge}"\npeers = [{peers}]\n{more}')
    await line.server.start()
    try:
        assert (await line.until(TrunkChanged)).up
        yield line
    finally:
        await line.server.stop()


class Sipp:
    """SIPp with one of our scenarios, and the messages that it saw."""

    def __init__(self, folder: Path, scenario: str, port: int, calls: int = 1) -> None:
        self.messages = folder / f"{scenario}-{port}.log"
        program = shutil.which("sipp")
        assert program, "install SIPp: apt install sip-tester"
        self._command = [
            program,
            *("-sf", str(PEERS / f"{scenario}.xml"), "-i", "127.0.0.1", "-p", str(port)),
            *("-m", str(calls), "-nostdin", "-timeout", "30s", "-timeout_error"),
            *("-trace_msg", "-message_file", str(self.messages)),
        ]
        self._process: asyncio.subprocess.Process | None = None

    def echo(self, port: int) -> None:
        """Let it say what it hears, at an RTP port."""
        self._command += ["-rtp_echo", "-mp", str(port)]

    async def start(self, *arguments: str) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        if not arguments:
            await asyncio.sleep(0.5)  # a UAS says nothing when it is ready

    async def ended(self) -> None:
        """Wait for its end, which must be a good one."""
        assert self._process is not None
        try:
            async with asyncio.timeout(30):
                output, _ = await self._process.communicate()
        except TimeoutError:
            self._process.kill()
            output, _ = await self._process.communicate()
        assert self._process.returncode == 0, output.decode(errors="replace")[-3000:]

    async def kill(self) -> None:
        """End it, if it still runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def invite(self) -> Request:
        """The INVITE that came to it."""
        text = self.messages.read_text()
        found = re.search(r"message received \[\d+\] bytes :\n\n(INVITE .*?\n)\n", text, re.S)
        assert found is not None, text
        lines = [line for line in found[1].splitlines() if not line.startswith("Content-Length")]
        message = parse("\r\n".join([*lines, "", ""]).encode())
        assert isinstance(message, Request)
        return message


@contextlib.asynccontextmanager
async def telephone(folder: Path, port: int, calls: int = 1, *, echo: bool = False):
    """A telephone in the world that answers; at the end all must be as it should."""
    sipp = Sipp(folder, "world_answers", port, calls)
    if echo:
        sipp.echo(*free_ports(1))
    await sipp.start()
    try:
        yield sipp
        await sipp.ended()
    finally:
        await sipp.kill()


async def comes_true(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 (the engine has no event for what is asked)
            await asyncio.sleep(0.02)


def is_registered_by(line: Hotline, port: int) -> bool:
    """Whether the trunk is registered by the proxy at this port."""
    registration, proxy = line.engine.lines.registration("city"), line.engine.lines.proxy("city")
    return proxy.remote[1] == port and registration.state is State.REGISTERED


async def call_and_hang_up(line: Hotline, leg: str, number: str = "13911111111") -> None:
    """A call of ours that is answered, and hung up by us."""
    line.call(leg, number, Party(""))
    answered = await line.until(Answered)
    assert answered.leg == leg
    line.server.hang_up(leg)
    ended = await line.until(Ended)
    assert (ended.leg, ended.by) == (leg, "local")
    await comes_true(lambda: not line.engine.legs)  # the BYE has its answer


async def be_called(folder: Path, line: Hotline, ims: Ims, number: str = "+8655112345") -> Arrived:
    """A call from the world that we answer, and that hangs up."""
    (port,) = free_ports(1)
    sipp = Sipp(folder, "world_calls", port)
    await sipp.start("-s", number, f"127.0.0.1:{ims.ports.core}")
    try:
        arrived = await line.until(Arrived)
        await sipp.ended()
    finally:
        await sipp.kill()
    assert (await line.until(Ended)).by == "remote"
    return arrived


@pytest.fixture
async def ims(tmp_path):
    edge, core, world = free_ports(3)
    async with Ims(Ports(edge, core, world), tmp_path / "ims") as found:
        yield found


async def test_calls_go_out_by_the_service_route_as_an_identity_that_the_ims_gave(ims, tmp_path):
    """407 is answered, numbers are E.164, and what we prefer is what the core asserts."""
    async with telephone(tmp_path, ims.ports.world) as phone, hotline(ims) as line:
        registration = line.engine.lines.registration("city")
        assert registration.service_route == (f"<sip:orig@127.0.0.1:{ims.ports.core};lr>",)
        assert len(registration.associated) == 3
        await call_and_hang_up(line, "L")
    invite = phone.invite()
    assert invite.request_uri.user == "+8613911111111"
    assert str(invite.from_.uri) == "sip:+8655165551234@ims.example;user=phone"
    asserted = invite.values("P-Asserted-Identity")
    assert asserted == ["<sip:+8655165551234@ims.example;user=phone>"]
    assert invite.all("P-Preferred-Identity") == []
    assert [route.uri.port for route in invite.record_routes] == [ims.ports.core, ims.ports.edge]
    assert invite.all("Proxy-Authorization") == []


async def test_without_the_service_route_the_ims_takes_no_call(ims):
    """The edge refuses a Route that ends with itself: the tests above prove what they say."""
    async with hotline(ims) as line:
        lines = line.engine.lines
        registration = lines.registration("city")
        lines._registrations["city"] = replace(registration, service_route=())
        line.call("L", "13911111111", Party(""))
        ended = await line.until(Ended)
        assert (ended.status, ended.reason) == (403, "Call By Your Service-Route")


async def test_a_forwarded_call_and_a_withheld_number_reach_the_other_end(ims, tmp_path):
    async with telephone(tmp_path, ims.ports.world) as phone, hotline(ims) as line:
        caller = Party("13800000001", "Wang", withheld=True)
        line.call("L", "13911111111", caller, (Diverted("12345", "no-answer"),))
        await line.until(Answered)
        line.server.hang_up("L")
        await line.until(Ended)
    invite = phone.invite()
    assert str(invite.from_.uri) == "sip:anonymous@anonymous.invalid"
    assert invite.get("Privacy") == "id"
    first, last = invite.values("History-Info")
    assert first == "<sip:12345@ims.example;user=phone>;index=1"
    assert last.endswith(";cause=408>;index=1.1;mp=1")


async def test_calls_come_in_by_path_with_the_number_that_was_called(ims, tmp_path):
    async with hotline(ims) as line:
        arrived = await be_called(tmp_path, line, ims)
        assert (arrived.caller, arrived.called) == ("13800000001", "12345")
        assert arrived.request.request_uri.user == "pilot"
        ports = [route.uri.port for route in arrived.request.record_routes]
        assert ports == [ims.ports.edge, ims.ports.core]
        arrived = await be_called(tmp_path, line, ims, "+8655165551234")
        assert arrived.called == "055165551234"


async def test_a_number_that_the_ims_does_not_take_ends_with_its_answer(ims):
    async with hotline(ims) as line:
        line.call("L", "8001", Party(""))
        ended = await line.until(Ended)
        assert (ended.status, ended.by) == (484, "remote")


async def test_an_ims_that_is_lost_is_registered_with_again_as_soon_as_it_is_back(ims, tmp_path):
    async with hotline(ims, more="expires_seconds = 600\n") as line:
        await ims.stop()
        lost = await line.until(TrunkChanged)
        assert (lost.up, lost.why) == (False, "no answer from the registrar")
        line.call("L", "13911111111", Party(""))
        assert (await line.until(Ended)).status == 503
        await ims.start()
        async with telephone(tmp_path, ims.ports.world):
            assert (await line.until(TrunkChanged, 30)).up
            await call_and_hang_up(line, "M")
        await be_called(tmp_path, line, ims)


async def test_a_second_ims_takes_over_and_is_stayed_with(ims, tmp_path):
    edge, core = free_ports(2)
    ports = Ports(edge, core, ims.ports.world)
    async with Ims(ports, tmp_path / "second") as second, hotline(ims, second) as line:
        assert line.engine.lines.proxy("city").remote[1] == ims.ports.edge
        async with telephone(tmp_path, ims.ports.world, calls=2):
            await call_and_hang_up(line, "L")
            await ims.stop()
            await comes_true(lambda: is_registered_by(line, edge), 15)
            await call_and_hang_up(line, "M")
        await be_called(tmp_path, line, second)
        assert not [e for e in line.events if isinstance(e, TrunkChanged) and not e.up]
        await ims.start()
        await asyncio.sleep(1.5)
        assert line.engine.lines.proxy("city").remote[1] == edge


async def test_a_wrong_password_is_no_registration(ims):
    line = Hotline(f'{TRUNK}proxy = "{ims.edge}"\n'.replace("wide-open-sea", "narrow-pond"))
    await line.server.start()
    try:
        changed = await line.until(TrunkChanged)
        assert (changed.up, changed.why) == (False, "registrar answered 401 Unauthorized")
    finally:
        await line.server.stop()


async def test_calls_go_out_by_tcp_as_well(ims, tmp_path):
    more = 'transport = "tcp"\n'
    async with telephone(tmp_path, ims.ports.world) as phone, hotline(ims, more=more) as line:
        await call_and_hang_up(line, "L")
    assert phone.invite().request_uri.user == "+8613911111111"
