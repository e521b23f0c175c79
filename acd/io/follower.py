"""The other nodes' side of the stream: the leader's events, into the own journal and state."""

from __future__ import annotations

from collections.abc import Callable

from acd.events import Event
from acd.frames import parse_frames
from acd.io.files import put
from acd.io.journal import Journal
from acd.io.recovery import Recovered, thawed
from acd.io.shared import Batch, Shared
from acd.snapshot import SnapshotUnreadable, pack, unpack

Take = Callable[[Event, bytes], None]


class CannotFollow(Exception):
    """This node cannot come to the leader's state, for a reason that a person has to see."""


class Follower:
    """Reads the stream; `take` applies one event, `adopt` puts another state in its place."""

    def __init__(self, shared: Shared, take: Take, adopt: Callable[[Recovered], None]) -> None:
        self._shared, self._take, self._adopt = shared, take, adopt

    async def follow(self, journal: Journal, last: int = 0) -> int:
        """What is there now, at most some thousand events; how many. CannotFollow, SharedAway.

        `last` is the stream's last event where that stands still: nothing may be behind a snapshot.
        """
        before = journal.sequence
        batches = await self._shared.read(before)
        for batch in batches:
            if batch.first > journal.sequence + 1:
                await self._leap(journal, batch.first)
            self._apply(journal, batch)
        if not batches and before < last:
            await self._leap(journal, last + 1)
        return journal.sequence - before

    def _apply(self, journal: Journal, batch: Batch) -> None:
        segment = parse_frames(batch.frames)
        if segment.damage:
            raise CannotFollow(f"event {batch.first + len(segment.events)}: {segment.damage}")
        if batch.epoch > journal.epoch:
            journal.begin_epoch(batch.epoch)
        for index, event in enumerate(segment.events):
            if batch.first + index > journal.sequence:
                self._take(event, segment.frames[index])

    async def _leap(self, journal: Journal, first: int) -> None:
        """The stream has nothing before event `first`: the leader's snapshot has it all."""
        try:
            found = unpack(await self._shared.snapshot())
        except SnapshotUnreadable as error:
            raise CannotFollow(f"events before {first} are gone, and {error}") from None
        recovered = thawed(found)
        if recovered is None:
            raise CannotFollow("the leader's snapshot is of another version of callcore")
        if found.sequence <= journal.sequence or first > found.sequence + 1:
            raise CannotFollow(f"events {journal.sequence + 1} to {first - 1} are gone")
        put(journal.folder / f"snapshot-{found.sequence:012d}.state", pack(found))
        journal.begin_at(found.sequence, found.epoch)
        self._adopt(recovered)
