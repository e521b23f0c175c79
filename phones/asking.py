"""Requests of a raw end that are sent again until they are answered."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

T1_SECONDS, T2_SECONDS = 0.5, 4.0
TIMER_F_SECONDS = 64 * T1_SECONDS
GIVEN_UP_SECONDS = TIMER_F_SECONDS + 1.0  # nothing comes any more of what was asked


@dataclass
class _Asked:
    send: Callable[[], object]
    until: float
    interval: float
    timer: asyncio.TimerHandle | None = None


class Asking:
    """Non-INVITE client transactions over UDP (RFC 3261 §17.1.2), by branch."""

    def __init__(self) -> None:
        self._asked: dict[str, _Asked] = {}

    def begin(self, branch: str, send: Callable[[], object]) -> None:
        """Sends at once, and again by Timer E until Timer F."""
        until = asyncio.get_running_loop().time() + TIMER_F_SECONDS
        self._asked[branch] = _Asked(send, until, T1_SECONDS)
        self._send(branch)

    def is_news(self, branch: str, status: int) -> bool:
        """Whether a response is the first final one, or a provisional one before it.

        A provisional response makes Timer E T2; a final one ends the transaction, and what
        comes after it answers a request that was sent again.
        """
        asked = self._asked.get(branch)
        if asked is None:
            return False
        if status < 200:
            asked.interval = T2_SECONDS
        else:
            self._end(branch)
        return True

    def close(self) -> None:
        """Asks no more."""
        for branch in tuple(self._asked):
            self._end(branch)

    def _send(self, branch: str) -> None:
        asked, loop = self._asked[branch], asyncio.get_running_loop()
        if loop.time() >= asked.until:
            self._end(branch)
            return
        asked.send()
        asked.timer = loop.call_later(asked.interval, self._send, branch)
        asked.interval = min(2 * asked.interval, T2_SECONDS)

    def _end(self, branch: str) -> None:
        asked = self._asked.pop(branch)
        if asked.timer is not None:
            asked.timer.cancel()
