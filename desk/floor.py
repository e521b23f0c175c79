"""`/api/v1`: what agents and the supervisor do with states, callbacks and marks."""

from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from desk.accounts import Asking
from desk.leading import Leads
from hotline.commands import AgentStatus, CallbackStatus, CallRecord, HotlineCommands

router = APIRouter(dependencies=[Leads])
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
async def state(user: str, wanted: StateWanted, hotline: Hotline, asking: Asking) -> AgentStatus:
    """Make an agent ready or not ready.

    403: an agent's account, for another seat or as a supervisor. 404: no such seat. 409: offline,
    or (without `by`) on a call, or forced by the supervisor. 422: a reason of no configuration.
    """
    asking.must_be("" if wanted.by else user)
    if not wanted.by:
        return hotline.set_agent_state(user, wanted.state, wanted.reason)
    said = {"state": wanted.state, "by": wanted.by}
    audit.info("agent forced", user=user, account=asking.name, **said)
    return hotline.force_agent_state(user, wanted.state, wanted.reason, wanted.by)


@router.post("/agents/{user}/wrap-up/extension")
async def extend_wrap_up(user: str, hotline: Hotline, asking: Asking) -> AgentStatus:
    """The wrap-up's time once more (404: no such seat; 409: no wrap-up, or extended before)."""
    asking.must_be(user)
    return hotline.extend_wrap_up(user)


@router.get("/callbacks")
async def callbacks(hotline: Hotline) -> list[CallbackStatus]:
    """Promised callbacks, and the latest that are over."""
    return hotline.callbacks()


@router.delete("/callbacks/{callback}")
async def cancel_callback(callback: str, hotline: Hotline, asking: Asking) -> CallbackStatus:
    """Take a promise back (404: no such callback; 409: it is talked, or over)."""
    audit.info("callback cancelled", callback=callback, account=asking.name)
    return hotline.cancel_callback(callback)


@router.post("/calls/{call_id}/mark")
async def mark(call_id: str, wanted: Mark, hotline: Hotline, asking: Asking) -> CallRecord:
    """Raise the call's priority, for when it waits again (404; 409: it has ended)."""
    said = {"priority": wanted.priority, "keyword": wanted.keyword}
    audit.info("call marked", call_id=call_id, account=asking.name, **said)
    return hotline.prioritise(call_id, wanted.priority, wanted.keyword)
