"""One node of a cluster at work: performs what the lease's machine asks for, one beat at a time."""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

import structlog

from acd import lease as machine
from acd.io.files import JournalDamaged
from acd.io.follower import CannotFollow, Follower
from acd.io.recovery import Recovered
from acd.io.replicator import Replicator
from acd.io.shared import Claimed, Fenced, Shared, SharedAway, SharedForgotten, Stand, Writer
from acd.lease import Ask, Lease, Role, step
from config.cluster import Cluster
from hotline.commands import ClusterStatus
from hotline.queueing import Queueing
from service.journal import Store

log = structlog.get_logger("cluster")
BEATS = 8  # in each lease
LEAST_BEAT_SECONDS = 0.02
FOLLOW_SECONDS = 0.1
SEATS_SECONDS = 1.0
SEATS_EXPIRY_SECONDS = 60.0
UPLOAD_SECONDS = 5.0
MINUTES_SECONDS = 5.0
CLEAN_END_SECONDS = 3.0


class Hotline(Protocol):
    """What leading and following mean to the calls; hotline and SIP do it."""

    def lead(self, seats: dict[str, bytes]) -> None:
        """Take calls from now on."""

    async def step_down(self) -> None:
        """End what waits, let go on what talks, for as long as a drain may take."""

    def seats(self) -> dict[str, bytes]:
        """Where seats are and what they do."""

    def users(self) -> list[str]:
        """All seats there may be."""

    def minutes(self) -> bytes:
        """What this node has counted of the trunks' months."""

    def hear_minutes(self, others: list[bytes]) -> None:
        """What each of the others has counted."""

    def report(self, text: str) -> None:
        """Tell the desk."""


@dataclass(slots=True)
class Told:
    """What Redis said last."""

    stand: Stand | None = None
    claimed: Claimed | None = None
    away: str = ""


