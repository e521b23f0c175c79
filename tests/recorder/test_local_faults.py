"""Between the tap and the store: whatever happens, a recording is sealed right or still spooled."""

from __future__ import annotations

import contextlib
import errno
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from spooled_call import assert_tones, frames_of, header, read_flac, spool_call

from media.taps import NOTHING
from recorder.alaw import stereo
from recorder.events import Delayed, SpaceChanged, Stored
from recorder.io.objects import sha256_of_file
from recorder.io.sealing import seal
from recorder.io.segments import Segment, scan, segments_of
from recorder.io.spool import SpoolSink

BLOCKS = 3


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    """A segment of three blocks, two of which know something of their sides."""
    folder = tmp_path_factory.mktemp("whole")
    sink = SpoolSink(str(folder), sync_seconds=0)
    handle = sink.open("r1", header())
    for number in range(BLOCKS):
        sides = NOTHING * 2 if number else b""
        sink.write(handle, number * 2, frames_of(2), 0, sides)
    sink.close(handle)
    [segment] = segments_of(folder, "r1")
    return Path(segment.path).read_bytes()


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_kill_at_any_byte_leaves_all_whole_blocks(whole, tmp_path_factory, data):
    size = data.draw(st.integers(0, len(whole)), "bytes that are left")
    folder = tmp_path_factory.mktemp("torn")
    (folder / "r1.0.spool").write_bytes(whole[:size])
    sealed = seal(segments_of(folder, "r1"), str(folder / "r1.flac"))
    head = whole.index(b"\n") + 1
    ends = [head + 656, head + 656 + 680, head + 656 + 2 * 680]
    blocks = sum(size >= end for end in ends)
    heard = soundfile.read(folder / "r1.flac", dtype="int16")[0]
    if blocks:
        assert np.array_equal(heard, stereo(frames_of(2) * blocks))
        assert sealed.header["call_id"] == header()["call_id"]
    else:
        assert sealed.samples == 0
    assert sealed.sha256 == sha256_of_file(folder / "r1.flac")
    torn = size not in (0, head, *ends)
    assert sealed.notes[0].torn == torn


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2200), st.integers(1, 255))
def test_a_byte_that_rots_costs_its_block_at_most(whole, tmp_path_factory, at, change):
    data = bytearray(whole)
    at %= len(data)
    data[at] ^= change
    folder = tmp_path_factory.mktemp("rotten")
    (folder / "r1.0.spool").write_bytes(data)
    sealed = seal(segments_of(folder, "r1"), str(folder / "r1.flac"))
    head = whole.index(b"\n") + 1
    kept = sealed.notes[0].frames
    assert kept == (2 * BLOCKS if at < head else 2 * (BLOCKS - 1))


@contextlib.contextmanager
def small_disk(path: Path, kib: int):
    path.mkdir()
    options = f"size={kib}k"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(path)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no right to mount: {mounted.stderr.strip()}")
    try:
        yield path
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


def test_a_real_disk_that_fills_up_costs_nothing_while_there_is_another(tmp_path):
    with small_disk(tmp_path / "small", 256) as small:
        folders = [str(small / "spool"), str(tmp_path / "large")]
        sink = SpoolSink(folders, sync_seconds=0, reserve_bytes=0)
        handles = [sink.open(f"r{number}", header()) for number in range(3)]
        audio = frames_of(25)
        for block in range(40):
            for handle in handles:
                sink.write(handle, block * 25, audio)
            sink.sync()
        for handle in handles:
            sink.close(handle)
        for number in range(3):
            segments = segments_of(folders, f"r{number}")
            assert len({os.path.dirname(segment.path) for segment in segments}) == 2
            sealed = seal(segments, str(tmp_path / f"r{number}.flac"))
            heard = soundfile.read(sealed.path, dtype="int16")[0]
            assert np.array_equal(heard, stereo(audio * 40))


async def test_a_full_disk_is_emptied_into_the_store_and_goes_on(house, tmp_path):
    """No other folder: what cannot be written waits in memory until recordings are stored."""
    with small_disk(tmp_path / "small", 512) as small:
        house.options["spool"] = str(small)
        keeper = house.keeper(low_free_bytes=64 << 10, full_free_bytes=16 << 10)
        await keeper.start()
        spool_call(small, "first", 800)
        sink = SpoolSink(str(small), sync_seconds=0, reserve_bytes=0)
        handle = sink.open("second", header())
        audio = frames_of(25)
        block = -1
        with contextlib.suppress(OSError):
            while block < 60:
                block += 1
                sink.write(handle, block * 25, audio)
        assert 0 < block < 60
        keeper.sink_failed("second", "No space left on device")
        await house.wait(SpaceChanged)
        assert keeper.status().space == "full"
        keeper.finish("first", {})
        await house.wait(Stored)
        sink.write(handle, (block + 1) * 25, audio)
        sink.close(handle)
        keeper.finish("second", {})
        [_, second] = await house.wait(Stored, 2)
        heard = read_flac((house.store / second.key).read_bytes())
        assert np.array_equal(heard, stereo(audio * (block + 2)))
        await house.until(lambda: keeper.status().alerts == ())
        await keeper.stop()


async def test_a_segment_that_cannot_be_read_stays_with_an_alert(house, monkeypatch):
    keeper = house.keeper()
    await keeper.start()
    spool_call(house.spool, "r1")

    def broken(segment):
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Segment, "chunks", broken)
        keeper.finish("r1", {})
        await house.wait(Delayed)
        assert any("Input/output error" in alert for alert in keeper.status().alerts)
        assert list(scan(house.spool)) == ["r1"]
    [stored] = await house.wait(Stored)
    assert_tones(read_flac((house.store / stored.key).read_bytes()))


async def test_a_recording_on_a_disk_that_is_away_waits_for_it(house, tmp_path):
    """Its first segment is there, its second one is not: it is not sealed without it."""
    other = tmp_path / "other"
    sink = SpoolSink([str(other), str(house.spool)], sync_seconds=0)
    handle = sink.open("r1", header())
    sink.write(handle, 0, frames_of(25))
    sink.folders[0].rest()
    sink._move(handle)
    sink.write(handle, 25, frames_of(25))
    sink.close(handle)
    house.options["spool"] = (str(other), str(house.spool))
    keeper = house.keeper()
    await keeper.start()
    os.rename(other, tmp_path / "away")
    keeper.finish("r1", {})
    await house.wait(Delayed)
    await house.until(lambda: keeper.status().space == "low")
    assert any("other: No such file" in alert for alert in keeper.status().alerts)
    os.rename(tmp_path / "away", other)
    [stored] = await house.wait(Stored)
    assert stored.duration_ms == 1000
    await house.until(lambda: keeper.status().space == "ok")
