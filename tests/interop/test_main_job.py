"""The main job: a citizen calls, waits, is answered, both hear each other, and it is recorded.

One call is made; each test looks at it from another side.
"""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from phones.driver import Softphone
from phones.staff import number_of
from tests.interop.ears import heard, longest_gap_seconds, packets_heard, seconds_of, sides, story
from tests.interop.hotline import (
    AGENT_HZ,
    CALLER_HZ,
    MUSIC_HZ,
    NUMBER,
    WELCOME_HZ,
    Hotline,
)
from tests.interop.live import Live

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

CITIZEN = "13912345678"
METRICS = {
    "calls_total",
    "sip_messages_total",
    "sip_transactions",
    "registrations",
    "trunk_up",
    "trunk_calls",
    "trunk_minutes_used",
    "queue_waiting",
    "queue_offered_total",
    "queue_answered_total",
    "queue_answered_in_target_total",
    "queue_abandoned_total",
    "service_level_ratio",
    "answer_seconds_bucket",
    "agents",
    "media_legs",
    "media_packets_total",
    "media_tick_late_seconds_bucket",
    "media_loss_ratio",
    "recordings_total",
    "recording_spool_bytes",
    "recording_oldest_unstored_seconds",
}


@dataclass
class Conversation:
    """The call, as everybody saw it."""

    caller_heard: Path
    agent_heard: Path
    invite: dict[str, Any] = field(default_factory=dict)  # as it reached the seat
    waiting: dict[str, Any] = field(default_factory=dict)  # what the API said meanwhile
    talking: dict[str, Any] = field(default_factory=dict)
    record: dict[str, Any] = field(default_factory=dict)
    recording: dict[str, Any] = field(default_factory=dict)
    told: list[dict[str, Any]] = field(default_factory=list)
    states: list[str] = field(default_factory=list)


async def shown(hotline: Hotline) -> dict[str, Any]:
    """What the API shows now."""
    return {
        "call": (await hotline.get("/calls?active=true"))[0],
        "queue": await hotline.queue(),
        "states": await hotline.states(),
        "agents": await hotline.get("/agents"),
    }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def call(
    hotline: Hotline, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Conversation]:
    """
    citizen          engine           seat 8001
       |--- INVITE ---->|                |
       |<----- 200 -----|                |
       |<= announcement, music ==|       |
       |                |---- INVITE --->|
       |                |<----- 180 -----|
       |                |<----- 200 -----|
       |<============ tones ============>|
       |---- BYE ------>|---- BYE ------>|
    """
    folder = tmp_path_factory.mktemp("heard")
    seen = Conversation(folder / "caller.wav", folder / "agent.wav")
    async with (
        Live(hotline, since=0) as live,
        Softphone(hotline.seat("8001", no_answer=True, record=seen.agent_heard)) as seat,
        Softphone(hotline.citizen(record=seen.caller_heard)) as citizen,
    ):
        await seat.wait("registered")
        hotline.call(citizen, CITIZEN)
        await citizen.wait("media", status="active")
        seen.invite = (await seat.wait("incoming")).fields
        await packets_heard(citizen, 100)
        seen.waiting = await shown(hotline)
        seat.send("answer")
        await seat.wait("media", status="active")
        await packets_heard(seat, 75)
        await packets_heard(citizen, 25)
        seen.talking = await shown(hotline)
        citizen.send("hangup")
        assert (await seat.wait("ended"))["by"] == "remote"
        seen.record = await hotline.last_call("ended")
        call_id = seen.record["call_id"]
        (seen.recording,) = await hotline.recordings(call_id)
        await live.event(event="recording", state="stored")
        seen.told, seen.states = live.events, live.states(call_id)
    yield seen


async def test_the_caller_hears_announcement_and_music_and_then_the_agent(
    call: Conversation,
) -> None:
    assert heard(call.caller_heard) == [WELCOME_HZ, MUSIC_HZ, AGENT_HZ]


async def test_the_agent_hears_the_caller_and_nothing_else(call: Conversation) -> None:
    assert heard(call.agent_heard) == [CALLER_HZ]


async def test_the_seat_is_shown_who_calls(call: Conversation) -> None:
    assert number_of(call.invite["from"]) == CITIZEN


async def test_the_call_is_shown_while_it_waits_and_while_it_talks(call: Conversation) -> None:
    waiting, talking = call.waiting["call"], call.talking["call"]
    assert waiting["state"] == "ringing"
    assert (waiting["caller"], waiting["called"]) == (CITIZEN, NUMBER)
    assert (waiting["direction"], waiting["queue"]) == ("inbound", NUMBER)
    assert waiting["answered"] is None
    assert (talking["state"], talking["agent"]) == ("talking", "8001")
    assert (talking["result"], talking["ended"]) == ("answered", None)
    assert talking["queued"] == waiting["queued"]
    assert talking["wait_ms"] >= 2000  # of 100 packets, 20 ms each


