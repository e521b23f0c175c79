"""Time that passes when it is told to, a journal on paper, and hotlines of all sorts."""

import asyncio
from collections.abc import Callable
from functools import cache
from itertools import count
from operator import itemgetter
from typing import Any

import msgspec

from acd.core import Core
from acd.events import Event
from acd.replay import replay
from acd.settings import AcdSettings
from config.loader import loads
from config.schema import Config
from hotline.clock import Clock
from service.queues import acd_settings
from tests.hotline.house import House

NOON_MS = 1_790_136_000_000  # 2026-09-23T04:00:00Z, a Wednesday
SEATS = """
    [[seats]]
    user = "8001"
    password = "x"
    mobile = "13800000001"
    [[seats]]
    user = "8002"
    password = "x"
    mobile = "13800000002"
    [[seats]]
    user = "8003"
    password = "x"
    mobile = "13800000003"
    remote = true
    [[seats]]
    user = "9001"
    password = "x"
    role = "supervisor"
    [[routes]]
    number = "12345"
    queue = "12345"
    [[routes]]
    number = "12346"
    queue = "second"
    [[trunks]]
    name = "ims"
    peers = ["127.0.0.2"]
    [minutes]
    unit_seconds = 1
"""
CALLBACK = 'callback = {retry_seconds = 60, attempts = 2, hours = "00:00-24:00", order = "%s"}'
LATE = """
    overflow_mobile_after_seconds = 0
    max_wait_seconds = 60
    overflow = [{target = "mobile", after_seconds = 2}, {target = "supervisor", after_seconds = 4},
                {target = "city", after_seconds = 6, number = "055112345"},
                {target = "callback", after_seconds = 8}]
"""
CLOSED = """
    overflow_mobile_after_seconds = 0
    opening = ["mon-sun 13:00-14:00"]
    overflow = [{target = "mobile", after_seconds = 1, when = "closed"},
                {target = "message", after_seconds = 3, when = "closed"}]
"""
SORTS = (
    ("wrap_up_seconds = 0\nsurvey = false", ""),
    ("survey = true\n" + LATE + CALLBACK % "agent_first", 'agent_leaves = "end"'),
    ("wrap_up_seconds = 5\n" + LATE + CALLBACK % "citizen_first", 'transfer_fails_to = ["queue"]'),
    ("survey = true\naffinity = {last_agent_hours = 24, bound_seconds = 20}", ""),
    (CLOSED, "transfer_fails_to = []"),
)


@cache
def hotline_of(sort: int) -> Config:
    """One of the sorts, loaded once."""
    queue, calls = SORTS[sort]
    message = "after_longest_wait = true" if sort % 2 else ""
    text = f"""
    {SEATS}
    [[queues]]
    name = "12345"
    {queue}
    [[queues]]
    name = "second"
    policy = "fifo"
    [calls]
    platform_number = "055160012345"
    {calls}
    [message]
    {message}
    """
    return loads(text, file="test.toml", environ={})


class PaperClock(Clock):
    """Both clocks stand still until `seconds` is set."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> float:
        return self.seconds

    def anywhere(self) -> float:
        return self.seconds

    def wall_ms(self) -> int:
        return NOON_MS + round(self.seconds * 1000)

    def at_ms(self, then: float) -> int:
        return NOON_MS + round(then * 1000)


class PaperJournal:
    """Events as they come back from a file."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def append(self, event: Event, written: Any = None) -> None:
        self.written.append(msgspec.msgpack.encode(event))

    def replayed(self) -> Core:
        return replay(msgspec.msgpack.decode(one, type=Event) for one in self.written)


class Days:
    """One hotline through its crashes: the journal and the clock outlive each house."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.clock = PaperClock()
        self.journal = PaperJournal()
        self.call_ids = (f"v{n}" for n in count(1))
        asyncio.get_running_loop().time = self.clock.now  # type: ignore[method-assign]

    def begin(self) -> House:
        """A start, or the next one after a crash: the queue's state is read from the journal."""
        core = self.journal.replayed() if self.journal.written else Core(AcdSettings())
        house = House(self.config, self.clock, core, self.journal, self.call_ids)
        house.conductor.parts.queueing.lead(acd_settings(self.config))
        return house


def timers_of(house: House) -> dict[Any, float]:
    """What is armed, and when it is due."""
    queueing, performer = house.conductor.parts.queueing, house.conductor.performer
    timers = (*queueing._timers.items(), *performer._timers.items())
    return {name: handle.when() for name, handle in timers}


def let_pass(
    days: Days, house: House, seconds: float, first_of: Callable[[list[Any]], Any] = itemgetter(0)
) -> None:
    """Time passes, and timers fire when they are due; of those that are due together, any first."""
    clock = days.clock
    until = clock.seconds + seconds
    while due := {name: at for name, at in timers_of(house).items() if at <= until}:
        first = min(due.values())
        together = [name for name, at in due.items() if at <= max(first, clock.seconds)]
        clock.seconds = max(clock.seconds, first)
        fire(house, first_of(sorted(together, key=str)))
    clock.seconds = max(clock.seconds, until)


def fire(house: House, timer: Any) -> None:
    """One timer, as the loop would."""
    owner = house.conductor.parts.queueing if isinstance(timer, str) else house.conductor.performer
    owner._timers[timer].cancel()
    args = (timer,) if isinstance(timer, str) else timer
    owner._fire(*args)
