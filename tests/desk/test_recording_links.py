"""Links to recordings, and the log of who used them."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest
from recordings_desk import Desk

from desk.links import sign, verify
from recorder.io.access_log import AccessLog
from recorder.io.index import IndexFailed


@pytest.fixture
async def desk(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    made = Desk(tmp_path, getattr(request, "param", ""))
    yield made
    await made.close()


async def test_a_link_plays_by_ranges_and_is_one_access(desk: Desk) -> None:
    url = await desk.link(reason="抽检")
    whole = await desk.ask("", url)
    assert (whole.status_code, whole.content) == (200, desk.data)
    part = await desk.ask("", url, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, desk.data[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(desk.data)}"
    beyond = await desk.ask("", url, headers={"Range": f"bytes={len(desk.data)}-"})
    assert beyond.status_code == 416
    log = [(line["who"], line["action"], line["reason"]) for line in await desk.log()]
    assert log == [("reviewer", "linked", "抽检"), ("reviewer", "listened", "抽检")]
    values = {
        sample.labels["action"]: sample.value
        for metric in desk.meters.registry.collect()
        for sample in metric.samples
        if sample.name == "callcore_recording_accesses_total"
    }
    assert values == {"linked": 1, "listened": 1}


async def test_a_link_is_bound_to_recording_account_and_purpose(desk: Desk) -> None:
    url = await desk.link()
    assert (await desk.ask("", url.replace("c1-1", "c2-1"))).status_code == 403
    assert (await desk.ask("supervisor", url)).status_code == 403  # another's
    assert (await desk.ask("reviewer", url)).status_code == 200
    forged = url[:-1] + ("A" if url[-1] != "A" else "B")
    assert (await desk.ask("", forged)).status_code == 403
    answer = await desk.ask("", url + "&download=true")
    assert answer.headers["content-disposition"].startswith("inline")
    wanted = {"purpose": "download"}
    refused = await desk.ask("reviewer", "/recordings/c1-1/links", "POST", json=wanted)
    assert refused.status_code == 403
    saved = await desk.ask("", await desk.link("supervisor", purpose="download", format="wav"))
    assert saved.headers["content-disposition"] == 'attachment; filename="c1-1.wav"'
    assert saved.content[:4] == b"RIFF"


async def test_a_link_ends(desk: Desk) -> None:
    url = await desk.link()
    text = url.partition("link=")[2]
    key = desk.app.state.door.key
    claim = verify(key, text, time.time())
    assert 290 < claim.expires - time.time() <= 300
    old = sign(key, replace(claim, expires=1))
    gone = await desk.ask("", url.replace(text, old))
    assert gone.status_code == 410
    assert "time is over" in gone.json()["detail"]


@pytest.mark.parametrize("desk", ["[recording_access]\nreason_required = true"], indirect=True)
async def test_where_a_reason_is_required_nobody_listens_without_one(desk: Desk) -> None:
    assert (await desk.ask("reviewer", "/recordings/c1-1/audio")).status_code == 422
    assert (await desk.ask("supervisor", "/recordings?reveal=true")).status_code == 422
    wanted = await desk.ask("reviewer", "/recordings/c1-1/links", "POST", json={"reason": "  "})
    assert wanted.status_code == 422
    assert "reason" in wanted.json()["detail"]
    heard = await desk.ask("reviewer", "/recordings/c1-1/audio?reason=x")
    assert heard.status_code == 200


async def test_the_log_is_chained_and_shows_a_change(desk: Desk) -> None:
    for number in range(3):
        await desk.ask("reviewer", f"/recordings/c{number}-1/audio")
    lines = await desk.log()
    whole = (await desk.ask("auditor", "/accesses/check")).json()
    assert (whole["lines"], whole["head"], whole["why"]) == (3, lines[-1]["digest"], "")
    filtered = await desk.ask("auditor", "/accesses?who=reviewer&recording=c1-1")
    assert [line["recording"] for line in filtered.json()] == ["c1-1"]
    missing = (await desk.ask("auditor", "/accesses/check?head=" + "ab" * 32)).json()
    assert "cut off" in missing["why"]


def full(log: AccessLog, accesses: list[Any]) -> None:
    raise IndexFailed("the disk is full")


async def test_a_log_that_cannot_be_written_lets_nobody_listen(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AccessLog, "append", full)
    answer = await desk.ask("reviewer", "/recordings/c1-1/audio")
    assert answer.status_code == 503


async def test_a_link_whose_line_could_not_be_written_is_written_the_next_time(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = await desk.link()
    with monkeypatch.context() as broken:
        broken.setattr(AccessLog, "append", full)
        assert (await desk.ask("", url)).status_code == 503
    assert (await desk.ask("", url)).status_code == 200
    assert [line["action"] for line in await desk.log()] == ["linked", "listened"]


async def test_a_link_that_is_handed_on_is_another_access(desk: Desk) -> None:
    """Whoever has it can hear the recording: from which address is in the log."""
    url = await desk.link()
    for _ in range(2):
        assert (await desk.ask("", url)).status_code == 200
    elsewhere = httpx2.ASGITransport(app=desk.app, client=("192.0.2.9", 5000))
    async with httpx2.AsyncClient(transport=elsewhere, base_url="http://desk") as other:
        assert (await other.get(f"/api/v1{url}")).status_code == 200
    heard = [line["source"] for line in await desk.log() if line["action"] == "listened"]
    assert len(heard) == 2
    assert heard[1] == "192.0.2.9"
