"""The spool folder, as media workers and the keeper use it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time

import pytest
from spooled_call import frames_of, header

from recorder.io import spool as spools
from recorder.io.spool import SpoolError, SpoolSink, scan, segments_of
from recorder.spool import Block, decode

WRITER = """
import sys, time
from recorder.io.spool import SpoolSink
sink = SpoolSink(sys.argv[1])
handle = sink.open("killed", {"call_id": "c", "started_ms": 1750000000000})
first = 0
while True:
    sink.write(handle, first, bytes([first % 251]) * 320 * 25)
    first += 25
    print(first, flush=True)
    time.sleep(0.001)
"""


def read(path: str) -> tuple[dict | None, list]:
    with open(path, "rb") as file:
        return decode(file.read())


def test_loading_the_sink_loads_nothing_heavy():
    code = (
        "import sys, recorder.io.spool;"
        "print([m for m in ('numpy','boto3','sqlalchemy','soundfile','asyncio','msgspec')"
        " if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_blocks_come_back_as_written(tmp_path):
    sink = SpoolSink(folder=str(tmp_path / "spool"))
    audio = frames_of(75)
    handle = sink.open("r1", header())
    for first in (0, 25, 50):
        sink.write(handle, first, audio[first * 320 : (first + 25) * 320])
    sink.close(handle)
    [segment] = segments_of(tmp_path / "spool", "r1")
    found, items = read(segment.path)
    assert found == {**header(), "recording": "r1"} == segment.header()
    assert b"".join(item.frames for item in items) == audio


def test_a_segment_of_the_next_worker_begins_when_it_is_opened(tmp_path):
    """It was asked for when the worker before it died; the silence between is as long as it was."""
    asked_ms = time.time_ns() // 1_000_000 - 900
    sink = SpoolSink(folder=str(tmp_path))
    for _ in range(2):
        sink.close(sink.open("r1", {"started_ms": asked_ms}))
    first, second = (segment.header() for segment in segments_of(tmp_path, "r1"))
    assert first["started_ms"] == asked_ms
    assert 900 <= second["started_ms"] - asked_ms < 2000


def test_segments_of_many_workers_never_clash(tmp_path):
    sinks = [SpoolSink(str(tmp_path)) for _ in range(3)]
    handles = [sink.open("r.1", header(worker=at)) for at, sink in enumerate(sinks)]
    handles.append(sinks[0].open("other", header()))
    found = scan(tmp_path)
    assert {name: [s.number for s in segments] for name, segments in found.items()} == {
        "other": [0],
        "r.1": [0, 1, 2],
    }
    assert [segment.header()["worker"] for segment in found["r.1"]] == [0, 1, 2]
    for sink, handle in zip([*sinks, sinks[0]], handles, strict=True):
        sink.close(handle)


def test_a_segment_is_open_until_its_writer_closes_it(tmp_path):
    sink = SpoolSink(str(tmp_path))
    handle = sink.open("r1", header())
    [segment] = segments_of(tmp_path, "r1")
    assert segment.is_open()
    sink.close(handle)
    assert not segment.is_open()


@pytest.mark.parametrize("name", ["", "../r", "a/b", ".hidden", "x" * 200, "a\nb"])
def test_a_name_that_would_leave_the_folder_is_refused(tmp_path, name):
    with pytest.raises(SpoolError, match="cannot name a file"):
        SpoolSink(str(tmp_path)).open(name, header())
    assert scan(tmp_path) == {}


def test_a_writer_killed_in_the_middle_loses_at_most_its_last_block(tmp_path):
    for _ in range(3):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        confirmed = [int(writer.stdout.readline()) for _ in range(20)][-1]
        writer.send_signal(signal.SIGKILL)
        confirmed = int(([str(confirmed), *writer.stdout.read().split()])[-1])
        writer.wait()
        writer.stdout.close()
        segment = segments_of(tmp_path, "killed")[-1]
        assert not segment.is_open()
        found, items = read(segment.path)
        assert found["call_id"] == "c"
        blocks = [item for item in items if isinstance(item, Block)]
        assert [block.first_frame for block in blocks] == list(range(0, len(blocks) * 25, 25))
        assert len(blocks) * 25 >= confirmed
    assert len(scan(tmp_path)["killed"]) == 3


def test_a_worker_killed_while_it_opens_leaves_no_segment(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*_):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(spools.os, "link", killed)
        patch.setattr(spools.os, "unlink", killed)
        with pytest.raises(Killed):
            SpoolSink(str(tmp_path)).open("r1", header())
    assert scan(tmp_path) == {}
    [left] = tmp_path.iterdir()
    spools.tidy(tmp_path)
    assert left.exists()  # it could be a worker that is still at it
    os.utime(left, (0, 0))
    spools.tidy(tmp_path)
    assert not left.exists()


def test_a_full_disk_leaves_whole_blocks_and_the_call_goes_on(tmp_path, monkeypatch):
    sink = SpoolSink(str(tmp_path))
    handle = sink.open("r1", header())
    block = frames_of(25)
    sink.write(handle, 0, block)
    real_writev = os.writev

    def half(descriptor, parts):
        """Room for a few bytes more, as a disk does that fills up."""
        return real_writev(descriptor, [b"".join(parts)[:100]])

    def full(descriptor, data):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(spools.os, "writev", half)
        patch.setattr(spools.os, "write", full)
        with pytest.raises(OSError, match="No space left"):
            sink.write(handle, 25, block)
    sink.write(handle, 50, block)
    sink.close(handle)
    [segment] = segments_of(tmp_path, "r1")
    found, items = read(segment.path)
    assert found is not None
    assert items == [Block(0, block), Block(50, block)]


def test_short_writes_are_completed(tmp_path, monkeypatch):
    sink = SpoolSink(str(tmp_path))
    handle = sink.open("r1", header())
    block = frames_of(25)
    real_writev = os.writev
    with monkeypatch.context() as patch:
        patch.setattr(
            spools.os, "writev", lambda fd, parts: real_writev(fd, [b"".join(parts)[:100]])
        )
        sink.write(handle, 0, block)
    sink.close(handle)
    assert read(segments_of(tmp_path, "r1")[0].path)[1] == [Block(0, block)]


def test_files_are_synced_once_a_second_and_never_take_all_the_time(tmp_path, monkeypatch):
    now = 100.0
    synced = []

    def slow_sync(descriptor):
        nonlocal now
        now += 0.5
        synced.append(descriptor)

    monkeypatch.setattr(spools.time, "monotonic", lambda: now)
    monkeypatch.setattr(spools.os, "fdatasync", slow_sync)
    sink = SpoolSink(str(tmp_path))
    first, second = sink.open("r1", header()), sink.open("r2", header())
    for step in range(40):  # ten seconds
        for handle in (first, second):
            sink.write(handle, step * 25, bytes(320 * 25))
        now += 0.25
    # Half a second of syncing is earned in two and a half: a fifth of the time at most.
    assert len(synced) <= 0.2 * (now - 100.0) / 0.5 + 1
    assert {first.descriptor, second.descriptor} == set(synced)
    sink.close(first)
    sink.close(second)


def test_many_files_are_each_synced_every_second(tmp_path, monkeypatch):
    """200 calls whose blocks come at once, on a disk that takes 0.3 ms for each."""
    now = 100.0
    synced: list[int] = []

    def sync(descriptor):
        nonlocal now
        now += 0.0003
        synced.append(descriptor)

    monkeypatch.setattr(spools.time, "monotonic", lambda: now)
    monkeypatch.setattr(spools.os, "fdatasync", sync)
    sink = SpoolSink(str(tmp_path))
    handles = [sink.open(f"r{number}", header()) for number in range(200)]
    for step in range(12):  # six seconds
        now = 100.0 + 0.5 * step
        for handle in handles:
            sink.write(handle, step * 25, bytes(320 * 25))
    assert {synced.count(handle.descriptor) for handle in handles} <= {3, 4, 5}
    for handle in handles:
        sink.close(handle)


def test_free_space_is_told(tmp_path):
    found = spools.space(tmp_path)
    assert 0 < found.free_bytes <= found.total_bytes
    with pytest.raises(FileNotFoundError):
        spools.space(tmp_path / "gone")
