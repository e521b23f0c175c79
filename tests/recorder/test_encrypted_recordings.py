"""The keeper with a key: nothing in the clear in the store, everything to be heard."""

from __future__ import annotations

import base64
import errno
import hashlib
import io
import json

import pytest
import soundfile
from spooled_call import spool_call

from recorder.events import Stored
from recorder.io import packing, reader
from recorder.io.kms import KeySettings, open_keys
from recorder.io.reader import PlainFile, Unreadable, fetch_manifest, plain
from recorder.io.store import DirectoryStore, StoreError

KEY = base64.b64encode(b"k" * 32).decode()
OTHER = base64.b64encode(b"o" * 32).decode()


async def kept(house, name: str = "r1", store=None, **options):
    """One recording through a keeper with a key; the keeper and its entry."""
    spool_call(house.spool, name, 250)
    keeper = house.keeper(store, keys=KeySettings(KEY), **options)
    await keeper.start()
    keeper.finish(name, {"agent": "8001"})
    await house.wait(Stored)
    return keeper, await keeper.get(name)


async def test_an_encrypted_recording_is_heard_and_verified(house):
    keeper, entry = await kept(house)
    assert entry.key.endswith(".flac.enc")
    data = (house.store / entry.key).read_bytes()
    assert b"fLaC" not in data
    assert KEY not in (house.store / entry.key.replace(".flac.enc", ".json")).read_text()
    playback = await keeper.read("r1")
    sealed = b"".join(playback.chunks(0, None))
    assert (playback.path, playback.size) == (None, len(sealed))
    assert hashlib.sha256(sealed).hexdigest() == entry.sha256
    assert b"".join(playback.chunks(100, 300)) == sealed[100:300]
    samples, rate = soundfile.read(io.BytesIO(sealed))
    assert (len(samples), rate) == (entry.duration_ms * 8, 8000)
    wav = await keeper.read("r1", "wav")
    assert len(b"".join(wav.chunks(0, None))) == wav.size
    assert (await keeper.verify()).ok
    assert not list((house.spool / "uploads").iterdir())


async def test_a_stretch_reads_its_own_chunks_alone(house, monkeypatch):
    monkeypatch.setattr(reader, "CHUNK_BYTES", 1 << 10)
    _, entry = await kept(house)
    store, keys = DirectoryStore(house.store), open_keys(KeySettings(KEY))
    manifest = fetch_manifest(store, entry.key)
    assert manifest.encryption.chunk_bytes == 1 << 10
    asked = []
    opened = store.open
    monkeypatch.setattr(store, "open", lambda *a: asked.append(a[1:]) or opened(*a))
    sealed = b"".join(plain(store, keys, manifest))
    assert b"".join(plain(store, keys, manifest, 2000, 2100)) == sealed[2000:2100]
    start, stop = asked[-1]
    assert stop - start == 2 * (1024 + 16)
    file = io.BufferedReader(PlainFile(store, keys, manifest))
    samples, _ = soundfile.read(file, start=8000, frames=100)
    whole, _ = soundfile.read(io.BytesIO(sealed))
    assert (samples == whole[8000:8100]).all()


async def test_a_lost_key_and_a_changed_object_are_said(house):
    keeper, entry = await kept(house)
    other = house.keeper(keys=KeySettings(OTHER))
    lost = await other.verify()
    assert len(lost.problems) == 1
    key_id = fetch_manifest(DirectoryStore(house.store), entry.key).key_id
    assert f"r1 was encrypted with the key {key_id}, which is not here" in lost.problems[0].why
    playback = await other.read("r1")
    with pytest.raises(Unreadable, match="old_keys"):
        b"".join(playback.chunks(0, None))
    assert (await house.keeper(keys=KeySettings(OTHER, (KEY,))).verify()).ok
    path = house.store / entry.key
    path.chmod(0o640)
    data = bytearray(path.read_bytes())
    data[200] ^= 1
    path.write_bytes(data)
    (problem,) = (await keeper.verify()).problems
    assert "was changed" in problem.why


async def test_an_upload_that_was_broken_off_goes_on_with_the_same_bytes(house):
    """The store fails after the audio; the second attempt finds it there and sends it no more."""

    puts = []

    class Once(DirectoryStore):
        def put(self, key, path, sha256, *rest):
            puts.append(key)
            if len(puts) == 2:
                raise StoreError("no manifest today")
            super().put(key, path, sha256, *rest)

    store = Once(house.store)
    keeper, entry = await kept(house, store=store)
    manifest = entry.key.replace(".flac.enc", ".json")
    assert puts == [entry.key, manifest, manifest]
    assert (await keeper.verify()).ok
    assert json.loads((house.store / manifest).read_text())["key_id"].startswith("local-")


def test_a_service_of_ones_own_wraps_as_well(monkeypatch):
    ring = open_keys(KeySettings(kms="test_encrypted_recordings:Service"))
    assert ring.current.key_id == "mine"
    for wrong in ("test_encrypted_recordings:House", "nowhere:Service", "json:dumps"):
        with pytest.raises(ValueError, match=r"recordings\.kms"):
            open_keys(KeySettings(kms=wrong))
    assert open_keys(KeySettings(old_keys=(KEY,))).current is None


class Service:
    key_id = "mine"

    def wrap(self, data_key: bytes, context: str) -> bytes:
        return data_key[::-1]

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        return wrapped[::-1]


async def test_a_disk_without_room_for_the_note_keeps_no_recording_on_it(house, monkeypatch):
    def no_room(path, data):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(packing, "replace_file", no_room)
    keeper, entry = await kept(house)
    playback = await keeper.read("r1")
    assert hashlib.sha256(b"".join(playback.chunks(0, None))).hexdigest() == entry.sha256
