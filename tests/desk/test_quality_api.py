"""Quality over HTTP: draws, scores, comments, calibration, and what an adapter wrote down."""

from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from recordings_desk import Desk

from recorder.io.keeper import KeeperError


@pytest.fixture
async def desk(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Desk]:
    made = Desk(tmp_path, getattr(request, "param", ""))
    yield made
    await made.close()


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
