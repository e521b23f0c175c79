"""`/api/v1/calls/{id}/...`: what agents and supervisors do with a call.

404: no such call. 409: it is in a state that this does not fit, which the answer names. 422: a
target that cannot be called. With an Idempotency-Key the same command has its effect once.
"""

from typing import Annotated, Literal, Self

import structlog
from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel, ConfigDict, Field, model_validator

from desk.accounts import Asking, needs
from desk.idempotency import Replays
from desk.leading import Leads
from desk.listening import AtDoor, Visiting
from hotline.commands import CallAction, CallRecord, HotlineCommands, PartyStatus, Reference

router = APIRouter()
audit = structlog.get_logger("audit")


def commands(request: Request) -> HotlineCommands:
    """The hotline that this application fronts."""
    hotline: HotlineCommands = request.app.state.hotline
    return hotline


def replays(request: Request) -> Replays:
    """What was answered before."""
    kept: Replays = request.app.state.replays
    return kept


Hotline = Annotated[HotlineCommands, Depends(commands)]
Kept = Annotated[Replays, Depends(replays)]
Key = Annotated[str, Header(alias="Idempotency-Key", max_length=128)]
Who = Field(default="", max_length=64)
To = Field(min_length=1, max_length=128)


class Body(BaseModel):
    """Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid")


class About(Body):
    """A party by its leg, seat or number, `agent` or `citizen`; empty: the usual one."""

    party: str = Who


class Mute(About):
    """The agent, unless another is named."""

    muted: bool = True


class Target(Body):
    """Whom: seat:8002, queue:NAME, number:13800000001, or what a phone would dial."""

    to: str = To
    party: str = Who


class Transfer(Body):
    """Blind needs a target; attended completes the consultation."""

    kind: Literal["blind", "attended"] = "blind"
    to: str = Field(default="", max_length=128)
    party: str = Who
    order: str = Field(default="", max_length=64, description="the work order, for the platform")


class Conference(Body):
    """One of the three: add whom, remove whom, or join those who are consulted."""

    add: str = Field(default="", max_length=128)
    remove: str = Who
    party: str = Who

    @model_validator(mode="after")
    def says_one(self) -> Self:
        """Not two things at once."""
        if self.add and self.remove:
            raise ValueError("one of: add, remove, or neither (join)")
        return self


class Emergency(Body):
    """110, 119 or 120."""

    service: str = Field(min_length=3, max_length=5, pattern=r"^[0-9]+$")


class HangUp(Body):
    """`party` empty: everybody; `survey`: the citizen is asked first, if calls are."""

    party: str = Who
    survey: bool = False


class Supervision(Body):
    """`by` is the supervisor's seat, whose phone rings."""

    by: str = Field(min_length=1, max_length=64)
    mode: Literal["monitor", "whisper", "barge", "take_over"]


class Click(Body):
    """The agent's phone rings first, then whom it calls: by number, or by what the case is."""

    agent: str = Field(min_length=1, max_length=64)
    to: str = Field(default="", max_length=128)
    call: str = Who
    callback: str = Who
    order: str = Who

    @model_validator(mode="after")
    def names_one(self) -> Self:
        """One way to say whom."""
        if sum(map(bool, (self.to, self.call, self.callback, self.order))) != 1:
            raise ValueError("one of: to, call, callback, order")
        return self


class Order(Body):
    """The work order that came of a call."""

    order: str = Field(min_length=1, max_length=64)


class Ordered(BaseModel):
    """The recordings that are found by it from now on, those that still go on when they end."""

    call_id: str
    order: str
    recordings: list[str]


class Reveal(Body):
    """Who asks for a number, and why."""

    by: str = Field(min_length=1, max_length=64)
    why: str = Field(min_length=1, max_length=200)


class Revealed(BaseModel):
    """The numbers of a call."""

    caller: str
    called: str


class Desk:
    """One command's way: once for each key, and into the audit's log."""

    def __init__(self, hotline: Hotline, kept: Kept, asking: Asking, key: Key = "") -> None:
        self._hotline, self._kept = hotline, kept
        self._key = f"{asking.name}\n{key}" if key else ""  # two accounts may choose the same
        self._asking, self._account = asking, asking.name

    def act(self, call_id: str, action: CallAction) -> CallRecord:
        """Do it, or say again what came of it."""

        def perform() -> CallRecord:
            record = self._hotline.act(call_id, action)
            said = {"verb": action.verb, "to": action.to, "by": action.by}
            audit.info("call", call_id=call_id, account=self._account, **said)
            return record

        return self._kept.once(self._key, (call_id, action), perform)

    def place(self, wanted: Click) -> CallRecord:
        """The same for a call that is begun."""
        agent, about = wanted.agent, Reference(wanted.call, wanted.callback, wanted.order)
        self._asking.must_be(agent)

        def perform() -> CallRecord:
            if wanted.to:
                record = self._hotline.place(agent, wanted.to)
            else:
                record = self._hotline.follow_up(agent, about)
            said = wanted.to or f"{about.call}{about.callback}{about.order}"
            whom = {"agent": agent, "to": said}
            audit.info("call placed", call_id=record.call_id, account=self._account, **whom)
            return record

        return self._kept.once(self._key, (agent, wanted.to, about), perform)

    def hang_up(self, call_id: str) -> CallRecord:
        """The same for a call that is ended."""

        def perform() -> CallRecord:
            record = self._hotline.hang_up(call_id)
            audit.info("call", call_id=call_id, account=self._account, verb="hang up")
            return record

        return self._kept.once(self._key, (call_id, "hang up"), perform)

    def set_privacy(self, call_id: str, on: bool) -> CallRecord:
        """The same for a recording that is paused, or goes on."""
        record = self._hotline.set_privacy(call_id, on)
        verb = "pause recording" if on else "resume recording"
        audit.info("call", call_id=call_id, account=self._account, verb=verb)
        return record


