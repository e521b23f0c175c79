"""The part of the facade that fronts what is done to recordings besides playing them."""

import time
from collections.abc import Callable
from functools import partial

from hotline.clock import iso
from hotline.commands import (
    CustodyStatus,
    CustodyStep,
    CustodyWish,
    Unavailable,
    UnknownThing,
    WrongPerson,
    WrongState,
)
from hotline.control import Control
from recorder.approvers import NotAllowed
from recorder.custody import Custody, Refused
from recorder.io.custodian import Custodian, Person, UnknownRecording
from recorder.io.database import IndexFailed
from recorder.io.index import Query
from recorder.io.objects import StillKept, StoreError

MOST_RECORDINGS = 1000  # of one call


class Custodies(Control):
    """Implements what HotlineCommands says of holds, of deletion, and of orders given later."""

    async def give_order(self, call_id: str, order: str) -> list[str]:
        """The work order that a call was about; its recordings, which are found by it from now on.

        UnknownThing for a call that neither the book nor the index knows; Unavailable.
        """
        record = self._parts.book.get(call_id)
        try:
            found = await self._parts.keeper.find(Query(call_id=call_id, limit=MOST_RECORDINGS))
        except IndexFailed as error:
            raise Unavailable(str(error)) from None
        if record is None and not found:
            raise UnknownThing(f"no call {call_id!r}")
        names = dict.fromkeys([] if record is None else record.recordings)
        names |= dict.fromkeys(entry.recording for entry in found)
        if record is not None:
            record.order = order
        self.note_order(names, order)
        return list(names)

    async def custody(self, recording: str, wish: CustodyWish | None = None) -> CustodyStatus:
        """What was done so far, after the wish was done.

        UnknownThing; WrongPerson for a wrong password; WrongState with why; Unavailable.
        """
        keeper = self._parts.keeper
        try:
            done = await keeper.run(_work(keeper.custodian, recording, wish))
        except UnknownRecording as error:
            raise UnknownThing(str(error.args[0])) from None
        except NotAllowed as error:
            raise WrongPerson(str(error)) from None
        except (Refused, StillKept) as error:
            raise WrongState(str(error)) from None
        except (StoreError, IndexFailed) as error:
            raise Unavailable(str(error)) from None
        return _status(done)


def _work(custodian: Custodian, recording: str, wish: CustodyWish | None) -> Callable[[], Custody]:
    if wish is None:
        return partial(custodian.custody, recording)
    who, now_ms = Person(wish.by, wish.password), int(time.time() * 1000)
    if wish.action == "approve":
        return partial(custodian.approve_deletion, recording, who, now_ms)
    work = {
        "hold": custodian.hold,
        "lift": custodian.lift,
        "ask": custodian.ask_deletion,
        "withdraw": custodian.withdraw,
    }[wish.action]
    return partial(work, recording, who, wish.reason, now_ms)


def _status(custody: Custody) -> CustodyStatus:
    steps = tuple(CustodyStep(e.kind, e.by, e.at, e.reason) for e in custody.events)
    return CustodyStatus(
        custody.recording, custody.state.value, iso(custody.retain_until_ms), steps
    )
