"""Recordings over HTTP: a real keeper's index and store, accounts with their rights, links."""

import hashlib
import io
import json
import time
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from recordings_desk import RATE, SECONDS, TOKENS, Desk, sound

from config.access import Account
from desk.links import sign, verify
from recorder.io.access_log import AccessLog
from recorder.io.index import IndexFailed
from recorder.io.keeper import KeeperError
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
    two = {"recordings": ["c1-1", "c2-1"]}
    assert (await desk.ask("admin", "/recordings/export", "POST", json=two)).status_code == 200
    assert await desk.log() != []
    none = await desk.ask("admin", "/recordings/export", "POST", json={"queue": "none"})
    assert none.status_code == 422


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


SCORES = {
    "greeting": 10,
    "listening": 12,
    "understanding": 20,
    "answer": 20,
    "language": 15,
    "closing": 8,
    "confidential": 5,
}
RULES = """
[[sampling_rules]]
name = "weekly"
percent = 50
least_per_agent = 1
[[sampling_rules]]
name = "calibrate"
percent = 100
agent = "8001"
reviewers = 2
"""


@pytest.mark.parametrize("desk", [RULES], indirect=True)
async def test_a_drawn_recording_is_scored_and_commented(desk: Desk) -> None:
    wanted = {"rule": "weekly", "seed": "2026-W39"}
    drawn = await desk.ask("supervisor", "/quality/draws", "POST", json=wanted)
    assert drawn.status_code == 201
    assert (drawn.json()["candidates"], drawn.json()["added"]) == (4, 2)
    again = (await desk.ask("supervisor", "/quality/draws", "POST", json=wanted)).json()
    assert (again["drawn"], again["added"]) == (drawn.json()["drawn"], 0)
    tasks = (await desk.ask("reviewer", "/quality/tasks")).json()
    recording = tasks[0]["recording"]
    assert len(tasks) == 2
    path = f"/recordings/{recording}"
    wrong = {"scores": {**SCORES, "greeting": 11}}
    refused = await desk.ask("reviewer", f"{path}/reviews", "POST", json=wrong)
    assert (refused.status_code, refused.json()["detail"]) == (
        422,
        "item 'greeting' is scored 0 to 10, not 11",
    )
    review = await desk.ask("reviewer", f"{path}/reviews", "POST", json={"scores": SCORES})
    assert (review.json()["score"], review.json()["passed"]) == (90.0, True)
    leaked = {"scores": {**SCORES, "confidential": 0}}
    failed = await desk.ask("reviewer", f"{path}/reviews", "POST", json=leaked)
    assert (failed.json()["score"], failed.json()["passed"]) == (0.0, False)
    latest = (await desk.ask("second", f"{path}/reviews")).json()
    assert [one["score"] for one in latest] == [0.0]
    assert len((await desk.ask("reviewer", "/quality/tasks")).json()) == 1
    said = {"at_ms": 12_000, "text": "打断了诉求人"}
    assert (await desk.ask("reviewer", f"{path}/comments", "POST", json=said)).status_code == 201
    late = {"at_ms": 999_000, "text": "?"}
    assert (await desk.ask("reviewer", f"{path}/comments", "POST", json=late)).status_code == 422
    (comment,) = (await desk.ask("second", f"{path}/comments")).json()
    assert (comment["at_ms"], comment["who"], comment["text"]) == (12_000, "reviewer", said["text"])
    unknown = {"rule": "none", "seed": "x"}
    answer = await desk.ask("supervisor", "/quality/draws", "POST", json=unknown)
    assert answer.status_code == 404


