"""An S3 store of a test library behind a proxy whose faults can be turned on."""

from __future__ import annotations

from recorder.io.store import S3Settings, S3Store

KEYS = {"access_key": "who", "secret_key": "secret", "region": "us-east-1"}


def store_of(proxy, bucket, **options) -> S3Store:
    where = {"prefix": "calls", "endpoint": proxy.endpoint}
    settings = {**where, "attempts": 1, "read_timeout_seconds": 5.0, **KEYS, **options}
    return S3Store(S3Settings(bucket, **settings))
