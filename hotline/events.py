"""What the desk and its screens are told, each with a sequence number so that nobody misses one.

The hub keeps the last events in memory; a client that reconnects names the last number it saw
and gets the rest, or `Gap` when too much has passed and it must read the state anew.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import msgspec
from msgspec.structs import asdict

from hotline.clock import iso


class CallChanged(msgspec.Struct, frozen=True):
    """A citizen's call moved: queued, ringing, talking, held, ended."""

    call_id: str
    state: str
    caller: str
    called: str
    queue: str
    agent: str | None
    result: str | None
    wait_ms: int | None
    recording: str | None


class AgentChanged(msgspec.Struct, frozen=True):
    """An agent's state changed (offline, ready, ringing, talking, held, wrap_up, not_ready)."""

    user: str
    state: str
    since: str
    reason: str = ""


class RecordingChanged(msgspec.Struct, frozen=True):
    """A recording was spooled, stored, or could not be stored yet."""

    recording: str
    call_id: str
    state: str


class TrunkChanged(msgspec.Struct, frozen=True):
    """A trunk went up or down."""

    trunk: str
    up: bool
    why: str


class CallbackChanged(msgspec.Struct, frozen=True):
    """A promised callback is over: answered, given_up or cancelled."""

    callback: str
    result: str
    attempts: int


class Alert(msgspec.Struct, frozen=True):
    """Something that a person should look at (disk nearly full, store away, worker replaced)."""

    name: str
    text: str
    about: str = ""  # whom or what, for screens that have words of their own


class Gap(msgspec.Struct, frozen=True):
    """The events asked for are gone from memory: read the state, then follow from `sequence`."""

    oldest: int


LiveEvent = (
    CallChanged | AgentChanged | RecordingChanged | TrunkChanged | CallbackChanged | Alert | Gap
)
KINDS: dict[type, str] = {
    CallChanged: "call",
    AgentChanged: "agent",
    RecordingChanged: "recording",
    TrunkChanged: "trunk",
    CallbackChanged: "callback",
    Alert: "alert",
    Gap: "gap",
}


class LiveHub:
    """Numbers events, keeps the last `keep`, and wakes those who listen."""

    def __init__(self, keep: int = 10_000) -> None:
        self.sequence = 0
        self._kept: deque[tuple[int, int, LiveEvent]] = deque(maxlen=keep)
        self._wake: set[Callable[[], None]] = set()

    def publish(self, at_ms: int, event: LiveEvent) -> None:
        """Append one event; `at_ms` is wall time."""
        self.sequence += 1
        self._kept.append((self.sequence, at_ms, event))
        for wake in tuple(self._wake):
            wake()

    def since(self, sequence: int) -> Iterator[dict[str, Any]]:
        """All events after `sequence`, led by a `Gap` when some of them are gone."""
        oldest = self._kept[0][0] if self._kept else self.sequence + 1
        # A number beyond ours comes from before a restart: the client must read the state anew.
        if sequence + 1 < oldest or sequence > self.sequence:
            yield document(oldest - 1, "", Gap(oldest))
            sequence = oldest - 1
        newest = islice(reversed(self._kept), self.sequence - sequence)
        for number, at_ms, event in reversed(tuple(newest)):
            yield document(number, iso(at_ms), event)

    def listen(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call `wake` after each event; returns the function that stops it."""
        self._wake.add(wake)
        return lambda: self._wake.discard(wake)


def document(sequence: int, at: str, event: LiveEvent) -> dict[str, Any]:
    """An event as it is sent: made only where somebody listens."""
    return {"sequence": sequence, "at": at, "event": KINDS[type(event)], **asdict(event)}
