"""Our SIPp scenarios against one engine: over UDP with loss and reordering, over TCP and TLS.

Each SIPp ends with an exit code of its own, 0 for a ladder that was climbed to its end. The slow
ones (timers of half a minute and more) begin first and go on beside the others.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from phones.raw import RawEnd
from phones.sipp import Sipp, SippResult, run_sipp
from tests.interop.front import Front, FrontOptions, behind
from tests.interop.hotline import AGENT_HZ, CALLER_HZ, NUMBER, SEAT, TRUNK, Hotline, eventually
from tests.interop.scripts import CALLER, GIVEN_UP, LOST_ACK, PHONE, SLOW_CALLER

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

TRANSPORTS = ("udp", "tcp", "tls")
PHONES = {**PHONE, **GIVEN_UP}
# Each phone has a number, a queue and a seat of its own, so that all can be called at once.
USERS = {
    (name, transport): str(7001 + place)
    for place, (name, transport) in enumerate((n, t) for n in PHONES for t in TRANSPORTS)
}
CITIZEN = "127.0.1.9"
# A 200 comes again and again on any transport, or before SIPp has sent what it has to.
REPEATED = ("late ACK", "no ACK at all", "INVITE sent again")
Results = dict[tuple[str, str], "asyncio.Task[SippResult]"]


def configured(folder: Path) -> Hotline:
    hotline = Hotline(folder, secure=True, media={"rtp_timeout_seconds": 600})
    document = hotline.document
    queue = document["queues"][0]
    for user in USERS.values():
        seat = {"user": user, "password": f"secret-{user}", "skills": [f"only-{user}"]}
        document["seats"].append(seat)
        document["queues"].append({**queue, "name": user, "skills": [f"only-{user}"]})
        document["routes"].append({"number": user, "queue": user})
    return hotline


def front_options(hotline: Hotline, transport: str, host: str, name: str) -> FrontOptions:
    address, _, port = hotline.listener(transport).partition(":")
    seed = zlib.crc32(name.encode())
    return FrontOptions((address, int(port)), transport, host, hotline.ca, seed)


async def as_caller(
    hotline: Hotline, name: str, text: str, transport: str, loses: bytes = b""
) -> SippResult:
    options = replace(front_options(hotline, transport, TRUNK, name), loses=loses)
    front = Front(options)
    await front.open()
    async with front:
        remote = f"{front.address[0]}:{front.address[1]}"
        sipp = behind(front, text, remote=remote, address=TRUNK, service=NUMBER)
        return await run_sipp(replace(sipp, patient=sipp.patient or name in REPEATED))


async def as_phone(hotline: Hotline, name: str, transport: str) -> SippResult:
    """A citizen calls the phone's number, and hangs up: at the end, or while it rings."""
    user = USERS[name, transport]
    citizen = RawEnd("trunk", CALLER_HZ, AGENT_HZ)
    await citizen.open(CITIZEN)
    front = Front(front_options(hotline, transport, SEAT, name))
    await front.open()
    async with front, Sipp(behind(front, PHONES[name], address=SEAT)) as sipp:
        await front.register(user, (SEAT, sipp.port))
        await hotline.until_state(user, "ready")
        call = await citizen.place(hotline.address, user, "13900000001")
        await hotline.until_state(user, "ringing" if name in GIVEN_UP else "talking")
        await citizen.hang_up(call)
        result = await sipp.wait()
    citizen.close()
    return result


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hotline(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hotline]:
    async with configured(tmp_path_factory.mktemp("hotline")) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def slow(hotline: Hotline) -> AsyncIterator[Results]:
    """Those that take long by their nature, all at once, from the first test on."""
    running = {
        (name, transport): asyncio.create_task(as_caller(hotline, name, text, transport))
        for name, text in SLOW_CALLER.items()
        for transport in TRANSPORTS
    }
    yield running
    for task in running.values():
        task.cancel()
    await asyncio.gather(*running.values(), return_exceptions=True)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", CALLER)
async def test_a_caller_of_the_trunk(hotline: Hotline, name: str, transport: str) -> None:
    result = await as_caller(hotline, name, CALLER[name], transport)
    assert result.ok, "\n".join(map(str, (result.exit_code, *result.errors)))


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_caller_whose_ack_is_lost(hotline: Hotline, transport: str) -> None:
    result = await as_caller(hotline, "lost ACK", LOST_ACK[transport], transport, b"ACK ")
    assert result.ok, "\n".join(map(str, (result.exit_code, *result.errors)))


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", PHONES)
async def test_a_phone_of_a_seat(hotline: Hotline, name: str, transport: str) -> None:
    result = await as_phone(hotline, name, transport)
    assert result.ok, "\n".join(map(str, (result.exit_code, *result.errors)))


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("name", SLOW_CALLER)
async def test_a_caller_who_takes_long(slow: Results, name: str, transport: str) -> None:
    result = await slow[name, transport]
    assert result.ok, "\n".join(map(str, (result.exit_code, *result.errors)))


async def test_nothing_is_left_open(hotline: Hotline, slow: Results) -> None:
    await asyncio.gather(*slow.values())

    async def empty() -> bool:
        names = ("callcore_media_legs", "callcore_trunk_calls")
        return not any([await hotline.metric(name) for name in names])

    await eventually(empty, 40)
