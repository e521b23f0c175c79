"""What does not go together in a configuration where each key alone is sound."""

from dataclasses import dataclass

Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Clash:
    """A key that does not go with another one, or with what is on this machine."""

    key: Key
    value: str
    allowed: str
