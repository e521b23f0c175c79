"""The spool folder, as media workers and the keeper use it."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from spooled_call import frames_of, header

from recorder.io import folders, segments
from recorder.io.disk import Disk
from recorder.io.segments import scan, segments_of
from recorder.io.spool import SpoolError, SpoolSink
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
    sink = SpoolSink(str(tmp_path / "spool"))
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
    sink = SpoolSink(str(tmp_path))
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


def test_a_worker_killed_while_it_opens_leaves_no_segment(tmp_path):
    class Killed(BaseException):
        pass

    class Deadly(Disk):
        def link(self, old, new):
            raise Killed

        def unlink(self, path):
            raise Killed

    with pytest.raises(Killed):
        SpoolSink(str(tmp_path), disk=Deadly()).open("r1", header())
    assert scan(tmp_path) == {}
    [left] = tmp_path.iterdir()
    segments.tidy(tmp_path)
    assert left.exists()  # it could be a worker that is still at it
    os.utime(left, (0, 0))
    segments.tidy(tmp_path)
    assert not left.exists()


def test_short_writes_are_completed(tmp_path):
    class Slow(Disk):
        def writev(self, descriptor, parts):
            return super().writev(descriptor, [b"".join(parts)[:100]])

    sink = SpoolSink(str(tmp_path), disk=Slow())
    handle = sink.open("r1", header())
    block = frames_of(25)
    sink.write(handle, 0, block)
    sink.close(handle)
    assert read(segments_of(tmp_path, "r1")[0].path)[1] == [Block(0, block)]


class Counting(Disk):
    """Says how often it synced what."""

    def __init__(self) -> None:
        self.files: list[int] = []
        self.systems = 0

    def sync_file(self, descriptor):
        self.files.append(os.fstat(descriptor).st_ino)
        super().sync_file(descriptor)

    def sync_all(self, descriptor):
        self.systems += 1
        super().sync_all(descriptor)


def test_a_round_syncs_what_was_written_since_the_last_one_and_the_end_does(tmp_path):
    disk = Counting()
    sink = SpoolSink(str(tmp_path), sync_seconds=0, disk=disk)
    first, second = sink.open("r1", header()), sink.open("r2", header())
    one, other = (os.stat(handle.path).st_ino for handle in (first, second))
    sink.write(first, 0, frames_of(25))
    sink.sync()
    sink.sync()
    assert disk.files == [one]
    sink.write(second, 0, frames_of(25))
    sink.close(first)
    sink.sync()
    sink.close(second)
    assert disk.files == [one, one, other, other]
    assert disk.systems == 0


def test_many_files_are_synced_by_their_file_system_at_once(tmp_path):
    disk = Counting()
    sink = SpoolSink(str(tmp_path), sync_seconds=0, disk=disk)
    handles = [sink.open(f"r{number}", header()) for number in range(20)]
    for handle in handles:
        sink.write(handle, 0, frames_of(1))
    sink.sync()
    assert (disk.systems, disk.files) == (1, [])
    assert not any(handle.held for handle in handles)
    for handle in handles:
        sink.close(handle)


def test_a_thread_of_the_sinks_own_syncs(tmp_path):
    synced = threading.Event()

    class Telling(Disk):
        def sync_file(self, descriptor):
            super().sync_file(descriptor)
            synced.set()

    sink = SpoolSink(str(tmp_path), sync_seconds=0.01, disk=Telling())
    handle = sink.open("r1", header())
    sink.write(handle, 0, frames_of(25))
    assert synced.wait(10)
    sink.close(handle)


def test_free_space_is_told(tmp_path):
    found = folders.space(tmp_path)
    assert 0 < found.free_bytes <= found.total_bytes
    with pytest.raises(FileNotFoundError):
        folders.space(tmp_path / "gone")


class Noting(Disk):
    """What was synced, in order."""

    def __init__(self) -> None:
        self.synced: list[str] = []

    def sync_file(self, descriptor: int) -> None:
        super().sync_file(descriptor)
        self.synced.append("file")

    def sync_folder(self, folder: str) -> None:
        super().sync_folder(folder)
        self.synced.append("folder")


def test_the_name_of_a_call_of_less_than_a_second_is_on_the_disk_when_it_is_closed(tmp_path):
    disk = Noting()
    sink = SpoolSink(str(tmp_path), sync_seconds=0, disk=disk)
    handle = sink.open("r1", header())
    sink.write(handle, 0, frames_of(25))
    sink.close(handle)
    assert disk.synced == ["file", "folder"]
    longer = sink.open("r2", header())
    sink.write(longer, 0, frames_of(25))
    sink.sync()
    sink.close(longer)
    assert disk.synced[2:] == ["file", "folder", "file"], (
        "a name that is synced is not synced again"
    )


def test_a_round_without_a_descriptor_to_spare_is_followed_by_another(tmp_path, monkeypatch):
    """EMFILE ended the thread that syncs, and with it all syncing."""
    sink = SpoolSink(str(tmp_path), sync_seconds=0)
    handle = sink.open("r1", header())
    sink.write(handle, 0, frames_of(25))

    def none_left(descriptor: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "dup", none_left)
        sink.sync()
    assert len(handle.held) == 1, "not known to be on the disk"
    sink.sync()
    assert len(handle.held) == 0
    sink.close(handle)
