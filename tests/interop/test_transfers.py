"""Transfers by the phones themselves: REFER, two calls of one phone, what each party hears."""

import asyncio
from pathlib import Path

import pytest

from phones.driver import Softphone
from phones.tones import write_tone
from tests.interop.ears import heard, packets_heard
from tests.interop.hotline import (
    AGENT_HZ,
    CALLER_HZ,
    MUSIC_HZ,
    TONES,
    Hotline,
    eventually,
    on_duty,
)

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]
SECOND_HZ, THIRD_HZ = 1350, 1700
EARS = (*TONES, SECOND_HZ, THIRD_HZ)


async def talking(hotline: Hotline, seat: Softphone, citizen: Softphone) -> str:
    """The citizen has the seat; both have heard something of it. The seat's call."""
    hotline.call(citizen)
    call = (await seat.wait("incoming"))["call"]
    await seat.wait("media", status="active")
    await asyncio.gather(packets_heard(seat, 30), packets_heard(citizen, 30))
    return str(call)


async def test_a_blind_transfer(hotline: Hotline, tmp_path: Path) -> None:
    """RFC 3515: 8001 sends REFER; the citizen hears 8002, and both are recorded."""
    first = hotline.seat("8001", record=tmp_path / "8001.wav")
    second = hotline.seat("8002", tone=SECOND_HZ, auto_answer="0.5", record=tmp_path / "8002.wav")
    async with (
        on_duty(hotline, first, second) as (seat, other),
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        await talking(hotline, seat, citizen)
        seat.send("transfer", to="sip:8002@hotline.local")
        assert (await seat.wait("transfer", final=True))["code"] == 200
        await other.wait("media", status="active")
        assert (await seat.wait("ended"))["by"] == "remote"
        await asyncio.gather(packets_heard(other, 30), packets_heard(citizen, 30))
        await hotline.until_state("8002", "talking")
        await hotline.until_state("8001", "ready")
        call = await hotline.last_call("talking")
        assert call["agent"] == "8002"
        citizen.send("hangup")
        await other.wait("ended")
    assert heard(tmp_path / "8002.wav", EARS) == [CALLER_HZ]
    assert heard(tmp_path / "caller.wav", EARS)[-1] == SECOND_HZ
    call = await hotline.last_call("ended")
    assert [(one["who"], one["why"]) for one in call["segments"]] == [
        ("8001", "offer"),
        ("8002", "transfer"),
    ]
    assert len(await hotline.recordings(call["call_id"], 2)) == 2


async def test_a_busy_target_gives_the_citizen_back(hotline: Hotline, tmp_path: Path) -> None:
    second = hotline.seat("8002", refuse=486)
    async with (
        on_duty(hotline, hotline.seat("8001"), second) as (seat, _),
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        await talking(hotline, seat, citizen)
        seat.send("transfer", to="sip:8002@hotline.local")
        assert (await seat.wait("transfer", final=True))["code"] == 486
        await packets_heard(citizen, 30)
        assert (await hotline.last_call())["state"] == "talking"
        seat.send("transfer", to="sip:9999999@hotline.local")
        await seat.wait("transfer")
        await hotline.set_state("8002", "not_ready")
        seat.send("hangup")
        await citizen.wait("ended")
    assert heard(tmp_path / "caller.wav", EARS)[-1] == AGENT_HZ


async def test_an_attended_transfer_between_two_calls_of_one_phone(
    hotline: Hotline, tmp_path: Path
) -> None:
    """RFC 5589 §7: hold, a second call, REFER with Replaces; the two others talk."""
    first = hotline.seat("8001", calls=2)
    second = hotline.seat("8002", tone=SECOND_HZ, record=tmp_path / "8002.wav")
    async with (
        on_duty(hotline, first, second) as (seat, other),
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        call = await talking(hotline, seat, citizen)
        seat.send("hold", call=call)
        await hotline.until_state("8001", "held")
        seat.send("call", to="sip:8002@hotline.local", name="consult", play=str(tone(tmp_path)))
        await other.wait("media", status="active")
        await packets_heard(other, 30)
        await packets_heard(citizen, 20)
        await hotline.until_state("8002", "talking")
        seat.send("attend", call=call, **{"with": "consult"})
        await seat.wait("ended")
        await seat.wait("ended")
        await asyncio.gather(packets_heard(other, 30), packets_heard(citizen, 30))
        record = (await hotline.get("/calls?limit=5&active=true"))[0]
        assert (record["agent"], record["state"]) == ("8002", "talking")
        other.send("hangup")
        await citizen.wait("ended")
    assert heard(tmp_path / "8002.wav", EARS) == [THIRD_HZ, CALLER_HZ]
    assert heard(tmp_path / "caller.wav", EARS)[-3:] == [AGENT_HZ, MUSIC_HZ, SECOND_HZ]

    async def all_ended() -> bool:
        return not await hotline.get("/calls?active=true")

    await eventually(all_ended)
    assert await hotline.metric("callcore_sip_legs") == 0
    assert await hotline.metric("callcore_media_legs") == 0


def tone(folder: Path) -> Path:
    """What the agent says in its second call."""
    return write_tone(folder / "consult.wav", THIRD_HZ)