class Member:
    """Implements Membership."""

    def __init__(
        self,
        settings: Cluster,
        shared: Shared,
        store: Store,
        queueing: Queueing,
        hotline: Hotline,
    ) -> None:
        self._settings, self._shared, self._store = settings, shared, store
        self._queueing, self.hotline = queueing, hotline
        self._loop = asyncio.get_running_loop()
        node = f"{settings.node}/{secrets.token_hex(4)}"  # an earlier life's lease is not ours
        self.lease = Lease(node, settings.lease_seconds, epoch=store.journal.epoch)
        self._told = Told()
        self._trouble = ""
        self._joined = self._settled = False
        self._base = 0  # our epoch's first event
        self._posted: list[machine.Event] = []
        self._nudged = asyncio.Event()
        self.replicator = Replicator(shared, settings.stream_events, self._nudged.set)
        self._follower = Follower(shared, queueing.follow, self._adopt)
        self._tasks: list[asyncio.Task[None]] = []
        self._seats: dict[str, bytes] = {}
        self._seats_at = self._all_seats_at = self._upload_at = self._minutes_at = 0.0
        queueing.on_written = self.replicator.offer
        queueing.membership = self
        queueing.adopt(store.core, store.journal)
        self._settled = True  # the state is the journal's, to the last event

    # Membership ---------------------------------------------------------------------------------

    def leads(self) -> bool:
        """Whether a new call may be taken at this moment."""
        return machine.leads(self.lease, self._loop.time())

    def status(self) -> ClusterStatus:
        """What the API and the metrics show."""
        journal = self._store.journal
        lag = self.replicator.lag
        if self.lease.role is Role.FOLLOWING and self._told.stand is not None:
            lag = max(0, self._told.stand.last - journal.sequence)
        return ClusterStatus(
            node=self._settings.node,
            role=self.lease.role.value,
            leader=self.lease.holder.rpartition("/")[0],
            epoch=self.lease.epoch,
            sequence=journal.sequence,
            lag=lag,
            redis=not self._told.away,
            trouble=self._trouble or self._told.away,
        )

    # Life ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to follow; to lead comes by itself."""
        self._tasks = [
            asyncio.create_task(self._beat_on(), name="cluster"),
            asyncio.create_task(self.replicator.run(), name="replicator"),
        ]

    async def hand_over(self, drain: asyncio.Task[None], waiting: Callable[[], bool]) -> None:
        """Lets another lead as soon as nobody waits here: who talks is counted already."""
        while waiting() and not drain.done():
            await asyncio.wait([drain], timeout=FOLLOW_SECONDS)
        await self._release_lease()

    async def _release_lease(self) -> None:
        if self.lease.role is Role.STOPPED:
            return
        self._queueing.rest()
        await self.replicator.drained(CLEAN_END_SECONDS)
        self._posted.append(machine.Stop())
        self._nudged.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLEAN_END_SECONDS):
                await asyncio.shield(self._tasks[0])

    async def stop(self) -> None:
        """Give the lease back once the stream has everything."""
        await self._release_lease()
        await self._exchange_minutes()  # those of calls that went on when another led already
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._shared.close()

    async def _beat_on(self) -> None:
        while self.lease.role is not Role.STOPPED:
            self._nudged.clear()
            try:
                await self._beat()
            except Exception:
                # Whatever it was, the lease must be renewed or let go: the next beat tries again.
                log.exception("fault in a beat")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._nudged.wait()
            await asyncio.sleep(LEAST_BEAT_SECONDS)

    def _pause(self) -> float:
        beat = self._settings.lease_seconds / BEATS
        return min(beat, FOLLOW_SECONDS) if self.lease.role is Role.FOLLOWING else beat

    async def _beat(self) -> None:
        posted, self._posted = self._posted, []
        for event in (*posted, machine.Tick()):
            await self._tell(event)
        if self.lease.role is Role.FOLLOWING:
            await self._follow()
        elif self.lease.role is Role.LEADING:
            await self._share()
        if self._loop.time() >= self._minutes_at and not self._told.away:
            await self._exchange_minutes()

    async def _tell(self, event: machine.Event) -> None:
        self.lease, effects = step(self.lease, event, self._loop.time())
        for effect in effects:
            await PERFORM[type(effect)](self, effect)

    # Requests -----------------------------------------------------------------------------------

    async def _ask(self, ask: Ask) -> None:
        asked_at = self._loop.time()
        try:
            answer = await ASK[ask](self, asked_at)
            self._told.away = ""
        except Fenced as error:
            answer = machine.Refused(error.view)
        except SharedForgotten:
            answer = machine.Forgotten()
        except SharedAway as error:
            self._told.away = str(error)
            answer = machine.Away(asked_at, str(error))
        if answer is not None:
            await self._tell(answer)

    @property
    def _writer(self) -> Writer:
        return Writer(self.lease.node, self.lease.epoch)

    @property
    def _lease_ms(self) -> int:
        return round(self._settings.lease_seconds * 1000)

    async def _look(self, _: float) -> machine.Event:
        stand = self._told.stand = await self._shared.look()
        journal = self._store.journal
        foreign = stand.view.epoch > 0 == journal.epoch < journal.sequence
        forked = stand.view.epoch > journal.epoch and stand.base <= journal.sequence
        if not self._joined or foreign or forked:
            self._joined = False
            try:
                await self._join(stand, foreign)
            except (JournalDamaged, OSError) as error:  # tried again at the next look
                self._trouble_by(f"its journal cannot be opened: {error}")
        return machine.Looked(stand.view, able=self._joined and not self._trouble)

    async def _claim(self, asked_at: float) -> machine.Event:
        journal = self._store.journal
        own = journal.epoch, journal.sequence
        claimed = await self._shared.claim(self.lease.node, self._lease_ms, self.lease.epoch, own)
        self._told.claimed = claimed
        return machine.Granted(claimed.epoch, asked_at)

    async def _renew(self, asked_at: float) -> machine.Event:
        await self._shared.renew(self._writer, self._lease_ms)
        return machine.Renewed(asked_at)

    async def _reclaim(self, asked_at: float) -> machine.Event:
        await self._shared.reclaim(self._writer, self._lease_ms, self._base)
        return machine.Renewed(asked_at, anew=True)

    async def _release(self, _: float) -> None:
        await self._shared.release(self._writer)

    # Following ----------------------------------------------------------------------------------

    async def _join(self, stand: Stand, foreign: bool) -> None:
        """Takes away what this journal has beyond the place where another leader went on.

        A journal that was written without a cluster is foreign: its numbers mean other events.
        """
        journal = self._store.journal
        sequence = journal.sequence
        first = 1 if foreign else await self._shared.first_after(journal.epoch)
        keep = sequence if first is None else min(sequence, first - 1)
        if keep < sequence or not self._settled:
            dropped = await self._store.reopen(keep)
            self._queueing.adopt(self._store.core, self._store.journal)
            if dropped:
                log.warning("events put aside that no other node has", events=dropped, after=keep)
                self.hotline.report(f"{dropped} events of this node were never shared: put aside")
        self._joined = self._settled = True

    def _adopt(self, recovered: Recovered) -> None:
        self._queueing.adopt(recovered.core, self._store.journal)

    async def _follow(self, last: int = 0) -> bool:
        """Comes up to the stream's end as far as it is there now."""
        if not self._joined:
            return False
        try:
            while await self._follower.follow(self._store.journal, last):
                await self._hold_on()  # each read gives the loop its turn
        except SharedAway as error:
            self._told.away = str(error)
            return False
        except CannotFollow as error:
            self._trouble_by(str(error))
            return False
        self._trouble = ""
        return True

    def _trouble_by(self, why: str) -> None:
        """Said once, and shown until it is over."""
        if not self._trouble:
            log.error("cannot follow", why=why)
            self.hotline.report(f"this node cannot take over: {why}")
        self._trouble = why

    async def _hold_on(self) -> None:
        """A beat while the stream is read to its end: the lease must not run out over it."""
        beat = self._settings.lease_seconds / BEATS
        if self.lease.role is Role.CATCHING_UP and self._loop.time() - self.lease.heard >= beat:
            await self._tell(machine.Tick())

    # Effects ------------------------------------------------------------------------------------

    async def _catch_up(self, _: machine.CatchUp) -> None:
        """The stream stands still now: nobody else can append to it."""
        assert self._told.claimed is not None
        read = await self._follow(self._told.claimed.last)
        behind = self._store.journal.sequence < self._told.claimed.last
        self._seats = {}
        with contextlib.suppress(SharedAway):  # the phones will register again
            self._seats = await self._shared.seats(self.hotline.users())
        await self._tell(machine.CaughtUp() if read and not behind else machine.Failed())

    async def _lead(self, _: machine.Lead) -> None:
        claimed, journal = self._told.claimed, self._store.journal
        assert claimed is not None
        journal.begin_epoch(claimed.epoch)
        self.replicator.begin(
            self._writer, journal, lambda: self._queueing.core, claimed.last, anew=claimed.anew
        )
        self._base = journal.sequence + 1
        self._settled = False
        self.hotline.lead(self._seats)
        self._seats, self._all_seats_at = {}, 0.0

    async def _reseed(self, _: machine.Reseed) -> None:
        self._seats = {}
        self.replicator.reseed()

    async def _step_down(self, _: machine.StepDown) -> None:
        """From here on nothing is journalled; the calls end in their own time."""
        self.replicator.end()
        self._queueing.rest()
        task = asyncio.create_task(self._end_calls(), name="stepping down")
        self._tasks.append(task)

    async def _end_calls(self) -> None:
        await self.hotline.step_down()
        self._posted.append(machine.Ended())
        self._nudged.set()

    async def _rejoin(self, _: machine.Rejoin) -> None:
        """What was decided after the others went on without us is put aside at the next look."""
        self._joined = self._settled = False
        self._queueing.adopt(self._queueing.core, self._store.journal)

    async def _report(self, effect: machine.Report) -> None:
        log.warning("leadership", what=effect.text)
        self.hotline.report(effect.text)

    # Seats and snapshots ------------------------------------------------------------------------

    async def _share(self) -> None:
        """What changed of the seats, and now and then all of it, so that it does not expire."""
        now = self._loop.time()
        try:
            if now >= self._upload_at:
                self._upload_at = now + UPLOAD_SECONDS
                await self.replicator.upload()
            if now >= self._seats_at:
                self._seats_at = now + SEATS_SECONDS
                await self._share_seats(now)
        except (SharedAway, SharedForgotten, Fenced):
            self._seats = {}  # the lease's own requests find out what it means

    async def _exchange_minutes(self) -> None:
        """Whoever leads counts on from what all have used: each node's calls are its own."""
        self._minutes_at = self._loop.time() + MINUTES_SECONDS
        with contextlib.suppress(SharedAway):
            told = self.hotline.minutes()
            self.hotline.hear_minutes(await self._shared.exchange(self._settings.node, told))

    async def _share_seats(self, now: float) -> None:
        seats = self.hotline.seats()
        every = now >= self._all_seats_at
        changed = {
            user: one for user, one in seats.items() if every or self._seats.get(user) != one
        }
        if every:
            self._all_seats_at = now + SEATS_EXPIRY_SECONDS / 3
        if changed:
            expiry_ms = round(SEATS_EXPIRY_SECONDS * 1000)
            await self._shared.put_seats(self._writer, changed, expiry_ms)
            self._seats = seats


PERFORM: dict[type, Callable[..., Awaitable[None]]] = {
    Ask: Member._ask,
    machine.CatchUp: Member._catch_up,
    machine.Lead: Member._lead,
    machine.Reseed: Member._reseed,
    machine.StepDown: Member._step_down,
    machine.Rejoin: Member._rejoin,
    machine.Report: Member._report,
}
ASK: dict[Ask, Callable[[Member, float], Awaitable[machine.Event | None]]] = {
    Ask.LOOK: Member._look,
    Ask.CLAIM: Member._claim,
    Ask.RENEW: Member._renew,
    Ask.RECLAIM: Member._reclaim,
    Ask.RELEASE: Member._release,
}
