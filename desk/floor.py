"""`/api/v1`: what agents and the supervisor do with states, callbacks and marks."""

from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from hotline.commands import AgentStatus, CallbackStatus, CallRecord, HotlineCommands

router = APIRouter()
audit = structlog.get_logger("audit")


def commands(request: Request) -> HotlineCommands:
    """The hotline that this application fronts."""
    hotline: HotlineCommands = request.app.state.hotline
    return hotline


Hotline = Annotated[HotlineCommands, Depends(commands)]


class StateWanted(BaseModel):
    """The state that is asked for; `by` is the supervisor who forces it, empty = the agent."""

    model_config = ConfigDict(extra="forbid")
    state: Literal["ready", "not_ready"]
    reason: str = Field(default="", max_length=64)
    by: str = Field(default="", max_length=64)


class Mark(BaseModel):
    """An emergency or a keyword that an agent heard."""

    model_config = ConfigDict(extra="forbid")
    priority: int = Field(ge=1, le=9)
    keyword: str = Field(default="", max_length=64)


@router.post("/agents/{user}/state")
async def state(user: str, wanted: StateWanted, hotline: Hotline) -> AgentStatus:
    """Make an agent ready or not ready.

    404: no such seat. 409: offline, or (without `by`) on a call, or forced by the supervisor.
    422: a reason that the configuration does not have.
    """
    if not wanted.by:
        return hotline.set_agent_state(user, wanted.state, wanted.reason)
    audit.info("agent forced", user=user, state=wanted.state, by=wanted.by)
    return hotline.force_agent_state(user, wanted.state, wanted.reason, wanted.by)


@router.post("/agents/{user}/wrap-up/extension")
async def extend_wrap_up(user: str, hotline: Hotline) -> AgentStatus:
    """The wrap-up's time once more (404: no such seat; 409: no wrap-up, or extended before)."""
    return hotline.extend_wrap_up(user)


@router.get("/callbacks")
async def callbacks(hotline: Hotline) -> list[CallbackStatus]:
    """Promised callbacks, and the latest that are over."""
    return hotline.callbacks()


@router.delete("/callbacks/{callback}")
async def cancel_callback(callback: str, hotline: Hotline) -> CallbackStatus:
    """Take a promise back (404: no such callback; 409: it is talked, or over)."""
    audit.info("callback cancelled", callback=callback)
    return hotline.cancel_callback(callback)


@router.post("/calls/{call_id}/mark")
async def mark(call_id: str, wanted: Mark, hotline: Hotline) -> CallRecord:
    """Raise the call's priority, for when it waits again (404; 409: it has ended)."""
    audit.info("call marked", call_id=call_id, priority=wanted.priority, keyword=wanted.keyword)
    return hotline.prioritise(call_id, wanted.priority, wanted.keyword)
