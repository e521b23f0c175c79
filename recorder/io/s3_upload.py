"""Uploads to S3: whole or in parts, each checked by the store; long ones go on where they broke.

What the store has of a long upload is noted in a file of ours after each part. Parts are sent again
unless our note, the store's list and the bytes at hand agree on them.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from recorder.io.objects import NO_TERMS, Terms, WrongHash, at_hand
from recorder.io.s3_client import Errors, S3Settings, UploadGone

SHA256 = "ChecksumSHA256"


class Part(msgspec.Struct, frozen=True):
    """A part that the store took: its name for it, the MD5 of our bytes, and their SHA-256."""

    etag: str
    md5: str
    sha256: str = ""


class Progress(msgspec.Struct, frozen=True):
    """A long upload that is under way."""

    bucket: str
    name: str
    sha256: str
    part_bytes: int
    upload: str
    parts: tuple[Part, ...] = ()
    retain_until_ms: int = 0  # as the store was told at the beginning: it hears of no other


@dataclass(frozen=True, slots=True)
class Upload:
    """One object on its way; `arguments` go with its creation, `terms` name its progress' file."""

    name: str
    path: str | Path
    sha256: str
    arguments: dict[str, Any] = field(default_factory=dict)
    terms: Terms = NO_TERMS

    @property
    def note(self) -> Path | None:
        return self.terms.progress


