"""What is wrong with a configuration, said so that it can be put right."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake: where it stands, what stands there and what may stand there.

    `line` is 0 where it is not known; `value` never shows a secret.
    """

    file: str
    key: str
    value: str
    allowed: str
    line: int = 0

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        found = f" = {self.value}" if self.value else ""
        return f"{place}: {self.key}{found}: {self.allowed}"


class ConfigError(Exception):
    """A configuration that cannot be used, with every mistake in it."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(str(mistake) for mistake in mistakes))
        self.mistakes = list(mistakes)
