"""The stores' promises, on a directory and on a real S3 server of a test library."""

from __future__ import annotations

import hashlib
import io
import socket

import boto3
import pytest
from moto.server import ThreadedMotoServer

from recorder.io import directory
from recorder.io.store import (
    DirectoryStore,
    ObjectMissing,
    S3Settings,
    S3Store,
    StoreError,
    WrongHash,
    open_store,
)

SECRET = "very-secret-key"


@pytest.fixture(scope="module")
def endpoint():
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def s3(endpoint: str, bucket: str = "recordings", **options) -> S3Store:
    settings = {"access_key": "who", "secret_key": SECRET, "attempts": 1, **options}
    return S3Store(S3Settings(bucket, "hotline", endpoint, "us-east-1", **settings))


def make_bucket(endpoint: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="who",
        aws_secret_access_key=SECRET,
    )
    client.create_bucket(Bucket="recordings")
    client.close()


@pytest.fixture(params=["directory", "s3"])
def store(request, tmp_path):
    if request.param == "directory":
        return DirectoryStore(tmp_path / "store")
    endpoint = request.getfixturevalue("endpoint")
    make_bucket(endpoint)
    return s3(endpoint)


def source(tmp_path, data: bytes) -> tuple[str, str]:
    path = tmp_path / "source"
    path.write_bytes(data)
    return str(path), hashlib.sha256(data).hexdigest()


def test_what_was_put_is_there_with_its_hash(store, tmp_path):
    store.probe()
    path, sha256 = source(tmp_path, b"0123456789")
    store.put("2026/01/02/r1.flac", path, sha256, "audio/flac")
    stat = store.stat("2026/01/02/r1.flac")
    assert (stat.size, stat.sha256) == (10, sha256)
    with store.open("2026/01/02/r1.flac") as file:
        assert file.read() == b"0123456789"
    for start, stop, want in [
        (0, 4, b"0123"),
        (3, None, b"3456789"),
        (3, 5, b"34"),
        (4, 4, b""),
        (99, None, b""),
    ]:
        with store.open("2026/01/02/r1.flac", start, stop) as file:
            assert file.read() == want


def test_putting_twice_is_putting_once(store, tmp_path):
    for data in (b"first", b"second", b"second"):
        path, sha256 = source(tmp_path, data)
        store.put("again.flac", path, sha256, "audio/flac")
        with store.open("again.flac") as file:
            assert file.read() == data
        assert store.stat("again.flac").sha256 == sha256


def test_what_is_missing_is_said_to_be_missing(store):
    assert store.stat("no/such.flac") is None
    with pytest.raises(ObjectMissing, match=r"no/such\.flac"):
        store.open("no/such.flac")


def test_a_file_that_is_not_what_it_should_be_is_refused(store, tmp_path):
    path, _ = source(tmp_path, b"damaged on the way")
    with pytest.raises(WrongHash) as caught:
        store.put("r2.flac", path, "0" * 64, "audio/flac")
    assert not caught.value.store_away
    assert store.stat("r2.flac") is None


def test_long_recordings_go_in_parts(endpoint, tmp_path):
    make_bucket(endpoint)
    store = s3(endpoint, part_bytes=5 << 20)
    data = bytes(range(256)) * (12 << 12)  # 12 MiB: two whole parts and a half
    path, sha256 = source(tmp_path, data)
    store.put("long.flac", path, sha256, "audio/flac")
    assert store.stat("long.flac").size == len(data)
    with store.open("long.flac") as file:
        assert hashlib.sha256(file.read()).hexdigest() == sha256
    with pytest.raises(WrongHash):
        store.put("long-wrong.flac", path, "0" * 64, "audio/flac")
    assert store.stat("long-wrong.flac") is None
    assert "Uploads" not in store._client.list_multipart_uploads(Bucket="recordings")


def test_a_store_that_forgets_the_hash_is_not_believed(endpoint, tmp_path, monkeypatch):
    make_bucket(endpoint)
    store = s3(endpoint)
    path, sha256 = source(tmp_path, b"audio")
    head = store._client.head_object
    monkeypatch.setattr(
        store._client, "head_object", lambda **a: {**head(**a), "Metadata": {"sha256": "beef"}}
    )
    with pytest.raises(WrongHash, match="beef"):
        store.put("r3.flac", path, sha256, "audio/flac")


