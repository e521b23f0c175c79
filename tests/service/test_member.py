"""Nodes of a cluster over a real Redis that is killed, paused, emptied; queues without phones."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from acd import events as e
from acd.core import Core
from acd.io.files import entries, segments
from acd.io.journal import Journal
from acd.io.recovery import recover, save
from acd.io.shared import Shared
from acd.lease import Role
from config.loader import loads
from hotline.clock import Clock
from hotline.queueing import Queueing
from service.journal import Store
from service.member import Member
from service.replay import digest
from tests.acd.shift import SETTINGS, Shift
from tests.interop.hotline import eventually
from tests.peers.redis import RedisServer

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]
LEASE_SECONDS = 1.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    async with RedisServer(tmp_path_factory.mktemp("redis")) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def redis(server: RedisServer) -> AsyncIterator[RedisServer]:
    await server.empty()
    yield server


class Overheard:
    """A core and what it has asked for."""

    def __init__(self, core: Core) -> None:
        self.core = core
        self.effects: list[e.Effect] = []

    def step(self, event: e.Event) -> list[e.Effect]:
        effects = self.core.step(event)
        self.effects += effects
        return effects


class PaperHotline:
    """Leads and steps down as service.cluster.Stage does, without calls."""

    def __init__(self, queueing: Queueing) -> None:
        self.queueing = queueing
        self.told: list[str] = []
        self.inherited: dict[str, bytes] = {}
        self.stepped_down = 0
        self.own_minutes, self.others_minutes = b"", [b"nothing heard yet"]
        self.calls_over = asyncio.Event()

    def lead(self, seats: dict[str, bytes]) -> None:
        self.inherited = seats
        self.queueing.lead(SETTINGS)

    async def step_down(self) -> None:
        self.stepped_down += 1
        await self.calls_over.wait()

    def seats(self) -> dict[str, bytes]:
        return {"8001": str(self.queueing.core.agent("8001")).encode()}

    def users(self) -> list[str]:
        return ["8001", "8002"]

    def minutes(self) -> bytes:
        return self.own_minutes

    def hear_minutes(self, others: list[bytes]) -> None:
        self.others_minutes = others

    def report(self, text: str) -> None:
        self.told.append(text)


class Node:
    """A process' worth of it."""

    def __init__(self, folder: Path, url: str, name: str, **cluster: Any) -> None:
        config = loads(
            f'[cluster]\nurl = "{url}"\nnode = "{name}"\nlease_seconds = {LEASE_SECONDS}\n'
            + "".join(f"{key} = {value}\n" for key, value in cluster.items())
            + f'[engine]\njournal = "{folder / name}"\n',
            file="test.toml",
            environ={},
        )
        self.folder = folder / name
        self.store = Store(config)
        self.queueing = Queueing(self.store.core, self.store.journal, Clock(), lambda effect: None)
        self.hotline = PaperHotline(self.queueing)
        shared = Shared(url, "test", LEASE_SECONDS / 4)
        self.member = Member(config.cluster, shared, self.store, self.queueing, self.hotline)
        self.member.start()
        self.shift: Shift | None = None

    def work(self, turns: int, seed: int = 1) -> None:
        """Some of a shift; `tell` performs nothing here, so its effects are the core's."""
        if self.shift is None:
            self.shift = Shift(seed, self._step, self.queueing.core.now_ms)
            self.shift.begin()
        self.shift.go_on(turns)

    def _step(self, event: e.Event) -> list[e.Effect]:
        overheard = Overheard(self.queueing.core)
        self.queueing.core = overheard
        try:
            self.queueing.tell(event)
        finally:
            self.queueing.core = overheard.core
            self.queueing.close()  # the shift fires timers, not the loop
        return overheard.effects

    @property
    def sequence(self) -> int:
        return self.store.journal.sequence

    @property
    def role(self) -> Role:
        return self.member.lease.role

    async def until(self, role: Role, seconds: float = 10.0) -> None:
        async def reached() -> bool:
            return self.role is role

        await eventually(reached, seconds, 0.01)

    async def crash(self) -> None:
        """As kill -9 would: no lease given back, nothing said to anybody."""
        for task in self.member._tasks:
            task.cancel()
        await asyncio.gather(*self.member._tasks, return_exceptions=True)
        await self.member._shared.close()
        self.close()

    async def stop(self) -> None:
        await self.member.stop()
        self.close()

    def close(self) -> None:
        self.queueing.close()
        self.store.close()


