"""Even RTP ports of a range, RFC 3550 §11; a returned port rests before it is used again."""

from collections import deque

from media.errors import LocalProtocolError


class Ports:
    """First in, first out, so that a port rests as long as it can."""

    def __init__(self, first: int, last: int, quarantine_seconds: float) -> None:
        self._free = deque((port, 0.0) for port in range(first + first % 2, last + 1, 2))
        self._quarantine_seconds = quarantine_seconds
        if not self._free:
            raise LocalProtocolError(f"no even port from {first} to {last}")

    def __len__(self) -> int:
        return len(self._free)

    def take(self, now: float) -> int:
        """A port; LocalProtocolError when none has rested long enough."""
        if not self._free or self._free[0][1] > now:
            raise LocalProtocolError("no RTP port is free")
        return self._free.popleft()[0]

    def give_back(self, port: int, now: float) -> None:
        """Packets meant for the port's last user may still be on the way."""
        self._free.append((port, now + self._quarantine_seconds))
