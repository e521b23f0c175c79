"""`/api/v1`: queues, agents, calls.

Every function is async although most wait for nothing: the others would run in a thread of their
own, and the hotline belongs to the loop's.
"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from desk.accounts import Asking
from desk.calls import Acting
from desk.leading import Leads
from hotline.commands import (
    AgentStatus,
    BanStatus,
    CallRecord,
    ClusterStatus,
    HotlineCommands,
    MinutesStatus,
    QueueStatus,
)


def commands(request: Request) -> HotlineCommands:
    """The hotline that this application fronts."""
    hotline: HotlineCommands = request.app.state.hotline
    return hotline


Hotline = Annotated[HotlineCommands, Depends(commands)]


router = APIRouter(dependencies=[Leads])
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
async def set_agent_state(
    user: str, wanted: AgentState, hotline: Hotline, asking: Asking
) -> AgentStatus:
    """Make an agent ready or not ready (409 while the seat is offline or on a call)."""
    asking.must_be(user)
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
async def hang_up(call_id: str, desk: Acting) -> CallRecord:
    """End a call (409 when it has ended)."""
    return desk.hang_up(call_id)


@router.get("/cluster")
async def cluster(hotline: Hotline) -> ClusterStatus:
    """This node's part in its cluster: who leads, and how far behind it is."""
    return hotline.cluster()


@router.put("/calls/{call_id}/privacy")
async def pause_recording(call_id: str, desk: Acting) -> CallRecord:
    """Leave out of the recording what is said from now on (409 when nothing is recorded)."""
    return desk.set_privacy(call_id, True)


@router.delete("/calls/{call_id}/privacy")
async def resume_recording(call_id: str, desk: Acting) -> CallRecord:
    """Record again (409 when nothing is recorded)."""
    return desk.set_privacy(call_id, False)


@router.get("/trunks")
async def trunks(hotline: Hotline) -> list[dict[str, Any]]:
    """All trunks: up or down, and what runs over them."""
    return hotline.trunks()


@router.get("/minutes")
async def minutes(hotline: Hotline) -> list[MinutesStatus]:
    """Each trunk's month: minutes used, by reason, and what it comes to."""
    return hotline.minutes()


@router.get("/bans")
async def bans(hotline: Hotline) -> list[BanStatus]:
    """Hosts that are not listened to, because they kept failing."""
    return hotline.bans()


@router.delete("/bans/{source}")
async def lift_ban(source: str, hotline: Hotline) -> BanStatus:
    """Listen to a host again (404 when it is not banned)."""
    return hotline.lift_ban(source)
