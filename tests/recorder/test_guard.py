"""The daily proof and the rotation of keys."""

from __future__ import annotations

import base64

import pytest
from spooled_call import spool_call

from recorder.events import GuardChecked, Stored
from recorder.io.kms import KeySettings
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
