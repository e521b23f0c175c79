"""A store that misbehaves: every recording ends stored and whole, or in the spool with an alert."""

from __future__ import annotations

import hashlib
import os
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from s3_house import store_of
from spooled_call import STARTED_MS, spool_call

from recorder.custody import Event
from recorder.events import Stored
from recorder.io import s3
from recorder.io import vault as vaults
from recorder.io.audit import retention
from recorder.io.custody import CustodyBook
from recorder.io.encoding import FLAC
from recorder.io.kms import KeySettings
from recorder.io.objects import Terms
from recorder.io.reader import fetch_manifest
from recorder.io.rotation import rotate
from recorder.io.s3_rules import EXPIRES, Wanted, rules
from recorder.io.s3_upload import Progress, _read
from recorder.io.sealing import Sealed
from recorder.io.segments import scan
from recorder.io.store import StoreError, WrongHash
from recorder.manifest import DAY_MS, manifest_key
from tests.peers.fault_proxy import refusal

PART = 5 << 20
OTHER_KEY = "b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyb3Q="
KEY = "a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2V5a2U="


def untagging(store, monkeypatch) -> None:
    """Moto fails where a set of tags is empty."""
    tag = store._client.put_object_tagging

    def tagged(Tagging, **named):
        if not Tagging["TagSet"]:
            return store._client.delete_object_tagging(**named)
        return tag(Tagging=Tagging, **named)

    monkeypatch.setattr(store._client, "put_object_tagging", tagged)


def cut(proxy, bucket):
    proxy.cut_after = 5_000


def damaged(proxy, bucket):
    proxy.up = (b"fLaC", b"fLaX")


def slow(proxy, bucket):
    proxy.delay_seconds = 1.5


def unavailable(proxy, bucket):
    proxy.answer = refusal(503, "SlowDown")


def forbidden(proxy, bucket):
    proxy.answer = refusal(403, "AccessDenied")


def refused(proxy, bucket):
    proxy.refuses = True


def wrong_hash(proxy, bucket):
    proxy.down = (rb"(x-amz-meta-sha256: )[0-9a-f]{8}", rb"\1badbadba")


def bucket_gone(proxy, bucket):
    bucket[1].delete_bucket(Bucket=bucket[0])


FAULTS = [cut, damaged, slow, unavailable, forbidden, refused, wrong_hash, bucket_gone]


@pytest.mark.parametrize(
    ("fault", "key"),
    [*((fault, "") for fault in FAULTS), (cut, KEY), (wrong_hash, KEY)],
    ids=lambda value: "encrypted" if value == KEY else getattr(value, "__name__", "clear"),
)
async def test_a_fault_delays_a_recording_and_nothing_else(house, proxy, bucket, fault, key):
    store = store_of(proxy, bucket[0])
    keeper = house.keeper(store, keys=KeySettings(key))
    await keeper.start()
    fault(proxy, bucket)
    spool_call(house.spool, "r1", 250)
    keeper.finish("r1", {"agent": "8001"})
    # Delayed, or not even tried because the keeper's own probe met the fault first.
    await house.until(lambda: keeper.status().alerts)
    assert set(scan(house.spool)) == {"r1"}
    assert keeper.status().stored == 0
    proxy.heal()
    if fault is bucket_gone:
        bucket[1].create_bucket(Bucket=bucket[0])
    await house.wait(Stored)
    assert scan(house.spool) == {}
    assert (await keeper.verify()).ok
    await house.until(lambda: "store" not in keeper._whys)


async def test_a_wrong_checksum_in_the_answer_is_settled_by_reading_back(house, proxy, bucket):
    """Stores that encrypt give other ETags than MD5: then what they hold is what counts."""
    proxy.down = (rb'(ETag: "|etag: ")[0-9a-f]{8}', rb"\1badbadba")
    keeper = house.keeper(store_of(proxy, bucket[0]))
    await keeper.start()
    spool_call(house.spool, "r1", 250)
    keeper.finish("r1", {})
    await house.wait(Stored)
    assert (await keeper.verify()).ok


