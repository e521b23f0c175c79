"""IMS minutes: what calls of ours cost of each trunk's monthly package, by reason. Pure.

Every call is counted in started units (6 s or a minute, as the contract says), in the month in
which it was answered, in local time. Times are milliseconds since the epoch.
"""

import calendar
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, timezone

ALERTS = (0.8, 0.95)
HOUR_MS = 3_600_000
DAYS_TOLD = 3  # into a month, its forerunner is still told: calls last over midnight


@dataclass(frozen=True, slots=True)
class Package:
    """What one trunk may use a month; 0 minutes: not limited."""

    trunk: str
    minutes: int = 0
    unit_seconds: int = 60
    hard_stop: bool = False
    alerts: tuple[float, ...] = ALERTS


@dataclass(frozen=True, slots=True)
class Running:
    """A call that is being counted."""

    trunk: str
    uses: str
    since_ms: int


@dataclass(frozen=True, slots=True)
class Charge:
    """A call that is over: its length and what it cost."""

    leg: str
    trunk: str
    uses: str
    month: str
    since_ms: int
    milliseconds: int
    billed_seconds: int


@dataclass(frozen=True, slots=True)
class Alert:
    """A share of the package is used up."""

    trunk: str
    month: str
    share: float
    used_minutes: float
    minutes: int


