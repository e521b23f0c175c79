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
from recorder.io.objects import StillKept, StoreError


class Custodies(Control):
    """Implements what HotlineCommands says of holds and deletion."""

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