async def test_the_queue_counts_the_call_once(call: Conversation) -> None:
    waiting, talking = call.waiting["queue"], call.talking["queue"]
    assert (waiting["waiting"], waiting["offered"], waiting["answered"]) == (1, 1, 0)
    assert waiting["longest_wait_seconds"] >= 1.9
    assert (talking["waiting"], talking["offered"], talking["answered"]) == (0, 1, 1)
    assert (talking["answered_in_target"], talking["abandoned"]) == (1, 0)
    assert talking["service_level"] == dict.fromkeys("ABCDE", 1.0)


async def test_the_agents_state_follows_the_call(call: Conversation, hotline: Hotline) -> None:
    assert call.waiting["states"] == {"8001": "ringing", "8002": "offline", "8003": "offline"}
    assert call.talking["states"]["8001"] == "talking"
    assert all({"user", "state", "since"} <= agent.keys() for agent in call.talking["agents"])
    await hotline.until_state("8001", "offline")  # its phone has unregistered since


async def test_the_call_has_ended_as_answered(call: Conversation) -> None:
    assert (call.record["result"], call.record["agent"]) == ("answered", "8001")
    assert call.record["ended"] > call.record["answered"] > call.record["queued"]
    assert call.record["recording"] == call.recording["recording"]


async def test_the_live_events_tell_the_story_in_order(call: Conversation) -> None:
    assert call.states == ["waiting", "ringing", "talking", "ending", "ended"]
    numbers = [event["sequence"] for event in call.told]
    assert numbers == list(range(1, len(numbers) + 1))
    agent = [e["state"] for e in call.told if e["event"] == "agent" and e["user"] == "8001"]
    assert agent[:4] == ["ready", "ringing", "talking", "ready"]


async def test_the_recording_is_in_the_store_with_the_hash_of_the_index(
    call: Conversation, hotline: Hotline
) -> None:
    (stored,) = (hotline.folder / "recordings").rglob("*.flac")
    data = stored.read_bytes()
    assert hashlib.sha256(data).hexdigest() == call.recording["sha256"]
    assert len(data) == call.recording["size"]
    assert (call.recording["caller"], call.recording["agent"]) == ("139****78", "8001")
    status, played = await hotline.request(f"/api/v1/recordings/{call.record['recording']}/audio")
    assert (status, played) == (200, data)
    assert not list((hotline.folder / "spool").glob("*.spool"))


async def test_the_recording_holds_the_caller_left_and_the_agent_right(
    call: Conversation, hotline: Hotline
) -> None:
    (stored,) = (hotline.folder / "recordings").rglob("*.flac")
    left, right, rate = sides(stored)
    assert rate == 8000
    assert story(left, rate) == [CALLER_HZ]
    assert story(right, rate) == [AGENT_HZ]
    assert len(left) / rate == pytest.approx(call.recording["duration_ms"] / 1000, abs=0.05)
    assert seconds_of(left, rate, CALLER_HZ) > 1.5
    assert longest_gap_seconds(left, rate, CALLER_HZ) < 0.1
    assert longest_gap_seconds(right, rate, AGENT_HZ) < 0.1


async def test_prometheus_finds_the_contracts_metrics(call: Conversation, hotline: Hotline) -> None:
    samples = await hotline.metrics()
    assert {f"callcore_{name}" for name in METRICS} <= samples.keys()
    assert await hotline.metric("callcore_calls_total", direction="inbound", result="answered") == 1
    assert await hotline.metric("callcore_queue_answered_in_target_total", queue=NUMBER) == 1
    assert await hotline.metric("callcore_answer_seconds_bucket", le="15.0") == 1
    assert await hotline.metric("callcore_service_level_ratio", definition="A") == 1
    assert await hotline.metric("callcore_recordings_total", state="stored") == 1
    assert await hotline.metric("callcore_sip_messages_total", method="INVITE", status="0") == 2
    assert await hotline.metric("callcore_media_packets_total", direction="in") > 300
    assert await hotline.metric("callcore_trunk_calls", trunk="city") == 0


async def test_the_log_never_shows_the_callers_whole_number(
    call: Conversation, hotline: Hotline
) -> None:
    assert "call arrived" in hotline.log()
    assert CITIZEN not in hotline.log()
    assert "139******78" in hotline.log()


async def test_the_engine_is_healthy_and_ready(call: Conversation, hotline: Hotline) -> None:
    assert (await hotline.request("/healthz"))[0] == 200
    status, document = await hotline.ready()
    assert (status, document["ready"], document["reasons"]) == (200, True, [])
