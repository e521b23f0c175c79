"""The manifest and the contract's year."""

from __future__ import annotations

import pytest

from recorder.manifest import (
    DAY_MS,
    Manifest,
    Part,
    RetentionError,
    check_retention,
    decode,
    encode,
    iso,
    key_of,
    manifest_key,
    retain_until_ms,
)

STARTED_MS = 1_750_000_000_000


def test_a_year_is_the_least():
    assert check_retention(365) == 365
    for days in (364, 0, -1):
        with pytest.raises(RetentionError, match="at least 365"):
            check_retention(days)
    assert retain_until_ms(STARTED_MS, 366) == STARTED_MS + 366 * DAY_MS


def test_manifests_read_back_as_written():
    manifest = Manifest(
        recording="r1",
        caller="市民",
        started_ms=STARTED_MS,
        ended_ms=STARTED_MS + 1,
        duration_ms=1,
        key="k.flac",
        size=3,
        sha256="ab",
        segments=(Part(number=0, started_ms=STARTED_MS, size=9, frames=1),),
        retention_days=366,
        retain_until_ms=STARTED_MS + 366 * DAY_MS,
        retain_until=iso(STARTED_MS + 366 * DAY_MS),
        extra={"result": "answered"},
    )
    assert decode(encode(manifest)) == manifest


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b'{"recording": 1}', b"\xff"])
def test_other_bytes_are_no_manifest(data):
    with pytest.raises(ValueError):
        decode(data)


def test_keys_go_by_the_day_in_utc():
    key = key_of("r.1", STARTED_MS, ".flac")
    assert key == "2025/06/15/r.1.flac"
    assert manifest_key(key) == "2025/06/15/r.1.json"
    assert iso(STARTED_MS) == "2025-06-15T15:06:40.000Z"
