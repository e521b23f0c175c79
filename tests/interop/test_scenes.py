"""Calls between platforms, to mobiles and to emergency services: what each party heard, and the SIP
that passed (ladders in docs/calls.md). One engine, three seats (pjsua2), far ends of our own.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from hotline.uui import Told, read, write
from media.tones import TONES, samples
from phones.driver import Softphone
from phones.laws import Law
from phones.sipp import Sipp, SippOptions
from phones.tones import tone
from tests.interop.far import FarEnd
from tests.interop.hotline import AGENT_HZ, MUSIC_HZ, TRUNK, Hotline, eventually
from tests.interop.scenes import (
    BOSS_HZ,
    CALLER_HZ,
    EARS,
    MOBILE,
    MOBILE_HZ,
    NUMBER,
    PLATFORM,
    PLATFORM_HZ,
    RINGBACK_HZ,
    SECOND_HZ,
    act,
    arranged,
    ended,
    heard_by,
    plays,
    recording_of,
    talking,
)
from tests.interop.test_call_control import seconds_with

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hotline(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hotline]:
    async with arranged(tmp_path_factory.mktemp("hotline")) as one:
        yield one


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def seats(
    hotline: Hotline, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[dict[str, Softphone]]:
    """8001 takes the calls; 8002 and the supervisor's are there when they are asked for."""
    folder = tmp_path_factory.mktemp("seats")
    async with contextlib.AsyncExitStack() as stack:
        phones = {}
        for user, hz in (("8001", AGENT_HZ), ("8002", SECOND_HZ), ("9001", BOSS_HZ)):
            record = folder / (user + "-{call}.wav")
            options = hotline.seat(user, tone=hz, record=record, calls=2)
            phones[user] = await stack.enter_async_context(Softphone(options))
        for user, phone in phones.items():
            await phone.wait("registered")
            await hotline.set_state(user, "ready" if user == "8001" else "not_ready")
        yield phones


@pytest_asyncio.fixture(loop_scope="module")
async def mobile() -> AsyncIterator[FarEnd]:
    end = FarEnd("mobile", MOBILE_HZ)
    await end.open(*MOBILE)
    yield end
    end.close()


@pytest_asyncio.fixture(loop_scope="module")
async def platform() -> AsyncIterator[FarEnd]:
    end = FarEnd("city", PLATFORM_HZ)
    await end.open(*PLATFORM)
    yield end
    end.close()


@pytest_asyncio.fixture(loop_scope="module")
async def citizen(hotline: Hotline, seats: dict[str, Softphone]) -> AsyncIterator[FarEnd]:
    """At the end of each test everybody is at rest again."""
    for phone in seats.values():
        phone.fresh.clear()  # of calls that are over
    end = FarEnd("trunk", CALLER_HZ)
    await end.open(TRUNK)
    yield end
    for call in tuple(end.calls.values()):  # of a test that failed: the next one is not to see it
        await end.hang_up(call)
    end.close()

    async def at_rest() -> bool:
        states = await hotline.states()
        return not await hotline.get("/calls?active=true") and states["8001"] == "ready"

    await eventually(at_rest)


async def test_the_city_sends_a_call_and_it_goes_back_with_its_order(
    hotline: Hotline, seats: dict[str, Softphone], platform: FarEnd, citizen: FarEnd
) -> None:
    """User-to-User (RFC 7433) in both directions; what the agent did is on the record."""
    told = f"User-to-User: {write(Told('P-7', 'HF-9'))}"
    call, path = await talking(hotline, platform, caller="13900002222", more=(told,))
    record = await hotline.get(path)
    assert (record["partner_call"], record["order"]) == ("P-7", "HF-9")
    await act(hotline, f"{path}/transfer", to="platform", order="HF-10")
    back = await platform.answers()
    assert f"sip:{NUMBER}@" in back.invite.start
    assert read(back.invite.get("user-to-user")) == Told(record["call_id"], "HF-10")
    await asyncio.gather(call.hears(PLATFORM_HZ), back.hears(PLATFORM_HZ))
    await back.hang_up()
    await call.over()
    record = await ended(hotline, path)
    assert [(one["who"], one["why"]) for one in record["segments"]] == [
        ("8001", "offer"),
        (NUMBER, "transfer"),
    ]
    assert await heard_by(seats["8001"]) == [PLATFORM_HZ]
    await plays(hotline, record, 2)