def test_a_missing_bucket_is_named_with_what_to_do(endpoint, tmp_path):
    store = s3(endpoint, bucket="nowhere")
    path, sha256 = source(tmp_path, b"x")
    for attempt in (store.probe, lambda: store.put("k", path, sha256, "audio/flac")):
        with pytest.raises(StoreError) as caught:
            attempt()
        said = str(caught.value)
        assert "s3://nowhere/hotline" in said
        assert endpoint in said
        assert "`callcore recordings init` makes it" in said
        assert caught.value.store_away


def test_nobody_there_is_said_and_no_key_is_shown(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    store = s3(f"http://127.0.0.1:{port}")
    path, sha256 = source(tmp_path, b"x")
    with pytest.raises(StoreError) as caught:
        store.put("k", path, sha256, "audio/flac")
    assert f"http://127.0.0.1:{port}" in str(caught.value)
    assert "check recordings.endpoint" in str(caught.value)
    assert SECRET not in f"{caught.value} {store!r} {store.settings!r}"


@pytest.mark.parametrize(
    ("code", "status", "says", "away"),
    [
        ("AccessDenied", 403, "access denied", True),
        ("SignatureDoesNotMatch", 403, "recordings.secret_key", True),
        ("RequestTimeTooSkewed", 403, "clock", True),
        ("InternalError", 500, "it is tried again", True),
        ("BadDigest", 400, "refused", False),
    ],
)
def test_each_refusal_says_what_to_do(code, status, says, away):
    from botocore.exceptions import ClientError

    store = s3("http://127.0.0.1:9")
    answer = {
        "Error": {"Code": code, "Message": f"key who, secret {SECRET}"},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    with pytest.raises(StoreError, match=says) as caught, store._errors.named("put r1"):
        raise ClientError(answer, "PutObject")
    assert caught.value.store_away is away
    assert SECRET not in str(caught.value)


def test_a_disk_that_rots_while_it_writes_is_not_believed(tmp_path, monkeypatch):
    store = DirectoryStore(tmp_path / "store")
    path, sha256 = source(tmp_path, b"audio" * 1000)
    copy = directory._copy

    def rotten(source, target):
        copy(source, target)
        with open(target, "r+b") as file:
            file.write(b"X")

    monkeypatch.setattr(directory, "_copy", rotten)
    with pytest.raises(WrongHash, match="read back"):
        store.put("r1.flac", path, sha256, "audio/flac")
    assert [p.name for p in (tmp_path / "store").iterdir()] == []


def test_a_folder_that_cannot_be_written_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("in the way")
    store = DirectoryStore(tmp_path / "file")
    path, sha256 = source(tmp_path, b"x")
    for attempt in (store.probe, lambda: store.put("a/b", path, sha256, "audio/flac")):
        with pytest.raises(StoreError, match=r"set recordings\.store"):
            attempt()


@pytest.mark.parametrize("key", ["../x", "a/../../x", "/etc/x", "a//b", ""])
def test_keys_stay_in_the_folder(tmp_path, key):
    with pytest.raises(StoreError, match="is no key"):
        DirectoryStore(tmp_path).stat(key)


def test_stores_are_opened_by_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    opened = open_store("file:recordings")
    assert opened.local_path("a.flac") == tmp_path / "recordings" / "a.flac"
    assert open_store(f"file://{tmp_path}/x").url == f"file:{tmp_path}/x"
    bucket = open_store("s3://bucket/a/b", endpoint="http://127.0.0.1:9")
    assert bucket.url == "s3://bucket/a/b"
    with pytest.raises(ValueError, match="go together"):
        open_store("s3://bucket", secret_key=SECRET)
    for wrong in ("file:", "s3://", "ftp://x/y", "recordings", "file://host/x"):
        with pytest.raises(ValueError, match=r"recordings\.store"):
            open_store(wrong)


def test_a_ranged_read_of_a_directory_closes_its_file(tmp_path):
    store = DirectoryStore(tmp_path)
    path, sha256 = source(tmp_path, b"abc")
    store.put("k", path, sha256, "audio/flac")
    assert isinstance(store.open("k", 0, 1), io.BytesIO)