def test_a_long_upload_goes_on_where_the_network_was_cut(proxy, bucket, tmp_path):
    store = store_of(proxy, bucket[0], part_bytes=PART, read_timeout_seconds=10.0)
    data = os.urandom(3 * PART + 1000)
    (tmp_path / "long").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    terms = Terms(progress=tmp_path / "uploads" / "r1.parts.json")
    proxy.cut_after = PART + PART // 2
    with pytest.raises(StoreError):
        store.put("long.flac", tmp_path / "long", sha256, "audio/flac", terms)
    noted = _read(terms.progress)
    assert isinstance(noted, Progress)
    assert len(noted.parts) == 1
    proxy.heal()
    before = proxy.bytes_up
    again = store_of(proxy, bucket[0], part_bytes=PART, read_timeout_seconds=10.0)
    again.put("long.flac", tmp_path / "long", sha256, "audio/flac", terms)
    assert 2 * PART < proxy.bytes_up - before < 2 * PART + 100_000
    assert again.holds("long.flac", tmp_path / "long", sha256)
    assert not terms.progress.exists()
    assert "Uploads" not in bucket[1].list_multipart_uploads(Bucket=bucket[0])


@pytest.mark.parametrize(
    ("outage_hours", "goes_on"), [(3, True), (30, False)], ids=["hours", "a day and more"]
)
async def test_object_manifest_and_index_agree_on_the_date(
    house, proxy, bucket, tmp_path, monkeypatch, outage_hours, goes_on
):
    """A long upload that broke off has its date since it was begun."""
    store = store_of(proxy, bucket[0], part_bytes=PART, read_timeout_seconds=10.0)
    vault = house.keeper(store)._vault
    sealed = tmp_path / "long.flac"
    sealed.write_bytes(os.urandom(2 * PART))
    sha256 = hashlib.sha256(sealed.read_bytes()).hexdigest()
    until_ms = STARTED_MS + 1000 + 400 * DAY_MS  # the keeper's 366 days, and a store away since
    whole = Sealed(str(sealed), 2 * PART, sha256, 8000, STARTED_MS, {}, (), FLAC)

    def now(at_ms):
        monkeypatch.setattr(vaults, "time", SimpleNamespace(time=lambda: at_ms / 1000))

    now(until_ms)
    proxy.cut_after = PART + PART // 2
    with pytest.raises(StoreError):
        vault._store("r1", whole, {})
    proxy.heal()
    before = proxy.bytes_up
    now(until_ms + outage_hours * 3_600_000)
    entry = vault._store("r1", whole, {})
    assert (proxy.bytes_up - before < 2 * PART) is goes_on
    begun_ms = until_ms if goes_on else until_ms + outage_hours * 3_600_000
    assert entry.retain_until_ms == begun_ms + 366 * DAY_MS
    assert store.protection(entry.key).noted_until_ms == entry.retain_until_ms
    assert fetch_manifest(store, entry.key).retain_until_ms == entry.retain_until_ms
    assert list(retention(entry, store)) == []


def test_an_upload_that_the_store_forgot_begins_anew(proxy, bucket, tmp_path):
    store = store_of(proxy, bucket[0], part_bytes=PART, read_timeout_seconds=10.0)
    data = os.urandom(2 * PART)
    (tmp_path / "long").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    terms = Terms(progress=tmp_path / "r1.parts.json")
    proxy.cut_after = PART + PART // 2
    with pytest.raises(StoreError):
        store.put("long.flac", tmp_path / "long", sha256, "audio/flac", terms)
    upload = _read(terms.progress).upload
    bucket[1].abort_multipart_upload(Bucket=bucket[0], Key="calls/long.flac", UploadId=upload)
    proxy.heal()
    store.put("long.flac", tmp_path / "long", sha256, "audio/flac", terms)
    assert store.holds("long.flac", tmp_path / "long", sha256)


@pytest.mark.parametrize("checksum", ["md5", "sha256", "none"])
def test_each_checksum_is_taken_and_what_is_wrong_is_found(proxy, bucket, tmp_path, checksum):
    store = store_of(proxy, bucket[0], checksum=checksum)
    data = b"fLaC" + os.urandom(1000)
    (tmp_path / "o").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    damaged(proxy, bucket)
    with pytest.raises((WrongHash, StoreError)):
        store.put("o.flac", tmp_path / "o", sha256, "audio/flac")
    proxy.heal()
    store.put("o.flac", tmp_path / "o", sha256, "audio/flac")
    assert store.holds("o.flac", tmp_path / "o", sha256)


