"""Wrong passwords, floods, mutilated datagrams and strangers' voices."""

import asyncio
from pathlib import Path

import pytest

from phones.driver import Softphone
from phones.raw import RawEnd
from phones.tones import read_wav
from tests.interop.attacks import mutilated, registers, speech, throw
from tests.interop.ears import (
    heard,
    longest_gap_seconds,
    packets_heard,
    seconds_of,
    sides,
    story,
)
from tests.interop.hotline import AGENT_HZ, CALLER_HZ, STRANGER, TONES, TRUNK, Hotline, on_duty

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

ANOTHER_STRANGER = "127.0.9.10"
TRUNKS_OTHER_HOST = "127.0.1.9"
STRANGERS_HZ = 2000
FLOOD_SECONDS = 4.0
CONFIGURATION = {"seats": 4}


async def refused(hotline: Hotline, why: str, status: int) -> float:
    return await hotline.metric("callcore_sip_refused_total", why=why, status=str(status))


async def test_a_phone_with_a_wrong_password_is_not_registered(hotline: Hotline) -> None:
    wrong = hotline.seat("8004", password="guess", address=ANOTHER_STRANGER)
    async with Softphone(wrong) as phone:
        failed = await phone.wait("register_failed")
        assert failed["code"] in (401, 403)
    assert (await hotline.states())["8004"] == "offline"
    assert await refused(hotline, "wrong password", 401) >= 1


async def test_those_who_guess_passwords_are_slowed_down_but_not_the_seats_owner(
    hotline: Hotline,
) -> None:
    """After five failures in a minute 403 with Retry-After, also for the right password."""
    async with Softphone(hotline.seat("8001")) as owner:
        await owner.wait("registered")
        before = await refused(hotline, "wrong password", 401)
        guesser = RawEnd("8001", CALLER_HZ, CALLER_HZ)
        await guesser.open(STRANGER)
        guesses = [
            await guesser.register(hotline.address, "hotline.local", f"guess-{n}") for n in range(7)
        ]
        assert guesses == [401] * 5 + [403] * 2
        assert await refused(hotline, "wrong password", 401) == before + 5
        assert await refused(hotline, "blocked", 403) == 2
        right = await guesser.register(hotline.address, "hotline.local", "secret-8001")
        assert right == 403
        assert int(guesser.last.get("retry-after")) > 10
        guesser.close()
        owner.send("register")
        assert (await owner.wait("registered"))["code"] == 200
        assert (await hotline.states())["8001"] == "ready"
        assert await hotline.metric("callcore_registrations") == 1


async def test_a_flood_and_mutilated_datagrams_do_not_disturb_a_call(
    hotline: Hotline, tmp_path: Path
) -> None:
    """A thousand datagrams a second from strangers, and some from the trunk's own network."""
    ears = hotline.seat("8002", record=tmp_path / "agent.wav")
    async with (
        on_duty(hotline, ears, hotline.seat("8003")) as (seat, other_seat),
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
        Softphone(hotline.citizen()) as other_citizen,
    ):
        hotline.call(citizen)
        await seat.wait("state", state="CONFIRMED")
        call = await hotline.last_call("talking")
        flood = (
            throw(registers(STRANGER, 5060), STRANGER, hotline.address, 500, FLOOD_SECONDS),
            throw(mutilated(), STRANGER, hotline.address, 400, FLOOD_SECONDS),
            throw(mutilated(), TRUNKS_OTHER_HOST, hotline.address, 100, FLOOD_SECONDS),
        )
        attack = asyncio.gather(*flood)
        hotline.call(other_citizen, "13900002222")
        await other_seat.wait("state", 2, state="CONFIRMED")
        other_citizen.send("hangup")
        await other_seat.wait("ended", 2)
        assert sum(await attack) == FLOOD_SECONDS * 1000
        assert await hotline.metric("callcore_registrations") == 2
        await packets_heard(citizen, 10)
        citizen.send("hangup")
        ended = await asyncio.gather(citizen.wait("ended"), seat.wait("ended"))
    assert [event["lost"] for event in ended] == [0, 0]
    assert heard(tmp_path / "agent.wav") == [CALLER_HZ]
    assert heard(tmp_path / "caller.wav")[-1] == AGENT_HZ
    assert await hotline.metric("callcore_sip_messages_total", method="malformed") > 100
    left, right, rate = sides(await recording_of(hotline, call["call_id"]))
    assert seconds_of(left, rate, CALLER_HZ) > FLOOD_SECONDS
    assert longest_gap_seconds(left, rate, CALLER_HZ) < 0.1
    assert longest_gap_seconds(right, rate, AGENT_HZ) < 0.1


async def recording_of(hotline: Hotline, call_id: str) -> Path:
    (entry,) = await hotline.recordings(call_id)
    (found,) = (hotline.folder / "recordings").rglob(f"{entry['recording']}.flac")
    return found


async def test_garbage_on_a_connection_closes_that_connection_alone(hotline: Hotline) -> None:
    """A TCP stream that cannot be framed cannot be trusted again; a phone's goes on."""
    host, _, port = hotline.listener("tcp").partition(":")
    async with Softphone(hotline.seat("8002", transport="tcp")) as seat:
        await seat.wait("registered")
        for garbage in (b"\xff" * 70_000, b"INVITE sip:x SIP/2.0\r\nContent-Length: -1\r\n\r\n"):
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(garbage)
            async with asyncio.timeout(30):
                while await reader.read(1000):
                    pass
            writer.close()
        assert (await hotline.states())["8002"] == "ready"


async def test_a_strangers_voice_is_heard_by_nobody(hotline: Hotline, tmp_path: Path) -> None:
    """RTP into both ports of the call, from an address that the descriptions do not name."""
    async with (
        Softphone(hotline.seat("8002", record=tmp_path / "agent.wav")) as seat,
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        await seat.wait("registered")
        hotline.call(citizen)
        streams = [await phone.wait("media", status="active") for phone in (seat, citizen)]
        await packets_heard(seat, 20)
        ports = {int(stream["remote"].rpartition(":")[2]) for stream in streams}
        assert len(ports) == 2
        voices = [
            throw(speech(STRANGERS_HZ), source, ("127.0.0.1", port), 50, 1.5)
            for port in ports
            for source in (STRANGER, TRUNK)
        ]
        await asyncio.gather(*voices)
        citizen.send("hangup")
        await seat.wait("ended")
        call = await hotline.last_call("ended")
    tones = (*TONES, STRANGERS_HZ)
    for wav, spoken in (("agent", CALLER_HZ), ("caller", AGENT_HZ)):
        samples, rate = read_wav(tmp_path / f"{wav}.wav")
        assert story(samples, rate, tones)[-1] == spoken
        assert STRANGERS_HZ not in story(samples, rate, tones)
        assert longest_gap_seconds(samples, rate, spoken) < 0.25
    left, right, rate = sides(await recording_of(hotline, call["call_id"]))
    assert story(left, rate, tones) == [CALLER_HZ]
    assert story(right, rate, tones) == [AGENT_HZ]
