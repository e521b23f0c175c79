"""The journal on a disk that tears, fills up and loses its process."""

import errno
import os
import signal
import subprocess
import sys
import time
import zlib

import pytest

from acd import events as e
from acd.frames import HEADER, MAGIC_1, Head, begin, frame, parse
from acd.io import journal as module
from acd.io.journal import Journal, JournalDamaged, JournalSettings, read, repair, segments
from acd.replay import replay
from acd.settings import AcdSettings, AgentSettings, QueueSettings

SETTINGS = AcdSettings(queues=(QueueSettings("12345"),), agents=(AgentSettings("8001"),))
SOME = [e.Configured(0, SETTINGS), e.AgentReady(1, "8001"), e.Arrived(2, "c1", "12345")]


def opened(folder, on_error=None, **settings):
    def fail(error):
        raise AssertionError(error)

    return Journal(JournalSettings(folder, **settings), on_error or fail)


def write(folder, events, **settings):
    journal = opened(folder, **settings)
    for event in events:
        assert journal.append(event)
    assert journal.close()
    return journal


def test_what_was_appended_is_read_back_in_order(tmp_path):
    write(tmp_path, SOME)
    write(tmp_path, [e.HungUp(9, "c1")])
    assert list(read(tmp_path)) == [*SOME, e.HungUp(9, "c1")]
    assert replay(read(tmp_path)).queue("12345").abandoned == 1


def test_events_are_committed_in_groups(tmp_path):
    journal = write(tmp_path, [e.HungUp(i, f"c{i}") for i in range(5000)])
    assert journal.durable == 5000
    assert journal.syncs <= 5000 / 10


def test_a_single_event_is_durable_soon_without_a_flush(tmp_path):
    journal = opened(tmp_path)
    journal.append(SOME[0])
    deadline = time.monotonic() + 5
    while journal.durable < 1 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert parse(segments(tmp_path)[0].read_bytes()).events == SOME[:1]
    journal.close()


@pytest.mark.parametrize("cut", range(1, len(frame(SOME[2])) + 1))
def test_a_torn_tail_is_cut_and_kept_aside(tmp_path, cut):
    write(tmp_path, SOME)
    file = segments(tmp_path)[0]
    file.write_bytes(file.read_bytes()[:-cut])
    assert list(read(tmp_path)) == SOME[:2]
    write(tmp_path, [e.HungUp(9, "c1")])
    assert list(read(tmp_path)) == [*SOME[:2], e.HungUp(9, "c1")]
    torn = list(tmp_path.glob("*.torn"))
    assert bool(torn) == (cut < len(frame(SOME[2])))


def test_a_flipped_bit_in_the_last_frame_is_cut(tmp_path):
    write(tmp_path, SOME)
    file = segments(tmp_path)[0]
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    assert parse(bytes(data)).damage == "wrong checksum"
    assert repair(tmp_path) is not None
    assert repair(tmp_path) is None
    assert list(read(tmp_path)) == SOME[:2]


def test_damage_in_an_older_file_or_a_foreign_file_is_not_passed_over(tmp_path):
    write(tmp_path, SOME, rotate_bytes=1)
    write(tmp_path, SOME, rotate_bytes=1)
    first = segments(tmp_path)[0]
    data = first.read_bytes()
    first.write_bytes(data[:-1])
    with pytest.raises(JournalDamaged, match="torn frame at byte"):
        list(read(tmp_path))
    segments(tmp_path)[-1].write_bytes(b"something else altogether")
    with pytest.raises(JournalDamaged, match="not a journal"):
        opened(tmp_path)


def test_a_journal_written_by_a_newer_version_is_left_alone(tmp_path):
    payload = b"\x92\xa7Unknown\x01"
    data = begin(Head(1)) + module.frame(SOME[1])
    data += HEADER.pack(len(payload), zlib.crc32(payload)) + payload
    (tmp_path / "journal-00000001.log").write_bytes(data)
    with pytest.raises(JournalDamaged, match="unknown event"):
        opened(tmp_path)
    assert (tmp_path / "journal-00000001.log").read_bytes() == data


def test_a_journal_of_the_first_version_is_read_and_gone_on_with(tmp_path):
    old = MAGIC_1 + b"".join(map(frame, SOME))
    (tmp_path / "journal-00000001.log").write_bytes(old)
    journal = write(tmp_path, [e.HungUp(9, "c1")])
    assert journal.sequence == 4
    assert list(read(tmp_path)) == [*SOME, e.HungUp(9, "c1")]
    assert segments(tmp_path)[0].read_bytes() == old


def test_files_rotate_by_size_and_read_as_one(tmp_path):
    events = [e.HungUp(i, f"c{i}") for i in range(200)]
    for start in range(0, 200, 50):
        write(tmp_path, events[start : start + 50], rotate_bytes=500)
    assert len(segments(tmp_path)) == 4
    assert list(read(tmp_path)) == events


def test_a_file_says_what_is_before_it(tmp_path):
    journal = opened(tmp_path, rotate_bytes=1)
    for event in SOME:
        journal.append(event)
    assert journal.flush()
    journal.append(e.HungUp(9, "c1"))
    assert journal.close()
    heads = [parse(file.read_bytes()).head for file in segments(tmp_path)]
    assert heads == [Head(1), Head(4, settings=SETTINGS)]
    assert journal.sequence == 4


def test_a_second_writer_is_refused(tmp_path):
    journal = opened(tmp_path)
    with pytest.raises(BlockingIOError):
        opened(tmp_path)
    journal.close()
    opened(tmp_path).close()


def test_a_full_disk_is_reported_and_the_events_are_written_when_there_is_room(
    tmp_path, monkeypatch
):
    errors, full, write_really = [], [True], os.write

    def write_or_fail(file, data):
        if not full[0]:
            return write_really(file, data)
        write_really(file, bytes(data[:3]))  # half a frame gets through
        raise OSError(errno.ENOSPC, "No space left on device")

    journal = opened(tmp_path, errors.append, most_pending=10, retry_seconds=0.01)
    monkeypatch.setattr(module.os, "write", write_or_fail)
    journal.append(SOME[0])
    deadline = time.monotonic() + 5
    while len(errors) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    kept = [journal.append(e.HungUp(i, "c")) for i in range(30)]
    assert kept == [True] * 10 + [False] * 20
    assert (journal.lost, journal.durable, errors[0].errno) == (20, 0, errno.ENOSPC)
    assert (journal.trouble, journal.pending) == ("No space left on device", 11)
    full[0] = False
    assert journal.close()
    assert (journal.trouble, journal.pending) == ("", 0)
    assert list(read(tmp_path)) == [SOME[0], *(e.HungUp(i, "c") for i in range(10))]


WRITER = """
import sys
from pathlib import Path
from acd.events import HungUp
from acd.io.journal import Journal, JournalSettings
journal = Journal(JournalSettings(Path(sys.argv[1])), print)
for number in range(10**9):
    journal.append(HungUp(number, "c"))
    if number % 64 == 0:
        journal.flush()
        print(journal.durable, flush=True)
"""


def test_after_a_kill_everything_that_was_durable_is_there(tmp_path):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        durable = [int(process.stdout.readline()) for _ in range(20)][-1]
        process.send_signal(signal.SIGKILL)
        process.wait()
        durable = max([durable, *(int(line) for line in process.stdout if line.endswith("\n"))])
    journal = opened(tmp_path)
    journal.close()
    found = [event.at_ms for event in read(tmp_path)]
    assert found == list(range(len(found)))
    assert len(found) >= durable
