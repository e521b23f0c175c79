"""A state that was put away and taken out again goes on as if nothing had been."""

import os
import pickle
import zlib

import pytest

from acd.core import Core
from acd.policies import Stage
from acd.settings import AcdSettings
from acd.snapshot import Snapshot, SnapshotUnreadable, freeze, pack, thaw, unpack
from tests.acd.shift import Shift


@pytest.mark.parametrize("seed", range(8))
def test_a_thawed_core_decides_as_the_one_that_was_frozen(seed):
    """Freezing must follow whatever state the core has: this fails when some is left behind."""
    core = Core(AcdSettings())
    told = []

    def step(event):
        told.append(event)
        return core.step(event)

    shift = Shift(seed, step)
    shift.begin()
    shift.go_on(300)
    twin = thaw(freeze(core))
    assert twin.snapshot() == core.snapshot()
    seen = len(told)
    effects = []
    shift._step = lambda event: effects.append(step(event)) or effects[-1]
    shift.go_on(300)
    assert [twin.step(event) for event in told[seen:]] == effects
    assert twin.snapshot() == core.snapshot()


def test_a_class_of_calls_is_put_away_by_its_number(monkeypatch):
    """Python 3.11.2 would have its name looked up by `getattr`, and nobody could thaw the state."""
    monkeypatch.setattr(Stage, "__reduce_ex__", lambda one, _: (getattr, (Stage, one.name)))
    core = Core(AcdSettings())
    shift = Shift(0, core.step)
    shift.begin()
    shift.go_on(300)
    assert core.calls
    assert thaw(freeze(core)).snapshot() == core.snapshot()


def test_a_snapshot_is_kept_with_its_number_and_its_build():
    snapshot = Snapshot(17, 3, "build", freeze(Core(AcdSettings())))
    assert unpack(pack(snapshot)) == snapshot


@pytest.mark.parametrize("at", [0, 5, 25, 60, -1])
def test_a_damaged_snapshot_is_known_as_one(at):
    data = bytearray(pack(Snapshot(17, 3, "build", freeze(Core(AcdSettings())))))
    data[at] ^= 0x40
    with pytest.raises(SnapshotUnreadable):
        unpack(bytes(data))
    with pytest.raises(SnapshotUnreadable):
        unpack(bytes(data[: len(data) // 2]))


class Trap:
    def __reduce__(self):
        return os.system, ("false",)


class Import:
    def __reduce__(self):
        return __import__, ("antigravity",)


@pytest.mark.parametrize("evil", [Trap(), Import(), pytest, pickle.Pickler])
def test_a_state_that_was_forged_builds_nothing_but_values(evil):
    if evil is pytest:
        data = b"cacd.io.journal\nJournal\n."  # of our own, but it opens files
    else:
        data = pickle.dumps({"now_ms": evil})
    with pytest.raises(SnapshotUnreadable, match="no part of a state"):
        thaw(zlib.compress(data))
