"""Where names and chances come from: the core itself knows no randomness."""

from typing import Protocol


class Identifiers(Protocol):
    """The one source of randomness; real in io/, counting in tests."""

    def branch(self) -> str:
        """A new branch with the magic cookie "z9hG4bK" (RFC 3261 §8.1.1.7)."""
        ...

    def tag(self) -> str:
        """A new tag, 32 random bits at least (RFC 3261 §19.3); also serves as cnonce."""
        ...

    def call_id(self) -> str:
        """A new Call-ID, unique in space and time (RFC 3261 §8.1.1.4)."""
        ...

    def nonce_salt(self) -> str:
        """Salt of a new nonce (RFC 7616 §5.4)."""
        ...

    def leg(self) -> str:
        """A new name of a leg."""
        ...

    def fraction(self) -> float:
        """A random number, 0 <= x < 1: back-off after 491 (RFC 3261 §14.1), Retry-After."""
        ...
