"""The accounts of outgoing minutes: the meter's counts, kept in a file, told to the record."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import msgspec
import structlog

from config.schema import Config
from hotline.clock import Clock
from hotline.commands import MinutesStatus
from hotline.events import Alert, LiveHub
from hotline.minutes import HOUR_MS, Charge, Meter, Package, Running, Usage

log = structlog.get_logger("hotline")


class Accounts:
    """One a process; `folder` None: kept in memory only."""

    def __init__(self, config: Config, clock: Clock, hub: LiveHub, folder: Path | None) -> None:
        minutes = config.minutes
        self._clock = clock
        self._hub = hub
        self._path = None if folder is None else folder / minutes.file
        self._limits = {trunk.name: trunk.minutes_per_month for trunk in config.trunks}
        packages = tuple(
            Package(name, limit, minutes.unit_seconds, minutes.hard_stop, minutes.alerts)
            for name, limit in self._limits.items()
        )
        usages, cut_off, kept_ms = self._read()
        self.meter = Meter(packages, clock.utc_offset_minutes(), usages)
        self._charge(cut_off, kept_ms)

    def begin(self, leg: str, trunk: str, uses: str, at_ms: int) -> None:
        """A call of ours was answered then."""
        self.meter.begin(leg, trunk, uses, at_ms)
        self._write()

    def end(self, leg: str, at_ms: int) -> Charge | None:
        """It is over: booked, kept, and told when a share of the package is reached."""
        done = self.meter.end(leg, at_ms)
        if done is None:
            return None
        charge, alerts = done
        for alert in alerts:
            text = (
                f"trunk {alert.trunk}: {alert.share:.0%} of {alert.minutes} minutes "
                f"of {alert.month} are used ({alert.used_minutes:.0f})"
            )
            log.warning("minutes", trunk=alert.trunk, share=alert.share, used=alert.used_minutes)
            self._hub.publish(
                self._clock.wall_ms(), Alert("minutes", text, f"{alert.trunk} {alert.share:.0%}")
            )
        self._write()
        return charge

    def may_call(self, trunk: str) -> bool:
        """Whether the trunk's package has anything left, where that is a limit."""
        return self.meter.may_call(trunk, self._clock.wall_ms())

    def used_minutes(self, trunk: str) -> float:
        """Of this month, calls under way included."""
        return self.meter.used_seconds(trunk, self._clock.wall_ms()) / 60

    def status(self) -> list[MinutesStatus]:
        """Every trunk's month."""
        now_ms = self._clock.wall_ms()
        month = self.meter.month(now_ms)
        found = []
        for trunk, limit in self._limits.items():
            usage, forecast = self.meter.usage(trunk, month), self.meter.forecast(trunk, now_ms)
            by_use = {uses: seconds / 60 for uses, seconds in usage.seconds.items()}
            found.append(
                MinutesStatus(
                    trunk,
                    month,
                    limit,
                    forecast.used_minutes,
                    by_use,
                    usage.calls,
                    forecast.expected_minutes,
                    forecast.exhausted_on,
                )
            )
        return found

    def told(self) -> bytes:
        """What this node has counted, for the others of its cluster."""
        return msgspec.json.encode(self.meter.told(self._clock.wall_ms()))

    def hear(self, documents: Iterable[bytes]) -> None:
        """What each of the others has counted; what another version tells in another way is not."""
        heard: list[Usage] = []
        for document in documents:
            try:
                heard += msgspec.json.decode(document, type=list[Usage])
            except msgspec.MsgspecError as error:
                log.warning("another node's minutes not readable", why=str(error))
        self.meter.hear(heard)

    def _charge(self, cut_off: dict[str, Running], kept_ms: int) -> None:
        """Calls that a crash cut off: the far ends hung up by now, and the trunk counted so long.

        An hour after the accounts were last written, at most: the machine may have been off.
        """
        now_ms = self._clock.wall_ms()
        for leg, run in cut_off.items():
            until_ms = min(now_ms, max(kept_ms, run.since_ms) + HOUR_MS)
            self.meter.begin(leg, run.trunk, run.uses, run.since_ms)
            self.meter.end(leg, until_ms)
            lasted = (until_ms - run.since_ms) / 1000
            log.warning("minutes of a call cut off", leg=leg, trunk=run.trunk, seconds=lasted)
        if cut_off:
            self._write()

    def _read(self) -> tuple[tuple[Usage, ...], dict[str, Running], int]:
        """Usages, calls that were under way, and when that was written.

        A file that cannot be read is put aside: the count begins anew, and loudly.
        """
        if self._path is None or not self._path.exists():
            return (), {}, 0
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            if isinstance(kept, list):  # of a version that forgot what was under way
                kept = {"usages": kept, "running": {}, "at_ms": 0}
            rows = kept["usages"]
            usages = tuple(Usage(**{**row, "alerted": tuple(row["alerted"])}) for row in rows)
            running = {leg: Running(**run) for leg, run in kept["running"].items()}
            return usages, running, int(kept["at_ms"])
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            log.error("accounts of minutes not readable", path=str(self._path), why=str(error))
            self._path.replace(self._path.with_suffix(".unreadable"))
            return (), {}, 0

    def _write(self) -> None:
        """Whole or not at all; a disk that is full costs no call."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            new = self._path.with_suffix(".new")
            kept = {
                "usages": [asdict(usage) for usage in self.meter.usages()],
                "running": {leg: asdict(run) for leg, run in self.meter.under_way().items()},
                "at_ms": self._clock.wall_ms(),
            }
            new.write_text(json.dumps(kept, indent=1), encoding="utf-8")
            new.replace(self._path)
        except OSError as error:
            log.error("accounts of minutes not written", path=str(self._path), why=str(error))