@dataclass(frozen=True, slots=True)
class Usage:
    """A month of one trunk: seconds billed by reason, calls, and which alerts were given."""

    trunk: str
    month: str
    seconds: dict[str, int] = field(default_factory=dict)
    calls: int = 0
    alerted: tuple[float, ...] = ()

    @property
    def total_seconds(self) -> int:
        return sum(self.seconds.values())


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the month comes to if it goes on as so far; None in its first hour."""

    used_minutes: float
    expected_minutes: float | None
    exhausted_on: str | None  # the day on which the package is used up


class Meter:
    """Counts; holds no clock. `usages` are what was kept from before."""

    def __init__(
        self,
        packages: tuple[Package, ...],
        utc_offset_minutes: int = 480,
        usages: tuple[Usage, ...] = (),
    ) -> None:
        self._packages = {one.trunk: one for one in packages}
        self._zone = timezone(timedelta(minutes=utc_offset_minutes))
        self._usages = {(one.trunk, one.month): one for one in usages}
        self._elsewhere: dict[tuple[str, str], Usage] = {}
        self._running: dict[str, Running] = {}

    def begin(self, leg: str, trunk: str, uses: str, now_ms: int) -> None:
        """A call was answered."""
        self._running[leg] = Running(trunk, uses, now_ms)

    def end(self, leg: str, now_ms: int) -> tuple[Charge, list[Alert]] | None:
        """It is over: what it cost, and the alerts that this brings; None when not counted."""
        run = self._running.pop(leg, None)
        if run is None:
            return None
        package = self._packages.get(run.trunk, Package(run.trunk))
        length_ms = max(0, now_ms - run.since_ms)
        billed = billed_seconds(length_ms, package.unit_seconds)
        month = self.month(run.since_ms)
        usage = self._usages.get((run.trunk, month)) or Usage(run.trunk, month)
        usage = plus(usage, Usage(run.trunk, month, {run.uses: billed}, 1))
        self._usages[run.trunk, month] = usage
        alerts = list(_due(package, self.usage(run.trunk, month)))
        alerted = (*usage.alerted, *(alert.share for alert in alerts))
        self._usages[run.trunk, month] = replace(usage, alerted=alerted)
        charge = Charge(leg, run.trunk, run.uses, month, run.since_ms, length_ms, billed)
        return charge, alerts

    def may_call(self, trunk: str, now_ms: int) -> bool:
        """Whether the package has anything left, where it is a hard limit."""
        package = self._packages.get(trunk)
        if package is None or not package.hard_stop or not package.minutes:
            return True
        return self.used_seconds(trunk, now_ms) < package.minutes * 60

    def used_seconds(self, trunk: str, now_ms: int) -> int:
        """Of this month, calls under way included as they stand."""
        month = self.month(now_ms)
        unit = self._packages.get(trunk, Package(trunk)).unit_seconds
        under_way = sum(
            billed_seconds(max(0, now_ms - run.since_ms), unit)
            for run in self._running.values()
            if run.trunk == trunk and self.month(run.since_ms) == month
        )
        return self.usage(trunk, month).total_seconds + under_way

    def usage(self, trunk: str, month: str) -> Usage:
        """A month's account, with what other nodes have counted."""
        none = Usage(trunk, month)
        own, other = (some.get((trunk, month), none) for some in (self._usages, self._elsewhere))
        return plus(own, other)

    def usages(self) -> tuple[Usage, ...]:
        """All accounts of our own, to be kept."""
        return tuple(self._usages.values())

    def hear(self, usages: Iterable[Usage]) -> None:
        """All that other nodes have counted, in place of what was heard before."""
        heard: dict[tuple[str, str], Usage] = {}
        for one in usages:
            key = one.trunk, one.month
            heard[key] = plus(heard.get(key, Usage(*key)), one)
        self._elsewhere = heard

    def told(self, now_ms: int) -> tuple[Usage, ...]:
        """Our own of this month and the last, calls under way included as they stand."""
        since = min(self.month(now_ms), self.month(now_ms - DAYS_TOLD * 24 * HOUR_MS))
        told = {key: one for key, one in self._usages.items() if one.month >= since}
        for run in self._running.values():
            key = run.trunk, self.month(run.since_ms)
            unit = self._packages.get(run.trunk, Package(run.trunk)).unit_seconds
            billed = billed_seconds(max(0, now_ms - run.since_ms), unit)
            told[key] = plus(told.get(key, Usage(*key)), Usage(*key, {run.uses: billed}))
        return tuple(told.values())

    @property
    def running(self) -> int:
        """Calls being counted."""
        return len(self._running)

    def under_way(self) -> dict[str, Running]:
        """The same by their legs, to be kept: a crash must not make them free."""
        return dict(self._running)

    def forecast(self, trunk: str, now_ms: int) -> Forecast:
        """Straight on: the hours of the month that are left cost as those that are gone."""
        used = self.used_seconds(trunk, now_ms) / 60
        start, end = self._bounds(now_ms)
        gone = now_ms - start
        if gone < HOUR_MS:
            return Forecast(used, None, None)
        expected = used * (end - start) / gone
        minutes = self._packages.get(trunk, Package(trunk)).minutes
        if not minutes or expected <= minutes:
            return Forecast(used, expected, None)
        at_ms = start + gone * minutes / used
        return Forecast(used, expected, self._local(round(at_ms)).date().isoformat())

    def month(self, at_ms: int) -> str:
        """`2026-11`, in local time."""
        return self._local(at_ms).strftime("%Y-%m")

    def _local(self, at_ms: int) -> datetime:
        return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self._zone)

    def _bounds(self, at_ms: int) -> tuple[int, int]:
        here = self._local(at_ms)
        start = here.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        days = calendar.monthrange(here.year, here.month)[1]
        end = start + timedelta(days=days)
        return round(start.timestamp() * 1000), round(end.timestamp() * 1000)


def plus(one: Usage, other: Usage) -> Usage:
    """Two accounts of the same trunk and month in one."""
    uses = {**one.seconds, **other.seconds}
    seconds = {name: one.seconds.get(name, 0) + other.seconds.get(name, 0) for name in uses}
    alerted = tuple(dict.fromkeys((*one.alerted, *other.alerted)))
    return Usage(one.trunk, one.month, seconds, one.calls + other.calls, alerted)


def billed_seconds(length_ms: int, unit_seconds: int) -> int:
    """Started units of an answered call, in seconds: one at least, however short it was."""
    return math.ceil(max(1, length_ms) / (unit_seconds * 1000)) * unit_seconds


def _due(package: Package, usage: Usage) -> Iterator[Alert]:
    """Each share once a month."""
    if not package.minutes:
        return
    used = usage.total_seconds / 60
    for share in package.alerts:
        if share not in usage.alerted and used >= share * package.minutes:
            yield Alert(package.trunk, usage.month, share, used, package.minutes)
