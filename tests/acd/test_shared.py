"""The cluster's keys in a real Redis: fences, gaps, and what is left when it forgets."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from acd.io.shared import Fenced, Shared, SharedAway, SharedForgotten, SharedGap, Writer
from tests.interop.hotline import eventually
from tests.peers.redis import RedisServer

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]
A, B = "a/1", "b/1"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def redis(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RedisServer]:
    async with RedisServer(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest_asyncio.fixture(loop_scope="module")
async def shared(redis: RedisServer) -> AsyncIterator[Shared]:
    await redis.empty()
    one = Shared(redis.url, "test", 2.0)
    yield one
    await one.close()


async def test_one_of_two_gets_the_lease_and_the_next_one_gets_the_next_epoch(
    redis: RedisServer, shared: Shared
) -> None:
    first = await shared.claim(A, 60_000, 0, (0, 0))
    assert (first.epoch, first.last, first.anew) == (1, 0, True)
    with pytest.raises(Fenced) as refused:
        await shared.claim(B, 60_000, 0, (0, 0))
    assert (refused.value.view.holder, refused.value.view.epoch) == (A, 1)
    await shared.release(Writer(B, 1))
    assert (await shared.look()).view.held
    await shared.release(Writer(A, 1))
    second = await shared.claim(B, 50, 1, (1, 0))
    assert (second.epoch, second.anew) == (2, False)

    async def has_run_out() -> bool:
        return not (await shared.look()).view.held

    await eventually(has_run_out, 5, 0.01)
    assert (await shared.claim(A, 60_000, 2, (2, 0))).epoch == 3


async def test_what_an_old_leader_still_sends_is_refused(shared: Shared) -> None:
    await shared.claim(A, 1, 0, (0, 0))
    assert await shared.append(Writer(A, 1), 1, [b"one", b"two"], 100) == 2
    await shared.release(Writer(A, 1))
    await shared.claim(B, 60_000, 1, (1, 2))
    for late in (
        shared.append(Writer(A, 1), 3, [b"late"], 100),
        shared.renew(Writer(A, 1), 60_000),
        shared.reclaim(Writer(A, 1), 60_000, 1),
        shared.put_snapshot(Writer(A, 1), 2, b"old", anew=True),
        shared.put_seats(Writer(A, 1), {"8001": b"old"}, 60_000),
        shared.append(Writer(A, 2), 3, [b"forged"], 100),
    ):
        with pytest.raises(Fenced):
            await late
    assert [one.frames for one in await shared.read(0)] == [b"onetwo"]
    assert await shared.append(Writer(B, 2), 3, [b"three"], 100) == 3
    assert [(one.epoch, one.first, one.last) for one in await shared.read(2)] == [(2, 3, 3)]
    assert await shared.first_after(1) == 3


async def test_no_event_is_there_twice_and_none_is_left_out(shared: Shared) -> None:
    await shared.claim(A, 60_000, 0, (0, 0))
    await shared.append(Writer(A, 1), 1, [b"x"] * 10, 100)
    for first in (10, 12):
        with pytest.raises(SharedGap) as gap:
            await shared.append(Writer(A, 1), first, [b"y"], 100)
        assert gap.value.last == 10


async def test_the_stream_is_bounded(redis: RedisServer, shared: Shared) -> None:
    await shared.claim(A, 60_000, 0, (0, 0))
    for first in range(1, 2001, 2):
        await shared.append(Writer(A, 1), first, [b"x", b"x"], 100)
    length = await redis.client.xlen("callcore:{test}:stream")
    assert 50 <= length < 400  # trimmed by whole blocks
    assert (await shared.read(0))[0].first > 1


async def test_an_emptied_redis_is_told_again_by_the_leader_alone(
    redis: RedisServer, shared: Shared
) -> None:
    await shared.claim(A, 60_000, 6, (6, 40))
    await shared.put_seats(Writer(A, 7), {"8001": b"here"}, 60_000)
    assert await shared.seats(["8001", "8002"]) == {"8001": b"here"}
    await redis.empty()
    with pytest.raises(SharedForgotten):
        await shared.renew(Writer(A, 7), 60_000)
    with pytest.raises(SharedForgotten):
        await shared.append(Writer(A, 7), 41, [b"x"], 100)
    await shared.reclaim(Writer(A, 7), 60_000, 41)
    with pytest.raises(Fenced):
        await shared.claim(B, 60_000, 6, (6, 40))
    await shared.put_snapshot(Writer(A, 7), 30, b"state", anew=True)
    assert await shared.append(Writer(A, 7), 31, [b"x"] * 12, 100) == 42
    stand = await shared.look()
    assert (stand.view.epoch, stand.base, stand.last) == (7, 41, 42)
    assert await shared.snapshot() == b"state"


async def test_events_that_only_the_last_leader_has_stay_its_own_when_it_comes_back(
    shared: Shared,
) -> None:
    """Killed before they were replicated, and nobody led meanwhile: the new epoch begins behind."""
    await shared.claim(A, 1, 0, (0, 0))
    await shared.append(Writer(A, 1), 1, [b"x"] * 5, 100)
    await shared.release(Writer(A, 1))
    again = await shared.claim("a/2", 60_000, 1, (1, 9))
    assert (again.epoch, again.last) == (2, 5)
    assert await shared.first_after(1) == 10
    assert await shared.append(Writer("a/2", 2), 6, [b"x"] * 4, 100) == 9


async def test_a_redis_that_does_not_answer_is_away(redis: RedisServer) -> None:
    hasty = Shared(redis.url, "test", 0.1)
    await hasty.look()
    redis.pause()
    try:
        with pytest.raises(SharedAway):
            await hasty.look()
    finally:
        redis.resume()
    await hasty.look()
    await hasty.close()
    nowhere = Shared("redis://127.0.0.1:1", "test", 0.1)
    with pytest.raises(SharedAway):
        await nowhere.look()
    await nowhere.close()


async def test_a_request_that_is_cancelled_at_any_moment_of_it_ends(shared: Shared) -> None:
    """Between any two turns of the loop: a lost cancellation is a task that lives for ever."""
    for turns in range(40):
        request = asyncio.create_task(shared.look())
        for _ in range(turns):
            await asyncio.sleep(0)
        was_done = request.done()
        request.cancel()
        await asyncio.wait({request})
        assert was_done or request.cancelled(), turns


async def test_a_redis_that_was_restarted_loads_the_scripts_again(tmp_path: Path) -> None:
    async with RedisServer(tmp_path, keeps=True) as server:
        one = Shared(server.url, "test", 2.0)
        await one.claim(A, 60_000, 0, (0, 0))
        await one.append(Writer(A, 1), 1, [b"x"], 100)
        await server.kill()
        with pytest.raises(SharedAway):
            await one.look()
        await server.start()
        assert await one.append(Writer(A, 1), 2, [b"y"], 100) == 2
        await one.close()
