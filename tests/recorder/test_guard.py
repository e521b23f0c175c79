"""The daily proof and the rotation of keys."""

from __future__ import annotations

import asyncio
import base64
import errno
import os

import pytest
from spooled_call import spool_call

from recorder.events import GuardChecked, Stored
from recorder.io import guard, warden
from recorder.io.kms import KeySettings
from recorder.io.objects import StoreError
from recorder.io.rotation import NoKey, rotate

OLD, NEW = (base64.b64encode(letter * 32).decode() for letter in (b"o", b"n"))


async def stored(house, count: int, **options):
    keeper = house.keeper(guard_per_day=0, **options)
    await keeper.start()
    for number in range(count):
        spool_call(house.spool, f"r{number}", 50, started_ms=1_750_000_000_000 + number * 60_000)
        keeper.finish(f"r{number}", {})
    await house.wait(Stored, count)
    return keeper


async def test_a_recording_at_random_is_fetched_and_played(house):
    keeper = await stored(house, 3, keys=KeySettings(OLD))
    proved = {(await keeper.warden.prove_one()).recording for _ in range(40)}
    assert proved == {"r0", "r1", "r2"}
    assert (keeper.warden.played, keeper.warden.failed) == (40, 0)
    (file,) = house.store.rglob("r1.flac.enc")
    file.chmod(0o640)
    file.write_bytes(file.read_bytes()[:-1] + b"X")
    while (found := await keeper.warden.prove_one()).recording != "r1":
        pass
    assert "was changed" in found.why
    assert keeper.warden.failed == 1
    assert any("r1 does not play" in alert for alert in keeper.status().alerts)
    await house.until(lambda: GuardChecked("r1", found.why, found.seconds) in house.told)
    assert await keeper.run(lambda: None) is None


def broken(*_):
    raise OSError(errno.EIO, os.strerror(errno.EIO))


async def test_a_sector_that_cannot_be_read_is_an_alert_about_its_recording(house):
    keeper = await stored(house, 1)
    key = keeper._vault.index.get("r0").key

    (house.store / key).unlink()
    (house.store / key).symlink_to("/proc/self/mem")  # of which nothing at 0 can be read: EIO
    found = await keeper.warden.prove_one()
    assert f"cannot read {key}: Input/output error" in found.why
    assert any("r0 does not play" in alert for alert in keeper.status().alerts)
    (problem, *_) = (await keeper.verify()).problems
    assert "Input/output error" in problem.why
    for start, stop in [(0, None), (0, 10)]:
        with (
            pytest.raises(StoreError) as caught,
            keeper._vault.store.open(key, start, stop) as file,
        ):
            file.read()
        assert not caught.value.store_away


async def test_the_guard_outlives_a_machine_in_trouble(house, monkeypatch):
    keeper = await stored(house, 1)
    monkeypatch.setattr(warden, "DAY_SECONDS", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(guard.tempfile, "TemporaryFile", broken)
        guarding = asyncio.create_task(keeper.warden.guard(1.0))
        told = "no recording could be proved: Input/output error"
        await house.until(lambda: told in keeper.status().alerts or guarding.done())
    await house.wait(GuardChecked)
    assert not any(told in alert for alert in keeper.status().alerts)
    guarding.cancel()


async def test_an_empty_index_has_nothing_to_prove(house):
    assert await (await stored(house, 0)).warden.prove_one() is None


async def test_keys_are_rotated_without_touching_the_audio(house):
    await stored(house, 2, keys=KeySettings(OLD))
    audio = {file: file.read_bytes() for file in house.store.rglob("*.enc")}
    both = house.keeper(keys=KeySettings(NEW, (OLD,)))
    assert rotate(both._vault).rewrapped == 2
    assert rotate(both._vault).rewrapped == 0
    assert {file: file.read_bytes() for file in house.store.rglob("*.enc")} == audio
    only_new = house.keeper(keys=KeySettings(NEW))
    assert (await only_new.verify()).ok
    only_old = house.keeper(keys=KeySettings(OLD))
    lost = rotate(only_old._vault)
    assert len(lost.problems) == 2
    assert "is not here" in lost.problems[0].why
    with pytest.raises(NoKey, match=r"recordings\.key is empty"):
        rotate(house.keeper()._vault)
