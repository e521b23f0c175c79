"""Full files are folded, packed and let go; the state stays what it was."""

import os
import time
from pathlib import Path

import pytest

from acd import events as e
from acd.io import archive as module
from acd.io.archive import Archivist, archive, pack_file
from acd.io.files import End, drop_after, end_of, entries, read, segments
from acd.io.recovery import newest_snapshot, recover, save, snapshots
from tests.acd.shift import SETTINGS, Shift
from tests.acd.test_journal import opened, write

YEAR = 366


def shift_of(folder, turns=400, rotate_bytes=4000, seed=3, on_rotated=lambda: None):
    """A journal of several files; the core that wrote it."""
    core = recover(folder, SETTINGS).core
    journal = opened(folder, rotate_bytes=rotate_bytes)
    journal._on_rotated = on_rotated

    def step(event):
        journal.append(event)
        if journal.sequence % 50 == 0:
            journal.flush()
        return core.step(event)

    shift = Shift(seed, step, core.now_ms)
    shift.begin()
    shift.go_on(turns)
    assert journal.close()
    return core


def test_a_start_reads_the_snapshot_and_the_last_file_only(tmp_path):
    core = shift_of(tmp_path)
    count = len(list(read(tmp_path)))
    assert len(segments(tmp_path)) > 3
    archive(tmp_path, YEAR, time.time())
    assert [file.suffix for file in segments(tmp_path)][-2:] == [".gz", ".log"]
    recovered = recover(tmp_path)
    assert recovered.core.snapshot() == core.snapshot()
    assert recovered.sequence == count == recovered.from_snapshot + recovered.replayed
    assert recovered.replayed < count / 3
    fresh = recover(tmp_path, fresh=True)
    assert (fresh.replayed, fresh.core.snapshot()) == (count, core.snapshot())


def test_a_reader_finds_the_file_that_is_packed_under_its_eyes(tmp_path):
    """An archiver may outlive the engine that started it, and pack while the next one reads."""
    shift_of(tmp_path)
    count = len(list(read(tmp_path)))
    reading = entries(tmp_path)
    first = next(reading)
    archive(tmp_path, YEAR, time.time())
    assert len([first, *reading]) == count


def test_archiving_can_stop_anywhere_and_be_done_again(tmp_path, monkeypatch):
    """Killed between any two of its steps."""
    core = shift_of(tmp_path)
    done, allowed = [], [0]

    def steps(real):
        def step(*arguments):
            if len(done) >= allowed[0]:
                raise KeyboardInterrupt
            done.append(real.__name__)
            return real(*arguments)

        return step

    for name in ("save", "put", "pack_file"):
        monkeypatch.setattr(module, name, steps(getattr(module, name)))
    for allowed[0] in range(100):
        done.clear()
        try:
            archive(tmp_path, YEAR, time.time())
        except KeyboardInterrupt:
            assert recover(tmp_path).core.snapshot() == core.snapshot()
            continue
        break
    assert recover(tmp_path).core.snapshot() == core.snapshot()
    assert all(file.suffix == ".gz" for file in segments(tmp_path)[:-1])


def test_old_archives_are_let_go_once_a_snapshot_covers_them(tmp_path):
    core = shift_of(tmp_path)
    archive(tmp_path, YEAR, time.time())
    files = segments(tmp_path)
    for file in files[:2]:
        os.utime(file, (0, 0))
    for path in snapshots(tmp_path):
        path.rename(path.with_suffix(".gone"))
    module.forget(tmp_path, time.time() - 86_400)
    assert segments(tmp_path) == files, "no snapshot holds what was in them"
    archive(tmp_path, 1, time.time())
    assert segments(tmp_path) == files[2:]
    recovered = recover(tmp_path)
    assert recovered.core.snapshot() == core.snapshot()
    fresh = recover(tmp_path, fresh=True)
    assert not fresh.whole
    assert fresh.core.queues() == ["12345", "night"]  # settings are in the file's head


def test_a_snapshot_of_another_build_or_a_damaged_one_is_done_without(tmp_path):
    core = shift_of(tmp_path)
    archive(tmp_path, YEAR, time.time())
    path = snapshots(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:-1])
    recovered = recover(tmp_path)
    assert (recovered.from_snapshot, recovered.core.snapshot()) == (0, core.snapshot())


