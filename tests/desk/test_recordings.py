"""Recordings over HTTP: a real keeper's index and store, accounts with their rights, links."""

import hashlib
import io
import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from recordings_desk import RATE, SECONDS, TOKENS, Desk, sound

from config.access import Account
from desk.recordings import cursor_text
from recorder.watermark import code_of, find


@pytest.fixture
async def desk(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    made = Desk(tmp_path, getattr(request, "param", ""))
    yield made
    await made.close()


async def test_a_search_goes_on_by_its_cursor_and_masks_numbers(desk: Desk) -> None:
    first = await desk.ask("supervisor", "/recordings?limit=3&queue=12345")
    assert [one["recording"] for one in first.json()] == ["c3-1", "c2-1", "c1-1"]
    assert first.json()[0]["caller"] == "138****03"
    assert first.json()[0]["called"] == "12345"
    after = first.headers["next-cursor"]
    second = await desk.ask("supervisor", "/recordings", params={"limit": 3, "after": after})
    assert [one["recording"] for one in second.json()] == ["c0-1"]
    assert "next-cursor" not in second.headers
    found = await desk.ask("reviewer", "/recordings?number=13800000002&order=W2&min_seconds=20")
    assert [one["order"] for one in found.json()] == ["W2"]
    since = "2026-09-21T14:13:22Z"
    assert len((await desk.ask("reviewer", f"/recordings?since={since}")).json()) == 2
    assert (await desk.ask("reviewer", "/recordings?after=nonsense")).status_code == 422
    assert (await desk.ask("reviewer", "/recordings?colour=red")).status_code == 422


async def test_numbers_are_revealed_by_right_and_it_is_written_down(desk: Desk) -> None:
    assert (await desk.ask("reviewer", "/recordings?reveal=true")).status_code == 403
    shown = await desk.ask("supervisor", "/recordings/c1-1?reveal=true&reason=回访")
    assert shown.json()["caller"] == "13800000001"
    await desk.ask("supervisor", "/recordings?reveal=true&limit=2")
    log = [
        (line["who"], line["action"], line["recording"], line["reason"])
        for line in await desk.log()
    ]
    assert log == [
        ("supervisor", "revealed", "c1-1", "回访"),
        ("supervisor", "revealed", "c3-1", ""),
        ("supervisor", "revealed", "c2-1", ""),
    ]


async def test_an_agent_reaches_the_own_seat_s_recordings_alone(desk: Desk) -> None:
    found = await desk.ask("agent", "/recordings")
    assert [one["recording"] for one in found.json()] == ["c3-1", "c1-1"]
    assert (await desk.ask("agent", "/recordings?agent=8002")).status_code == 422
    for path in ("", "/audio", "/waveform", "/waveform.svg"):
        answer = await desk.ask("agent", f"/recordings/c2-1{path}")
        assert answer.status_code == 403
        assert "seat 8001 alone" in answer.json()["detail"]
    assert (await desk.ask("agent", "/recordings/c1-1/audio")).status_code == 200


FORBIDDEN = [
    ("reviewer", "GET", "/accesses"),
    ("reviewer", "GET", "/recordings/c1-1/audio?download=true"),
    ("reviewer", "POST", "/recordings/export"),
    ("auditor", "GET", "/recordings/c1-1/reviews"),
    ("agent", "GET", "/quality/cards"),
    ("reviewer", "GET", "/quality/calibration"),
    ("agent", "GET", "/queues"),
    ("reviewer", "GET", "/calls"),
]


async def test_each_thing_wants_its_right(desk: Desk) -> None:
    for who, method, path in FORBIDDEN:
        answer = await desk.ask(who, path, method, json={} if method == "POST" else None)
        assert (who, path, answer.status_code) == (who, path, 403)
        assert who in answer.json()["detail"]
        assert (await desk.ask("", path, method)).status_code == 401


@pytest.mark.parametrize("desk", ['[recording_access]\nwatermark = "tone"'], indirect=True)
async def test_a_watermark_tells_who_listened_in_any_range(desk: Desk) -> None:
    whole = (await desk.ask("reviewer", "/recordings/c1-1/audio")).content
    assert whole[:4] == b"RIFF"
    assert int.from_bytes(whole[4:8], "little") == len(whole) - 8
    samples, rate = soundfile.read(io.BytesIO(whole), dtype="int16")
    assert (rate, len(samples)) == (RATE, SECONDS * RATE)
    assert find(samples) == code_of("reviewer")
    assert np.abs(samples.astype(int) - sound()).max() <= 200
    assert b"reviewer" in whole[-40:]
    end = len(whole)
    for first, last in ((0, 9), (30, 60), (44, 47), (101, 40_003), (end - 30, end)):
        asked = {"Range": f"bytes={first}-{last}"}
        part = (await desk.ask("reviewer", "/recordings/c1-1/audio", headers=asked)).content
        assert part == whole[first : last + 1]


async def test_the_waveform_is_made_once_and_shows_who_spoke(desk: Desk) -> None:
    found = (await desk.ask("reviewer", "/recordings/c1-1/waveform?points=100")).json()
    assert found["duration_ms"] == SECONDS * 1000
    assert len(found["caller"]) == len(found["agent"]) == 100
    assert min(found["caller"][:60]) > 40 > max(found["agent"][:30])
    talk = found["talk"]
    assert talk["caller_talk"] == pytest.approx(2 / 3, abs=0.01)
    assert talk["overlap"] == pytest.approx(1 / 3, abs=0.01)
    assert talk["silence"] == pytest.approx(1 / 3, abs=0.01)
    assert talk["agent_share"] == pytest.approx(1 / 3, abs=0.01)
    assert (talk["long_silences"], talk["interruptions"]) == (1, 1)
    (desk.store / "2026/09/22/c1-1.flac").unlink()
    image = await desk.ask("reviewer", "/recordings/c1-1/waveform.svg")
    assert image.headers["content-type"] == "image/svg+xml"
    assert image.text.startswith("<svg")


async def test_what_was_deleted_is_gone_and_says_why(desk: Desk) -> None:
    kept = desk.keeper.vault.index
    one = kept.get("c1-1")
    assert one is not None
    kept.put(replace(one, state="deleted", note="two approved"))
    for path in ("audio", "waveform", "waveform.svg"):
        answer = await desk.ask("reviewer", f"/recordings/c1-1/{path}")
        assert (answer.status_code, "two approved" in answer.text) == (410, True)
    assert await desk.log() == []


async def test_an_export_is_a_zip_whose_hashes_are_right(desk: Desk) -> None:
    path = desk.store / "2026/09/22/c3-1.flac"
    path.write_bytes(desk.data[:-1])
    (desk.store / "2026/09/22/c0-1.flac").unlink()
    answer = await desk.ask("admin", "/recordings/export", "POST", json={"reason": "验收"})
    assert answer.status_code == 200
    assert answer.headers["export-recordings"] == "4"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    manifest = json.loads(archive.read("manifest.json"))
    problems = {one["recording"]: one["problem"] for one in manifest["recordings"]}
    assert problems["c1-1"] is None
    assert "hash" in problems["c3-1"]
    assert "gone" in problems["c0-1"]
    sums = dict(
        reversed(line.split("  ")) for line in archive.read("SHA256SUMS").decode().splitlines()
    )
    assert sorted(sums) == ["c1-1.flac", "c2-1.flac", "c3-1.flac", "manifest.json"]
    for name, found in sums.items():
        assert hashlib.sha256(archive.read(name)).hexdigest() == found
    assert archive.read("c1-1.flac") == desk.data
    (one,) = (await desk.ask("admin", "/recording-exports")).json()
    assert (one["done"], one["finished"], one["wrong"]) == (4, True, ["c3-1", "c0-1"])
    assert [line["action"] for line in await desk.log()] == ["exported"] * 4


@pytest.mark.parametrize("desk", ["[recording_access]\nexport_recordings = 2"], indirect=True)
async def test_an_export_has_limits(desk: Desk) -> None:
    answer = await desk.ask("admin", "/recordings/export", "POST", json={})
    assert answer.status_code == 422
    assert "holds 2" in answer.json()["detail"]
    three = {"recordings": ["c1-1", "c2-1", "no-such-recording"]}
    refused = await desk.ask("admin", "/recordings/export", "POST", json=three)
    assert (refused.status_code, "3 recordings" in refused.json()["detail"]) == (422, True)
    two = {"recordings": ["c1-1", "c2-1", "c1-1"]}
    assert (await desk.ask("admin", "/recordings/export", "POST", json=two)).status_code == 200
    assert await desk.log() != []
    none = await desk.ask("admin", "/recordings/export", "POST", json={"queue": "none"})
    assert none.status_code == 422


async def test_the_page_is_opened_by_an_account_s_token(desk: Desk) -> None:
    refused = await desk.client.get("/recordings?token=wrong-token-0123456")
    assert refused.status_code == 401
    page = await desk.client.get(f"/recordings?token={TOKENS['reviewer']}")
    assert page.status_code == 200
    me = await desk.client.get("/api/v1/me")  # by the cookie
    rights = ["listen", "score", "search"]
    assert me.json() == {"name": "reviewer", "rights": rights, "seat": None, "unit": False}
    assert (await desk.client.get("/")).status_code == 403


def test_accounts_tell_their_tokens_to_nobody() -> None:
    account = Account(name="a", token="secret-word-0123456", role="agent")  # type: ignore[arg-type]
    assert "secret-word" not in repr(account)


@pytest.mark.parametrize(
    "path",
    [
        "/accesses?before=99999999999999999999",
        "/recordings?since=0001-01-01T00:00:00",
        "/recordings?after=" + cursor_text((10**30, "c1-1")),
        "/recordings?until=9999-12-31T23:59:59-23:59",
        "/recordings?number=138%00",
    ],
)
async def test_a_number_or_a_time_that_no_database_has_is_refused(desk: Desk, path: str) -> None:
    answer = await desk.ask("admin", path)
    assert answer.status_code in (200, 422), answer.text
