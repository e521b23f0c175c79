"""What agents and supervisors do with a call by API and by keys: the audio says who hears whom."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from phones.driver import Softphone
from phones.tones import read_wav, strength
from tests.interop.ears import heard, packets_heard, windows
from tests.interop.hotline import (
    AGENT_HZ,
    CALLER_HZ,
    MUSIC_HZ,
    TONES,
    Hotline,
    on_duty,
)
from tests.interop.test_transfers import SECOND_HZ, THIRD_HZ, talking

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]
EARS = (*TONES, SECOND_HZ, THIRD_HZ)
MOBILE, MOBILE_PORT = "127.0.1.7", 5099


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hotline(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hotline]:
    """One seat is a supervisor's; the trunk can be called out by, and says who forwards."""
    one = Hotline(
        tmp_path_factory.mktemp("hotline"),
        trunks={
            "peers": ["127.0.1.0/24", f"{MOBILE}:{MOBILE_PORT}"],
            "diversion": "diversion",
            "asserted_identity": "number",
            "outbound_number": "055112345",
            "probe_seconds": 0,
        },
    )
    seat = {"user": "9001", "password": "secret-9001", "role": "supervisor", "auto_ready": False}
    one.document["seats"].append(seat)
    one.document["minutes"] = {"unit_seconds": 6}
    async with one:
        yield one


async def act(hotline: Hotline, path: str, **body: Any) -> Any:
    status, answer = await hotline.request(f"/api/v1{path}", "POST", body)
    assert status in (200, 201), answer
    return answer


def tones_in(wav: Path, last_seconds: float) -> set[int]:
    """Every tone in the end of a recording: in a conference several at once."""
    samples, rate = read_wav(wav)
    end = samples[-round(last_seconds * rate) :]
    return {hz for hz in EARS if strength(end, hz, rate) > 0.1}


def seconds_with(wav: Path, *tones: int) -> float:
    """For how long all these tones were heard at once."""
    samples, rate = read_wav(wav)
    step = round(0.06 * rate)
    cuts = [samples[at : at + step] for at in range(0, len(samples) - step, step)]
    return sum(all(strength(cut, hz, rate) > 0.2 for hz in tones) for cut in cuts) * 0.06


def mobile(hotline: Hotline, **changes: Any) -> Any:
    """A phone at the trunk's other end that may be called."""
    given = {"address": MOBILE, "local_port": MOBILE_PORT, "tone": THIRD_HZ, "auto_answer": "0.3"}
    return hotline.citizen(user="mobile", **{**given, **changes})


