"""Workers that die or stop: their calls go on in another one, their ports come back."""

import asyncio
import errno
import os
import signal
import socket
import subprocess
from typing import Any

import pytest

from media import events
from media.errors import NotStarted
from media.io import fleet, process
from media.io.plane import Remote
from tests.media.phones import Exchange, exchange

CALLS = 200
RANGE = {"first_port": 20000, "last_port": 24999}


class Ear:
    """One socket that all legs send to; which ports it hears."""

    def __init__(self) -> None:
        self.socket = socket.socket(type=socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.heard: set[int] = set()
        self.changed = asyncio.Event()
        asyncio.get_running_loop().add_reader(self.socket, self._read)

    def _read(self) -> None:
        for _ in range(500):
            try:
                _, (_, port) = self.socket.recvfrom(2048)
            except BlockingIOError:
                break
            if port not in self.heard:
                self.heard.add(port)
                self.changed.set()

    async def hears(self, ports: set[int], seconds: float = 40) -> None:
        async with asyncio.timeout(seconds):
            while not ports <= self.heard:
                self.changed.clear()
                await self.changed.wait()

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket)
        self.socket.close()


def anchor(it: Exchange, ear: Ear, calls: int = CALLS) -> set[int]:
    """All calls' legs on the worker of the first one; their ports."""
    ports = set()
    for number in range(calls):
        legs = (f"{number}-a", f"{number}-b")
        for leg in legs:
            near = None if leg == "0-a" else "0-a"
            ports.add(it.plane.open(leg, near).port)
            it.plane.connect(leg, Remote("127.0.0.1", ear.port, "PCMA", 8))
        it.plane.bridge(f"call-{number}", legs)
    return ports


@pytest.mark.parametrize("death", [signal.SIGKILL, signal.SIGSTOP])
async def test_two_hundred_calls_go_on_when_their_worker_dies_or_stops(death: signal.Signals):
    async with exchange(workers=2, port_quarantine_seconds=0, **RANGE) as it:
        free = it.plane.stats().free_ports
        ear = Ear()
        await ear.hears(anchor(it, ear))
        victim = it.plane.stats().pids[0]
        os.kill(victim, death)
        (lost,) = await it.wait(events.WorkerLost, seconds=40)
        assert len(lost.legs) == 2 * CALLS
        # Before anything is opened again: bridges and legs are forgotten, their ports are back.
        stats = it.plane.stats()
        assert (stats.legs, stats.free_ports) == (0, free)
        again = anchor(it, ear)
        await ear.hears(again)
        assert len(again) == 2 * CALLS
        assert victim not in it.plane.stats().pids
        for leg in lost.legs:
            it.plane.close(leg)
        await it.wait(events.LegClosed, 2 * CALLS, seconds=40)
        assert it.plane.stats().free_ports == free
        ear.close()


async def test_a_spare_takes_the_place_of_the_only_worker_at_once(
    monkeypatch: pytest.MonkeyPatch,
):
    """Nothing is started in between: the process that serves next was there before."""
    monkeypatch.setattr(fleet, "SPARE_SECONDS", 0.0)
    async with exchange(spare=True, cpus=(0,), port_quarantine_seconds=0, **RANGE) as it:
        ear = Ear()
        await ear.hears(anchor(it, ear, 10))
        for deaths in (1, 2):  # the one that died is the next spare
            spare = await waiting(it)
            (victim,) = it.plane.stats().pids
            counted = it.plane.stats()
            os.kill(victim, signal.SIGKILL)
            lost = (await it.wait(events.WorkerLost, deaths, seconds=40))[-1]
            assert len(lost.legs) == 20
            # Counters are read by a Prometheus, to which a smaller one is a new beginning.
            now = it.plane.stats()
            assert now.packets_out >= counted.packets_out > 0
            assert sum(now.late) >= sum(counted.late) > 0
            assert it.plane.stats().pids == (spare,)
            await ear.hears(anchor(it, ear, 10))
            threads = [int(task) for task in os.listdir(f"/proc/{spare}/task")]
            assert {core for task in threads for core in os.sched_getaffinity(task)} == {0}
        ear.close()


