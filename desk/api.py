"""`/api/v1`: queues, agents, calls, recordings.

Every function is async although most wait for nothing: the others would run in a thread of their
own, and the hotline belongs to the loop's.
"""

from typing import Annotated, Any, Literal

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from desk.ranges import partial
from hotline.commands import (
    AgentStatus,
    BanStatus,
    CallRecord,
    HotlineCommands,
    QueueStatus,
    RecordingEntry,
)

router = APIRouter()
audit = structlog.get_logger("audit")


def commands(request: Request) -> HotlineCommands:
    """The hotline that this application fronts."""
    hotline: HotlineCommands = request.app.state.hotline
    return hotline


Hotline = Annotated[HotlineCommands, Depends(commands)]
Limit = Annotated[int, Query(ge=1, le=10_000)]


class AgentState(BaseModel):
    """The state that an agent or the supervisor asks for."""

    model_config = ConfigDict(extra="forbid")
    state: Literal["ready", "not_ready"]
    reason: str = Field(default="", max_length=64)


@router.get("/queues")
async def queues(hotline: Hotline) -> list[QueueStatus]:
    """All queues."""
    return hotline.queues()


@router.get("/queues/{name}")
async def queue(name: str, hotline: Hotline) -> QueueStatus:
    """One queue: who waits, what was promised and what was kept."""
    return hotline.queue(name)


@router.get("/agents")
async def agents(hotline: Hotline) -> list[AgentStatus]:
    """All seats."""
    return hotline.agents()


@router.put("/agents/{user}/state")
async def set_agent_state(user: str, wanted: AgentState, hotline: Hotline) -> AgentStatus:
    """Make an agent ready or not ready (409 while the seat is offline or on a call)."""
    return hotline.set_agent_state(user, wanted.state, wanted.reason)


@router.get("/calls")
async def calls(hotline: Hotline, limit: Limit = 100, active: bool = False) -> list[CallRecord]:
    """The latest calls, newest first; `active` leaves out those that ended."""
    return hotline.calls(limit, active=active)


@router.get("/calls/{call_id}")
async def call(call_id: str, hotline: Hotline) -> CallRecord:
    """One call."""
    return hotline.call(call_id)


@router.delete("/calls/{call_id}")
async def hang_up(call_id: str, hotline: Hotline) -> CallRecord:
    """End a call (409 when it has ended)."""
    return hotline.hang_up(call_id)


@router.put("/calls/{call_id}/privacy")
async def pause_recording(call_id: str, hotline: Hotline) -> CallRecord:
    """Leave out of the recording what is said from now on (409 when nothing is recorded)."""
    return hotline.set_privacy(call_id, True)


@router.delete("/calls/{call_id}/privacy")
async def resume_recording(call_id: str, hotline: Hotline) -> CallRecord:
    """Record again (409 when nothing is recorded)."""
    return hotline.set_privacy(call_id, False)


@router.get("/trunks")
async def trunks(hotline: Hotline) -> list[dict[str, Any]]:
    """All trunks: up or down, and what runs over them."""
    return hotline.trunks()


@router.get("/bans")
async def bans(hotline: Hotline) -> list[BanStatus]:
    """Hosts that are not listened to, because they kept failing."""
    return hotline.bans()


@router.delete("/bans/{source}")
async def lift_ban(source: str, hotline: Hotline) -> BanStatus:
    """Listen to a host again (404 when it is not banned)."""
    return hotline.lift_ban(source)


@router.get("/recordings")
async def recordings(
    hotline: Hotline, limit: Limit = 100, call_id: str | None = None
) -> list[RecordingEntry]:
    """The latest recordings, newest first."""
    return await hotline.recordings(limit, call_id)


@router.get("/recordings/{recording}")
async def recording(recording: str, hotline: Hotline) -> RecordingEntry:
    """One recording's entry in the index."""
    return await hotline.recording(recording)


@router.get("/recordings/{recording}/audio", response_class=Response)
async def audio(
    recording: str,
    request: Request,
    hotline: Hotline,
    kind: Annotated[Literal["flac", "wav"], Query(alias="format")] = "flac",
) -> Response:
    """The sound, caller left and agent right; answers ranges so that a player can seek.

    Each playback is written to the audit log.
    """
    sound = await hotline.audio(recording, kind)
    who = request.client.host if request.client else "unknown"
    audit.info("recording played", recording=recording, format=kind, by=who)
    headers = {
        "Content-Disposition": f'inline; filename="{sound.file_name}"',
        "Cache-Control": "private, no-store",
    }
    return partial(sound, request.headers.get("range"), headers)