async def test_three_way_with_the_city_and_the_citizen(
    hotline: Hotline, seats: dict[str, Softphone], platform: FarEnd, citizen: FarEnd
) -> None:
    """Asked beside the talk, then all three, then the agent leaves the two."""
    call, path = await talking(hotline, citizen)
    await act(hotline, f"{path}/consult", to="platform")
    city = await platform.answers()
    assert read(city.invite.get("user-to-user")).call == path.rpartition("/")[2]
    await asyncio.gather(city.hears(AGENT_HZ), call.hears(MUSIC_HZ))
    await act(hotline, f"{path}/conference")
    await asyncio.gather(
        city.hears(AGENT_HZ, CALLER_HZ, share=0.02), call.hears(AGENT_HZ, PLATFORM_HZ, share=0.02)
    )
    seats["8001"].send("hangup")
    await asyncio.gather(city.hears(CALLER_HZ), call.hears(PLATFORM_HZ))
    await call.hang_up()
    await city.over()
    assert city.heard(*EARS)[0] == AGENT_HZ
    assert call.heard(*EARS)[-1] == PLATFORM_HZ
    record = await ended(hotline, path)
    await plays(hotline, record, 2)


async def test_a_city_that_does_not_answer_gives_the_citizen_back(
    hotline: Hotline, seats: dict[str, Softphone], platform: FarEnd, citizen: FarEnd
) -> None:
    """CANCEL after [calls] ring_seconds; ringback meanwhile, then the agent again."""
    call, path = await talking(hotline, citizen)
    await act(hotline, f"{path}/transfer", to="platform")
    await platform.rings()
    await call.hears(RINGBACK_HZ)
    async with asyncio.timeout(30):
        await platform.cancelled.wait()
    await call.hears(AGENT_HZ)
    assert call.heard(*EARS)[-2:] == [RINGBACK_HZ, AGENT_HZ]
    assert (await hotline.get(path))["state"] == "talking"
    await call.hang_up()
    record = await ended(hotline, path)
    assert record["outgoing_seconds"] == 0


async def test_one_key_brings_the_fire_brigade_in(
    hotline: Hotline, seats: dict[str, Softphone], mobile: FarEnd, citizen: FarEnd
) -> None:
    """#119 on the agent's phone: INVITE at once, whose number a rule says, all three talk."""
    call, path = await talking(hotline, citizen)
    seats["8001"].send("dtmf", digits="#119")
    brigade = await mobile.answers()
    assert "sip:119@" in brigade.invite.start
    assert "055100000001" in brigade.invite.get("p-asserted-identity")
    await asyncio.gather(
        brigade.hears(AGENT_HZ, CALLER_HZ, share=0.02), call.hears(AGENT_HZ, MOBILE_HZ, share=0.02)
    )
    await brigade.hang_up()
    await call.hang_up()
    record = await ended(hotline, path)
    assert record["segments"][-1]["why"] == "emergency"
    await plays(hotline, record, 2)


async def test_a_mobile_is_told_who_forwards_and_the_recording_goes_on(
    hotline: Hotline, seats: dict[str, Softphone], mobile: FarEnd, citizen: FarEnd
) -> None:
    """Diversion, History-Info, From and the asserted identity; ringing is heard; minutes."""
    call, path = await talking(hotline, citizen)
    await act(hotline, f"{path}/transfer", to="13800000009")
    rung = await mobile.rings()
    await call.hears(RINGBACK_HZ)
    invite = rung[0]
    assert "sip:13900001111@" in invite.get("from")
    assert "<sip:055112345@" in invite.get("p-asserted-identity")
    assert invite.get("diversion").endswith(";reason=deflection;counter=1")
    assert "<sip:12345@" in invite.get("diversion")
    history = invite.get("history-info")
    assert history.startswith("<sip:12345@")
    assert "13800000009" in history
    assert "cause=480" in history
    far = await mobile.answers(rung)
    await asyncio.gather(far.hears(CALLER_HZ), call.hears(MOBILE_HZ))
    assert (await seats["8001"].wait("ended"))["by"] == "remote"
    await call.hang_up()
    await far.over()
    record = await ended(hotline, path)
    assert call.heard(*EARS)[-3:] == [AGENT_HZ, RINGBACK_HZ, MOBILE_HZ]
    assert 0.3 < record["outgoing_seconds"] < record["billed_seconds"] == 6
    await plays(hotline, record, 2)


