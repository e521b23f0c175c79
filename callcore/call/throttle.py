"""The slowing down of those who guess passwords."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, replace

from callcore.call.settings import AuthSettings


@dataclass(frozen=True, slots=True)
class Record:
    """What we remember of one source or user that failed."""

    failures: int = 0
    since: float = 0.0
    blocks: int = 0
    blocked_until: float = 0.0


class Throttle:
    """Failures counted for each source and each user; too many in a window block both.

    Every further block is twice as long as the one before, up to a maximum, and ten windows
    without a failure after the block forgive. Somebody else's guesses must not lock out the
    owner, so a (user, address and port) that has proved its password passes under the blocks
    of its user and of its host; its own failures take that trust away.
    """

    def __init__(self, settings: AuthSettings) -> None:
        self._settings = settings
        self._records: OrderedDict[Hashable, Record] = OrderedDict()
        self._trusted: OrderedDict[Hashable, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    def blocked_seconds(self, user: str, remote: tuple[str, int], now: float) -> float:
        """How long this attempt must still wait; 0 when it may go on."""
        if not self._records or (user, remote) in self._trusted:
            return 0.0
        until = max(self._until(("source", remote[0])), self._until(("user", user)))
        return max(0.0, until - now)

    def failed(self, user: str, remote: tuple[str, int], now: float) -> None:
        """A wrong password, or an unknown user: the same to us."""
        self._trusted.pop((user, remote), None)
        self._count(("source", remote[0]), now)
        self._count(("user", user), now)

    def succeeded(self, user: str, remote: tuple[str, int]) -> None:
        """This user proved the password from this address."""
        self._trusted[(user, remote)] = None
        self._trusted.move_to_end((user, remote))
        if len(self._trusted) > self._settings.remembered:
            self._trusted.popitem(last=False)

    def forgive(self, host: str) -> None:
        """A host that somebody vouches for; users that it guessed stay blocked for their time."""
        self._records.pop(("source", host), None)

    def _until(self, key: Hashable) -> float:
        record = self._records.get(key)
        return record.blocked_until if record else 0.0

    def _count(self, key: Hashable, now: float) -> None:
        settings = self._settings
        record = self._records.pop(key, Record(since=now))
        if now > record.since + settings.window_seconds:
            quiet = now - record.blocked_until
            blocks = record.blocks if quiet < 10 * settings.window_seconds else 0
            record = replace(record, failures=0, since=now, blocks=blocks)
        record = replace(record, failures=record.failures + 1)
        if record.failures >= settings.failures:
            length = settings.block_seconds * 2.0**record.blocks
            until = now + min(settings.max_block_seconds, length)
            record = Record(since=until, blocks=min(record.blocks + 1, 32), blocked_until=until)
        self._records[key] = record
        if len(self._records) > 2 * settings.remembered:
            self._records.popitem(last=False)