Acting = Annotated[Desk, Depends(Desk)]


@router.post("/calls", status_code=201, dependencies=[Leads])
async def place(wanted: Click, desk: Acting) -> CallRecord:
    """Click to call, or follow a case up without its number (409: the seat is offline)."""
    return desk.place(wanted)


@router.post("/calls/{call_id}/reveal", dependencies=[Depends(needs("reveal"))])
async def reveal(
    call_id: str, asked: Reveal, hotline: Hotline, at: AtDoor, visiting: Visiting
) -> Revealed:
    """The numbers of a call, for whoever may see them; a line of the audit log first."""
    record = hotline.call(call_id)
    detail = f"call {call_id}, for {asked.by}"
    await at.note(visiting, "revealed", "", reason=asked.why, detail=detail)
    who = {"account": visiting.person.name, "by": asked.by}
    audit.info("number revealed", call_id=call_id, **who, why=asked.why)
    return Revealed(caller=record.caller, called=record.called)


@router.put("/calls/{call_id}/order")
async def give_order(call_id: str, wanted: Order, hotline: Hotline, asking: Asking) -> Ordered:
    """Its work order's number, also long after the call: its recordings are found by it."""
    recordings = await hotline.give_order(call_id, wanted.order)
    audit.info("call", call_id=call_id, account=asking.name, verb="order", order=wanted.order)
    return Ordered(call_id=call_id, order=wanted.order, recordings=recordings)


@router.get("/calls/{call_id}/parties")
async def parties(call_id: str, hotline: Hotline, viewer: str = "") -> list[PartyStatus]:
    """Who takes part in a call now; `viewer`: the seat that it is shown to."""
    return hotline.parties(call_id, viewer)


@router.post("/calls/{call_id}/hold")
async def hold(call_id: str, about: About, desk: Acting) -> CallRecord:
    """Music for the citizen, or for whoever is named."""
    return desk.act(call_id, CallAction("hold", party=about.party))


@router.post("/calls/{call_id}/resume")
async def resume(call_id: str, about: About, desk: Acting) -> CallRecord:
    """Back into the talk."""
    return desk.act(call_id, CallAction("resume", party=about.party))


@router.post("/calls/{call_id}/mute")
async def mute(call_id: str, wanted: Mute, desk: Acting) -> CallRecord:
    """Nobody hears that party, or again."""
    verb = "mute" if wanted.muted else "unmute"
    return desk.act(call_id, CallAction(verb, party=wanted.party))


@router.post("/calls/{call_id}/consult")
async def consult(call_id: str, wanted: Target, desk: Acting) -> CallRecord:
    """Call somebody beside the talk; the citizen hears music."""
    return desk.act(call_id, CallAction("consult", wanted.to, wanted.party))


@router.post("/calls/{call_id}/transfer")
async def transfer(call_id: str, wanted: Transfer, desk: Acting) -> CallRecord:
    """To a seat, a queue, a number or the platform; attended: to who is consulted."""
    if wanted.kind == "attended":
        return desk.act(call_id, CallAction("complete", party=wanted.party))
    action = CallAction("transfer", wanted.to, wanted.party, order=wanted.order)
    return desk.act(call_id, action)


@router.post("/calls/{call_id}/conference")
async def conference(call_id: str, wanted: Conference, desk: Acting) -> CallRecord:
    """Third parties in and out; with neither, those who are consulted come into the talk."""
    if wanted.remove:
        return desk.act(call_id, CallAction("remove", party=wanted.remove))
    if wanted.add:
        return desk.act(call_id, CallAction("add", wanted.add, wanted.party))
    return desk.act(call_id, CallAction("join", party=wanted.party))


@router.post("/calls/{call_id}/emergency")
async def emergency(call_id: str, wanted: Emergency, desk: Acting) -> CallRecord:
    """An emergency service into the talk: no queue, no limit."""
    return desk.act(call_id, CallAction("emergency", wanted.service))


@router.post("/calls/{call_id}/hang_up")
async def hang_up(call_id: str, wanted: HangUp, desk: Acting) -> CallRecord:
    """End the call, or one party's part in it."""
    if wanted.party:
        return desk.act(call_id, CallAction("remove", party=wanted.party))
    if wanted.survey:
        return desk.act(call_id, CallAction("survey"))
    return desk.hang_up(call_id)


@router.post("/calls/{call_id}/supervise")
async def supervise(call_id: str, wanted: Supervision, desk: Acting, asking: Asking) -> CallRecord:
    """Listen, speak to the agent alone, barge in, take over (422: `by` is no supervisor)."""
    asking.must_be(wanted.by)
    return desk.act(call_id, CallAction(wanted.mode, by=wanted.by))
