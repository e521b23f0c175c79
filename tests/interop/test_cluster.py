"""Two engines and a Redis: the one that leads is killed, and another is paused until it is late."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from phones.driver import Softphone
from tests.interop.hotline import TRUNK, Hotline, eventually
from tests.interop.test_restart import replayed
from tests.peers.redis import RedisServer

pytestmark = pytest.mark.interop


@pytest.fixture
async def redis(tmp_path: Path) -> AsyncIterator[RedisServer]:
    (tmp_path / "redis").mkdir()
    async with RedisServer(tmp_path / "redis") as server:
        yield server


def node(folder: Path, url: str, name: str) -> Hotline:
    (folder / name).mkdir()
    hotline = Hotline(folder / name, 2)
    hotline.document["cluster"] = {"url": url, "node": name, "lease_seconds": 2}
    return hotline


async def until(hotline: Hotline, role: str, seconds: float = 30.0) -> dict[str, Any]:
    async def reached() -> dict[str, Any] | None:
        status: dict[str, Any] = await hotline.get("/cluster")
        return status if status["role"] == role else None

    return await eventually(reached, seconds) or {}


async def level(leader: Hotline, follower: Hotline) -> None:
    async def caught_up() -> bool:
        a, b = await asyncio.gather(leader.get("/cluster"), follower.get("/cluster"))
        return a["sequence"] == b["sequence"] and a["epoch"] == b["epoch"] and not a["lag"]

    await eventually(caught_up, 20)


async def asked(hotline: Hotline) -> int:
    """The status of an OPTIONS, as an operator probes with it."""
    host, port = hotline.address
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((TRUNK, 0))
        probe.setblocking(False)
        loop = asyncio.get_running_loop()
        mine = f"{TRUNK}:{probe.getsockname()[1]}"
        lines = (
            f"OPTIONS sip:{host}:{port} SIP/2.0",
            f"Via: SIP/2.0/UDP {mine};branch=z9hG4bK-{mine}",
            f"From: <sip:probe@{mine}>;tag=1",
            f"To: <sip:{host}:{port}>",
            f"Call-ID: {mine}",
            "CSeq: 1 OPTIONS",
            "Max-Forwards: 70",
            "Content-Length: 0",
            "\r\n",
        )
        await loop.sock_sendto(probe, "\r\n".join(lines).encode(), (host, port))
        async with asyncio.timeout(10):
            return int((await loop.sock_recv(probe, 4096)).split()[1])


async def test_a_standby_takes_the_queue_over_and_the_old_leader_cannot_write_any_more(
    tmp_path: Path, redis: RedisServer
) -> None:
    """
    citizen     node-1 (leads)        node-2 (follows)         seat
      |--- INVITE ---->|------------------------------------->|   talks
      |------------- INVITE ------------>| 503 Retry-After
                       X kill -9
                                         | leads
      |------------- INVITE ------------>|------------------->|   by node-1's registration
                       | back: follows
                                         x SIGSTOP
                       | leads           .
                                         | SIGCONT: steps down, follows
    """
    first, second = node(tmp_path, redis.url, "node-1"), node(tmp_path, redis.url, "node-2")
    async with (
        first,
        second,
        Softphone(first.seat("8001")) as seat,
        Softphone(first.citizen()) as citizen,
    ):
        await until(first, "leading")
        status, document = await second.ready()
        assert (status, document["role"]) == (503, "following")
        assert await second.metric("callcore_cluster_leader") == 0
        await seat.wait("registered")
        await first.until_state("8001", "ready")
        first.call(citizen)
        await seat.wait("state", state="CONFIRMED")
        await level(first, second)
        assert [await asked(one) for one in (first, second)] == [200, 503]
        refused = await second.request("/api/v1/agents/8001/state", "PUT", {"state": "not_ready"})
        assert refused[0] == 503

        async with Softphone(second.citizen(address="127.0.1.2")) as early:
            second.call(early, "13900002222")
            ended = await early.wait("ended")
            assert ended["code"] == 503

        async def seats_shared() -> bool:
            seen = await redis.client.get("callcore:{hotline}:seat:8001") or b""
            return b"sip:8001@" in (seen if isinstance(seen, bytes) else seen.encode())

        await eventually(seats_shared)
        await first.kill_all()
        assert (await until(second, "leading"))["epoch"] == 2
        queue = await second.queue()
        assert (queue["offered"], queue["answered"], queue["waiting"]) == (1, 1, 0)
        for phone in (seat, citizen):
            phone.send("hangup")
            await phone.wait("ended")
        await second.until_state("8001", "ready")
        second.call(citizen, "13900003333")
        await seat.wait("state", state="CONFIRMED")
        citizen.send("hangup")
        await seat.wait("ended")

        await first.start()
        await until(first, "following")
        await level(second, first)
        os.kill(second.pid, signal.SIGSTOP)
        try:
            await until(first, "leading")
        finally:
            os.kill(second.pid, signal.SIGCONT)
        await until(second, "following")
        await level(first, second)
        queue = await first.queue()
        assert (queue["offered"], queue["answered"]) == (2, 2)
        assert "was replaced by" in second.log()
    totals = [await replayed(one) for one in (first, second)]
    assert totals[0] == totals[1]
    assert (totals[0]["offered"], totals[0]["answered"], totals[0]["failed"]) == (2, 2, 0)