async def test_three_way_with_a_mobile_over_the_trunk(hotline: Hotline, tmp_path: Path) -> None:
    """Consult, join, leave: the minutes on the record are those that the mobile talked."""
    async with (
        on_duty(hotline, hotline.seat("8001", record=tmp_path / "8001.wav")) as (seat,),
        Softphone(mobile(hotline, record=tmp_path / "mobile.wav")) as third,
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        await talking(hotline, seat, citizen)
        call = f"/calls/{(await hotline.last_call('talking'))['call_id']}"
        await act(hotline, f"{call}/consult", to="13800000009")
        invited = await third.wait("incoming")
        assert "055112345" in invited["asserted"]
        up = await third.wait("state", state="CONFIRMED")
        await asyncio.gather(packets_heard(third, 30), packets_heard(citizen, 30))
        await act(hotline, f"{call}/conference")
        await asyncio.gather(packets_heard(third, 50), packets_heard(citizen, 50))
        seat.send("hangup")
        await seat.wait("ended")
        await asyncio.gather(packets_heard(third, 30), packets_heard(citizen, 30))
        third.send("hangup")
        down = await third.wait("ended")
        await citizen.wait("ended")
    assert heard(tmp_path / "mobile.wav", EARS)[0] == AGENT_HZ
    assert heard(tmp_path / "mobile.wav", EARS)[-1] == CALLER_HZ
    assert heard(tmp_path / "caller.wav", EARS)[-1] == THIRD_HZ
    assert MUSIC_HZ in windows(*read_wav(tmp_path / "caller.wav"), EARS)
    assert tones_in(tmp_path / "8001.wav", 0.4) == {CALLER_HZ, THIRD_HZ}
    record = await hotline.last_call("ended")
    assert abs(record["outgoing_seconds"] - (down.t - up.t)) < 0.3
    assert record["billed_seconds"] == 6 * -(-int(record["outgoing_seconds"] * 1000) // 6000)
    assert await hotline.metric("callcore_trunk_minutes_used", trunk="city") == pytest.approx(
        record["billed_seconds"] / 60
    )
    assert [one["who"] for one in record["segments"]] == ["8001", "13800000009"]


async def test_a_supervisor_listens_whispers_and_barges_in(
    hotline: Hotline, tmp_path: Path
) -> None:
    boss_options = hotline.seat("9001", tone=SECOND_HZ, record=tmp_path / "boss.wav")
    async with (
        on_duty(hotline, hotline.seat("8001", record=tmp_path / "8001.wav")) as (seat,),
        Softphone(boss_options) as boss,
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        await boss.wait("registered")
        await talking(hotline, seat, citizen)
        call = f"/calls/{(await hotline.last_call('talking'))['call_id']}"
        await act(hotline, f"{call}/supervise", by="9001", mode="monitor")
        await boss.wait("media", status="active")
        await packets_heard(boss, 40)
        await act(hotline, f"{call}/supervise", by="9001", mode="whisper")
        await packets_heard(seat, 50)
        await act(hotline, f"{call}/supervise", by="9001", mode="barge")
        await packets_heard(citizen, 40)
        await act(hotline, f"{call}/supervise", by="9001", mode="take_over")
        await seat.wait("ended")
        await packets_heard(citizen, 40)
        citizen.send("hangup")
        await boss.wait("ended")
    assert heard(tmp_path / "caller.wav", EARS)[-1] == SECOND_HZ
    assert heard(tmp_path / "boss.wav", EARS)[-1] == CALLER_HZ
    # The agent hears the supervisor from the whisper on, the citizen from the barge-in on.
    whispered = seconds_with(tmp_path / "8001.wav", CALLER_HZ, SECOND_HZ)
    barged = seconds_with(tmp_path / "caller.wav", AGENT_HZ, SECOND_HZ)
    assert barged > 0.3
    assert whispered - barged > 0.7
    status, _ = await hotline.request("/api/v1/calls/x/supervise", "POST", {"by": "9001"})
    assert status == 422


async def test_keys_transfer_to_a_mobile_that_diverts_the_call(
    hotline: Hotline, tmp_path: Path
) -> None:
    """*1 13800000009 # on the agent's phone (RFC 4733); the INVITE says who forwards it."""
    async with (
        on_duty(hotline, hotline.seat("8001")) as (seat,),
        Softphone(mobile(hotline)) as third,
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        await talking(hotline, seat, citizen)
        seat.send("dtmf", digits="*113800000009#")
        await third.wait("state", 15, state="CONFIRMED")
        assert (await seat.wait("ended"))["by"] == "remote"
        await packets_heard(citizen, 40)
        citizen.send("hangup")
        await third.wait("ended")
    assert heard(tmp_path / "caller.wav", EARS)[-1] == THIRD_HZ


async def test_a_seat_calls_out_and_busy_is_told_apart(hotline: Hotline) -> None:
    async with (
        Softphone(mobile(hotline, auto_answer=None, refuse=486)),
        Softphone(hotline.seat("8002")) as seat,
    ):
        await seat.wait("registered")
        seat.send("call", to="sip:13800000009@hotline.local")
        ended = await seat.wait("ended")
        assert ended["code"] == 486
    record = await hotline.last_call("ended")
    assert (record["direction"], record["result"]) == ("outbound", "failed")
    causes = [(one["status"], one["q850"]) for one in record["causes"]]
    assert (486, 17) in causes


async def test_a_remote_seat_takes_calls_at_its_mobile_after_a_key(tmp_path: Path) -> None:
    """The queue's offer goes over the trunk; a voicemail that answers gets nobody."""
    one = Hotline(
        tmp_path,
        seats=1,
        trunks={"peers": ["127.0.1.0/24", f"{MOBILE}:{MOBILE_PORT}"], "probe_seconds": 0},
    )
    one.document["seats"][0] |= {"mobile": "13800000009", "remote": True}
    async with (
        one as hotline,
        Softphone(mobile(hotline, record=tmp_path / "mobile.wav")) as phone,
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        await hotline.until_state("8001", "ready")
        hotline.call(citizen)
        await phone.wait("state", state="CONFIRMED")
        await packets_heard(phone, 40)
        assert (await hotline.last_call())["state"] == "ringing"
        phone.send("dtmf", digits="1")
        await hotline.last_call("talking")
        await asyncio.gather(packets_heard(phone, 40), packets_heard(citizen, 40))
        assert (await hotline.states())["8001"] == "talking"
        citizen.send("hangup")
        await phone.wait("ended")
        record = await hotline.last_call("ended")
        assert (record["result"], record["agent"]) == ("answered", "8001")
        assert record["outgoing_seconds"] > 1
    assert heard(tmp_path / "caller.wav", EARS)[-1] == THIRD_HZ


async def test_the_citizen_is_asked_and_answers_by_a_key(tmp_path: Path) -> None:
    """The survey, after the agent has hung up; only where the queue wants it.

    The second citizen's telephone knows no telephone-event: its key is two tones in the sound.
    """
    async with (
        Hotline(tmp_path, seats=1, queues={"survey": True}) as hotline,
        on_duty(hotline, hotline.seat("8001")) as (seat,),
    ):
        for keys, digit in (("events", "2"), ("sound", "1")):
            async with Softphone(hotline.citizen(keys=keys)) as citizen:
                await talking(hotline, seat, citizen)
                seat.send("hangup")
                await seat.wait("ended")
                await hotline.last_call("survey")
                await hotline.until_state("8001", "ready")
                citizen.send("dtmf", digits=digit)
                assert (await citizen.wait("ended"))["by"] == "remote"
            assert (await hotline.last_call("ended"))["survey"] == digit
        assert (await hotline.queue())["answered"] == 2