async def level(leader: Node, follower: Node) -> None:
    """The follower is where the leader is, to the last field."""

    async def caught_up() -> bool:
        return leader.sequence == follower.sequence and leader.member.replicator.lag == 0

    await eventually(caught_up, 15, 0.01)
    assert digest(leader.queueing.core) == digest(follower.queueing.core)
    assert follower.store.journal.flush()
    assert leader.store.journal.flush()
    ours, theirs = (
        [(one.sequence, one.frame) for one in entries(node.folder)] for node in (leader, follower)
    )
    assert ours[-len(theirs) :] == theirs


def counted_once(node: Node) -> None:
    """Every arrival of the journal is offered once, and what has ended has one result."""
    arrived = [one.event.call for one in entries(node.folder) if isinstance(one.event, e.Arrived)]
    core = node.queueing.core
    totals = [core.queue(name).total for name in ("12345", "night")]
    assert len(arrived) == len(set(arrived)) == sum(one.offered for one in totals)
    ended = [record.call for record in core.ended]
    assert len(ended) == len(set(ended))
    assert sum(one.in_progress for one in totals) <= len(core.calls)


async def test_a_follower_has_the_leader_s_state_and_takes_over_when_it_is_gone(
    tmp_path: Path, redis: RedisServer
) -> None:
    """leader a ... killed; b claims, reads to the end, leads; a comes back and follows."""
    a = Node(tmp_path, redis.url, "a")
    await a.until(Role.LEADING)
    b = Node(tmp_path, redis.url, "b")
    a.work(300)
    await level(a, b)
    assert not b.member.leads()
    before = b.queueing.core.queue("12345").total.offered
    talking = [one.call for one in a.queueing.core.calls if one.state == "talking"]
    await a.crash()
    begun = asyncio.get_running_loop().time()
    await b.until(Role.LEADING)
    took_seconds = asyncio.get_running_loop().time() - begun
    assert took_seconds < 10  # the figure is benchmarks/takeover.py's
    assert b.member.leads()
    assert b.queueing.core.queue("12345").total.offered == before
    assert b.queueing.core.calls == []
    assert {one.call for one in b.queueing.core.ended if one.call in talking} == set(talking)
    assert b.hotline.inherited.keys() == {"8001"}
    b.work(200, seed=2)
    a = Node(tmp_path, redis.url, "a")
    await level(b, a)
    assert (a.role, a.member.status().leader) == (Role.FOLLOWING, "b")
    counted_once(b)
    await b.stop()
    await a.until(Role.LEADING)  # the lease was given back: at once
    await a.stop()


