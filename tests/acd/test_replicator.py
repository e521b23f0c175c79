"""What is sent and read where the journal has a hole; Redis is a list."""

import asyncio

import pytest

from acd import events as e
from acd.core import Core
from acd.frames import frame
from acd.io.archive import pack_file
from acd.io.files import entries, segments
from acd.io.follower import CannotFollow, Follower
from acd.io.mending import mend
from acd.io.recovery import recover, save
from acd.io.replicator import Replicator
from acd.io.shared import Batch, SharedGap, Writer
from acd.snapshot import unpack
from tests.acd.shift import SETTINGS
from tests.acd.test_journal import opened


class PaperShared:
    """One stream and one snapshot."""

    def __init__(self):
        self.batches, self.kept, self.last, self.seeds = [], b"", 0, []

    async def append(self, writer, first, frames, keep):
        if first != self.last + 1:
            raise SharedGap(self.last)
        self.last = first + len(frames) - 1
        self.batches.append(Batch(writer.epoch, first, self.last, b"".join(frames)))
        return self.last

    async def put_snapshot(self, writer, sequence, snapshot, *, anew):
        self.kept = snapshot
        if anew:
            self.batches, self.last = [], sequence
            self.seeds.append(sequence)

    async def read(self, after):
        return [one for one in self.batches if one.last > after]

    async def snapshot(self):
        return self.kept


class Leader:
    """A core, its journal, and what replicates it."""

    def __init__(self, folder, shared):
        self.core, self.shared, self.folder = Core(SETTINGS), shared, folder
        self.journal = opened(folder, rotate_bytes=2000)
        self.replicator = Replicator(shared, 1_000_000, lambda: None)

    def tell(self, count=1):
        for _ in range(count):
            number = self.journal.sequence + 1
            event = e.Arrived(number, f"c{number}", "12345")
            self.core.step(event)
            self.journal.append(event)
            self.replicator.offer(self.journal.sequence, frame(event))

    def fill(self, files):
        """So many of the journal's files."""
        while len(segments(self.folder)) < files:
            self.tell(20)
            assert self.journal.flush()

    def damage(self):
        """A wrong byte in the middle of the second file."""
        file = segments(self.folder)[1]
        data = bytearray(file.read_bytes())
        data[len(data) // 2] ^= 0xFF
        file.write_bytes(data)

    def lose(self, count):
        """The disk is away for too long: these are counted, and decided on, and not kept."""
        most = self.journal._settings.most_pending
        object.__setattr__(self.journal._settings, "most_pending", 0)
        self.tell(count)
        object.__setattr__(self.journal._settings, "most_pending", most)

    async def replicate(self, last=0, *, anew=True):
        """As a leader that begins now, with nothing in memory; until the stream has everything."""
        writer = Writer("a/1", 1)
        self.replicator.begin(writer, self.journal, lambda: self.core, last, anew=anew)
        task = asyncio.create_task(self.replicator.run())
        try:
            assert await self.replicator.drained(20)
        finally:
            task.cancel()

    def close(self):
        assert self.journal.close()


class Reader:
    """Another node, from nothing on."""

    def __init__(self, folder, shared):
        self.core, self.journal = Core(SETTINGS), opened(folder)
        self.follower = Follower(shared, self._take, self._adopt)

    def _take(self, event, written):
        self.journal.append(event, written)
        self.core.step(event)

    def _adopt(self, recovered):
        self.core = recovered.core

    async def follow(self, last=0):
        while await self.follower.follow(self.journal, last):
            continue


@pytest.fixture
def shared():
    return PaperShared()


@pytest.fixture
def leader(tmp_path, shared):
    one = Leader(tmp_path / "a", shared)
    yield one
    one.close()


@pytest.fixture
def reader(tmp_path, shared):
    one = Reader(tmp_path / "b", shared)
    yield one
    assert one.journal.close()


async def test_behind_a_hole_the_stream_begins_anew_with_the_state(leader, shared, reader):
    """
    1 .. 80   snapshot   81 .. 100   (101 .. 120 lost)   121 .. 140
              |-------------- stream, once ---------->|
                                                      state at 140
    """
    leader.tell(80)
    assert leader.journal.flush()
    save(leader.folder, leader.core, 80)
    leader.tell(20)
    leader.lose(20)
    leader.tell(20)
    assert leader.journal.flush()
    assert [one.sequence for one in entries(leader.folder, 99)] == [100, *range(121, 141)]
    await leader.replicate()
    assert shared.seeds == [80, 140]
    leader.tell(5)
    await leader.replicate(140, anew=False)
    await reader.follow()
    assert reader.journal.sequence == 145
    assert reader.core.snapshot() == leader.core.snapshot()


async def test_behind_a_hole_without_any_snapshot_the_state_is_sent(leader, shared):
    leader.tell(10)
    leader.lose(5)
    leader.tell(10)
    await leader.replicate()
    assert shared.seeds == [0, 25]
    assert unpack(shared.kept).sequence == 25


async def test_no_batch_reaches_over_a_hole(leader, shared, reader):
    """Else event 16 would be the stream's event 11."""
    leader.tell(10)
    leader.lose(5)
    leader.tell(10)
    assert leader.journal.flush()
    sent = []
    append = shared.append

    async def noted(writer, first, frames, keep):
        sent.extend(range(first, first + len(frames)))
        return await append(writer, first, frames, keep)

    shared.append = noted
    await leader.replicate()
    assert sent == list(range(1, 11))


async def test_a_repaired_journal_is_replicated(leader, shared):
    """Damage in the middle, taken out: the numbers that are missing are declared lost."""
    leader.fill(4)
    leader.close()
    leader.damage()
    assert mend(leader.folder)
    recovered = recover(leader.folder, SETTINGS)
    assert not recovered.whole
    leader.core, leader.journal = recovered.core, opened(leader.folder, rotate_bytes=2000)
    await leader.replicate()
    assert shared.seeds == [0, recovered.sequence]
    assert unpack(shared.kept).sequence == recovered.sequence


async def test_a_journal_that_is_damaged_while_it_is_read_does_not_end_replication(leader, shared):
    leader.fill(4)
    leader.damage()
    await leader.replicate()
    assert shared.last == leader.journal.sequence
    assert unpack(shared.kept).sequence == shared.last


async def test_an_archive_that_cannot_be_unpacked_does_not_end_replication(leader, shared):
    leader.fill(3)
    packed = pack_file(segments(leader.folder)[0])
    packed.write_bytes(b"no gzip at all")
    await leader.replicate()
    assert shared.last == leader.journal.sequence
    assert unpack(shared.kept).sequence == shared.last


async def test_a_stream_that_stands_still_behind_a_snapshot_is_read_to_its_end(
    leader, shared, reader
):
    """Nobody told the leader anything since: a node that takes over must come to the state."""
    leader.tell(10)
    leader.lose(5)
    await leader.replicate()
    leader.tell(1)
    await leader.replicate(shared.last, anew=True)
    await reader.follow()
    assert reader.journal.sequence == 0
    await reader.follow(shared.last)
    assert reader.journal.sequence == 16
    assert reader.core.snapshot() == leader.core.snapshot()


async def test_a_stream_without_the_snapshot_that_it_begins_with_cannot_be_followed(reader, shared):
    with pytest.raises(CannotFollow, match="before 11 are gone"):
        await reader.follow(10)
