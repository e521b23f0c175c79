"""Browser seats: Chromium with JsSIP against an engine with a gateway; who hears whom, by tones."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from phones.driver import Softphone
from phones.raw import Address, RawEnd, RawRefused
from tests.interop.browser import CHROMIUM, JSSIP, BrowserSeat, Chromium, chromium
from tests.interop.ears import heard, packets_heard, sides, story
from tests.interop.hotline import (
    AGENT_HZ,
    CALLER_HZ,
    MUSIC_HZ,
    NUMBER,
    TRUNK,
    Hotline,
    eventually,
)
from tests.interop.live import Live

pytestmark = [
    pytest.mark.interop,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed"),
    pytest.mark.skipif(not JSSIP.exists(), reason="JsSIP is not there: make setup with npm"),
]

OTHER_CALLER_HZ, OTHER_AGENT_HZ = 620, 900
CONFIGURATION = {
    "sip": {"listen": ["udp://127.0.0.1:0", "ws://127.0.0.1:0"]},
    "gateway": {"connect_seconds": 2},
}
PRINT = ":".join(["AB"] * 32)
WEB_OFFER = """v=0\r
o=- 1 1 IN IP4 127.0.0.1\r
s=-\r
t=0 0\r
m=audio 9 UDP/TLS/RTP/SAVPF 111\r
c=IN IP4 0.0.0.0\r
a=ice-ufrag:8hhY\r
a=ice-pwd:asd88fgpdd777uzjYhagZg\r
a=setup:actpass\r
a=mid:0\r
a=rtcp-mux\r
a=rtpmap:111 opus/48000/2\r
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Chromium]:
    async with chromium(tmp_path_factory.mktemp("chromium")) as one:
        yield one


@contextlib.asynccontextmanager
async def at_work(
    hotline: Hotline, browser: Chromium, user: str, voice_hz: int | None = None
) -> AsyncIterator[BrowserSeat]:
    """A seat that is ready and answers by itself."""
    async with browser.seat(voice_hz) as seat:
        await seat.log_in(hotline, user)
        await hotline.until_state(user, "ready")
        yield seat


async def hears(seat: BrowserSeat, hertz: int) -> None:
    async def now() -> bool:
        return await seat.hears(hertz)

    await eventually(now)


async def digit(phone: Softphone, *digits: str) -> None:
    """Until the phone has received these keys, in this order."""
    assert [(await phone.wait("dtmf"))["digit"] for _ in digits] == list(digits)


def gateways(hotline: Hotline) -> list[int]:
    """Process ids."""
    paths = {pid: Path(f"/proc/{pid}/cmdline") for pid in hotline.children()}
    return [pid for pid, path in paths.items() if b"gateway_worker" in path.read_bytes()]


async def nothing_left(hotline: Hotline) -> bool:
    names = ("media_legs", "sip_legs", "gateway_sessions")
    return not any([await hotline.metric(f"callcore_{name}") for name in names])


