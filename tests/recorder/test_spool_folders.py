"""Disks that fill up and break under the spool: recordings go on in the next folder."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from spooled_call import frames_of, header

from recorder.alaw import stereo
from recorder.io import folders
from recorder.io.disk import Disk
from recorder.io.sealing import seal
from recorder.io.segments import scan, segments_of
from recorder.io.spool import SpoolSink

BLOCK = frames_of(25)


class Faulty(Disk):
    """Folders whose faults are turned on and off: `full`, `broken` (writes), `lying` (syncs)."""

    def __init__(self) -> None:
        self.full: set[str] = set()
        self.broken: set[str] = set()
        self.lying: set[str] = set()
        self.room = 0  # bytes that a full folder still takes

    def writev(self, descriptor, parts):
        folder = self._folder(descriptor)
        if folder in self.broken:
            raise OSError(errno.EIO, "Input/output error")
        if folder in self.full:
            if not self.room:
                raise OSError(errno.ENOSPC, "No space left on device")
            data = b"".join(parts)[: self.room]
            self.room -= len(data)
            return super().writev(descriptor, [data])
        return super().writev(descriptor, parts)

    def sync_file(self, descriptor):
        if self._folder(descriptor) in self.lying | self.broken:
            raise OSError(errno.EIO, "Input/output error")
        super().sync_file(descriptor)

    def sync_all(self, descriptor):
        self.sync_file(descriptor)

    def truncate(self, descriptor, size):
        if self._folder(descriptor) in self.broken:
            raise OSError(errno.EIO, "Input/output error")
        super().truncate(descriptor, size)

    def _folder(self, descriptor: int) -> str:
        return os.path.dirname(os.readlink(f"/proc/self/fd/{descriptor}"))


class House:
    def __init__(self, tmp_path: Path, monkeypatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(folders.time, "monotonic", lambda: self.now)
        self.paths = [str(tmp_path / "a"), str(tmp_path / "b")]
        self.a, self.b = self.paths
        self.disk = Faulty()
        self.sink = SpoolSink(self.paths, sync_seconds=0, reserve_bytes=0, disk=self.disk)

    def where(self, recording: str) -> list[str]:
        return [os.path.dirname(one.path) for one in segments_of(self.paths, recording)]

    def sealed(self, recording: str) -> np.ndarray:
        path = f"{self.a}/{recording}.flac"
        seal(segments_of(self.paths, recording), path)
        return soundfile.read(path, dtype="int16")[0]


@pytest.fixture
def house(tmp_path, monkeypatch):
    return House(tmp_path, monkeypatch)


def said(first: int, count: int = 25) -> bytes:
    """Another sound in each frame."""
    one = [
        bytes([(first + n) % 256]) * 160 + bytes([(first + n) // 3 % 256]) * 160
        for n in range(count)
    ]
    return b"".join(one)


@pytest.mark.parametrize("fault", ["full", "broken"])
def test_a_recording_goes_on_in_the_next_folder(house, fault):
    handle = house.sink.open("r1", header())
    house.sink.write(handle, 0, said(0))
    house.sink.sync()
    house.sink.write(handle, 25, said(25))
    getattr(house.disk, fault).add(house.a)
    house.sink.write(handle, 50, said(50))
    house.sink.write(handle, 75, said(75))
    house.sink.close(handle)
    assert house.where("r1") == [house.a, house.b]
    assert np.array_equal(house.sealed("r1"), stereo(said(0, 100)))


def test_half_a_block_on_a_full_disk_is_cut_off_and_comes_whole_elsewhere(house):
    handle = house.sink.open("r1", header())
    house.sink.write(handle, 0, said(0))
    house.disk.full.add(house.a)
    house.disk.room = 3000
    house.sink.write(handle, 25, said(25))
    house.sink.close(handle)
    assert np.array_equal(house.sealed("r1"), stereo(said(0, 50)))


def test_what_a_failed_sync_may_have_lost_is_written_again_elsewhere(house):
    """After EIO of fdatasync the kernel has forgotten the pages: they may be gone."""
    handle = house.sink.open("r1", header())
    house.sink.write(handle, 0, said(0))
    house.sink.sync()
    house.sink.write(handle, 25, said(25))
    house.disk.lying.add(house.a)
    house.sink.sync()
    os.truncate(handle.path, handle.size - len(BLOCK) // 2)
    house.sink.write(handle, 50, said(50))
    house.sink.close(handle)
    assert house.where("r1") == [house.a, house.b]
    assert np.array_equal(house.sealed("r1"), stereo(said(0, 75)))


def test_a_sync_that_fails_at_the_end_moves_the_rest_as_well(house):
    handle = house.sink.open("r1", header())
    house.sink.write(handle, 0, said(0))
    house.disk.lying.add(house.a)
    house.sink.close(handle)
    [_, second] = segments_of(house.paths, "r1")
    os.unlink(segments_of(house.paths, "r1")[0].path)
    assert second.header()["follows"]
    assert np.array_equal(house.sealed("r1"), stereo(said(0)))


def test_a_folder_that_came_back_is_used_again(house):
    house.disk.full.add(house.a)
    house.sink.close(house.sink.open("r1", header()))
    house.disk.full.clear()
    house.sink.close(house.sink.open("r2", header()))
    house.now += folders.REST_SECONDS
    house.sink.close(house.sink.open("r3", header()))
    assert [house.where(f"r{n}") for n in (1, 2, 3)] == [[house.b], [house.b], [house.a]]


def test_a_folder_near_its_end_is_left_for_the_next_one_and_used_to_the_last(house, monkeypatch):
    free = {house.a: 10, house.b: 1000}
    monkeypatch.setattr(Disk, "free_bytes", lambda self, folder: free[folder])
    sink = SpoolSink(house.paths, sync_seconds=0, reserve_bytes=100, disk=house.disk)
    sink.close(sink.open("r1", header()))
    free[house.b] = 20
    house.now += folders.LOOK_SECONDS
    sink.close(sink.open("r2", header()))
    assert [house.where("r1"), house.where("r2")] == [[house.b], [house.a]]


def test_when_no_folder_takes_it_the_blocks_wait_in_memory_and_nothing_is_lost(house):
    handle = house.sink.open("r1", header())
    house.sink.write(handle, 0, said(0))
    house.disk.full |= {house.a, house.b}
    for first in (25, 50, 75):
        with pytest.raises(OSError, match="No space left"):
            house.sink.write(handle, first, said(first))
        house.now += 1
    house.disk.full.clear()
    house.sink.write(handle, 100, said(100))
    house.sink.close(handle)
    assert np.array_equal(house.sealed("r1"), stereo(said(0, 125)))


def test_memory_that_waits_for_a_disk_is_bounded(house, monkeypatch):
    monkeypatch.setattr("recorder.io.spool.HELD_BYTES", 10 * len(BLOCK))
    handle = house.sink.open("r1", header())
    house.disk.full |= {house.a, house.b}
    for number in range(30):
        with pytest.raises(OSError, match="No space left"):
            house.sink.write(handle, number * 25, said(number * 25))
    assert len(handle.held) == 10
    house.disk.full.clear()
    house.now += 10
    house.sink.close(handle)
    whole = house.sealed("r1")
    assert not whole[: 20 * 4000].any()
    assert np.array_equal(whole[20 * 4000 :], stereo(said(500, 250)))


def test_a_disk_that_is_full_from_the_start_costs_what_was_said_then_at_most(house):
    house.disk.full |= {house.a, house.b}
    handle = house.sink.open("r1", header())
    with pytest.raises(OSError, match="no spool folder"):
        house.sink.write(handle, 0, said(0))
    house.disk.full.clear()
    house.now += folders.REST_SECONDS
    house.sink.write(handle, 25, said(25))
    house.sink.close(handle)
    assert np.array_equal(house.sealed("r1"), stereo(said(0, 50)))


def test_two_workers_that_take_one_number_at_once_are_told_apart(house):
    """The check is by another folder's file, which appears between the look and the link."""
    real = house.disk.link

    def late(old, new):
        house.disk.link = real
        other = SpoolSink(house.a, sync_seconds=0)
        other.close(other.open("r1", header(worker=2)))
        real(old, new)

    house.disk.full.add(house.a)
    house.disk.link = late
    house.sink.close(house.sink.open("r1", header(worker=1)))
    found = segments_of(house.paths, "r1")
    assert [(one.number, one.header()["worker"]) for one in found] == [(0, 2), (1, 1)]


