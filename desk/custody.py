"""`/api/v1/recordings/{recording}/...`: legal holds, and deletion by two people.

Each wish carries the name and the password of an account with the right `custody`: a token may be
shared, and two people are wanted.
"""

import time
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from desk.accounts import Asking
from desk.api import Hotline
from desk.listening import AtDoor, Visiting
from hotline.commands import CustodyAction, CustodyStatus, CustodyWish, WrongPerson


def concerned(asking: Asking) -> None:
    """Custodians, auditors, and whoever runs the house: not for a seat, not for a reviewer."""
    if asking.rights.isdisjoint(("custody", "audit", "operate")):
        asking.must("custody")


router = APIRouter(dependencies=[Depends(concerned)])
audit = structlog.get_logger("audit")


class Somebody(BaseModel):
    """Who it is, and that it is them."""

    model_config = ConfigDict(extra="forbid")
    by: str = Field(min_length=1, max_length=64)
    password: SecretStr = Field(max_length=256)


class Reasoned(Somebody):
    """Who, and why; the reason stays with the recording for good."""

    reason: str = Field(min_length=1, max_length=500)


class Wishing:
    """Whoever asks, with a password each time: as often as the desk's own door lets one try."""

    def __init__(self, hotline: Hotline, at: AtDoor, visiting: Visiting) -> None:
        self._hotline = hotline
        self._passwords = at.accounts.passwords
        self._source = visiting.source

    async def do(
        self, recording: str, action: CustodyAction, who: Somebody, reason: str = ""
    ) -> CustodyStatus:
        """Audited whether it is done or refused."""
        wish = CustodyWish(action, who.by, who.password.get_secret_value(), reason)
        told = {"recording": recording, "action": action, "by": who.by, "reason": reason}
        self._passwords.tries.check(who.by, self._source, time.monotonic())
        try:
            done = await self._hotline.custody(recording, wish)
        except Exception as error:
            audit.warning("recording custody refused", **told, why=str(error))
            if isinstance(error, WrongPerson):
                await self._passwords.wrong(who.by, self._source)
            raise
        self._passwords.tries.right(who.by, self._source)
        audit.info("recording custody", **told, state=done.state)
        return done


Asked = Annotated[Wishing, Depends(Wishing)]


@router.get("/recordings/{recording}/custody")
async def custody(recording: str, hotline: Hotline) -> CustodyStatus:
    """Holds, requests and deletion of a recording: who, when, why (404: no such recording)."""
    return await hotline.custody(recording)


@router.post("/recordings/{recording}/hold")
async def hold(recording: str, wanted: Reasoned, asked: Asked) -> CustodyStatus:
    """Put it under a legal hold (403: wrong password; 429: too many; 409: held, or deleted)."""
    return await asked.do(recording, "hold", wanted, wanted.reason)


@router.post("/recordings/{recording}/hold/lift")
async def lift(recording: str, wanted: Reasoned, asked: Asked) -> CustodyStatus:
    """Lift the hold (403: wrong password; 409: there is none)."""
    return await asked.do(recording, "lift", wanted, wanted.reason)


@router.post("/recordings/{recording}/deletion")
async def delete(recording: str, wanted: Reasoned, asked: Asked) -> CustodyStatus:
    """Ask for its deletion (403: wrong password; 409: before its date, or held)."""
    return await asked.do(recording, "ask", wanted, wanted.reason)


@router.post("/recordings/{recording}/deletion/approval")
async def approve(recording: str, wanted: Somebody, asked: Asked) -> CustodyStatus:
    """Approve what somebody else asked for: it is deleted (403: wrong password; 409: the same)."""
    return await asked.do(recording, "approve", wanted)


@router.post("/recordings/{recording}/deletion/withdrawal")
async def withdraw(recording: str, wanted: Somebody, asked: Asked) -> CustodyStatus:
    """Take the request back (403: wrong password; 409: there is none)."""
    return await asked.do(recording, "withdraw", wanted)
