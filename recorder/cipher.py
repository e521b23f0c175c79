"""An encrypted recording: a head of 16 bytes, then chunks of AES-256-GCM that know their place.

    magic(4) chunk_bytes(4) nonce_prefix(7) 0(1)   chunk: ciphertext(chunk_bytes) tag(16)   ...

The STREAM construction (Hoang, Reyhanitabar, Rogaway, Vizár: Online Authenticated-Encryption and
its Nonce-Reuse Misuse-Resistance, CRYPTO 2015): a chunk's nonce is the prefix, its number (4 bytes)
and 1 for the last chunk alone. The recording's name and the head are authenticated with each. So a
chunk that was changed, moved, left out, cut off at the end or taken from another recording does not
open, and any stretch of the recording can be read without the rest of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"\xc0AE\x01"
HEAD = struct.Struct(">4sI7sx")
NONCE = struct.Struct(">7sIB")
SCHEME = "aes-256-gcm-stream"
KEY_BYTES = 32
PREFIX_BYTES = 7
TAG_BYTES = 16
CHUNK_BYTES = 1 << 16


class Tampered(ValueError):
    """Bytes that this key did not encrypt at this place of this recording."""


@dataclass(frozen=True, slots=True)
class Span:
    """The chunks [first, last] that hold a stretch, and the bytes [start, stop) they lie in."""

    first: int
    last: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the chunks of a recording of `size` bytes lie; an empty one has one empty chunk."""

    size: int
    chunk_bytes: int = CHUNK_BYTES

    @property
    def chunks(self) -> int:
        return max(1, -(-self.size // self.chunk_bytes))

    @property
    def stored_bytes(self) -> int:
        return HEAD.size + self.size + self.chunks * TAG_BYTES

    def span(self, start: int, stop: int) -> Span:
        """What must be fetched for the plain bytes [start, stop), which are not none."""
        first = start // self.chunk_bytes
        last = (min(stop, self.size) - 1) // self.chunk_bytes
        whole = self.chunk_bytes + TAG_BYTES
        end = min(HEAD.size + (last + 1) * whole, self.stored_bytes)
        return Span(first, last, HEAD.size + first * whole, end)


class Cipher:
    """Seals and opens the chunks of one recording with its data key; raises Tampered."""

    def __init__(
        self, key: bytes, recording: str, prefix: bytes, chunk_bytes: int = CHUNK_BYTES
    ) -> None:
        if len(key) != KEY_BYTES or len(prefix) != PREFIX_BYTES or not 0 < chunk_bytes < 1 << 32:
            raise ValueError(f"a cipher wants {KEY_BYTES} bytes of key and {PREFIX_BYTES} of nonce")
        self.head = HEAD.pack(MAGIC, chunk_bytes, prefix)
        self.chunk_bytes = chunk_bytes
        self._gcm = AESGCM(key)
        self._prefix = prefix
        self._bound = self.head + recording.encode()

    def seal(self, number: int, last: bool, plain: bytes) -> bytes:
        nonce = NONCE.pack(self._prefix, number, last)
        return self._gcm.encrypt(nonce, plain, self._bound)

    def open(self, number: int, last: bool, chunk: bytes) -> bytes:
        nonce = NONCE.pack(self._prefix, number, last)
        try:
            return self._gcm.decrypt(nonce, chunk, self._bound)
        except (InvalidTag, ValueError):
            raise Tampered(f"chunk {number} is not what was stored") from None

    def sealed(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The whole object, head first, from plain bytes in pieces of any size."""
        yield self.head
        number = 0
        held = bytearray()
        for piece in pieces:
            held += piece
            while len(held) > self.chunk_bytes:  # the last chunk is known by nothing after it
                yield self.seal(number, False, bytes(held[: self.chunk_bytes]))
                del held[: self.chunk_bytes]
                number += 1
        yield self.seal(number, True, bytes(held))

    def opened(self, layout: Layout, span: Span, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The plain chunks of a span, from its stored bytes in pieces of any size."""
        whole = layout.chunk_bytes + TAG_BYTES
        number = span.first
        held = bytearray()
        for piece in pieces:
            held += piece
            while number < span.last and len(held) >= whole:
                yield self.open(number, False, bytes(held[:whole]))
                del held[:whole]
                number += 1
        if number < span.last:
            raise Tampered(f"it ends in chunk {number} of {layout.chunks}")
        yield self.open(number, number == layout.chunks - 1, bytes(held))
