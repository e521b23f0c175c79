"""The conductor over the real queue and paper phones: who is told what, in calls."""

import asyncio
from typing import Any

import pytest

from acd import events as acd
from callcore.call import events as sip
from callcore.sdp import parse_sdp
from callcore.sdp.offer_answer import LocalMedia, make_offer
from hotline.commands import WrongState
from media import events as media
from tests.hotline.house import FLOW, G729, OFFER, House


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


async def test_how_both_legs_sounded_is_in_the_call_s_record(house: House) -> None:
    house.seat("8001")
    house.call()
    house.answered("v1-a1")
    house.ended("c")
    for leg, mos in (("c", 4.2), ("v1-a1", 3.1)):
        quality = media.Quality(loss=0.01, mos=mos, round_trip_ms=80.0)
        house.conductor.on_media(media.LegClosed(leg, media.LegStats(), quality=quality))
    told = house.desk.call("v1").quality
    assert (told["caller"]["mos"], told["agent"]["mos"]) == (4.2, 3.1)
    assert told["caller"]["round_trip_ms"] == 80.0
    registry = house.conductor.parts.meters.registry
    labels = {"side": "agent", "direction": "in", "le": "3.1"}
    assert registry.get_sample_value("callcore_leg_mos_bucket", labels) == 1