def test_the_newest_two_snapshots_are_kept(tmp_path):
    core = shift_of(tmp_path, turns=20)
    for number in (5, 6, 7):
        save(tmp_path, core, number)
    assert [path.name[-8:] for path in snapshots(tmp_path)] == ["07.state", "06.state"]
    found = newest_snapshot(tmp_path, 6)
    assert found is not None
    assert found.sequence == 6


def test_a_rotation_starts_the_archivist_in_a_process_of_its_own(tmp_path):
    archivist = Archivist(tmp_path, YEAR)
    core = shift_of(tmp_path, on_rotated=archivist)
    archivist.wait()
    assert newest_snapshot(tmp_path) is not None
    assert any(file.suffix == ".gz" for file in segments(tmp_path))
    assert recover(tmp_path).core.snapshot() == core.snapshot()


def test_a_folder_is_archived_where_the_engine_was_started(tmp_path, monkeypatch):
    """`journal = "journal"` is in the engine's working directory, not where the package is."""
    monkeypatch.chdir(tmp_path)
    folder = Path("journal")
    archivist = Archivist(folder, YEAR)
    shift_of(folder, on_rotated=archivist)
    archivist.wait()
    assert newest_snapshot(folder) is not None
    assert any(file.suffix == ".gz" for file in segments(folder))


@pytest.mark.parametrize("kept", [0, 1, 4, 7, 8, 9])
def test_a_forked_tail_is_put_aside(tmp_path, kept):
    """Events 1 to 9 in three files, the first of them packed; another leader has `kept` of them."""
    events = [e.HungUp(number, f"c{number}") for number in range(1, 10)]
    for start in (0, 3, 6):
        write(tmp_path, events[start : start + 3], rotate_bytes=1)
    pack_file(segments(tmp_path)[0])
    assert drop_after(tmp_path, kept) == 9 - kept
    assert list(read(tmp_path)) == events[:kept]
    aside = [one for file in sorted(tmp_path.glob("*.forked")) for one in forked(file)]
    assert aside == events[kept:]
    journal = write(tmp_path, [e.HungUp(99, "new")])
    assert journal.sequence == kept + 1
    assert [one.sequence for one in entries(tmp_path)] == list(range(1, kept + 2))


def forked(file):
    from acd.frames import parse

    return parse(file.read_bytes()).events


def test_a_new_leadership_begins_a_file(tmp_path):
    journal = opened(tmp_path)
    journal.append(e.HungUp(1, "a"))
    journal.begin_epoch(7)
    journal.append(e.HungUp(2, "b"))
    assert journal.close()
    assert len(segments(tmp_path)) == 2
    end = end_of(tmp_path)
    assert (end.sequence, end.epoch) == (2, 7)
    journal = opened(tmp_path)
    assert (journal.sequence, journal.epoch) == (2, 7)
    journal.close()


def test_a_leadership_that_wrote_nothing_does_not_hide_what_forked(tmp_path):
    """110 events, and then a file that only says that the 5th leadership begins."""
    write_epoch(tmp_path, range(1, 111), epoch=5)
    assert end_of(tmp_path) == End(110, 5)
    assert drop_after(tmp_path, 100) == 10
    assert end_of(tmp_path) == End(100, 0)
    journal = opened(tmp_path)
    assert journal.sequence == 100
    assert journal.close()


def test_a_leadership_that_begins_where_the_fork_is_stays(tmp_path):
    write_epoch(tmp_path, range(1, 101), epoch=5)
    assert drop_after(tmp_path, 100) == 0
    assert end_of(tmp_path) == End(100, 5)


def test_what_forked_first_is_kept_beside_what_forked_next(tmp_path):
    for turn in (1, 2, 3):
        write(tmp_path, [e.HungUp(turn, "ours"), e.HungUp(turn, f"forked {turn}")])
        assert drop_after(tmp_path, turn) == 1
    aside = [forked(file) for file in tmp_path.glob("*.forked")]
    assert sorted(one.call for events in aside for one in events) == [
        "forked 1",
        "forked 2",
        "forked 3",
    ]
    assert [one.call for one in read(tmp_path)] == ["ours"] * 3


def write_epoch(folder, numbers, epoch):
    """Events, and a leadership that begins behind them."""
    journal = opened(folder)
    for number in numbers:
        journal.append(e.HungUp(number, f"c{number}"))
    journal.begin_epoch(epoch)
    assert journal.close()
