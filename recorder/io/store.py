"""Where recordings go for good: `open_store("file:recordings")` or `open_store("s3://bucket/prefix")`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from recorder.io.directory import DirectoryStore
from recorder.io.objects import ObjectMissing, Stat, StillKept, Store, StoreError, WrongHash
from recorder.io.s3 import S3Settings, S3Store
from recorder.io.s3_client import PART_BYTES

__all__ = [
    "DirectoryStore",
    "ObjectMissing",
    "S3Options",
    "S3Settings",
    "S3Store",
    "Stat",
    "StillKept",
    "Store",
    "StoreError",
    "WrongHash",
    "open_store",
]


@dataclass(frozen=True, slots=True)
class S3Options:
    """What of S3Settings is a matter of taste, or of what a cloud can do."""

    addressing: str = "auto"
    checksum: str = "md5"
    sse: str = ""
    sse_key: str = ""
    object_lock: str = "compliance"
    part_bytes: int = PART_BYTES


def open_store(url: str, **options: Any) -> Store:
    """The store of this url; options as in S3Settings. Connects to nothing; raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        path = unquote(parts.path)
        if not path or parts.netloc not in ("", "localhost"):
            raise ValueError(
                f"recordings.store {url!r}: a folder is missing, as in file:recordings"
            )
        return DirectoryStore(path)
    if parts.scheme == "s3":
        if not parts.netloc:
            raise ValueError(f"recordings.store {url!r}: a bucket is missing, as in s3://bucket")
        return S3Store(S3Settings(parts.netloc, parts.path.strip("/"), **options))
    raise ValueError(f"recordings.store {url!r}: allowed are file:folder and s3://bucket/prefix")
