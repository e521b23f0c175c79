"""`/api/v1/accesses`: who heard what, when and why; for those with the right to read it."""

import datetime
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from desk.accounts import Asking, needs
from desk.listening import AtDoor, Visiting
from desk.recordings import milliseconds
from hotline.recording_commands import AccessQuery, Chain, Line

router = APIRouter()
MOST = (1 << 63) - 1  # that a database can compare with


class AccessPage(BaseModel):
    """Which lines; newest first."""

    model_config = ConfigDict(extra="forbid")
    who: str = Field(default="", max_length=64)
    action: str = Field(default="", max_length=32)
    recording: str = Field(default="", max_length=200)
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None
    before: int | None = Field(
        default=None, ge=1, le=MOST, description="lines older than this number"
    )
    limit: int = Field(default=100, ge=1, le=10_000)


@router.get("/accesses", dependencies=[Depends(needs("audit"))])
async def accesses(page: Annotated[AccessPage, Query()], at: AtDoor) -> list[dict[str, Any]]:
    """The audit log of recordings."""
    query = AccessQuery(
        page.who,
        page.action,
        page.recording,
        milliseconds(page.since),
        milliseconds(page.until),
        page.before,
        page.limit,
    )
    return [shown(line) for line in await at.archive.accesses(query)]


@router.get("/accesses/check", dependencies=[Depends(needs("audit"))])
async def check(
    at: AtDoor, visiting: Visiting, head: Annotated[str, Query(max_length=64)] = ""
) -> Chain:
    """Whether the log is as it was written; `head`: a digest that must be in it."""
    found = await at.archive.check_accesses(head)
    await at.note(visiting, "checked the log", "", detail=found.why)
    return found


@router.get("/me")
async def me(asking: Asking) -> dict[str, Any]:
    """Who the page is open for, and what they may do."""
    return {
        "name": asking.name,
        "rights": sorted(asking.rights),
        "seat": asking.seat or None,
        "unit": asking.is_unit,
    }


def shown(line: Line) -> dict[str, Any]:
    """A line as JSON."""
    access = asdict(line.access)
    at = datetime.datetime.fromtimestamp(access.pop("at_ms") / 1000).astimezone()
    return {
        "sequence": line.sequence,
        "at": at.isoformat(timespec="milliseconds"),
        **access,
        "digest": line.digest,
    }
