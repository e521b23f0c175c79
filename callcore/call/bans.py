"""Sources that keep failing are not listened to for a while.

Only what a source did with a proof that it is there counts against it: a wrong answer to a nonce
that was sent to its address. Datagrams with a forged source can ban nobody. Whoever is known by
the whole flow, trunks and bound seats, is let in before this list is asked.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace

from callcore.call.settings import BanSettings


@dataclass(frozen=True, slots=True)
class Ban:
    """A host that is not listened to until `until`; both times are of the loop's clock."""

    source: str
    why: str
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class Offences:
    """What a host did in the window that began at `since`."""

    count: int
    since: float


class Bans:
    """The list, bounded in memory: the oldest make room, offences as well as bans."""

    def __init__(self, settings: BanSettings) -> None:
        self._settings = settings
        self._offences: OrderedDict[str, Offences] = OrderedDict()
        self._bans: OrderedDict[str, Ban] = OrderedDict()

    def __len__(self) -> int:
        return len(self._bans)

    def is_banned(self, source: str, now: float) -> bool:
        """Whether a host's packets are to be dropped unread."""
        ban = self._bans.get(source)
        if ban is None:
            return False
        if now < ban.until:
            return True
        del self._bans[source]
        return False

    def offended(self, source: str, why: str, now: float) -> Ban | None:
        """Count an offence; the ban when this was one too many."""
        settings = self._settings
        if settings.offences <= 0 or source in self._bans:
            return None
        seen = self._offences.pop(source, Offences(0, now))
        if now > seen.since + settings.window_seconds:
            seen = Offences(0, now)
        seen = replace(seen, count=seen.count + 1)
        if seen.count < settings.offences:
            self._offences[source] = seen
            if len(self._offences) > settings.remembered:
                self._offences.popitem(last=False)
            return None
        ban = Ban(source, why, now, now + settings.seconds)
        self._bans[source] = ban
        if len(self._bans) > settings.remembered:
            self._bans.popitem(last=False)
        return ban

    def lift(self, source: str, now: float) -> Ban | None:
        """Listen to a host again, and forget what it did; the ban that was lifted."""
        self._offences.pop(source, None)
        ban = self._bans.pop(source, None)
        return ban if ban is not None and now < ban.until else None

    def listed(self, now: float) -> tuple[Ban, ...]:
        """The bans in force, the oldest first."""
        return tuple(ban for ban in tuple(self._bans.values()) if now < ban.until)
