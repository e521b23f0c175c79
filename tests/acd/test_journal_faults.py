"""The journal on disks that fail in the worst places, and under a process that is killed."""

import errno
import os
import random
import signal
import subprocess
import sys

import pytest

from acd import events as e
from acd.frames import HEADER, MAGIC, find_frame, frame, parse
from acd.io import journal as module
from acd.io.files import End, end_of, entries
from acd.io.journal import Journal, JournalDamaged, JournalSettings, read, segments
from acd.io.mending import mend
from acd.io.recovery import recover
from tests.acd.test_journal import opened, write

SOME = [e.AgentReady(1, "8001"), e.Arrived(2, "c1", "12345"), e.HungUp(3, "c1")]


def test_a_file_torn_at_any_byte_is_gone_on_with(tmp_path):
    """From its first byte to its last: what was whole stays, what was not is cut."""
    whole_folder = tmp_path / "whole"
    write(whole_folder, SOME)
    data = segments(whole_folder)[0].read_bytes()
    ends = [len(data) - sum(map(len, map(frame, SOME[kept:]))) for kept in range(4)]
    for size in range(len(data)):
        folder = tmp_path / str(size)
        folder.mkdir()
        (folder / "journal-00000001.log").write_bytes(data[:size])
        kept = SOME[: sum(size >= end for end in ends[1:])]
        assert list(read(folder)) == kept
        journal = write(folder, [e.HungUp(9, "c9")])
        assert list(read(folder)) == [*kept, e.HungUp(9, "c9")]
        assert journal.sequence == len(kept) + 1


def test_zeros_behind_the_last_frame_are_a_torn_tail(tmp_path):
    """What a file system leaves of a file that had grown when the power went."""
    write(tmp_path, SOME)
    file = segments(tmp_path)[0]
    file.write_bytes(file.read_bytes() + bytes(4096))
    write(tmp_path, SOME)
    assert list(read(tmp_path)) == [*SOME, *SOME]


def test_a_wrong_checksum_before_whole_frames_stops_the_start_until_it_is_repaired(tmp_path):
    """No crash leaves that: the disk has lost what it had confirmed, and a person must know."""
    write(tmp_path, SOME)
    file = segments(tmp_path)[0]
    data = bytearray(file.read_bytes())
    at = len(data) - sum(len(frame(one)) for one in SOME[1:]) + HEADER.size
    data[at] ^= 1
    file.write_bytes(data)
    with pytest.raises(JournalDamaged, match="wrong checksum at byte"):
        opened(tmp_path)
    with pytest.raises(JournalDamaged):
        list(read(tmp_path))
    (mended,) = mend(tmp_path)
    assert mended.bytes_taken == len(frame(SOME[1]))
    assert (tmp_path / f"{file.name}.damaged").read_bytes() == bytes(data)
    write(tmp_path, [e.HungUp(9, "c9")])
    assert list(read(tmp_path)) == [SOME[0], SOME[2], e.HungUp(9, "c9")]


