"""Stored recordings as they were sealed, whatever lies in the store: clear or encrypted.

`plain(store, keys, manifest, start, stop)` gives the bytes [start, stop) of the sealed file and
fetches and decrypts no more than the chunks that they lie in. `PlainFile` is the same as a file
that can be sought in, for whoever decodes a stretch of the audio.
"""

from __future__ import annotations

import base64
import binascii
import io
import os
from collections.abc import Iterator
from typing import BinaryIO

from recorder.cipher import (
    CHUNK_BYTES,
    KEY_BYTES,
    PREFIX_BYTES,
    SCHEME,
    Cipher,
    Layout,
    Tampered,
)
from recorder.io.objects import COPY_BYTES, Readable, Store, StoreError
from recorder.keys import KeyLost, KeyRing, MasterKey
from recorder.manifest import Encryption, Manifest, decode, manifest_key


class Unreadable(StoreError):
    """The object is there, and cannot be opened: its key is lost, or it was changed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, store_away=False)


def fetch_manifest(store: Store, key: str) -> Manifest:
    """The manifest of the object `key`; raises StoreError (ObjectMissing, Unreadable)."""
    with store.open(manifest_key(key)) as file:
        data = file.read()
    try:
        return decode(data)
    except ValueError as error:
        raise Unreadable(f"{store.url}: the manifest of {key} cannot be read: {error}") from None


def plain(
    store: Readable, keys: KeyRing, manifest: Manifest, start: int = 0, stop: int | None = None
) -> Iterator[bytes]:
    """Bytes [start, stop) of the sealed recording, in pieces; raises StoreError and Unreadable."""
    stop = manifest.size if stop is None else min(stop, manifest.size)
    if start >= stop:
        return
    if manifest.encryption is None:
        with store.open(manifest.key, start, stop) as file:
            yield from pieces(file)
        return
    layout = Layout(manifest.size, manifest.encryption.chunk_bytes)
    span = layout.span(start, stop)
    skip = start - span.first * layout.chunk_bytes
    left = stop - start
    try:
        cipher = cipher_of(manifest.recording, manifest.key_id, manifest.encryption, keys)
        with store.open(manifest.key, span.start, span.stop) as file:
            for chunk in cipher.opened(layout, span, pieces(file)):
                yield chunk[skip : skip + left]
                left -= len(chunk) - skip
                skip = 0
    except KeyLost as error:
        raise Unreadable(f"{store.url}: {error}") from None
    except Tampered as error:
        raise Unreadable(f"{store.url}: {manifest.key} was changed: {error}") from None


class PlainFile(io.RawIOBase):
    """`plain` as a file to seek in; keeps the chunk that it read last."""

    def __init__(self, store: Store, keys: KeyRing, manifest: Manifest) -> None:
        self._store = store
        self._keys = keys
        self._manifest = manifest
        self._at = 0
        self._held = (0, b"")

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._manifest.size}[whence]
        self._at = max(0, origin + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        begin, data = self._held
        if not begin <= self._at < begin + len(data):
            begin = self._at // CHUNK_BYTES * CHUNK_BYTES
            wanted = max(CHUNK_BYTES, min(len(buffer), COPY_BYTES))
            data = b"".join(plain(self._store, self._keys, self._manifest, begin, begin + wanted))
            self._held = begin, data
        found = data[self._at - begin : self._at - begin + len(buffer)]
        buffer[: len(found)] = found
        self._at += len(found)
        return len(found)


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """The rest of the file."""
    while data := file.read(COPY_BYTES):
        yield data


def cipher_of(recording: str, key_id: str, noted: Encryption, keys: KeyRing) -> Cipher:
    """The cipher of an encrypted recording; raises KeyLost or Tampered."""
    if noted.scheme != SCHEME:
        raise Tampered(f"this version knows no encryption {noted.scheme!r}")
    try:
        wrapped = base64.b64decode(noted.wrapped_key, validate=True)
        prefix = base64.b64decode(noted.nonce_prefix, validate=True)
        key = keys.unwrap(key_id, wrapped, recording)
        return Cipher(key, recording, prefix, noted.chunk_bytes)
    except (binascii.Error, ValueError) as error:
        raise error if isinstance(error, Tampered) else Tampered(str(error)) from None


def new_encryption(master: MasterKey, recording: str) -> Encryption:
    """A fresh data key for one recording, wrapped; what its object comes to is not known yet."""
    return Encryption(
        scheme=SCHEME,
        chunk_bytes=CHUNK_BYTES,
        nonce_prefix=base64.b64encode(os.urandom(PREFIX_BYTES)).decode(),
        wrapped_key=base64.b64encode(master.wrap(os.urandom(KEY_BYTES), recording)).decode(),
    )
