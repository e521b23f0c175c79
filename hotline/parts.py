"""What the hotline is made of: the parts that the conductor conducts, made by service/."""

from collections.abc import Callable
from dataclasses import dataclass

from callcore.io.server import SipServer
from config.schema import Config
from hotline.accounts import Accounts
from hotline.calls import CallBook
from hotline.clock import Clock
from hotline.events import LiveHub
from hotline.media_legs import MediaLegs
from hotline.meters import Meters
from hotline.queueing import Queueing
from media.io.gateway import Gateway
from media.io.plane import MediaPlane
from recorder.io.keeper import Keeper


@dataclass(slots=True)
class Parts:
    """One of each."""

    config: Config
    sip: SipServer
    plane: MediaPlane
    media: MediaLegs
    queueing: Queueing
    keeper: Keeper
    clock: Clock
    hub: LiveHub
    book: CallBook
    meters: Meters
    call_ids: Callable[[], str]
    chance: Callable[[], float]  # 0 <= x < 1: who is asked by the survey
    accounts: Accounts
    gateway: Gateway | None = None  # None: no browser can be a seat
