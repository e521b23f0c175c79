"""An object that a bucket's rule of expiry has put its mark on: what is under it is still there."""

import hashlib

import boto3
import pytest
from moto.server import ThreadedMotoServer

from recorder.io.objects import StillKept, Terms
from recorder.io.store import S3Settings, S3Store

KEYS = {"access_key": "who", "secret_key": "secret"}
DAY_MS = 86_400_000
BUCKET = "marked"


@pytest.fixture
def store():
    """In a bucket that keeps versions, as `recordings init` sets it up."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="who",
        aws_secret_access_key="secret",
    )
    client.create_bucket(Bucket=BUCKET)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    client.close()
    yield S3Store(S3Settings(BUCKET, "calls", endpoint, "us-east-1", attempts=1, **KEYS))
    server.stop()


def put(store: S3Store, folder, until_ms: int) -> None:
    (folder / "o").write_bytes(b"x")
    sha256 = hashlib.sha256(b"x").hexdigest()
    store.put("a.flac", folder / "o", sha256, "audio/flac", Terms(until_ms))


def left(store: S3Store) -> list[str]:
    found = store._client.list_object_versions(Bucket=BUCKET)
    return [
        one["VersionId"] for kind in ("Versions", "DeleteMarkers") for one in found.get(kind, ())
    ]


def test_what_is_under_the_mark_is_deleted_with_it(store, tmp_path):
    put(store, tmp_path, 1000)
    store._client.delete_object(Bucket=BUCKET, Key="calls/a.flac")  # as the rule does
    assert len(left(store)) == 2
    store.delete("a.flac", 400 * DAY_MS)
    assert left(store) == []


def test_what_is_under_the_mark_is_kept_until_its_date(store, tmp_path):
    put(store, tmp_path, 4_000_000_000_000)
    store._client.delete_object(Bucket=BUCKET, Key="calls/a.flac")
    with pytest.raises(StillKept, match="is kept until"):
        store.delete("a.flac", 400 * DAY_MS)
    assert len(left(store)) == 2


def test_a_hold_ends_before_the_rule_may_take_the_object(store, tmp_path, monkeypatch):
    """Under the rule's mark a hold that is still on cannot be reached any more."""
    put(store, tmp_path, 1000)
    done = []
    monkeypatch.setattr(store, "locks", lambda: True)
    monkeypatch.setattr(
        store.bucket, "attempt", lambda what, call, **named: done.append(call) or ""
    )
    assert store.hold("a.flac", False)
    assert done == ["put_object_legal_hold", "put_object_tagging"]
    done.clear()
    monkeypatch.setattr(
        store.bucket, "attempt", lambda what, call, **named: done.append(call) or "no"
    )
    assert not store.hold("a.flac", False)
    assert done == ["put_object_legal_hold"]