def test_a_hold_is_good_where_no_rule_deletes_what_has_no_tag(proxy, bucket, tmp_path, monkeypatch):
    store = store_of(proxy, bucket[0])
    untagging(store, monkeypatch)
    (tmp_path / "o").write_bytes(b"x")
    store.put("a.flac", tmp_path / "o", hashlib.sha256(b"x").hexdigest(), "audio/flac")

    def rule(*, tagged):
        ours = rules("calls/", Wanted(366), locked=False, tagged=tagged)
        bucket[1].put_bucket_lifecycle_configuration(
            Bucket=bucket[0], LifecycleConfiguration={"Rules": ours}
        )

    assert store.hold("a.flac", True)
    rule(tagged=True)
    assert store.hold("a.flac", True)
    rule(tagged=False)
    assert not store.hold("a.flac", True)
    proxy.answer = refusal(403, "AccessDenied")
    assert not store.hold("a.flac", True)


async def test_a_rotated_manifest_stays_held_and_may_be_past_its_date(
    house, proxy, bucket, monkeypatch
):
    """Put again it is a new version: with the tag of expiry, and with no hold of its own."""
    name, client = bucket
    locked = f"{name}-locked"
    client.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)
    store = store_of(proxy, locked)
    untagging(store, monkeypatch)
    monkeypatch.setattr(store, "locks", lambda: True)  # moto locks objects and does not tell
    keeper = house.keeper(store, keys=KeySettings(KEY))
    await keeper.start()
    for recording in ("held", "free"):
        spool_call(house.spool, recording, 50)
        keeper.finish(recording, {})
    await house.wait(Stored, 2)
    vault, after_ms = keeper._vault, STARTED_MS + 3000 * DAY_MS
    entries = {entry.recording: entry for entry in vault.index.all()}
    keys = {recording: manifest_key(entry.key) for recording, entry in entries.items()}
    event = Event("hold", "li", STARTED_MS, "court order 17")
    book = CustodyBook(vault.index.database, store)
    book.record(book.of(entries["held"]), event)

    def tags(recording):
        named = {"Bucket": locked, "Key": f"calls/{keys[recording]}"}
        return client.get_object_tagging(**named)["TagSet"]

    monkeypatch.setattr(s3, "time", SimpleNamespace(time=lambda: after_ms / 1000))
    rotating = house.keeper(store, keys=KeySettings(OTHER_KEY, (KEY,)))._vault
    for rewrapped in (2, 0):
        done = rotate(rotating)
        assert (done.rewrapped, done.problems) == (rewrapped, [])
        assert store.protection(keys["held"]).held
        assert not store.protection(keys["free"]).held
        assert (tags("held"), tags("free")) == ([], [EXPIRES])
        # The date is past by the machine's clock: it is locked for a moment, and taken.
        assert store.protection(keys["free"]).locked_until_ms == after_ms + s3.LEAST_LOCK_MS
        store.hold(keys["held"], False)  # as if the first had ended before it held it again


def test_a_store_without_tags_is_asked_once(proxy, bucket, tmp_path, monkeypatch):
    store = store_of(proxy, bucket[0])
    put = store._client.put_object
    asked = []

    def tagless(**arguments):
        asked.append("Tagging" in arguments)
        if asked[-1]:
            error = {"Error": {"Code": "NotImplemented"}}
            raise ClientError(error | {"ResponseMetadata": {"HTTPStatusCode": 501}}, "PutObject")
        return put(**arguments)

    monkeypatch.setattr(store._client, "put_object", tagless)
    (tmp_path / "o").write_bytes(b"x")
    sha256 = hashlib.sha256(b"x").hexdigest()
    for key in ("a.flac", "b.flac"):
        store.put(key, tmp_path / "o", sha256, "audio/flac", Terms(4_000_000_000_000))
    assert asked == [True, False, False]
