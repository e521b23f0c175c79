"""The recordings page in Chromium: a recording is found, played, sought in, commented, scored."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright
from recordings_desk import SECONDS, TOKENS, Desk

from config.values import Address
from service.http import HttpServer
from tests.interop.browser import CHROMIUM, FLAGS

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed"),
]
PLAYS = """() => {
  const sound = document.getElementById("sound");
  return sound.readyState >= 3 && !sound.paused && sound.currentTime > 0.1 && sound.duration;
}"""
PLAYS_FROM = """(seconds) => {
  const sound = document.getElementById("sound");
  return !sound.seeking && sound.currentTime > seconds && sound.currentTime < seconds + 4;
}"""


CALIBRATION = """
[[score_cards]]
name = "usual"
zh = "常用评分表"
en = "Usual card"
items = [{ key = "answer", zh = "答复准确", en = "Answers rightly", points = 80 }]
[[score_cards]]
name = "short"
zh = "简易评分表"
en = "Short card"
items = [{ key = "privacy", zh = "未泄露信息", en = "Gives nothing away", points = 20 }]
[[sampling_rules]]
name = "calibrate"
card = "short"
percent = 100
reviewers = 2
"""


@pytest.fixture
async def desk(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    made = Desk(tmp_path, getattr(request, "param", ""))
    yield made
    await made.close()


@pytest.fixture
async def page(desk: Desk) -> AsyncIterator[Page]:
    """A reviewer's page, logged in."""
    server = HttpServer(desk.app, Address.parse("127.0.0.1:0"))
    await server.start()
    complaints: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        opened = await browser.new_page(locale="zh-CN", base_url=server.url)
        opened.on("pageerror", lambda error: complaints.append(str(error)))
        await opened.goto(f"/recordings?token={TOKENS['reviewer']}")
        await opened.wait_for_selector("body[data-ready=yes]")
        yield opened
        await browser.close()
    await server.stop()
    assert not complaints, complaints


async def test_a_reviewer_finds_a_recording_plays_seeks_comments_and_scores(
    page: Page, desk: Desk
) -> None:
    statuses: list[int] = []
    page.on("response", lambda one: statuses.append(one.status) if "/audio" in one.url else None)
    assert await page.locator("#found tr").count() == 4
    assert await page.locator("#export, #reveal, [data-tab=audit]").count() == 0  # no such rights
    await page.fill("[name=number]", "13800000002")
    await page.fill("[name=reason]", "抽检")
    await page.click("#search button[type=submit]")
    await page.wait_for_function("document.querySelectorAll('#found tr').length === 1")
    row = await page.inner_text("#found tr")
    assert "138****02" in row
    assert "已接听" in row
    await page.click("#found button")
    await page.wait_for_function(PLAYS)
    assert abs(await page.evaluate("document.getElementById('sound').duration") - SECONDS) < 0.1
    assert 206 in statuses

    box = await page.locator("#peaks").bounding_box()
    assert box is not None
    await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 20)
    await page.wait_for_function(PLAYS_FROM, arg=SECONDS / 2)
    await page.evaluate("document.getElementById('sound').pause()")

    await page.fill("#comment input", "此处打断了诉求人")
    await page.click("#comment button")
    await page.wait_for_selector("#comments li")
    (comment,) = await desk.archive.comments("c2-1", "reviewer")
    assert SECONDS * 500 <= comment.at_ms < SECONDS * 500 + 4000

    for field in await page.locator("#review input[type=number]").all():
        await field.fill(await field.get_attribute("max") or "")
    await page.click("#review button")
    await page.wait_for_selector("#reviews li:has-text('合格')")
    (review,) = await desk.archive.reviews("c2-1", "reviewer")
    assert (review.score, review.passed) == (100, True)

    log = [(line["action"], line["who"], line["reason"]) for line in await desk.log()]
    assert log[:2] == [("linked", "reviewer", "抽检"), ("listened", "reviewer", "抽检")]
    assert {"commented", "scored"} <= {action for action, _, _ in log}
    await page.click("#language")
    assert await page.inner_text("h1") == "Recordings and quality"


@pytest.mark.parametrize("desk", [CALIBRATION], indirect=True)
async def test_a_calibration_is_scored_by_its_own_card_and_blind_until_then(
    page: Page, desk: Desk
) -> None:
    await desk.ask("supervisor", "/quality/draws", "POST", json={"rule": "calibrate", "seed": "1"})
    said = {"at_ms": 1000, "text": "未核实地址"}
    await desk.ask("second", "/recordings/c2-1/comments", "POST", json=said)
    await page.fill("[name=number]", "13800000002")
    await page.click("#search button[type=submit]")
    await page.wait_for_function("document.querySelectorAll('#found tr').length === 1")
    await page.click("#found button")
    await page.wait_for_selector("#review [name=privacy]")
    assert await page.inner_text("#card") == "简易评分表"
    assert await page.locator("#comments li").count() == 0
    await page.fill("#review [name=privacy]", "20")
    await page.click("#review button")
    await page.wait_for_selector("#comments li:has-text('未核实地址')")
    (review,) = await desk.archive.reviews("c2-1", "reviewer")
    assert (review.card, review.score) == ("short", 100)
