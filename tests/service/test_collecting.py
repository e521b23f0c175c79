"""The garbage collector: its thresholds, and a full collection when nobody calls."""

import asyncio
import gc
import weakref

import pytest

from service import collecting


class Ring:
    """A value that only a collection can free."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture
def collector():
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


async def test_old_garbage_is_collected_only_while_nobody_calls(collector, monkeypatch):
    monkeypatch.setattr(collecting, "LOOK_SECONDS", 0.001)
    collecting.settle()
    assert gc.get_threshold()[2] == collecting.NEVER
    asked, calls = asyncio.Event(), [1]

    def is_idle() -> bool:
        asked.set()
        return not calls

    task = asyncio.create_task(collecting.collect_when_idle(is_idle))
    gone = asyncio.Event()
    ring = Ring()
    weakref.finalize(ring, gone.set)
    gc.collect(1)  # it is old from now on
    del ring
    for _ in range(3):
        asked.clear()
        await asked.wait()
    assert not gone.is_set()
    calls.clear()
    await asyncio.wait_for(gone.wait(), 5)
    task.cancel()