@pytest.mark.parametrize("desk", [RULES], indirect=True)
async def test_reviewers_are_compared_and_do_not_see_each_other_first(desk: Desk) -> None:
    wanted = {"rule": "calibrate", "seed": "1"}
    await desk.ask("supervisor", "/quality/draws", "POST", json=wanted)
    for recording, points in (("c1-1", (20, 10)), ("c3-1", (10, 5))):
        path = f"/recordings/{recording}/reviews"
        one = {"scores": {**SCORES, "answer": points[0]}}
        assert (await desk.ask("reviewer", path, "POST", json=one)).status_code == 201
        assert (await desk.ask("second", path)).json() == []
        other = {"scores": {**SCORES, "answer": points[1]}}
        assert (await desk.ask("second", path, "POST", json=other)).status_code == 201
        assert len((await desk.ask("second", path)).json()) == 2
    found = (await desk.ask("supervisor", "/quality/calibration")).json()
    (pair,) = found["total"]["pairs"]
    assert (pair["one"], pair["other"], pair["shared"]) == ("reviewer", "second", 2)
    assert pair["mean_difference"] == pair["mean_distance"] == 7.5
    assert found["items"]["greeting"]["alpha"] is None  # all the same: nothing can be said
    assert -1 < found["items"]["answer"]["alpha"] < 0.7


@pytest.mark.parametrize("desk", [RULES], indirect=True)
async def test_comments_are_as_blind_as_scores_in_a_calibration(desk: Desk) -> None:
    """A remark at a moment of the audio tells as much as points do."""
    await desk.ask("supervisor", "/quality/draws", "POST", json={"rule": "calibrate", "seed": "1"})
    path = "/recordings/c1-1"

    async def seen(who: str) -> list[str]:
        return [one["text"] for one in (await desk.ask(who, f"{path}/comments")).json()]

    for who, text in (("reviewer", "打断了诉求人"), ("second", "答复准确")):
        said = {"at_ms": 1000, "text": text}
        assert (await desk.ask(who, f"{path}/comments", "POST", json=said)).status_code == 201
    assert await seen("reviewer") == ["打断了诉求人"]
    assert await seen("second") == ["答复准确"]
    scores = {"scores": SCORES}
    assert (await desk.ask("second", f"{path}/reviews", "POST", json=scores)).status_code == 201
    assert await seen("second") == ["打断了诉求人", "答复准确"]
    assert await seen("reviewer") == ["打断了诉求人"]  # whose own score is still wanted
    # Where one reviewer is wanted, or nobody has drawn it, nothing is hidden.
    said = {"at_ms": 1000, "text": "未核实地址"}
    await desk.ask("reviewer", "/recordings/c2-1/comments", "POST", json=said)
    (other,) = (await desk.ask("second", "/recordings/c2-1/comments")).json()
    assert other["text"] == "未核实地址"


class FakeEars:
    """Hears its own name for each second of voice."""

    name = "fake"

    def transcribe(self, samples: np.ndarray, rate: int) -> list[tuple[int, int, str]]:
        loud = np.abs(samples.reshape(-1, rate)).max(axis=1) > 0.05
        return [(1000 * at, 1000 * at + 1000, f"word {at}") for at in np.flatnonzero(loud).tolist()]


def make_ears() -> FakeEars:
    return FakeEars()


ADAPTER = f'[transcription]\nadapter = "{__name__}:make_ears"'


@pytest.mark.parametrize("desk", [ADAPTER], indirect=True)
async def test_an_adapter_writes_down_what_each_side_said(desk: Desk) -> None:
    assert (await desk.ask("reviewer", "/recordings/c1-1/transcript")).status_code == 404
    made = await desk.ask("reviewer", "/recordings/c1-1/transcript", "POST")
    assert made.status_code == 201
    found = (await desk.ask("reviewer", "/recordings/c1-1/transcript")).json()
    assert found["adapter"] == "fake"
    sides = [(one["side"], one["start_ms"]) for one in found["utterances"]]
    assert sides.count(("caller", 0)) == 1
    assert len([side for side, _ in sides if side == "caller"]) == 16
    assert min(at for side, at in sides if side == "agent") == 8000


async def test_without_an_adapter_speech_is_not_written_down(desk: Desk) -> None:
    assert (await desk.ask("reviewer", "/recordings/c1-1/transcript", "POST")).status_code == 503


@pytest.mark.parametrize("adapter", ["no.such.module:make", f"{__name__}:nothing"])
def test_an_adapter_that_cannot_be_made_is_named_at_the_start(tmp_path: Path, adapter: str) -> None:
    with pytest.raises(KeeperError, match="adapter"):
        Desk(tmp_path, f'[transcription]\nadapter = "{adapter}"')


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
