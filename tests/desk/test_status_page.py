"""The live status page in Chromium: what it shows is true, or marked as old."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from playwright.async_api import Page, async_playwright
from pydantic import SecretStr

from config.access import Account
from config.values import Address
from desk.app import create_app
from hotline.commands import Code, Readiness
from service.http import HttpServer
from tests.desk.paper import PaperHotline, app_of
from tests.desk.test_units import Log
from tests.hotline.house import House
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


FLOOR, UNIT = "the-supervisor-s-own-token", "the-street-office-s-token"


async def test_numbers_are_masked_and_shown_one_by_one_to_who_says_why(page: Page) -> None:
    """来电号码: a supervisor asks for one, with a reason; a member unit sees the masks alone."""
    house, log = House(), Log()
    house.desk.readiness = lambda: Readiness(True)  # type: ignore[method-assign]
    house.seat("8001")
    house.call()
    accounts = (
        Account(name="li", token=SecretStr(FLOOR), role="supervisor"),
        Account(name="office", token=SecretStr(UNIT), role="unit"),
    )
    archive: Any = log
    app = create_app(house.desk, archive, accounts=accounts)
    server = HttpServer(app, Address.parse("127.0.0.1:0"))
    await server.start()
    await page.goto(f"{server.url}/?token={FLOOR}")
    await page.wait_for_function(says("#calls", "138****8000"))
    await page.click("#calls button:text('显示号码')")
    await page.fill("#calls form input", "核实地址")
    assert log.lines == []
    await page.click("#calls form button:text('确定')")
    await page.wait_for_function(says("#calls", "13800138000"))
    said = [(one.who, one.action, one.reason) for one in log.lines]
    assert said == [("li", "revealed", "核实地址")]
    await page.context.clear_cookies()
    await page.goto(f"{server.url}/?token={UNIT}")
    await page.wait_for_function(says("#calls", "138****8000"))
    assert await page.text_content("#link") == "定时刷新"
    assert await page.locator("button:text('显示号码')").count() == 0
    assert await page.locator("#agents").is_hidden()
    assert "13800138000" not in await page.content()
    await server.stop()
    house.close()
