"""A key management service as the master key, on a test library's server."""

from __future__ import annotations

import socket

import boto3
import pytest
from moto.server import ThreadedMotoServer

from recorder.cipher import Tampered
from recorder.io.kms import KeySettings, open_keys
from recorder.io.store import StoreError


@pytest.fixture
def endpoint(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "who")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def ring(name: str, endpoint: str):
    return open_keys(KeySettings(kms=f"aws:{name}", region="us-east-1", kms_endpoint=endpoint))


def test_the_service_wraps_a_data_key_for_its_recording_alone(endpoint):
    client = boto3.client("kms", endpoint_url=endpoint, region_name="us-east-1")
    name = client.create_key()["KeyMetadata"]["KeyId"]
    keys = ring(name, endpoint)
    assert keys.current.key_id == f"aws:{name}"
    wrapped = keys.current.wrap(b"d" * 32, "r1")
    assert b"d" * 8 not in wrapped
    assert keys.unwrap(f"aws:{name}", wrapped, "r1") == b"d" * 32
    with pytest.raises(Tampered, match="was not wrapped"):
        keys.unwrap(f"aws:{name}", wrapped, "r2")
    with pytest.raises(StoreError, match="cannot encrypt a data key"):
        ring("alias/nobody", endpoint).current.wrap(b"d" * 32, "r1")


def test_an_alias_that_was_given_to_a_new_key_still_opens_what_is_old(endpoint):
    client = boto3.client("kms", endpoint_url=endpoint, region_name="us-east-1")
    old, new = (client.create_key()["KeyMetadata"]["KeyId"] for _ in range(2))
    client.create_alias(AliasName="alias/recordings", TargetKeyId=old)
    keys = ring("alias/recordings", endpoint)
    wrapped = keys.current.wrap(b"d" * 32, "r1")
    client.update_alias(AliasName="alias/recordings", TargetKeyId=new)
    assert keys.unwrap("aws:alias/recordings", wrapped, "r1") == b"d" * 32
    again = keys.current.wrap(b"e" * 32, "r2")
    assert keys.unwrap("aws:alias/recordings", again, "r2") == b"e" * 32


def test_a_service_that_is_away_is_a_store_that_is_away(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "who")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(StoreError, match="does not answer") as caught:
        ring("mine", f"http://127.0.0.1:{port}").current.wrap(b"d" * 32, "r1")
    assert caught.value.store_away
    assert "very-secret" not in str(caught.value)
