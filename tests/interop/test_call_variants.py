"""The call in other shapes: codecs, TCP, hold, delayed offer, re-INVITE, another make of phone."""

import asyncio
from pathlib import Path

import pytest

from phones.driver import Softphone, SoftphoneOptions
from phones.laws import Law
from phones.sipp import SippOptions, run_sipp
from phones.staff import Staff
from tests.interop.ears import heard, longest_gap_seconds, packets_heard, sides, story
from tests.interop.hotline import (
    AGENT_HZ,
    CALLER_HZ,
    MUSIC_HZ,
    TRUNK,
    Hotline,
    eventually,
)

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]


async def connected(hotline: Hotline, seat: Softphone, citizen: Softphone) -> None:
    """A call that both have heard something of."""
    await seat.wait("registered")
    hotline.call(citizen)
    await seat.wait("media", status="active")
    await asyncio.gather(packets_heard(seat, 40), packets_heard(citizen, 40))


async def stored(hotline: Hotline) -> Path:
    """The sound of the last call's recording."""
    call = await hotline.last_call("ended")
    (entry,) = await hotline.recordings(call["call_id"])
    (found,) = (hotline.folder / "recordings").rglob(f"{entry['recording']}.flac")
    return found


@pytest.mark.parametrize(
    ("citizens", "agents", "transport"),
    [("PCMU", "PCMU", "tcp"), ("PCMA", "PCMU", "udp"), ("PCMU", "PCMA", "tcp")],
)
async def test_each_pair_of_codecs_is_heard_on_both_sides_and_recorded(
    hotline: Hotline, tmp_path: Path, citizens: str, agents: str, transport: str
) -> None:
    """Each phone offers and takes one codec alone; the seat's signalling is UDP or TCP."""
    seat_options = hotline.seat(
        "8001", codec=agents, transport=transport, record=tmp_path / "agent.wav"
    )
    citizen_options = hotline.citizen(codec=citizens, record=tmp_path / "caller.wav")
    async with Softphone(seat_options) as seat, Softphone(citizen_options) as citizen:
        await connected(hotline, seat, citizen)
        codecs = [[e["codec"] for e in p.events if e.name == "media"][-1] for p in (citizen, seat)]
        assert codecs == [citizens, agents]
        seat.send("hangup")
        assert (await citizen.wait("ended"))["by"] == "remote"
    assert heard(tmp_path / "agent.wav") == [CALLER_HZ]
    assert heard(tmp_path / "caller.wav")[-1] == AGENT_HZ
    left, right, rate = sides(await stored(hotline))
    assert (story(left, rate), story(right, rate)) == ([CALLER_HZ], [AGENT_HZ])


