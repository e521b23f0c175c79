"""The live status page in Chromium: what it shows is true, or marked as old."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright

from config.values import Address
from hotline.commands import Code, Readiness
from service.http import HttpServer
from tests.desk.paper import PaperHotline, app_of
from tests.interop.browser import CHROMIUM, FLAGS

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed"),
]


def says(place: str, text: str) -> str:
    return f"document.querySelector('{place}').textContent.includes('{text}')"


@pytest.fixture
def hotline() -> PaperHotline:
    return PaperHotline()


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        complaints: list[str] = []
        opened = await browser.new_page(locale="zh-CN")
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        yield opened
        await browser.close()
    assert not complaints, complaints


async def served(hotline: PaperHotline, port: str = "0", token: str = "") -> HttpServer:
    address = Address.parse(f"127.0.0.1:{port}")
    server = HttpServer(app_of(hotline, token=token), address)
    await server.start()
    return server


async def test_alerts_are_shown_and_what_cannot_be_read_is_greyed(
    page: Page, hotline: PaperHotline
) -> None:
    hotline.ready = Readiness(
        False,
        ("trunk down: ims",),
        ("the bucket cannot lock",),
        reason_codes=(Code("trunk_down", "ims"),),
        warning_codes=(Code("recordings_abilities"),),
    )
    server = await served(hotline)
    await page.goto(server.url)
    await page.wait_for_function(says("#link", "已连接"))
    await page.wait_for_function(says("#ready", "未就绪：中继中断：ims"))
    await page.wait_for_function(says("[role=alert]", "录音存储缺少所需功能"))
    hotline.alert("look here")
    await page.wait_for_function(says("[role=alert]", "look here"))
    await page.click("#language")
    await page.wait_for_function(says("#ready", "trunk down: ims"))
    assert await page.text_content("#link") == "connected"
    hotline.broken = True  # its queues cannot be read, the rest can
    hotline.alert("again")
    await page.wait_for_selector("#queues.stale")
    assert await page.locator("#agents.stale, #ready.stale").count() == 0
    await server.stop()
    await page.wait_for_function(says("#link", "connection lost"))
    await page.click("#language")
    assert await page.text_content("#link") == "连接中断，正在重连"
    await page.wait_for_selector("#calls.stale, #agents.stale", state="attached")
    assert await page.text_content("#ready") == "未知"


async def test_without_a_token_the_page_says_so_and_asks_no_more(
    page: Page, hotline: PaperHotline
) -> None:
    server = await served(hotline, token="the-first-token")
    await page.goto(f"{server.url}/?token=the-first-token")
    await page.wait_for_function(says("#link", "已连接"))
    await server.stop()
    other = await served(hotline, server.url.rpartition(":")[2], token="another-token")
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    await page.wait_for_function(says("#link", "需要登录"))
    tried = len(sockets)
    async with page.expect_response("**/readyz"):  # the next round, five seconds later
        pass
    assert len(sockets) == tried
    assert await page.locator("#queues.stale").count() == 1
    await other.stop()
