"""`/api/v1/callers`: numbers that are blocked, VIPs, or waiting for the supervisor's review."""

from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from desk.accounts import Asking
from desk.leading import Leads
from hotline.commands import HotlineCommands, MarkStatus

router = APIRouter(dependencies=[Leads])
audit = structlog.get_logger("audit")


def commands(request: Request) -> HotlineCommands:
    """The hotline that this application fronts."""
    hotline: HotlineCommands = request.app.state.hotline
    return hotline


Hotline = Annotated[HotlineCommands, Depends(commands)]
Number = Annotated[str, Path(pattern=r"^\+?[0-9]{2,20}$")]


class MarkWanted(BaseModel):
    """A nuisance mark is an agent's and waits for a review; the others are in force at once."""

    model_config = ConfigDict(extra="forbid")
    kind: Literal["blocked", "nuisance", "vip"]
    by: str = Field(min_length=1, max_length=64)
    note: str = Field(default="", max_length=200)
    priority: int = Field(default=0, ge=0, le=9)
    agent: str = Field(default="", max_length=64)


class Review(BaseModel):
    """The supervisor's word."""

    model_config = ConfigDict(extra="forbid")
    keep: bool
    by: str = Field(min_length=1, max_length=64)


@router.get("/callers/marks")
async def marks(hotline: Hotline) -> list[MarkStatus]:
    """All numbers that people marked."""
    return hotline.marks()


@router.put("/callers/{number}/mark")
async def mark(number: Number, wanted: MarkWanted, hotline: Hotline, asking: Asking) -> MarkStatus:
    """Mark a number (403: an agent's account, for more than nuisance; 422: no such seat)."""
    if wanted.kind != "nuisance":
        asking.must_be("")
    review = "proposed" if wanted.kind == "nuisance" else "in_force"
    said = {"kind": wanted.kind, "by": wanted.by, "account": asking.name}
    audit.info("caller marked", caller=number, **said)
    return hotline.mark_caller(
        MarkStatus(
            number,
            wanted.kind,
            review,
            wanted.by,
            "",
            wanted.note,
            "",
            wanted.priority,
            wanted.agent,
        )
    )


@router.post("/callers/{number}/mark/review")
async def review(number: Number, word: Review, hotline: Hotline, asking: Asking) -> MarkStatus:
    """Block the number, or reject the mark (403: an agent's; 404; 409: it waits for no review)."""
    asking.must_be("")
    said = {"keep": word.keep, "by": word.by, "account": asking.name}
    audit.info("mark reviewed", caller=number, **said)
    return hotline.review_mark(number, keep=word.keep, by=word.by)


@router.delete("/callers/{number}/mark", status_code=204)
async def clear(number: Number, hotline: Hotline, asking: Asking, by: str = "") -> None:
    """Take a mark back (403: an agent's account; 404)."""
    asking.must_be("")
    audit.info("mark cleared", caller=number, by=by, account=asking.name)
    hotline.clear_mark(number, by)
