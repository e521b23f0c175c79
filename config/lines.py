"""On which line of a TOML file a key stands: the parser of the standard library does not say."""

import re
from collections import Counter

Key = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([A-Za-z0-9_.\-\"' ]+?)\s*\]\]?\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(r"^\s*([A-Za-z0-9_\-\"'.]+)\s*=")


class Lines:
    """Lines of the tables and keys of one text; good enough for messages, never relied upon."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Key, int] = {}
        table: Key = ()
        seen: Counter[str] = Counter()
        for number, line in enumerate(text.splitlines(), start=1):
            if header := _HEADER.match(line):
                name = header[2].strip("\"'")
                table = tuple(name.split("."))
                if header[1] == "[[":
                    table = (*table, seen[name])
                    seen[name] += 1
                    self._lines.setdefault(table[:-1], number)
                self._lines.setdefault(table, number)
            elif assignment := _ASSIGNMENT.match(line):
                parts = tuple(part.strip("\"'") for part in assignment[1].split("."))
                self._lines.setdefault((*table, *parts), number)

    def find(self, key: Key) -> int:
        """The key's line, or that of the table that should have it; 0 when unknown."""
        for length in range(len(key), 0, -1):
            if key[:length] in self._lines:
                return self._lines[key[:length]]
        return 0