@pytest.mark.parametrize("behind", [0, 1, 3])
def test_a_flipped_bit_in_a_length_is_no_torn_tail(tmp_path, behind):
    """Of the head or of an event: what follows was confirmed, and is not cut off as if torn."""
    write(tmp_path, SOME)
    file = segments(tmp_path)[0]
    whole = file.read_bytes()
    at = len(whole) - sum(len(frame(one)) for one in SOME[-behind:]) if behind else len(MAGIC)
    for bit in range(32):
        data = bytearray(whole)
        data[at + bit // 8] ^= 1 << bit % 8
        file.write_bytes(data)
        if behind == 1:  # nothing whole follows: that may be a crash's
            assert list(read(tmp_path)) == SOME[:2]
            continue
        with pytest.raises(JournalDamaged, match=r"at byte"):
            opened(tmp_path)
        with pytest.raises(JournalDamaged, match=r"at byte"):
            list(read(tmp_path))
        assert file.read_bytes() == data
    assert not list(tmp_path.glob("*.torn"))


def test_a_page_that_was_never_written_before_one_that_was_is_a_torn_tail(tmp_path):
    """The power went in the middle of a group, which nobody was told is safe."""
    write(tmp_path, SOME[:1])
    file = segments(tmp_path)[0]
    file.write_bytes(file.read_bytes() + bytes(4096) + frame(SOME[1]))
    write(tmp_path, SOME[2:])
    assert list(read(tmp_path)) == [SOME[0], SOME[2]]


def test_who_closes_a_journal_twice_closes_nobody_else_s_file(tmp_path):
    journal = opened(tmp_path)
    assert journal.close()
    others = [os.open(tmp_path / "other", os.O_RDWR | os.O_CREAT) for _ in range(4)]
    assert journal.close()
    for other in others:
        os.close(other)  # OSError where it was closed already


def test_a_damaged_length_is_mended_by_looking_for_the_next_frame(tmp_path):
    write(tmp_path, SOME, rotate_bytes=1)
    write(tmp_path, SOME, rotate_bytes=1)
    file = segments(tmp_path)[0]
    data = bytearray(file.read_bytes())
    at = len(data) - sum(len(frame(one)) for one in SOME[1:])
    data[at : at + 4] = b"\xff\xff\xff\x7f"
    file.write_bytes(data)
    with pytest.raises(JournalDamaged, match="torn frame at byte"):
        list(read(tmp_path))
    assert [(one.file, one.events_missing) for one in mend(tmp_path)] == [(file.name, 1)]
    assert list(read(tmp_path)) == [SOME[0], SOME[2], *SOME]
    assert [one.sequence for one in entries(tmp_path)] == [1, 2, 4, 5, 6]  # 3 is lost
    assert mend(tmp_path) == []


def test_a_damaged_head_is_mended_from_what_is_before_it(tmp_path):
    """The events behind it keep their numbers, and their leadership: most files are of one."""
    journal = opened(tmp_path, rotate_bytes=1)
    journal.begin_epoch(7)
    for event in SOME:
        journal.append(event)
        assert journal.flush()
    assert journal.close()
    file = segments(tmp_path)[-1]
    data = bytearray(file.read_bytes())
    data[len(MAGIC) + 1] ^= 0x40
    file.write_bytes(data)
    with pytest.raises(JournalDamaged, match="torn head at byte 0"):
        opened(tmp_path)
    (mended,) = mend(tmp_path)
    assert (tmp_path / f"{mended.file}.damaged").read_bytes() == bytes(data)
    assert [(one.sequence, one.event) for one in entries(tmp_path)] == list(enumerate(SOME, 1))
    assert end_of(tmp_path) == End(3, 7)


def test_no_journal_in_use_is_mended(tmp_path):
    journal = opened(tmp_path)
    with pytest.raises(BlockingIOError):
        mend(tmp_path)
    journal.close()


def test_a_frame_is_found_behind_rubbish():
    good = frame(SOME[1])
    assert find_frame(b"rubbish" + good, 0) == 7
    assert find_frame(b"rubbish" + good[:-1], 0) is None


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_after_an_io_error_what_was_not_confirmed_goes_to_another_file(tmp_path, monkeypatch, call):
    """fsync(2): failed pages may be dropped and called clean; a second fsync proves nothing."""
    errors, broken, really = [], [False], getattr(os, call)

    def perform(*arguments):
        if not broken[0]:
            return really(*arguments)
        broken[0] = False
        raise OSError(errno.EIO, "Input/output error")

    journal = opened(tmp_path, errors.append, retry_seconds=0.001)
    monkeypatch.setattr(module.os, call, perform)
    for number in range(6):
        broken[0] = number % 2 == 1
        assert journal.append(e.HungUp(number, "c"))
        assert journal.flush()
    assert journal.close()
    assert [error.errno for error in errors] == [errno.EIO] * 3
    assert len(segments(tmp_path)) == 4
    assert [event.at_ms for event in read(tmp_path)] == list(range(6))


def test_a_tail_that_could_not_even_be_cut_is_read_over(tmp_path, monkeypatch):
    """The disk is read-only all of a sudden; half a frame stays where it is."""
    really_write, really_cut, broken = os.write, os.ftruncate, [False]

    def write_half(file, data):
        if broken[0]:
            really_write(file, bytes(data[: len(data) // 2]))
            raise OSError(errno.EIO, "Input/output error")
        return really_write(file, data)

    def never_cut(file, size):
        if broken[0]:
            broken[0] = False
            raise OSError(errno.EROFS, "Read-only file system")
        return really_cut(file, size)

    journal = opened(tmp_path, lambda error: None, retry_seconds=0.001)
    monkeypatch.setattr(module.os, "write", write_half)
    monkeypatch.setattr(module.os, "ftruncate", never_cut)
    journal.append(SOME[0])
    journal.flush()
    broken[0] = True
    journal.append(SOME[1])
    assert journal.close()
    assert parse(segments(tmp_path)[0].read_bytes()).damage == "torn frame"
    assert list(read(tmp_path)) == SOME[:2]
    assert [one.sequence for one in entries(tmp_path)] == [1, 2]


def test_events_that_no_disk_took_are_missing_by_number(tmp_path, monkeypatch):
    really, full = os.write, [True]

    def write_or_fail(file, data):
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return really(file, data)

    journal = opened(tmp_path, lambda error: None, most_pending=2, retry_seconds=0.001)
    monkeypatch.setattr(module.os, "write", write_or_fail)
    kept = [journal.append(e.HungUp(i, "c")) for i in range(50)]
    assert kept.count(False) == journal.lost > 40
    full[0] = False
    assert journal.flush()
    journal.append(e.HungUp(99, "c"))
    assert journal.close()
    found = list(entries(tmp_path))
    assert found[-1].sequence == journal.sequence == 51
    assert len(found) == 51 - journal.lost
    assert not recover(tmp_path).whole


LIFE = """
import random, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from acd.io.archive import Archivist
from acd.io.journal import Journal, JournalSettings
from acd.io.recovery import recover, save
from tests.acd.shift import SETTINGS, Shift

folder, seed = Path(sys.argv[1]), int(sys.argv[2])
journal = Journal(JournalSettings(folder, rotate_bytes=20_000), print, Archivist(folder, 366))
recovered = recover(folder, SETTINGS)
core = recovered.core

def step(event):
    journal.append(event)
    return core.step(event)

shift = Shift(seed, step, core.now_ms)
shift.begin()
print("begun", flush=True)
while True:
    shift.go_on(20)
    if journal.flush(60):
        print(core.now_ms, flush=True)
"""


@pytest.mark.parametrize("seed", [1])
def test_lives_that_end_by_a_kill_count_each_call_once(tmp_path, seed):
    """Six starts of a real process, each killed at a moment of its own, archiving all the while."""
    chance = random.Random(seed)
    for life in range(6):
        command = [sys.executable, "-c", LIFE, str(tmp_path), str(seed + life), os.getcwd()]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "begun\n"
            for _ in range(chance.randrange(5, 40)):
                confirmed_ms = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            process.wait()
        Journal(JournalSettings(tmp_path), print).close()  # repairs
        found = list(read(tmp_path))
        assert found[-1].at_ms >= confirmed_ms
    core = recover(tmp_path).core
    assert core.snapshot() == recover(tmp_path, fresh=True).core.snapshot()
    core.step(e.Restarted(core.now_ms))
    arrived = [event.call for event in found if isinstance(event, e.Arrived)]
    total = core.queue("12345").total, core.queue("night").total
    assert len(set(arrived)) == len(arrived) == sum(one.offered for one in total)
    assert sum(one.in_progress for one in total) == 0
    assert sorted(one.call for one in core.ended) == sorted(arrived)
    assert any(record.result == "failed" for record in core.ended)
    assert any(record.result == "answered" for record in core.ended)
    assert {agent.state for agent in core.agents()} <= {"offline", "wrap_up", "not_ready"}