async def test_a_held_citizen_hears_music_and_then_the_agent_again(
    hotline: Hotline, tmp_path: Path
) -> None:
    """RFC 3264 §8.4, by the seat; the recording goes on all the while."""
    async with (
        Softphone(hotline.seat("8001", record=tmp_path / "agent.wav")) as seat,
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        await connected(hotline, seat, citizen)
        seat.send("hold")
        await seat.wait("media", status="local_hold")
        await hotline.until_state("8001", "held")
        await packets_heard(citizen, 50)
        seat.send("resume")
        await seat.wait("media", status="active")
        await hotline.until_state("8001", "talking")
        await asyncio.gather(packets_heard(seat, 40), packets_heard(citizen, 40))
        assert not [e for e in citizen.events if e.name == "media" and "hold" in e["status"]]
        citizen.send("hangup")
        await seat.wait("ended")
    assert heard(tmp_path / "caller.wav")[-3:] == [AGENT_HZ, MUSIC_HZ, AGENT_HZ]
    assert heard(tmp_path / "agent.wav") == [CALLER_HZ]
    left, right, rate = sides(await stored(hotline))
    assert longest_gap_seconds(left, rate, CALLER_HZ) < 0.15
    assert longest_gap_seconds(right, rate, AGENT_HZ) > 0.8


async def test_a_citizens_hold_and_resume_are_followed(hotline: Hotline, tmp_path: Path) -> None:
    """Re-INVITEs of the trunk: while it holds, nobody is heard; afterwards both are."""
    async with (
        Softphone(hotline.seat("8001", record=tmp_path / "agent.wav")) as seat,
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        await connected(hotline, seat, citizen)
        citizen.send("hold")
        await citizen.wait("media", status="local_hold")
        await hotline.last_call("talking")
        citizen.send("resume")
        await citizen.wait("media", status="active")
        await asyncio.gather(packets_heard(seat, 60), packets_heard(citizen, 60))
        citizen.send("hangup")
        await seat.wait("ended")
    assert heard(tmp_path / "agent.wav") == [CALLER_HZ]
    assert heard(tmp_path / "caller.wav")[-1] == AGENT_HZ
    left, right, rate = sides(await stored(hotline))
    assert story(left[-rate // 2 :], rate) == [CALLER_HZ]
    assert story(right[-rate // 2 :], rate) == [AGENT_HZ]


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_sipps_callers_are_answered_by_agents_and_hang_up(
    hotline: Hotline, transport: str
) -> None:
    """INVITE without a description (RFC 3261 §13.2.1), two re-INVITEs, and a plain call at once."""
    callers = [
        SippOptions(
            scenario,
            hotline.listener(transport),
            pause=Law(0.4),
            transport=transport,
            address=TRUNK,
            caller=f"1390000000{place}",
            timeout_seconds=15,
        )
        for place, scenario in enumerate(("uac_delayed_offer", "uac_hold", "uac"))
    ]
    async with Staff([hotline.seat(user) for user in ("8001", "8002", "8003")]) as staff:
        results = await asyncio.gather(*(run_sipp(options) for options in callers))
        assert all(result.ok for result in results), results
        await asyncio.gather(*(phone.wait("ended") for phone in staff.phones))
        calls = await hotline.get("/calls?limit=3")
        assert [call["result"] for call in calls] == ["answered"] * 3
        assert {call["agent"] for call in calls} == {"8001", "8002", "8003"}
    assert not staff.double_offers()


async def test_a_delayed_offers_answer_in_the_ack_is_where_the_citizen_hears(
    hotline: Hotline, tmp_path: Path
) -> None:
    """SIPp sends what it hears back to where it comes from: the agent hears itself."""
    async with Softphone(hotline.seat("8001", record=tmp_path / "agent.wav")) as seat:
        await seat.wait("registered")
        options = SippOptions(
            "uac_delayed_offer", hotline.listener(), pause=Law(1.5), address=TRUNK, echo=True
        )
        assert (await run_sipp(options)).ok
        await seat.wait("ended")
    assert heard(tmp_path / "agent.wav")[-1] == AGENT_HZ


async def test_a_phone_of_another_make_is_a_seat(hotline: Hotline, tmp_path: Path) -> None:
    """pyVoIP registers, answers, hears and is heard."""
    seat_options = SoftphoneOptions(
        user="8002",
        password="secret-8002",
        registrar=hotline.listener(),
        tone=AGENT_HZ,
        record=tmp_path / "agent.wav",
        auto_answer="0",
        module="phones.pyvoip_phone",
    )
    citizen_options = hotline.citizen(record=tmp_path / "caller.wav")
    async with Softphone(seat_options) as seat, Softphone(citizen_options) as citizen:
        await seat.wait("registered")
        await hotline.until_state("8002", "ready")
        hotline.call(citizen)
        await seat.wait("state", state="CONFIRMED")
        await packets_heard(citizen, 75)
        citizen.send("hangup")
        await seat.wait("recorded")
        await citizen.wait("ended")
    assert heard(tmp_path / "agent.wav") == [CALLER_HZ]
    assert heard(tmp_path / "caller.wav")[-1] == AGENT_HZ
    left, right, rate = sides(await stored(hotline))
    assert (story(left, rate), story(right, rate)) == ([CALLER_HZ], [AGENT_HZ])


async def test_digits_reach_neither_the_queue_nor_the_recording_as_noise(
    hotline: Hotline, tmp_path: Path
) -> None:
    """RFC 4733 events are no sound: the agent hears the caller's tone around them."""
    async with (
        Softphone(hotline.seat("8001", record=tmp_path / "agent.wav")) as seat,
        Softphone(hotline.citizen()) as citizen,
    ):
        await connected(hotline, seat, citizen)
        citizen.send("dtmf", digits="12#")
        await packets_heard(seat, 100)
        citizen.send("hangup")
        await seat.wait("ended")
    assert heard(tmp_path / "agent.wav") == [CALLER_HZ]


async def test_nothing_is_left_open(hotline: Hotline) -> None:
    """All the calls above have given everything back."""

    async def empty() -> bool:
        names = ("callcore_media_legs", "callcore_sip_legs", "callcore_trunk_calls")
        return not any([await hotline.metric(name) for name in names])

    await eventually(empty)