FAULTS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "write", "sync", "full", "broken", "lying", "repair"]),
        st.booleans(),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(FAULTS)
def test_whatever_fails_in_whatever_order_each_frame_is_told_lost_or_sealed(
    tmp_path_factory, faults
):
    """A write that raised no error, and a close that did not, is in the sealed file: always."""
    with pytest.MonkeyPatch.context() as patch:
        house = House(tmp_path_factory.mktemp("spool"), patch)
        handle = house.sink.open("r1", header())
        count = 0
        for what, first in faults:
            house.now += 1
            folder = house.a if first else house.b
            if what == "write":
                with contextlib.suppress(OSError):  # told, and held
                    house.sink.write(handle, count, said(count))
                count += 25
            elif what == "sync":
                house.sink.sync()
            elif what == "repair":
                house.disk.full.clear()
                house.disk.broken.clear()
                house.disk.lying.clear()
            else:
                getattr(house.disk, what).add(folder)
        for fault in (house.disk.full, house.disk.broken, house.disk.lying):
            fault.clear()
        house.now += 10
        house.sink.close(handle)
        assert (
            np.array_equal(house.sealed("r1"), stereo(said(0, count)).reshape(-1, 2)) or not count
        )
        assert set(scan(house.paths)) == {"r1"}


def test_space_is_of_all_folders_and_each_file_system_counts_once(house, tmp_path):
    one, both = folders.space(house.a), folders.space(house.paths)
    assert abs(both.free_bytes - one.free_bytes) < 1 << 28
    some = folders.space([house.a, tmp_path / "gone"])
    assert some.free_bytes > 0
    assert "gone: No such file" in some.trouble[0]
