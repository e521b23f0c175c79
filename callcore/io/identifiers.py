"""The one source of randomness: identifiers that nobody can guess."""

import secrets


class RandomIdentifiers:
    """RFC 3261 §19.3: tags have at least 32 random bits; ours have 64, branches too."""

    def branch(self) -> str:
        """A branch with the magic cookie of RFC 3261 §8.1.1.7."""
        return "z9hG4bK" + secrets.token_hex(8)

    def tag(self) -> str:
        """A From or To tag, also used as cnonce."""
        return secrets.token_hex(8)

    def call_id(self) -> str:
        """A Call-ID."""
        return secrets.token_hex(16)

    def nonce_salt(self) -> str:
        """The random part of a digest nonce."""
        return secrets.token_hex(8)

    def leg(self) -> str:
        """The name of a leg."""
        return secrets.token_hex(8)

    def fraction(self) -> float:
        """A random number, 0 <= x < 1, that spreads what must not happen at once."""
        return secrets.randbits(32) / 2**32
