"""REFER, blind and attended, and Replaces: SIPp's phones at the SIP engine on real sockets.

The office is a server of ours in this process that does what it is asked to: whom a transfer may
reach is the hotline's to decide, and is tested there.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from callcore.call.events import Answered, Arrived, Ended, Event, Referred
from callcore.call.placement import Party, SeatTarget
from callcore.call.settings import AuthSettings, EngineSettings, Seat
from callcore.call.terms import SEAT
from callcore.engine import Engine
from callcore.io.certificates import TlsSettings
from callcore.io.identifiers import RandomIdentifiers
from callcore.io.server import ServerSettings, SipServer
from callcore.sdp import LocalMedia, make_answer, make_offer
from phones.sipp import Sipp
from phones.waiting import until
from tests.callcore.io.authority import Authority
from tests.interop.front import Front, FrontOptions, behind
from tests.interop.scripts import SEAT_CALLER, TRANSFERRING, WAITING_PHONE

pytestmark = pytest.mark.interop

HOST = "127.0.0.1"
USERS = ("7001", "7002", "7003", "7004")
MEDIA = LocalMedia(HOST, 40000, session_id=1, version=1)


class Office:
    """Calls seats, and follows what they refer to."""

    def __init__(self, folder: Path, transport: str) -> None:
        authority = Authority(folder)
        certificate, key = authority.issue("server", HOST)
        seats = {user: Seat(user, f"secret-{user}") for user in USERS}
        settings = EngineSettings(
            "hotline.local",
            seats,
            auth=AuthSettings(algorithms=("MD5",)),
            seat_terms=replace(SEAT, transfers=True),
        )
        self.engine = Engine(settings, RandomIdentifiers())
        shell = ServerSettings(tls=TlsSettings(certificate, key))
        self.server = SipServer(self.engine, [f"{transport}://{HOST}:0"], shell)
        self.server.on_event = self.told
        self.transport, self.ca = transport, authority.path
        self.answered: set[str] = set()
        self.ended: set[str] = set()
        self.referred: list[Referred] = []

    def told(self, event: Event) -> None:
        server = self.server
        if isinstance(event, Answered):
            self.answered.add(event.leg)
            if event.leg == "new":
                server.progress_transfer(self.referred[-1].leg, 200)
        elif isinstance(event, Ended):
            self.ended.add(event.leg)
        elif isinstance(event, Referred):
            self.referred.append(event)
            server.accept_transfer(event.leg)
            if event.replaced:
                server.progress_transfer(event.leg, 200)
                server.hang_up(event.replaced)
            else:
                self.call("new", event.to.partition(":")[2].partition("@")[0])
        elif isinstance(event, Arrived):
            assert event.offer is not None
            server.answer(event.leg, make_answer(event.offer, MEDIA)[0])
            server.hang_up(event.replaces)

    def call(self, leg: str, user: str) -> None:
        self.server.place(leg, SeatTarget(user), Party("13900000001"), make_offer(MEDIA))

    def dialog(self, leg: str) -> str:
        """Replaces' value for a leg of ours, as its phone would write it (RFC 3891 §6.1)."""
        dialog = self.engine._legs._records[leg].leg.dialog
        assert dialog is not None
        return f"{dialog.call_id};to-tag={dialog.local_tag};from-tag={dialog.remote_tag}"

    @contextlib.asynccontextmanager
    async def phone(self, user: str, text: str, **values: str) -> AsyncIterator[Sipp]:
        """SIPp as a registered phone, which has to end with exit code 0."""
        front = await self.front(user)
        async with front, Sipp(behind(front, text, values, address=HOST)) as sipp:
            await front.register(user, (HOST, sipp.port))
            yield sipp
            await ends_well(sipp)

    async def caller(self, user: str, text: str, **values: str) -> None:
        """SIPp as a phone that calls."""
        front = await self.front(user)
        remote, values = f"{front.address[0]}:{front.address[1]}", {**values, "user": user}
        more = {"remote": remote, "address": HOST, "auth_uri": "12345@hotline.local"}
        async with front, Sipp(behind(front, text, values, **more)) as sipp:
            await ends_well(sipp)

    async def front(self, user: str) -> Front:
        _, _, port = self.server.addresses[0]
        front = Front(FrontOptions((HOST, port), self.transport, HOST, self.ca, int(user)))
        await front.open()
        return front

    async def talking(self, leg: str, user: str) -> None:
        self.call(leg, user)
        await until(lambda: leg in self.answered)


async def ends_well(sipp: Sipp) -> None:
    result = await sipp.wait()
    assert result.ok, "\n".join(map(str, (result.exit_code, *result.errors)))


@pytest.fixture(params=["udp", "tcp", "tls"])
async def office(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Office]:
    one = Office(tmp_path, request.param)
    await one.server.start()
    yield one
    await one.server.stop()


async def test_a_blind_transfer_is_reported_to_its_end(office: Office) -> None:
    """
    phone            us            another
      |-- REFER ---->|                |
      |<--- 202 -----|--- INVITE ---->|
      |<- NOTIFY 100 |<---- 200 ------|
      |<- NOTIFY 200 |                |
      |--- BYE ----->|                |
    """
    async with office.phone("7002", WAITING_PHONE):
        async with office.phone("7001", TRANSFERRING, refer_to="<sip:7002@hotline.local>"):
            await office.talking("first", "7001")
        await until(lambda: "first" in office.ended)
        office.server.hang_up("new")
    assert office.referred[0].to == "sip:7002@hotline.local"


async def test_an_attended_transfer_names_the_call_that_it_replaces(office: Office) -> None:
    async with office.phone("7003", WAITING_PHONE):
        await office.talking("consulted", "7003")
        replaces = quote(office.dialog("consulted"), safe="")
        refer_to = f"<sip:7002@hotline.local?Replaces={replaces}>"
        async with office.phone("7001", TRANSFERRING, refer_to=refer_to):
            await office.talking("first", "7001")
        await until(lambda: "first" in office.ended)
    assert office.referred[0].replaced == "consulted"


async def test_an_invite_with_replaces_takes_a_call_over(office: Office) -> None:
    async with office.phone("7003", WAITING_PHONE):
        await office.talking("taken", "7003")
        replaces = office.dialog("taken")
        await office.caller("7004", SEAT_CALLER, replaces=replaces)
    assert "taken" in office.ended