@pytest.mark.parametrize("fault", ["503 Service Unavailable", "486 Busy Here", ""])
async def test_a_trunk_that_fails_in_the_middle_gives_the_citizen_back(
    hotline: Hotline, seats: dict[str, Softphone], mobile: FarEnd, citizen: FarEnd, fault: str
) -> None:
    """Refused, busy, or not a word (the next way is tried after answer_seconds): 8001 again."""
    call, path = await talking(hotline, citizen)
    await act(hotline, f"{path}/transfer", to="13800000009")
    async with asyncio.timeout(30):
        invite, remote, _ = await mobile.incoming.get()
    if fault:
        mobile.respond(invite, remote, fault)

    async def back() -> bool:
        parties = await hotline.get(f"{path}/parties")
        return [one["who"] for one in parties if one["place"] == "talk"][1:] == ["8001"]

    await eventually(back)
    await call.hears(AGENT_HZ)
    await call.hang_up()
    record = await ended(hotline, path)
    assert record["outgoing_seconds"] == 0
    status = int(fault[:3] or 0)
    assert not status or status in [one["status"] for one in record["causes"]]


async def test_a_seat_that_vanishes_is_no_end_for_the_citizen(
    hotline: Hotline, seats: dict[str, Softphone], citizen: FarEnd
) -> None:
    """8005's phone dies without a word: nobody answers, and the citizen is back with 8001."""
    async with Softphone(hotline.seat("8005", no_answer=True)) as gone:
        await gone.wait("registered")
        await hotline.set_state("8005", "not_ready")
        gone.send("crash")
        call, path = await talking(hotline, citizen)
        await act(hotline, f"{path}/transfer", to="8005")
        await call.hears(AGENT_HZ)
        assert (await hotline.get(path))["agent"] == "8001"
        await call.hang_up()
        await ended(hotline, path)


async def test_busy_is_heard_where_a_network_says_it_by_a_tone(
    hotline: Hotline, seats: dict[str, Softphone], mobile: FarEnd, citizen: FarEnd
) -> None:
    """183 and 450 Hz, 0.35 s on and off: the seat that calls is told 486."""
    seat = seats["8002"]
    seat.send("call", to="sip:13800000009@hotline.local", name="busy")
    _, early = await mobile.early(samples(TONES["busy"]))
    assert (await seat.wait("ended"))["code"] == 486
    async with asyncio.timeout(30):
        await mobile.cancelled.wait()
    early.rtp.close()
    record = await hotline.last_call("ended")
    assert list(record["tones"].values()) == ["busy"]
    assert await heard_by(seat, "busy") == [RINGBACK_HZ]


async def test_a_supervisors_phone_listens_and_whispers_by_codes(
    hotline: Hotline, seats: dict[str, Softphone], citizen: FarEnd
) -> None:
    """*81 8001 dialled, *82 in the talk: the agent hears it, the citizen does not."""
    call, path = await talking(hotline, citizen)
    boss = seats["9001"]
    boss.send("call", to="sip:*818001@hotline.local", name="ear")
    await boss.wait("media", status="active")

    async def place() -> str:
        parties = await hotline.get(f"{path}/parties")
        return next((one["place"] for one in parties if one["who"] == "9001"), "")

    async def is_whispering() -> bool:
        return await place() == "whisper"

    assert await place() == "monitor"
    await call.hears(AGENT_HZ)
    boss.send("dtmf", digits="*82")
    await eventually(is_whispering)
    await call.hears(AGENT_HZ)
    boss.send("hangup")
    await call.hears(AGENT_HZ)
    await call.hang_up()
    await ended(hotline, path)
    assert call.seconds_with(BOSS_HZ) == 0
    recording = await recording_of(seats["8001"])
    assert seconds_with(recording, BOSS_HZ) > 0.2


async def test_baresip_transfers_a_citizen(
    hotline: Hotline, seats: dict[str, Softphone], citizen: FarEnd, tmp_path: Path
) -> None:
    """REFER from a phone of another make (Debian's has no attended transfer)."""
    await hotline.set_state("8001", "not_ready")
    options = hotline.seat("8003", module="phones.baresip_phone", record=tmp_path / "b.wav")
    async with Softphone(options) as phone:
        await phone.wait("registered")
        await hotline.set_state("8003", "ready")
        call = await citizen.calls_us(hotline.address)
        await call.hears(AGENT_HZ)
        path = f"/calls/{(await hotline.last_call('talking'))['call_id']}"
        phone.send("transfer", to="sip:8002@hotline.local")
        await call.hears(SECOND_HZ)
        assert (await hotline.get(path))["agent"] == "8002"
        await call.hang_up()
        await ended(hotline, path)
    assert (await heard_by(seats["8002"]))[-1] == CALLER_HZ
    await hotline.set_state("8001", "ready")


