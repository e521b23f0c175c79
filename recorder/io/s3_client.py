"""The client of an S3 store: its settings, and its errors in words that say what to do."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from recorder.io.objects import ObjectMissing, StillKept, StoreError

PART_BYTES = 8 << 20

ADVICE = {
    "NoSuchBucket": "there is no such bucket: `callcore recordings init` makes it, "
    "or correct recordings.store",
    "AccessDenied": "access denied: the key needs ListBucket, GetObject and PutObject here",
    "InvalidAccessKeyId": "the access key is unknown there: check recordings.access_key",
    "SignatureDoesNotMatch": "the secret key is wrong: check recordings.secret_key",
    "RequestTimeTooSkewed": "this machine's clock is wrong: set it right (NTP)",
    "QuotaExceeded": "the quota is used up: have it raised",
    "EntityTooLarge": "the store refuses objects of this size",
    "PermanentRedirect": "the bucket lies in another region: check recordings.region",
    "AuthorizationHeaderMalformed": "the region is wrong: check recordings.region",
    "SlowDown": "the store asks us to slow down; it is tried again",
    "403": "access denied: check the keys, and their rights to ListBucket, GetObject and PutObject",
    "404": "there is no such bucket: `callcore recordings init` makes it, "
    "or correct recordings.store",
    "301": "the bucket lies in another region: check recordings.region",
}
MISSING = {"404", "NoSuchKey", "NotFound"}
ONE_OBJECT = {"BadDigest", "EntityTooLarge", "InvalidDigest", "NoSuchUpload", "InvalidPart"}


class UploadGone(StoreError):
    """The store knows nothing of a multipart upload any more: it begins anew."""


class NotThere(StoreError):
    """The store does not know what was asked of it: tags, for one."""


class PastTheEnd(StoreError):
    """A range that begins behind the last byte; a file gives no bytes then, and so do we."""


@dataclass(frozen=True, slots=True)
class S3Settings:
    """`endpoint` empty means AWS; keys empty means boto3's own chain (environment, role, ...)."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    addressing: str = "auto"
    checksum: str = "md5"
    sse: str = ""
    sse_key: str = ""
    object_lock: str = "compliance"
    part_bytes: int = PART_BYTES
    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 30.0
    attempts: int = 3


@dataclass(frozen=True, slots=True)
class Errors:
    """Whatever boto3 raises becomes a StoreError that says where and what to do."""

    where: str

    @contextlib.contextmanager
    def named(self, doing: str, key: str = "") -> Iterator[None]:
        from boto3.exceptions import Boto3Error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            raise self._refused(doing, key, error) from None
        except (BotoCoreError, Boto3Error) as error:
            # The text of some of these holds the request; the class says enough.
            why = _unreachable(type(error).__name__)
            raise StoreError(f"{self.where}: cannot {doing}: {why}") from None
        except OSError as error:
            raise StoreError(f"{self.where}: cannot {doing}: {error.strerror or error}") from error

    def _refused(self, doing: str, key: str, error: Any) -> StoreError:
        code = code_of(error)
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if key and code in MISSING:
            return ObjectMissing(f"{self.where}: there is no {key}")
        if code == "InvalidRange":
            return PastTheEnd(f"{self.where}: {key} is shorter than that", store_away=False)
        if doing.startswith("delete") and code in ("AccessDenied", "ObjectLocked"):
            return StillKept(f"{self.where}: the store does not let {key} be deleted ({code})")
        why = ADVICE.get(code)
        if why is None:
            why = "the store is in trouble; it is tried again" if status >= 500 else "refused"
        kind = {"NoSuchUpload": UploadGone, "NotImplemented": NotThere}.get(code, StoreError)
        told = f"{self.where}: cannot {doing}: {why} ({code}, HTTP {status})"
        return kind(told, store_away=code not in ONE_OBJECT)


def code_of(error: Any) -> str:
    """The store's word for what it refuses."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def make_client(settings: S3Settings) -> Any:
    """boto3's client; connects to nothing yet. Raises ValueError."""
    if bool(settings.access_key) != bool(settings.secret_key):
        raise ValueError("recordings.access_key and recordings.secret_key go together")
    from botocore.config import Config

    addressing = settings.addressing
    if addressing == "auto" and settings.endpoint:
        addressing = "path"
    config = Config(
        connect_timeout=settings.connect_timeout_seconds,
        read_timeout=settings.read_timeout_seconds,
        # "standard" backs off exponentially with jitter; the keeper's own back-off comes after it.
        retries={"mode": "standard", "total_max_attempts": settings.attempts},
        s3={"addressing_style": addressing},
        # Clouds beside AWS often know none of the newer checksum trailers; MD5 they all check.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        max_pool_connections=16,
    )
    session = _session()
    return session.client(
        "s3",
        endpoint_url=settings.endpoint or None,
        region_name=settings.region or session.region_name or "us-east-1",
        aws_access_key_id=settings.access_key or None,
        aws_secret_access_key=settings.secret_key or None,
        config=config,
    )


@functools.cache
def _session() -> Any:
    """Reading what the service can do takes boto3 half a second: once a process is enough."""
    import boto3

    return boto3.session.Session()


def _unreachable(name: str) -> str:
    if "Credentials" in name:
        return "no keys: set recordings.access_key and recordings.secret_key"
    if "SSL" in name:
        return f"its certificate is not trusted ({name}): check recordings.endpoint"
    return f"it does not answer ({name}): check recordings.endpoint and the network"
