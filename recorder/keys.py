"""Master keys, which wrap the data keys of recordings, and the ring of those that are at hand."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from recorder.cipher import KEY_BYTES, Tampered

WRAP_NONCE_BYTES = 12


class KeyLost(LookupError):
    """None of the keys at hand is the one that a recording was encrypted with."""


class MasterKey(Protocol):
    """Wraps data keys. A key management service is one as well: see docs/recordings.md.

    `context` is the recording's name: what was wrapped for one is opened for no other. `unwrap`
    raises Tampered, and StoreError where a service is away. Both may block.
    """

    key_id: str

    def wrap(self, data_key: bytes, context: str) -> bytes: ...
    def unwrap(self, wrapped: bytes, context: str) -> bytes: ...


class LocalKey:
    """32 bytes of our own; its id is a hash of it, so that nobody has to name it."""

    def __init__(self, key: bytes, chance: Callable[[int], bytes]) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"an encryption key has {KEY_BYTES} bytes, not {len(key)}")
        self.key_id = "local-" + hashlib.sha256(b"callcore key id" + key).hexdigest()[:12]
        self._gcm = AESGCM(key)
        self._chance = chance

    def __repr__(self) -> str:
        return f"LocalKey({self.key_id})"

    def wrap(self, data_key: bytes, context: str) -> bytes:
        nonce = self._chance(WRAP_NONCE_BYTES)
        return nonce + self._gcm.encrypt(nonce, data_key, self._bound(context))

    def unwrap(self, wrapped: bytes, context: str) -> bytes:
        nonce, sealed = wrapped[:WRAP_NONCE_BYTES], wrapped[WRAP_NONCE_BYTES:]
        try:
            return self._gcm.decrypt(nonce, sealed, self._bound(context))
        except (InvalidTag, ValueError):
            raise Tampered(f"its data key was not wrapped by {self.key_id} for it") from None

    def _bound(self, context: str) -> bytes:
        return f"{self.key_id} {context}".encode()


class KeyRing:
    """The first key wraps what is new, or none does; all of them open what is old."""

    def __init__(self, keys: Iterable[MasterKey] = (), wrapping: bool = True) -> None:
        keys = tuple(keys)
        self.current = keys[0] if keys and wrapping else None
        self._keys = {key.key_id: key for key in reversed(keys)}

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self.ids) or 'empty'})"

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(self._keys)

    def __contains__(self, key_id: str) -> bool:
        return key_id in self._keys

    def unwrap(self, key_id: str, wrapped: bytes, recording: str) -> bytes:
        """The data key; raises KeyLost or Tampered."""
        key = self._keys.get(key_id)
        if key is None:
            at_hand = ", ".join(self.ids) or "none"
            raise KeyLost(
                f"recording {recording} was encrypted with the key {key_id}, which is not here "
                f"(here: {at_hand}): add it to recordings.old_keys"
            )
        return key.unwrap(wrapped, recording)


NO_KEYS = KeyRing()


def parse_key(text: str) -> bytes:
    """32 bytes from base64; raises ValueError, which never shows them."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("an encryption key is 32 bytes in base64") from None
    if len(key) != KEY_BYTES:
        raise ValueError("an encryption key is 32 bytes in base64")
    return key
