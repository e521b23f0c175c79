"""S3 as the store: AWS, and everything that speaks its interface."""

from __future__ import annotations

import datetime
import email.utils
import io
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from recorder.io.objects import (
    NO_TERMS,
    Abilities,
    ObjectMissing,
    Protection,
    Stat,
    StillKept,
    StoreError,
    Terms,
    WrongHash,
    sha256_of,
)
from recorder.io.s3_bucket import Bucket
from recorder.io.s3_client import Errors, NotThere, PastTheEnd, S3Settings, make_client
from recorder.io.s3_rules import EXPIRES
from recorder.io.s3_upload import Upload, Uploader

__all__ = ["S3Settings", "S3Store"]

ASK_AGAIN_SECONDS = 3600.0
LEAST_LOCK_MS = 3_600_000  # more than our clock and the store's may differ by
UNTIL = "retain-until-ms"  # our own ledger of retention: the object's metadata


class S3Store:
    """Uploads carry a checksum the store must agree with, and are asked for again afterwards."""

    def __init__(self, settings: S3Settings) -> None:
        self.settings = settings
        self.prefix = settings.prefix.strip("/")
        self.url = f"s3://{settings.bucket}" + (f"/{self.prefix}" if self.prefix else "")
        self._client = make_client(settings)
        self._errors = Errors(self.where)
        self._uploader = Uploader(self._client, settings, self._errors)
        self.bucket = Bucket(self._client, settings, self._errors)
        self._finding = threading.Lock()
        self._locks = False
        self._ask_again = 0.0

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
        arguments = {"ContentType": content_type, **self._kept(sha256, terms)}
        upload = Upload(self._name(key), path, sha256, arguments, terms)
        try:
            etag = self._uploader.send(upload)
        except NotThere:
            if "Tagging" not in arguments:
                raise
            self.bucket.tags_objects = False  # then its rule of expiry goes without tags
            del arguments["Tagging"]
            etag = self._uploader.send(upload)
        self._confirm(key, path, sha256, etag)

    def holds(self, key: str, path: str | Path, sha256: str) -> bool:
        try:
            self._confirm(key, path, sha256)
        except WrongHash:
            return False
        return True

    def open(self, key: str, start: int = 0, stop: int | None = None) -> BinaryIO:
        if stop is not None and stop <= start:
            return io.BytesIO()
        ranged = {"Range": f"bytes={start}-{'' if stop is None else stop - 1}"}
        try:
            with self._errors.named(f"get {key}", key):
                answer = self._client.get_object(
                    **self._at(key), **(ranged if start or stop is not None else {})
                )
        except PastTheEnd:
            return io.BytesIO()
        return cast(BinaryIO, _Body(answer["Body"], self._errors, key))

    def stat(self, key: str) -> Stat | None:
        head = self._head(key)
        if head is None:
            return None
        return Stat(int(head["ContentLength"]), head.get("Metadata", {}).get("sha256", ""))

    def local_path(self, key: str) -> Path | None:
        return None

    def probe(self) -> None:
        with self._errors.named("head bucket"):
            self._client.head_bucket(Bucket=self.settings.bucket)

    def listed(self, prefix: str = "") -> Iterator[str]:
        """In the order of their names."""
        skip = len(self._name(""))
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self.settings.bucket, Prefix=self._name(prefix)
        )
        with self._errors.named("list the bucket"):
            for page in pages:
                names = (one["Key"][skip:] for one in page.get("Contents", ()))
                yield from (name for name in names if not name.startswith("."))

    def protection(self, key: str) -> Protection | None:
        head = self._head(key)
        return None if head is None else self._protection(head)

    def _protection(self, head: Any) -> Protection:
        noted = head.get("Metadata", {}).get(UNTIL, "0")
        locked = head.get("ObjectLockRetainUntilDate")
        return Protection(
            noted_until_ms=int(noted) if noted.isdecimal() else 0,
            locked_until_ms=int(locked.timestamp() * 1000) if locked else 0,
            mode=str(head.get("ObjectLockMode", "")).lower(),
            held=head.get("ObjectLockLegalHoldStatus") == "ON",
            store_ms=_date_of(head),
        )

    def hold(self, key: str, held: bool) -> bool:
        """Its legal hold, and out of its rule of expiry; False: the store can do neither.

        The hold comes first, also when it ends: once the rule may take the object, a hold that
        is still on it cannot be reached under the rule's mark any more.
        """
        done = False
        if self.locks():
            status = {"Status": "ON" if held else "OFF"}
            refused = self.bucket.attempt(
                "hold an object", "put_object_legal_hold", LegalHold=status, **self._at(key)
            )
            done = not refused
            if refused and not held:
                return False
        tags = [] if held else [EXPIRES]
        refused = self.bucket.attempt(
            "tag an object", "put_object_tagging", Tagging={"TagSet": tags}, **self._at(key)
        )
        return done or (not refused and self.bucket.spares_untagged())

    def delete(self, key: str, now_ms: int) -> None:
        """All versions of it, those under a rule's mark as well; both clocks past the date."""
        named = self._at(key)
        with self._errors.named(f"delete {key}", key):
            versions, marks = self._versions(named)
            head = self._head(key)
            if head is None and versions:  # a rule of expiry has put its mark on it
                head = self._client.head_object(VersionId=versions[0], **named)
            if head is None:
                return
            self._protection(head).check(f"{self.where}: {key}", now_ms)
            for version in (*versions, *marks):
                self._client.delete_object(VersionId=version, **named)
        if self.stat(key) is not None:
            raise StillKept(f"{self.where}: {key} is there after its deletion")

    def _versions(self, named: dict[str, str]) -> tuple[list[str], list[str]]:
        """An object's versions, the newest first, and the marks of deletion that are on it."""
        pages = self._client.get_paginator("list_object_versions").paginate(
            Bucket=named["Bucket"], Prefix=named["Key"]
        )
        versions: list[str] = []
        marks: list[str] = []
        for page in pages:
            for kind, into in (("Versions", versions), ("DeleteMarkers", marks)):
                found = (one for one in page.get(kind, ()) if one["Key"] == named["Key"])
                into += [one["VersionId"] for one in found]
        return versions, marks

    def abilities(self) -> Abilities:
        return self.bucket.abilities()

    def _name(self, key: str) -> str:
        return f"{self.prefix}/{key}" if self.prefix else key

    def _at(self, key: str) -> dict[str, str]:
        return {"Bucket": self.settings.bucket, "Key": self._name(key)}

    def _head(self, key: str) -> Any:
        try:
            with self._errors.named(f"head {key}", key):
                return self._client.head_object(**self._at(key))
        except ObjectMissing:
            return None

    def _kept(self, sha256: str, terms: Terms) -> dict[str, Any]:
        """What keeps the object: our note, the tag it expires by, the lock where there is one."""
        kept: dict[str, Any] = {"Metadata": {"sha256": sha256}}
        if self.settings.sse:
            kept["ServerSideEncryption"] = self.settings.sse
            if self.settings.sse_key:
                kept["SSEKMSKeyId"] = self.settings.sse_key
        if terms.retain_until_ms:
            kept["Metadata"][UNTIL] = str(terms.retain_until_ms)
            if self.bucket.tags_objects:
                kept["Tagging"] = "{Key}={Value}".format_map(EXPIRES)
            if self.locks():
                kept["ObjectLockMode"] = self.settings.object_lock.upper()
                kept["ObjectLockRetainUntilDate"] = _lock_until(terms.retain_until_ms)
        return kept

    def locks(self) -> bool:
        """Whether the bucket locks objects; a no is asked again, for we may not have been let."""
        with self._finding:
            now = time.monotonic()
            if not self._locks and now >= self._ask_again:
                self._locks = bool(self.bucket.lock())
                self._ask_again = now + ASK_AGAIN_SECONDS
            return self._locks

    def _confirm(self, key: str, path: str | Path, sha256: str, etag: str = "") -> None:
        """Size, hash as noted, and the store's own checksum of what it holds; raises WrongHash.

        `etag` is that of these bytes, where it is known already.

        Where its ETag is not what we expect (it encrypts, or it is wrong), all of it is read back.
        """
        size = os.stat(path).st_size
        head = self._head(key)
        if head is None:
            raise WrongHash(f"{self.where}: {key} is not there after its upload; it is tried again")
        found = (int(head["ContentLength"]), head.get("Metadata", {}).get("sha256", ""))
        if found != (size, sha256):
            raise WrongHash(
                f"{self.where}: {key} has {found[0]} bytes of sha256 {found[1] or 'unknown'}, "
                f"not {size} of {sha256}; it is uploaded again"
            )
        told = head.get("ETag", "").strip('"') if self.settings.checksum != "none" else ""
        if told and told == (etag or self._uploader.etag(path)):
            return
        with self.open(key) as file:
            back = sha256_of(file)
        if back != sha256:
            raise WrongHash(
                f"{self.where}: {key} reads back as {back}, not {sha256}; it is uploaded again"
            )


class _Body(io.RawIOBase):
    """boto3's body as a file whose errors are ours."""

    def __init__(self, body: Any, errors: Errors, key: str) -> None:
        self._body = body
        self._errors = errors
        self._key = key

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        from urllib3.exceptions import HTTPError

        try:
            with self._errors.named(f"get {self._key}"):
                return bytes(self._body.read(None if size < 0 else size))
        except HTTPError as error:
            raise StoreError(
                f"{self._errors.where}: {self._key} broke off: {type(error).__name__}"
            ) from None

    def close(self) -> None:
        self._body.close()
        super().close()


def _lock_until(retain_until_ms: int) -> datetime.datetime:
    """A date of the past is refused, and without any the bucket's default locks it for a year."""
    now_ms = int(time.time() * 1000)
    until_ms = retain_until_ms if retain_until_ms > now_ms else now_ms + LEAST_LOCK_MS
    return datetime.datetime.fromtimestamp(until_ms / 1000, datetime.UTC)


def _date_of(head: Any) -> int | None:
    """The store's own clock, from the Date of its answer (RFC 9110 §6.6.1)."""
    date = head.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        return int(email.utils.parsedate_to_datetime(date).timestamp() * 1000)
    except (TypeError, ValueError):
        return None
