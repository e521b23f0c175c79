"""Which queue a called number belongs to."""

from collections.abc import Iterable


class Routes:
    """Exact numbers first, then the longest prefix (written with a trailing *)."""

    def __init__(self, routes: Iterable[tuple[str, str]]) -> None:
        self._exact: dict[str, str] = {}
        self._prefixes: dict[str, str] = {}
        for number, queue in routes:
            if number.endswith("*"):
                self._prefixes[number[:-1]] = queue
            else:
                self._exact[number] = queue
        self._longest = max(map(len, self._prefixes), default=0)

    def find(self, number: str) -> str | None:
        """The queue's name, or None when nobody answers that number."""
        found = self._exact.get(number)
        if found is not None:
            return found
        for length in range(min(self._longest, len(number)), -1, -1):
            found = self._prefixes.get(number[:length])
            if found is not None:
                return found
        return None
