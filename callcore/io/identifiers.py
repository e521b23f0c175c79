"""The one source of randomness: identifiers that nobody can guess."""

from os import urandom


class RandomIdentifiers:
    """RFC 3261 §19.3: tags have at least 32 random bits; ours have 64, branches too."""

    def branch(self) -> str:
        """A branch with the magic cookie of RFC 3261 §8.1.1.7."""
        return "z9hG4bK" + urandom(8).hex()

    def tag(self) -> str:
        """A From or To tag, also used as cnonce."""
        return urandom(8).hex()

    def call_id(self) -> str:
        """A Call-ID."""
        return urandom(16).hex()

    def nonce_salt(self) -> str:
        """The random part of a digest nonce."""
        return urandom(8).hex()

    def leg(self) -> str:
        """The name of a leg."""
        return urandom(8).hex()

    def fraction(self) -> float:
        """A random number, 0 <= x < 1, that spreads what must not happen at once."""
        return int.from_bytes(urandom(4), "big") / 2**32