async def waiting(it: Exchange) -> int:
    """The spare's pid, once it is up."""
    async with asyncio.timeout(20):
        while (pid := it.plane.stats().spare) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return pid


async def test_a_worker_is_started_again_when_the_system_has_a_process_to_spare(
    monkeypatch: pytest.MonkeyPatch,
):
    """fork(2) fails with EAGAIN at a limit of processes: for a while, not for ever."""
    monkeypatch.setattr(process, "FIRST_DELAY_SECONDS", 0.01)
    refused: list[int] = []
    popen = subprocess.Popen

    def stingy(*arguments: Any, **options: Any) -> "subprocess.Popen[bytes]":
        if len(refused) < 3:
            refused.append(1)
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return popen(*arguments, **options)

    async with exchange(**RANGE) as it:
        ear = Ear()
        await ear.hears(anchor(it, ear, 1))
        monkeypatch.setattr(subprocess, "Popen", stingy)
        os.kill(it.plane.stats().pids[0], signal.SIGKILL)
        await it.wait(events.WorkerLost, seconds=40)
        await ear.hears(anchor(it, ear, 1))
        assert len(refused) == 3
        ear.close()


async def test_a_plane_that_gets_no_process_says_why(monkeypatch: pytest.MonkeyPatch):
    def refuse(*arguments: Any, **options: Any) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    it = Exchange()
    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(NotStarted, match="worker 0 does not start: Resource temporarily"):
        await it.plane.start()


async def test_a_spare_that_dies_costs_nobody_a_call(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fleet, "SPARE_SECONDS", 0.0)
    async with exchange(spare=True, **RANGE) as it:
        ear = Ear()
        spare = await waiting(it)
        port = it.plane.open("a").port
        it.plane.connect("a", Remote("127.0.0.1", ear.port, "PCMA", 8))
        os.kill(spare, signal.SIGKILL)
        while it.plane.stats().spare in (spare, None):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await ear.hears({port})
        assert it.plane.workers_lost == 0
        ear.close()


async def test_new_legs_go_to_a_worker_that_is_up():
    async with exchange(workers=2, **RANGE) as it:
        ear = Ear()
        it.plane.open("a")
        os.kill(it.plane.stats().pids[0], signal.SIGKILL)
        (lost,) = await it.wait(events.WorkerLost)
        assert lost.legs == ("a",)
        ports = set()
        for leg in ("b", "c", "d"):
            ports.add(it.plane.open(leg).port)
            it.plane.connect(leg, Remote("127.0.0.1", ear.port, "PCMA", 8))
        it.plane.bridge("call", ("b", "c", "d"))  # all in the one that is left
        await ear.hears(ports)
        ear.close()


async def test_a_worker_runs_on_the_core_that_it_is_given():
    async with exchange(cpus=(0,)) as it:
        (pid,) = it.plane.stats().pids
        threads = [int(task) for task in os.listdir(f"/proc/{pid}/task")]
        assert {core for task in threads for core in os.sched_getaffinity(task)} == {0}


async def test_the_largest_bridge_is_mixed_by_a_worker_bound_to_one_core():
    """A tick of real-time priority that waited for a thread of the same core would never end."""
    async with exchange(cpus=(0,), realtime=True, **RANGE) as it:
        ear = Ear()
        legs = tuple(f"{number}" for number in range(64))
        ports = {it.plane.open(leg).port for leg in legs}
        for leg in legs:
            it.plane.connect(leg, Remote("127.0.0.1", ear.port, "PCMA", 8))
        it.plane.bridge("all", legs)
        await ear.hears(ports)
        (pid,) = it.plane.stats().pids
        assert len(os.listdir(f"/proc/{pid}/task")) == 2  # the tick's and the writer's
        ear.close()
