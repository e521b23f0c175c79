"""A browser's connection and a certificate's renewal at the real engine, by its configuration."""

import asyncio
import signal
import ssl
from pathlib import Path
from types import SimpleNamespace

import pytest

from callcore.message import render, response
from phones.driver import Softphone
from tests.callcore.io.authority import Authority
from tests.callcore.io.test_websocket import Browser
from tests.interop.browser import CHROMIUM, JSSIP, chromium
from tests.interop.ears import heard, packets_heard
from tests.interop.hotline import AGENT_HZ, CALLER_HZ, SEAT, Hotline, eventually

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

CONFIGURATION = {
    "secure": True,
    "sip": {"certificate_check_seconds": 0},
}


async def browser(hotline: Hotline, scheme: str) -> Browser:
    port = int(hotline.listener(scheme).rpartition(":")[2])
    more = {"ssl": ssl.create_default_context(cafile=hotline.ca)} if scheme == "wss" else {}
    return await Browser.connect(SimpleNamespace(ports={scheme: port}), scheme, **more)


@pytest.mark.parametrize("scheme", ["ws", "wss"])
async def test_a_browser_is_a_seat_for_as_long_as_its_connection(
    hotline: Hotline, scheme: str
) -> None:
    """RFC 7118: it registers, rings when a citizen calls, declines, and is offline when it goes."""
    seat = await browser(hotline, scheme)
    assert (await seat.register()).status == 200
    await hotline.until_state("8001", "ready")
    assert await hotline.metric("callcore_sip_connections", transport=scheme) == 1
    async with Softphone(hotline.citizen()) as citizen:
        hotline.call(citizen)
        invite = await seat.next()
        assert invite.method == "INVITE"
        assert ";transport=ws" in (invite.get("Contact") or "")
        declined = response(invite, 486, to_tag="browser")
        await seat.socket.send(render(declined).decode())
        assert (await seat.next()).method == "ACK"
        citizen.send("hangup")
        await citizen.wait("ended")
    await seat.close()
    await hotline.until_state("8001", "offline")


@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
@pytest.mark.skipif(not JSSIP.exists(), reason="JsSIP is not there: make setup with npm")
async def test_chromium_is_a_seat_over_wss(tmp_path: Path) -> None:
    """Signalling over TLS, voice by DTLS-SRTP and Opus; both hear the other's tone."""
    listen = [f"udp://{SEAT}:0", f"wss://{SEAT}:0"]  # a browser would take ws:// as well
    async with (
        Hotline(tmp_path, secure=True, sip={"listen": listen}) as hotline,
        chromium(tmp_path) as one,
        one.seat(trusting=True) as seat,
        Softphone(hotline.citizen(record=tmp_path / "caller.wav")) as citizen,
    ):
        await seat.log_in(hotline, "8001")
        await hotline.until_state("8001", "ready")
        assert await hotline.metric("callcore_sip_connections", transport="wss") == 1
        hotline.call(citizen)
        await seat.until("talking")
        await eventually(lambda: seat.hears(CALLER_HZ))
        await packets_heard(citizen, 40)
        await seat.press("hangup")
        await citizen.wait("recorded")
    assert heard(tmp_path / "caller.wav")[-1] == AGENT_HZ


async def serial(hotline: Hotline) -> int:
    """That of the certificate which a new connection is shown."""
    host, _, port = hotline.listener("tls").partition(":")
    context = ssl.create_default_context(cafile=hotline.ca)
    _, writer = await asyncio.open_connection(host, int(port), ssl=context)
    shown = writer.get_extra_info("ssl_object").getpeercert()
    writer.close()
    await writer.wait_closed()
    return int(shown["serialNumber"], 16)


async def test_a_new_certificate_is_shown_after_sighup_and_a_broken_one_never(
    hotline: Hotline,
) -> None:
    async with Softphone(hotline.seat("8001", transport="tls")) as seat:
        await seat.wait("registered")
        before = await serial(hotline)
        renewed = Authority(hotline.folder)  # writes its own file over the old authority's
        renewed.issue("server", SEAT, "localhost", "hotline.local")
        assert hotline.ca == renewed.path
        hotline.engine.process.send_signal(signal.SIGHUP)
        await eventually(lambda: logged(hotline, "certificates loaded"))
        assert await serial(hotline) != before
        (hotline.folder / "server.key").write_text("broken")
        hotline.engine.process.send_signal(signal.SIGHUP)
        await eventually(lambda: logged(hotline, "certificates not loaded"))
        assert await serial(hotline) != before
        seat.send("register")  # by the connection that saw the first certificate
        await seat.wait("registered")
        assert (await hotline.states())["8001"] == "ready"


async def logged(hotline: Hotline, what: str) -> bool:
    return what in hotline.log()
