"""The one source of randomness: identifiers that nobody can guess."""

from os import urandom

AHEAD_BYTES = 4096  # asked for at once: each call of the system costs as much as all the rest


class RandomIdentifiers:
    """RFC 3261 §19.3: tags have at least 32 random bits; ours have 64, branches too."""

    def __init__(self) -> None:
        self._ahead = b""
        self._at = 0

    def _take(self, count: int) -> bytes:
        """Bytes that nobody else has had or will have."""
        at, end = self._at, self._at + count
        if end > len(self._ahead):
            self._ahead, at, end = urandom(AHEAD_BYTES), 0, count
        self._at = end
        return self._ahead[at:end]

    def branch(self) -> str:
        """A branch with the magic cookie of RFC 3261 §8.1.1.7."""
        return "z9hG4bK" + self._take(8).hex()

    def tag(self) -> str:
        """A From or To tag, also used as cnonce."""
        return self._take(8).hex()

    def call_id(self) -> str:
        """A Call-ID."""
        return self._take(16).hex()

    def nonce_salt(self) -> str:
        """The random part of a digest nonce."""
        return self._take(8).hex()

    def leg(self) -> str:
        """The name of a leg."""
        return self._take(8).hex()

    def fraction(self) -> float:
        """A random number, 0 <= x < 1, that spreads what must not happen at once."""
        return int.from_bytes(self._take(4), "big") / 2**32
