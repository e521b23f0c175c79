"""`/api/v1/quality` (质检): draws, tasks, reviews, comments, and how reviewers agree."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from desk.accounts import needs
from desk.listening import AtDoor, Visiting
from desk.recordings import Search, milliseconds
from hotline.recording_commands import Calibration, Card, Comment, Draw, Review, Scored, Task

router = APIRouter()
MAY_SCORE = Depends(needs("score"))
MAY_MANAGE = Depends(needs("manage"))
END_MS = 1 << 62


class DrawWanted(Search):
    """A rule over what a search finds; the same seed draws the same recordings."""

    rule: str = Field(min_length=1, max_length=64)
    seed: str = Field(min_length=1, max_length=64)


class ReviewWanted(BaseModel):
    """Points for each item of the card; `card` empty: the first one."""

    model_config = ConfigDict(extra="forbid")
    card: str = Field(default="", max_length=64)
    scores: dict[str, float] = Field(max_length=200)
    note: str = Field(default="", max_length=4000)


class CommentWanted(BaseModel):
    """Something said of a moment."""

    model_config = ConfigDict(extra="forbid")
    at_ms: int = Field(ge=0, le=1 << 40)
    text: str = Field(min_length=1, max_length=4000)


@router.get("/quality/cards", dependencies=[MAY_SCORE])
async def cards(at: AtDoor) -> list[Card]:
    """Score cards; the first is the usual one."""
    return at.archive.cards()


@router.post("/quality/draws", dependencies=[MAY_MANAGE], status_code=201)
async def draw(wanted: DrawWanted, at: AtDoor, visiting: Visiting) -> Draw:
    """Draw recordings for review (404: no such rule)."""
    query = wanted.wanted(visiting.person, 1)
    found = await at.archive.draw(wanted.rule, wanted.seed, query, visiting.person.name)
    detail = f"rule {wanted.rule}, seed {wanted.seed}: {len(found.drawn)} of {found.candidates}"
    await at.note(visiting, "drew a sample", "", detail=detail)
    return found


@router.get("/quality/tasks", dependencies=[MAY_SCORE])
async def tasks(at: AtDoor, visiting: Visiting) -> list[Task]:
    """Drawn recordings that wait for this reviewer's score."""
    return await at.archive.tasks(visiting.person.name)


@router.get("/quality/calibration", dependencies=[MAY_MANAGE])
async def calibration(
    at: AtDoor,
    card: Annotated[str, Query(max_length=64)] = "",
    since: datetime | None = None,
    until: datetime | None = None,
) -> Calibration:
    """How far reviewers of the same recordings agree, in all and on each item."""
    return await at.archive.calibration(
        card, milliseconds(since) or 0, milliseconds(until) or END_MS
    )


@router.get("/recordings/{recording}/reviews", dependencies=[MAY_SCORE])
async def reviews(recording: str, at: AtDoor, visiting: Visiting) -> list[Review]:
    """Each reviewer's latest; in a calibration one's own alone until it is given."""
    await at.reach(visiting.person, recording)
    return await at.archive.reviews(recording, visiting.person.name)


@router.post("/recordings/{recording}/reviews", dependencies=[MAY_SCORE], status_code=201)
async def score(recording: str, wanted: ReviewWanted, at: AtDoor, visiting: Visiting) -> Review:
    """Review a recording (422: the scores do not fit the card)."""
    await at.reach(visiting.person, recording)
    scored = Scored(recording, visiting.person.name, wanted.card, wanted.scores, wanted.note)
    made = await at.archive.score(scored)
    detail = f"card {made.card} v{made.card_version}: {made.score:g}"
    await at.note(visiting, "scored", recording, detail=detail)
    return made


@router.get("/recordings/{recording}/comments", dependencies=[MAY_SCORE])
async def comments(recording: str, at: AtDoor, visiting: Visiting) -> list[Comment]:
    """What was said of it, in the order of its time; blind as the scores in a calibration."""
    await at.reach(visiting.person, recording)
    return await at.archive.comments(recording, visiting.person.name)


@router.post("/recordings/{recording}/comments", dependencies=[MAY_SCORE], status_code=201)
async def comment(recording: str, wanted: CommentWanted, at: AtDoor, visiting: Visiting) -> Comment:
    """Say something of a moment (422: the recording is over by then)."""
    await at.reach(visiting.person, recording)
    made = await at.archive.comment(recording, wanted.at_ms, visiting.person.name, wanted.text)
    await at.note(visiting, "commented", recording, detail=f"at {wanted.at_ms} ms")
    return made