class Uploader:
    """Blocks; raises WrongHash, and StoreError through `errors`."""

    def __init__(self, client: Any, settings: S3Settings, errors: Errors) -> None:
        self._client = client
        self._settings = settings
        self._errors = errors
        self._where = {"Bucket": settings.bucket}

    def send(self, upload: Upload) -> str:
        """The file is read once and hashed once; gives its `etag`."""
        with self._errors.named(f"put {upload.name}"), at_hand(upload.path) as file:
            if os.fstat(file.fileno()).st_size > self._settings.part_bytes:
                return _etag_of_parts(self._send_parts(upload, file))
            return self._send_whole(upload, file.read())

    def etag(self, path: str | Path) -> str:
        """What S3 calls an object of these bytes, unless it encrypts it by a service."""
        size = os.stat(path).st_size
        with open(path, "rb") as file:
            if size <= self._settings.part_bytes:
                return _md5(file.read()).hex()
            return _etag_of_parts([_md5(data) for data in _pieces(file, self._settings.part_bytes)])

    def _send_whole(self, upload: Upload, data: bytes) -> str:
        digest = hashlib.sha256(data)
        _same(upload.sha256, digest.hexdigest())
        md5 = _md5(data)
        self._client.put_object(
            Key=upload.name,
            Body=data,
            **self._checked(data, md5, upload),
            **upload.arguments,
            **self._where,
        )
        return md5.hex()

    def _send_parts(self, upload: Upload, file: BinaryIO) -> list[bytes]:
        """Gives the parts' MD5."""
        progress = self._resumed(upload) or self._begun(upload)
        try:
            sums = self._go_on(upload, progress, file)
        except WrongHash:
            self._abandon(upload, progress)  # the file at hand is another one by now
            raise
        except UploadGone:
            _forget(upload.note)
            raise
        except BaseException:
            # Without a note nobody completes the parts, and they are paid for; if this fails too,
            # the bucket's rule for stale multiparts takes them.
            if upload.note is None:
                self._abandon(upload, progress)
            raise
        _forget(upload.note)
        return sums

    def _go_on(self, upload: Upload, progress: Progress, file: BinaryIO) -> list[bytes]:
        named = {"Key": upload.name, "UploadId": progress.upload, **self._where}
        digest = hashlib.sha256()
        done: list[Part] = []
        for number, data in enumerate(_pieces(file, self._settings.part_bytes), 1):
            digest.update(data)
            md5 = _md5(data)
            known = progress.parts[number - 1] if number <= len(progress.parts) else None
            if known is not None and known.md5 == md5.hex():
                done.append(known)
                continue
            checked = self._checked(data, md5, upload)
            with self._errors.named(f"put part {number} of {upload.name}"):
                answer = self._client.upload_part(Body=data, PartNumber=number, **checked, **named)
            done.append(Part(answer["ETag"], md5.hex(), checked.get(SHA256, "")))
            _write(upload.note, msgspec.structs.replace(progress, parts=tuple(done)))
        _same(upload.sha256, digest.hexdigest())
        parts = [
            {"PartNumber": n, "ETag": part.etag, **({SHA256: part.sha256} if part.sha256 else {})}
            for n, part in enumerate(done, 1)
        ]
        with self._errors.named(f"complete {upload.name}"):
            self._client.complete_multipart_upload(MultipartUpload={"Parts": parts}, **named)
        return [bytes.fromhex(part.md5) for part in done]

    def _begun(self, upload: Upload) -> Progress:
        checked = {"ChecksumAlgorithm": "SHA256"} if self._settings.checksum == "sha256" else {}
        answer = self._client.create_multipart_upload(
            Key=upload.name, **checked, **upload.arguments, **self._where
        )
        progress = Progress(
            self._settings.bucket,
            upload.name,
            upload.sha256,
            self._settings.part_bytes,
            answer["UploadId"],
            retain_until_ms=upload.terms.retain_until_ms,
        )
        _write(upload.note, progress)
        return progress

    def _resumed(self, upload: Upload) -> Progress | None:
        """What is left of an upload that was broken off, as far as the store agrees."""
        noted = _read(upload.note)
        if noted is None or noted.name != upload.name or noted.bucket != self._settings.bucket:
            return None
        same = (noted.sha256, noted.part_bytes) == (upload.sha256, self._settings.part_bytes)
        if not same or noted.retain_until_ms < upload.terms.least_until_ms:
            self._abandon(upload, noted)
            return None
        try:
            with self._errors.named(f"list the parts of {upload.name}"):
                there = self._listed(noted)
        except UploadGone:
            _forget(upload.note)
            return None
        whole = 0
        while whole < len(noted.parts) and there.get(whole + 1) == noted.parts[whole].etag:
            whole += 1
        return msgspec.structs.replace(noted, parts=noted.parts[:whole])

    def _listed(self, noted: Progress) -> dict[int, str]:
        pages = self._client.get_paginator("list_parts").paginate(
            Key=noted.name, UploadId=noted.upload, **self._where
        )
        return {
            part["PartNumber"]: part["ETag"] for page in pages for part in page.get("Parts", [])
        }

    def _abandon(self, upload: Upload, progress: Progress) -> None:
        _forget(upload.note)
        with contextlib.suppress(Exception):
            self._client.abort_multipart_upload(
                Key=progress.name, UploadId=progress.upload, **self._where
            )

    def _checked(self, data: bytes, md5: bytes, upload: Upload) -> dict[str, str]:
        """The checksum that the store must agree with; an object to be locked needs one."""
        if self._settings.checksum == "sha256":
            return {SHA256: b64encode(hashlib.sha256(data).digest()).decode()}
        if self._settings.checksum == "none" and "ObjectLockMode" not in upload.arguments:
            return {}
        return {"ContentMD5": b64encode(md5).decode()}


def _read(note: Path | None) -> Progress | None:
    if note is None:
        return None
    try:
        return msgspec.json.decode(note.read_bytes(), type=Progress)
    except (OSError, ValueError):
        return None


def _write(note: Path | None, progress: Progress) -> None:
    """Lost by a power cut, it costs an upload from the start and nothing else: no fsync."""
    if note is None:
        return
    note.parent.mkdir(exist_ok=True)
    part = note.with_name(note.name + ".part")
    part.write_bytes(msgspec.json.encode(progress))
    os.replace(part, note)


def _forget(note: Path | None) -> None:
    if note is not None:
        note.unlink(missing_ok=True)


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    while data := file.read(size):
        yield data


def _md5(data: bytes) -> bytes:
    """What S3 calls Content-MD5: a guard against damage on the way, not a signature."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def _etag_of_parts(sums: list[bytes]) -> str:
    return f"{_md5(b''.join(sums)).hex()}-{len(sums)}"


def _same(wanted: str, found: str) -> None:
    if wanted != found:
        raise WrongHash(f"sha256 {found} instead of {wanted}: the file changed while it was read")
