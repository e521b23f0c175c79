"""The browser seat's page in Chromium, over a JsSIP of paper: what it does without any call."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright

from config.values import Address
from service.http import HttpServer
from tests.desk.paper import PaperHotline, app_of
from tests.interop.browser import CHROMIUM, FLAGS

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed"),
]
# Logs in at once; `window.come()` is a call from 13800138000, which fails as `window.fail(cause)`.
PAPER_JSSIP = """
const heard = {}, session = {};
window.struck = 0;
const oscillator = AudioContext.prototype.createOscillator;
AudioContext.prototype.createOscillator = function () {
  window.struck += 1;
  return oscillator.call(this);
};
const no = () => false;
Object.assign(session, { direction: "incoming", isEstablished: no, isInProgress: () => true,
  isOnHold: () => ({ local: false }), isMuted: () => ({ audio: false }), terminate() {},
  remote_identity: { uri: { user: "13800138000" } },
  on(name, act) { heard[name] = act; } });
window.fail = (cause) => heard.failed({ cause });
window.JsSIP = { WebSocketInterface: class {}, UA: class {
  constructor() { window.come = () => this.newRTCSession({ session }); }
  on(name, act) { this[name] = act; }
  start() { setTimeout(() => this.registered()); }
  stop() {}
} };
"""


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    server = HttpServer(app_of(PaperHotline()), Address.parse("127.0.0.1:0"))
    await server.start()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        complaints: list[str] = []
        context = await browser.new_context(
            locale="zh-CN", base_url=server.url, permissions=["microphone"]
        )
        opened = await context.new_page()
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        await opened.route(
            "**/vendor/jssip.js",
            lambda route: route.fulfill(body=PAPER_JSSIP, content_type="text/javascript"),
        )
        yield opened
        await browser.close()
    await server.stop()
    assert not complaints, complaints


async def test_a_call_rings_and_blinks_until_it_is_over_and_why_is_said_in_chinese(
    page: Page,
) -> None:
    await page.goto("/phone/")
    assert await page.get_attribute("#number", "aria-label") == "电话号码"
    await page.fill("#user", "8001")
    await page.fill("#password", "secret")
    await page.click("#login button[type=submit]")
    await page.wait_for_selector("body[data-line=registered]")
    assert await page.title() == "12345 坐席话机"
    await page.evaluate("come()")
    await page.wait_for_function("document.title.includes('来电 13800138000')")
    assert await page.evaluate("struck") == 1
    await page.evaluate("fail('Request Timeout')")
    assert await page.title() == "12345 坐席话机"
    assert await page.text_content("#problem") == "通话没有接通：服务器没有应答"
    await page.click("#language")
    assert await page.text_content("#problem") == "The call came to nothing: Request Timeout"


async def test_without_settings_the_page_says_so_and_nobody_can_log_in(page: Page) -> None:
    await page.route("**/settings.json", lambda route: route.fulfill(status=500, body="no"))
    await page.goto("/phone/")
    await page.wait_for_selector("#problem:not([hidden])")
    assert "服务器没有应答，无法登录" in (await page.text_content("#problem") or "")
    assert await page.is_disabled("#login button[type=submit]")