async def test_eight_parties_all_hear_all(
    hotline: Hotline, seats: dict[str, Softphone], mobile: FarEnd, citizen: FarEnd
) -> None:
    """The citizen, the agent and six mobiles; a ninth is refused by 409."""
    call, path = await talking(hotline, citizen)
    tones, others = (1700, 1850, 2000, 2150, 2300, 2600), []
    for number, hz in enumerate(tones):
        mobile.says = tone(hz, 1.0, 0.1)
        await act(hotline, f"{path}/conference", add=f"1380000001{number}")
        others.append(await mobile.answers())
    everybody = {CALLER_HZ: call, **dict(zip(tones, others, strict=True))}
    said = [*everybody, AGENT_HZ]
    await asyncio.gather(
        *(
            ear.hears(*(hz for hz in said if hz != own), share=0.01)
            for own, ear in everybody.items()
        )
    )
    body = {"add": "13800000099"}
    status, answer = await hotline.request(f"/api/v1{path}/conference", "POST", body)
    assert (status, b"8 parties" in answer) == (409, True)
    await call.hang_up()
    seats["8001"].send("hangup")
    for other in others[:-1]:
        await other.hang_up()
    await others[-1].over()
    record = await ended(hotline, path)
    assert len(record["recordings"]) == 7


async def test_sipp_is_the_mobile_and_hangs_up(
    hotline: Hotline, seats: dict[str, Softphone], citizen: FarEnd
) -> None:
    """The minutes are SIPp's pause between its 200 and its BYE."""
    options = SippOptions(
        "uas_talks", local_port=MOBILE[1], address=MOBILE[0], pause=Law(1.5), timeout_seconds=60
    )
    async with Sipp(options) as sipp:
        call, path = await talking(hotline, citizen)
        await act(hotline, f"{path}/transfer", to="13800000009")
        assert (await sipp.wait()).ok
        await call.over()
    record = await ended(hotline, path)
    assert abs(record["outgoing_seconds"] - 1.5) < 0.25


async def test_a_message_is_recorded_and_becomes_a_callback(
    hotline: Hotline, seats: dict[str, Softphone], citizen: FarEnd
) -> None:
    """Nobody of the queue is there: after a second the beep, the message, and a task."""
    call = await citizen.calls_us(hotline.address, "13900003333", "12346")
    await hotline.last_call("message")

    async def recorded() -> bool:
        return bool((await hotline.last_call())["recording"])

    await eventually(recorded)
    await asyncio.sleep(0.5)  # what is said
    await call.hang_up()
    record = await hotline.last_call("ended")
    assert record["message"]
    tasks = {one["callback"]: one for one in await hotline.get("/callbacks")}
    assert tasks[record["callback"]]["number"] == "13900003333"
    assert tasks[record["callback"]]["call_id"] == record["call_id"]
    await plays(hotline, record, 1)
    status, _ = await hotline.request(f"/api/v1/callbacks/{record['callback']}", "DELETE")
    assert status in (200, 204)


async def test_who_is_not_to_be_called_is_not(
    hotline: Hotline, seats: dict[str, Softphone], citizen: FarEnd
) -> None:
    """Oneself, no number, a class that is not allowed: 422; a call that is over: 409; none: 404."""
    call, path = await talking(hotline, citizen)
    for to, status in (("8001", 422), ("queue:none", 422), ("0085212345678", 422)):
        got, answer = await hotline.request(f"/api/v1{path}/transfer", "POST", {"to": to})
        assert got == status, (to, answer)
    assert (await hotline.get(path))["state"] == "talking"
    await call.hang_up()
    await ended(hotline, path)
    got, answer = await hotline.request(f"/api/v1{path}/transfer", "POST", {"to": "8002"})
    assert (got, b"ended" in answer) == (409, True)
    got, _ = await hotline.request("/api/v1/calls/none/transfer", "POST", {"to": "8002"})
    assert got == 404


async def test_nothing_is_left_open(hotline: Hotline, seats: dict[str, Softphone]) -> None:
    """No leg, no port, no call on a trunk, no recording that was not sealed."""

    async def empty() -> bool:
        names = ("callcore_media_legs", "callcore_sip_legs", "callcore_trunk_calls")
        return not any([await hotline.metric(name) for name in names])

    await eventually(empty, 40)
