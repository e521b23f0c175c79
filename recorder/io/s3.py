"""S3 as the store: AWS, and everything that speaks its interface."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from recorder.io.objects import NO_TERMS, ObjectMissing, Stat, StoreError, Terms, WrongHash

PART_BYTES = 8 << 20

ADVICE = {
    "NoSuchBucket": "there is no such bucket: create it, or correct recordings.store",
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
    "404": "there is no such bucket: create it, or correct recordings.store",
    "301": "the bucket lies in another region: check recordings.region",
}
MISSING = {"404", "NoSuchKey", "NotFound"}


@dataclass(frozen=True, slots=True)
class S3Settings:
    """`endpoint` empty means AWS; keys empty means boto3's own chain (environment, role, ...)."""

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    region: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    part_bytes: int = PART_BYTES
    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 30.0
    attempts: int = 3


class S3Store:
    """Uploads carry a checksum the store must agree with, and are asked for again afterwards."""

    def __init__(self, settings: S3Settings) -> None:
        self.settings = settings
        self.prefix = settings.prefix.strip("/")
        self.url = f"s3://{settings.bucket}" + (f"/{self.prefix}" if self.prefix else "")
        self._client = _client(settings)

    def __repr__(self) -> str:
        return f"S3Store({self.where})"

    @property
    def where(self) -> str:
        return f"{self.url} at {self.settings.endpoint or 'AWS'}"

    def put(
        self,
        key: str,
        path: str | Path,
        sha256: str,
        content_type: str,
        terms: Terms = NO_TERMS,
    ) -> None:
        name = self._name(key)
        size = os.stat(path).st_size
        common = {
            "Bucket": self.settings.bucket,
            "Key": name,
            "ContentType": content_type,
            "Metadata": {"sha256": sha256},
        }
        with self._named(f"put {key}"), open(path, "rb") as file:
            if size > self.settings.part_bytes:
                self._put_parts(file, common, sha256)
            else:
                self._put_whole(file.read(), common, sha256)
        self._confirm(key, size, sha256)

    def open(self, key: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        if stop is not None and stop <= start:
            return io.BytesIO()
        ranged = {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
        try:
            with self._named(f"get {key}", key):
                answer = self._client.get_object(
                    Bucket=self.settings.bucket,
                    Key=self._name(key),
                    **(ranged if start or stop is not None else {}),
                )
        except _PastTheEnd:
            return io.BytesIO()
        return cast(BinaryIO, _Body(answer["Body"], self, key))

    def stat(self, key: str) -> Stat | None:
        try:
            with self._named(f"head {key}", key):
                head = self._client.head_object(Bucket=self.settings.bucket, Key=self._name(key))
        except ObjectMissing:
            return None
        return Stat(int(head["ContentLength"]), head.get("Metadata", {}).get("sha256", ""))

    def local_path(self, key: str) -> Path | None:
        return None

    def probe(self) -> None:
        with self._named("head bucket"):
            self._client.head_bucket(Bucket=self.settings.bucket)

    def _name(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    def _put_whole(self, data: bytes, common: dict[str, Any], sha256: str) -> None:
        _same(sha256, hashlib.sha256(data).hexdigest(), "the file changed while it was read")
        md5 = _md5(data)
        self._client.put_object(Body=data, ContentMD5=b64encode(md5).decode(), **common)

    def _put_parts(self, file: BinaryIO, common: dict[str, Any], sha256: str) -> None:
        where = {"Bucket": common["Bucket"], "Key": common["Key"]}
        upload = self._client.create_multipart_upload(**common)["UploadId"]
        digest = hashlib.sha256()
        parts = []
        try:
            for number, data in enumerate(_pieces(file, self.settings.part_bytes), 1):
                digest.update(data)
                answer = self._client.upload_part(
                    Body=data,
                    PartNumber=number,
                    UploadId=upload,
                    ContentMD5=b64encode(_md5(data)).decode(),
                    **where,
                )
                parts.append({"PartNumber": number, "ETag": answer["ETag"]})
            _same(sha256, digest.hexdigest(), "the file changed while it was read")
            self._client.complete_multipart_upload(
                UploadId=upload, MultipartUpload={"Parts": parts}, **where
            )
        except BaseException:
            # Parts that nobody completes are paid for; if this fails too, the bucket's rule for
            # stale multiparts takes them.
            with contextlib.suppress(Exception):
                self._client.abort_multipart_upload(UploadId=upload, **where)
            raise

    def _confirm(self, key: str, size: int, sha256: str) -> None:
        stat = self.stat(key)
        if stat is None:
            raise WrongHash(f"{self.where}: {key} is not there after its upload; it is tried again")
        if (stat.size, stat.sha256) != (size, sha256):
            raise WrongHash(
                f"{self.where}: {key} has {stat.size} bytes of sha256 {stat.sha256 or 'unknown'}, "
                f"not {size} of {sha256}; it is uploaded again"
            )

    @contextlib.contextmanager
    def _named(self, doing: str, key: str = "") -> Iterator[None]:
        """Whatever boto3 raises becomes a StoreError that says where and what to do."""
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
        code = str(error.response.get("Error", {}).get("Code", "unknown"))
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if key and code in MISSING:
            return ObjectMissing(f"{self.where}: there is no {key}")
        if code == "InvalidRange":
            return _PastTheEnd(f"{self.where}: {key} is shorter than that", store_away=False)
        why = ADVICE.get(code)
        if why is None:
            why = "the store is in trouble; it is tried again" if status >= 500 else "refused"
        away = code not in ("BadDigest", "EntityTooLarge", "InvalidDigest", "NoSuchUpload")
        return StoreError(f"{self.where}: cannot {doing}: {why} ({code}, HTTP {status})", away)


class _PastTheEnd(StoreError):
    """A range that begins behind the last byte; a file gives no bytes then, and so do we."""


class _Body(io.RawIOBase):
    """boto3's body as a file whose errors are ours."""

    def __init__(self, body: Any, store: S3Store, key: str) -> None:
        self._body = body
        self._store = store
        self._key = key

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        from urllib3.exceptions import HTTPError

        try:
            with self._store._named(f"get {self._key}"):
                return bytes(self._body.read(None if size < 0 else size))
        except HTTPError as error:
            raise StoreError(
                f"{self._store.where}: {self._key} broke off: {type(error).__name__}"
            ) from None

    def close(self) -> None:
        self._body.close()
        super().close()


def _client(settings: S3Settings) -> Any:
    if bool(settings.access_key) != bool(settings.secret_key):
        raise ValueError("recordings.access_key and recordings.secret_key go together")
    import boto3
    from botocore.config import Config

    own = bool(settings.endpoint)
    config = Config(
        connect_timeout=settings.connect_timeout_seconds,
        read_timeout=settings.read_timeout_seconds,
        # "standard" backs off exponentially with jitter; the keeper's own back-off comes after it.
        retries={"mode": "standard", "total_max_attempts": settings.attempts},
        s3={"addressing_style": "path" if own else "auto"},
        # Clouds beside AWS often know none of the newer checksum trailers; MD5 they all check.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        max_pool_connections=16,
    )
    session = boto3.session.Session()
    return session.client(
        "s3",
        endpoint_url=settings.endpoint or None,
        region_name=settings.region or session.region_name or "us-east-1",
        aws_access_key_id=settings.access_key or None,
        aws_secret_access_key=settings.secret_key or None,
        config=config,
    )


def _unreachable(name: str) -> str:
    if "Credentials" in name:
        return "no keys: set recordings.access_key and recordings.secret_key"
    if "SSL" in name:
        return f"its certificate is not trusted ({name}): check recordings.endpoint"
    return f"it does not answer ({name}): check recordings.endpoint and the network"


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    while data := file.read(size):
        yield data


def _md5(data: bytes) -> bytes:
    """What S3 calls Content-MD5: a guard against damage on the way, not a signature."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def _same(wanted: str, found: str, why: str) -> None:
    if wanted != found:
        raise WrongHash(f"sha256 {found} instead of {wanted}: {why}")