async def test_a_citizen_and_a_browser_seat_hear_each_other_and_are_recorded(
    hotline: Hotline, browser: Chromium, tmp_path: Path
) -> None:
    """
    citizen           engine            gateway           browser
       |--- INVITE ----->|--- INVITE over WebSocket --------->|
       |                 |<-- 200, DTLS-SRTP, Opus -----------|
       |<==== G.711 =====|==== G.711 ======|=== SRTP, Opus ==>|
       |                 |<-- keys, hold, resume, BYE --------|
    """
    async with (
        at_work(hotline, browser, "8001") as seat,
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        hotline.call(citizen)
        await seat.until("talking")
        assert await seat.party() == "13900001111"
        await asyncio.gather(hears(seat, CALLER_HZ), packets_heard(citizen, 50))
        for key in "5#":
            await seat.press(key)
        await digit(citizen, "5", "#")
        await seat.press("hold")
        await hotline.until_state("8001", "held")
        await packets_heard(citizen, 40)
        await seat.press("hold")
        await hotline.until_state("8001", "talking")
        await asyncio.gather(hears(seat, CALLER_HZ), packets_heard(citizen, 50))
        await both_have_reported(hotline, seat)
        await seat.press("hangup")
        await citizen.wait("ended")
        await seat.until("idle")
        call = await hotline.last_call("ended")
    await eventually(lambda: is_judged(hotline, call["call_id"]))
    assert heard(tmp_path / "caller.wav")[-3:] == [AGENT_HZ, MUSIC_HZ, AGENT_HZ]
    assert (call["result"], call["agent"]) == ("answered", "8001")
    quality = (await hotline.last_call())["quality"]["agent"]
    assert quality["loss"] < 0.05
    assert quality["remote_loss"] < 0.05
    assert 0 < quality["round_trip_ms"] < 5000
    assert quality["jitter_ms"] is not None
    assert quality["remote_jitter_ms"] is not None
    assert min(quality["mos"], quality["remote_mos"]) > 1
    for direction in ("in", "out"):
        labels = {"side": "agent", "direction": direction}
        assert await hotline.metric("callcore_leg_mos_count", **labels) >= 1
    assert await hotline.metric("callcore_leg_round_trip_seconds_count", side="agent") >= 1
    (entry,) = await hotline.recordings(call["call_id"])
    (stored,) = (hotline.folder / "recordings").rglob(f"{entry['recording']}.flac")
    left, right, rate = sides(stored)
    assert set(story(left, rate)) == {CALLER_HZ}
    assert set(story(right, rate)) == {AGENT_HZ}
    await eventually(lambda: nothing_left(hotline))


async def both_have_reported(hotline: Hotline, seat: BrowserSeat) -> None:
    """RTCP has gone round: a report of the browser's that was written after it had one of ours.

    Of the two that come then at most one was on the way when it had it.
    """

    async def reports() -> float:
        return await hotline.metric("callcore_gateway_packets_total", kind="reports_in")

    async def two_more() -> bool:
        return await reports() >= so_far + 2

    await eventually(seat.has_a_report)
    so_far = await reports()
    await eventually(two_more)
    assert await hotline.metric("callcore_gateway_packets_total", kind="reports_out") > 0


async def is_judged(hotline: Hotline, call_id: str) -> bool:
    """The leg has told how good it sounded, which comes a moment after the call's end."""
    call = await hotline.last_call()
    return call["call_id"] == call_id and "agent" in call["quality"]


async def test_two_browser_seats_of_one_gateway_go_on_when_it_is_killed(
    hotline: Hotline, browser: Chromium
) -> None:
    """Each browser is told by re-INVITE of the next gateway, another certificate and new keys."""
    async with (
        Live(hotline) as live,
        at_work(hotline, browser, "8001") as seat,
        at_work(hotline, browser, "8002", OTHER_AGENT_HZ) as other_seat,
        Softphone(hotline.citizen()) as citizen,
        Softphone(hotline.citizen(tone=OTHER_CALLER_HZ)) as other,
    ):
        for phone, answering in ((citizen, seat), (other, other_seat)):
            hotline.call(phone)
            await answering.until("talking")
        await asyncio.gather(hears(seat, CALLER_HZ), hears(other_seat, OTHER_CALLER_HZ))
        (gateway,) = gateways(hotline)
        os.kill(gateway, signal.SIGKILL)
        await eventually(lambda: not_ready(hotline, "the gateway is down"))
        await live.event(event="alert", name="gateway")
        await eventually(lambda: is_connected(hotline, 2))
        assert await hotline.metric("callcore_gateway_up") == 1
        await asyncio.gather(hears(seat, CALLER_HZ), hears(other_seat, OTHER_CALLER_HZ))
        await asyncio.gather(packets_heard(citizen, 50), packets_heard(other, 50))
        assert (await hotline.ready())[0] == 200
        assert await hotline.metric("callcore_gateway_lost_total") == 1
        await seat.press("hangup")
        other.send("hangup")
        await citizen.wait("ended")
        await asyncio.gather(seat.until("idle"), other_seat.until("idle"))
        # Both seats work again.
        async with Softphone(hotline.citizen()) as third:
            hotline.call(third)
            await seat.until("talking")
            await hears(seat, CALLER_HZ)
            third.send("hangup")
            await seat.until("idle")
    await eventually(lambda: nothing_left(hotline))


async def not_ready(hotline: Hotline, why: str) -> bool:
    """503, and the reason."""
    status, told = await hotline.ready()
    return status == 503 and any(why in reason for reason in told["reasons"])


async def is_connected(hotline: Hotline, count: int) -> bool:
    return await hotline.metric("callcore_gateway_connected") == count


async def test_a_browser_seat_dials(hotline: Hotline, browser: Chromium, tmp_path: Path) -> None:
    """Its own INVITE carries the browser's offer; the seat that answers is an ordinary phone."""
    answering = hotline.seat("8002", tone=OTHER_AGENT_HZ, record=tmp_path / "agent.wav")
    async with (
        browser.seat() as seat,
        Softphone(answering) as phone,
    ):
        await seat.log_in(hotline, "8001")
        await hotline.until_state("8001", "ready")
        await hotline.set_state("8001", "not_ready")
        await phone.wait("registered")
        await seat.page.fill("#number", NUMBER)
        await seat.page.click("#dial button")
        await seat.until("talking")
        await hears(seat, OTHER_AGENT_HZ)
        await packets_heard(phone, 50)
        await seat.press("mute")
        await seat.until("muted")
        await seat.press("hangup")
        await phone.wait("ended")
    assert AGENT_HZ in heard(tmp_path / "agent.wav")
    await eventually(lambda: nothing_left(hotline))


async def test_a_browser_whose_voice_never_comes_loses_the_citizen_to_the_next_seat(
    hotline: Hotline, browser: Chromium
) -> None:
    """It answers, but no candidate of it reaches us: soon the citizen waits again."""
    no_candidates = (
        "const Real = RTCPeerConnection; window.RTCPeerConnection = class extends Real {"
        "constructor() { super({ iceTransportPolicy: 'relay' }); } };"
    )
    failed = await hotline.metric("callcore_gateway_failed_total")
    async with browser.seat() as seat, Softphone(hotline.citizen()) as citizen:
        await seat.page.add_init_script(no_candidates)
        await seat.log_in(hotline, "8001")
        await hotline.until_state("8001", "ready")
        hotline.call(citizen)
        await seat.until("talking")
        async with Softphone(hotline.seat("8002")) as next_seat:
            await next_seat.wait("state", 10, state="CONFIRMED")
            await seat.until("idle")
            await packets_heard(citizen, 25)
            citizen.send("hangup")
            await next_seat.wait("ended")
    assert await hotline.metric("callcore_gateway_failed_total") == failed + 1
    await eventually(lambda: nothing_left(hotline))


class WebEnd(RawEnd):
    """Offers what a browser would, with some lines of the test's."""

    lines = ""

    def description(self, address: Address) -> str:
        return WEB_OFFER + self.lines


@pytest.mark.parametrize(
    "lines", ["", "a=fingerprint:sha-1 AB:CD\r\n", f"a=fingerprint:sha-256 {PRINT}:AB\r\n"]
)
async def test_an_offer_without_a_proof_of_identity_gets_488(hotline: Hotline, lines: str) -> None:
    caller = WebEnd("trunk", CALLER_HZ, CALLER_HZ)
    caller.lines = lines
    await caller.open(TRUNK)
    with pytest.raises(RawRefused) as raised:
        await caller.place(hotline.address, NUMBER, "13900000001")
    assert raised.value.answer.status == 488
    caller.close()
    await eventually(lambda: nothing_left(hotline))
