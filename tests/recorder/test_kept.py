"""What is stored stays here as well, for a while, and goes first when room is needed."""

from __future__ import annotations

import os
from pathlib import Path

from spooled_call import spool_call

from recorder.events import Stored
from recorder.io import kept as keeping
from recorder.io.folders import Space
from recorder.io.kept import Kept
from recorder.io.objects import sha256_of_file
from recorder.io.segments import scan


async def heard(keeper, recording: str) -> bytes:
    playback = await keeper.read(recording)
    return b"".join(playback.chunks(0, None))


async def test_what_is_stored_is_played_from_here(house):
    keeper = house.keeper(keep_hours=24.0, low_free_bytes=0)
    await keeper.start()
    spool_call(house.spool, "r1")
    keeper.finish("r1", {})
    [stored] = await house.wait(Stored)
    copy = house.spool / "kept" / stored.key
    assert sha256_of_file(copy) == stored.sha256
    assert scan(house.spool) == {}
    (house.store / stored.key).write_bytes(b"rot")
    assert await heard(keeper, "r1") == copy.read_bytes()
    assert not (await keeper.verify()).ok  # the store itself is what is proved
    os.utime(copy, (0, 0))
    await house.until(lambda: not (house.spool / "kept").exists())
    assert await heard(keeper, "r1") == b"rot"


async def test_nothing_is_kept_unless_it_is_asked_for(house):
    keeper = house.keeper()
    await keeper.start()
    spool_call(house.spool, "r1")
    keeper.finish("r1", {})
    await house.wait(Stored)
    assert not (house.spool / "kept").exists()


def test_the_oldest_goes_first_and_what_is_not_stored_never(tmp_path, monkeypatch):
    spool = tmp_path / "spool"
    spool_call(spool, "unstored")
    kept = Kept((spool,), 24.0)
    for number in (3, 1, 2):
        path = spool / f"sealed{number}"
        path.write_bytes(bytes(100))
        kept.add(f"2026/01/0{number}/r{number}.flac", str(path))
        os.utime(path, (1000.0 + number, 1000.0 + number))
        path.unlink()

    def room(folder: Path) -> Space:
        """A hundred bytes more for each that has gone."""
        left = sum(path.is_file() for path in (spool / "kept").rglob("*"))
        return Space(1000 - 100 * left, 1000)

    monkeypatch.setattr(keeping, "space", room)
    assert kept.let_go(2000.0, 850) == 2
    assert [kept.find(f"2026/01/0{n}/r{n}.flac") is None for n in (1, 2, 3)] == [True, True, False]
    assert kept.let_go(2000.0, 5000) == 1
    assert kept.let_go(2000.0, 5000) == 0
    assert list(scan(spool)) == ["unstored"]


def test_what_was_sealed_in_memory_is_not_kept(tmp_path):
    kept = Kept((tmp_path,), 24.0)
    kept.add("r1.flac", "/proc/self/fd/1")
    kept.add("r1.flac", "/elsewhere/r1.flac")
    assert kept.find("r1.flac") is None