async def test_the_nodes_tell_each_other_their_minutes(
    tmp_path: Path, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever leads counts on from what all have used, also behind a Redis that was emptied."""
    monkeypatch.setattr("service.member.MINUTES_SECONDS", 0.02)
    a = Node(tmp_path, redis.url, "a")
    await a.until(Role.LEADING)
    b = Node(tmp_path, redis.url, "b")

    async def heard(node: Node, *minutes: bytes) -> None:
        async def so() -> bool:
            return node.hotline.others_minutes == list(minutes)

        await eventually(so, 10, 0.01)

    a.hotline.own_minutes, b.hotline.own_minutes = b"a's", b"b's"
    await heard(b, b"a's")
    await heard(a, b"b's")
    await redis.empty()
    a.hotline.own_minutes = b"a's, later"
    await heard(b, b"a's, later")
    a.hotline.own_minutes = b"a's last word"
    await a.stop()
    await heard(b, b"a's last word")
    await b.stop()


async def test_the_lease_is_renewed_while_the_stream_is_read_to_its_end(
    tmp_path: Path, redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More is left to read than a lease lasts; a third node waits for it to run out."""
    a = Node(tmp_path, redis.url, "a")
    await a.until(Role.LEADING)
    b = Node(tmp_path, redis.url, "b")
    a.work(100)
    await level(a, b)
    follow, reading = b.member._follower.follow, []

    async def slowly(journal: Journal, last: int = 0) -> int:
        """Goes on until the lease that was claimed would be over."""
        lease = b.member.lease
        if lease.role is Role.CATCHING_UP:
            reading.append(lease.until)
            if lease.until < reading[0] + LEASE_SECONDS:
                await asyncio.sleep(0.01)
                return 1
        return await follow(journal, last)

    monkeypatch.setattr(b.member._follower, "follow", slowly)
    await a.crash()
    await b.until(Role.CATCHING_UP)
    c = Node(tmp_path, redis.url, "c")
    await b.until(Role.LEADING)
    assert reading[-1] >= reading[0] + LEASE_SECONDS
    assert (b.member.lease.epoch, c.role) == (2, Role.FOLLOWING)
    await level(b, c)
    await c.stop()
    await b.stop()


async def test_what_a_leader_decided_after_it_was_replaced_is_put_aside(
    tmp_path: Path, redis: RedisServer
) -> None:
    """Cut off from Redis alone, it goes on; when it hears again, another has the epoch."""
    a = Node(tmp_path, redis.url, "a")
    await a.until(Role.LEADING)
    b = Node(tmp_path, redis.url, "b")
    a.work(100)
    await level(a, b)
    kept, a.member._shared = a.member._shared, Shared("redis://127.0.0.1:1", "test", 0.1)
    a.member.replicator._shared = a.member._shared
    await a.until(Role.ALONE)
    await b.until(Role.LEADING)
    a.work(50)
    alone = a.sequence
    b.work(70, seed=2)
    a.member._shared = a.member.replicator._shared = kept
    await a.until(Role.STEPPING_DOWN)
    assert not a.member.leads()
    a.work(10)  # its last calls end; nobody's truth
    assert a.sequence == alone
    a.hotline.calls_over.set()
    await a.until(Role.FOLLOWING)
    assert a.hotline.stepped_down == 1
    await level(b, a)
    assert list(a.folder.glob("*.forked"))
    counted_once(a)
    await a.stop()
    await b.stop()


async def test_an_emptied_redis_is_filled_again_and_nobody_steps_down(
    tmp_path: Path, redis: RedisServer
) -> None:
    a = Node(tmp_path, redis.url, "a")
    await a.until(Role.LEADING)
    b = Node(tmp_path, redis.url, "b")
    a.work(200)
    await level(a, b)
    await redis.empty()
    a.work(200)
    await level(a, b)
    assert (a.role, b.role, a.member.lease.epoch) == (Role.LEADING, Role.FOLLOWING, 1)
    late = Node(tmp_path, redis.url, "late")  # reads the stream from its new beginning
    await level(a, late)
    for node in (late, b, a):
        await node.stop()


async def test_a_redis_that_is_paused_and_killed_costs_nothing_but_time(
    tmp_path: Path, server: RedisServer, redis: RedisServer
) -> None:
    a = Node(tmp_path, redis.url, "a")
    await a.until(Role.LEADING)
    b = Node(tmp_path, redis.url, "b")
    a.work(50)
    await level(a, b)
    redis.pause()
    await a.until(Role.ALONE)
    a.work(200)
    assert a.member.leads()
    assert not b.member.leads()
    assert a.member.status().lag > 0
    assert not a.member.status().redis
    redis.resume()
    await a.until(Role.LEADING)
    await level(a, b)
    await server.kill()
    await a.until(Role.ALONE)
    a.work(200)
    assert a.member.leads()
    await server.start()
    await a.until(Role.LEADING)
    await level(a, b)
    assert b.role is Role.FOLLOWING
    await b.stop()
    await a.stop()


async def test_who_was_away_for_too_long_begins_with_the_snapshot(
    tmp_path: Path, redis: RedisServer
) -> None:
    a = Node(tmp_path, redis.url, "a", stream_events=1000)
    await a.until(Role.LEADING)
    a.work(2500)
    store = a.store
    assert store.journal.flush()
    save(store.journal.folder, a.queueing.core, a.sequence, 1)

    async def uploaded() -> bool:
        return a.member.replicator._uploaded > 0

    await eventually(uploaded, 30)
    a.work(100)
    b = Node(tmp_path, redis.url, "b")
    await level(a, b)
    assert next(entries(b.folder)).sequence > 1000
    await a.crash()
    await b.until(Role.LEADING)
    b.work(50, seed=2)
    await b.stop()
    assert recover(b.folder).core.queue("12345").total.offered > 100


async def test_a_journal_of_before_the_cluster_becomes_its_beginning_and_another_one_does_not(
    tmp_path: Path, redis: RedisServer
) -> None:
    for name, calls in (("a", 30), ("b", 10)):
        node = Node(tmp_path, "redis://127.0.0.1:1", name)  # as good as none
        for number in range(calls):
            node.store.journal.append(e.Arrived(number, f"{name}{number}", "12345"))
        await node.crash()
    a = Node(tmp_path, redis.url, "a")
    await a.until(Role.LEADING)
    b = Node(tmp_path, redis.url, "b")
    a.work(50)
    await level(a, b)
    assert "10 events of this node were never shared: put aside" in b.hotline.told
    assert len(segments(a.folder)) == 2  # the epoch began a file
    await b.stop()
    await a.stop()
