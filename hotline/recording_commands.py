"""What the desk may ask of the recordings: the other door, beside hotline/commands.py."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from hotline.commands import Audio, RecordingEntry
from recorder.agreement import Agreement
from recorder.chain import Access, Chain, Line
from recorder.io.access_log import AccessQuery
from recorder.io.export import Limits, Progress, TooMuch
from recorder.io.marking import Marking
from recorder.io.reviews import Comment, Review, Task
from recorder.io.search import Cursor, Query
from recorder.levels import Talk
from recorder.scoring import Card, ScoreError

__all__ = [
    "Access",
    "AccessQuery",
    "Agreement",
    "Calibration",
    "Card",
    "Chain",
    "Comment",
    "Cursor",
    "Draw",
    "Export",
    "Gone",
    "Limits",
    "Line",
    "Marking",
    "Progress",
    "Query",
    "RecordingCommands",
    "RecordingPage",
    "Review",
    "ScoreError",
    "Scored",
    "Talk",
    "Task",
    "TooMuch",
    "Transcript",
    "Waveform",
]


class Gone(Exception):
    """The recording was, and is no more: deleted, expired, or it never could be stored (410)."""


@dataclass(frozen=True, slots=True)
class RecordingPage:
    """Newest first; `after` begins the next page, None when this is the last."""

    entries: list[RecordingEntry]
    after: Cursor | None


@dataclass(frozen=True, slots=True)
class Waveform:
    """Peaks of 0..255 in steps of equal length, and the same as an image."""

    recording: str
    duration_ms: int
    caller: list[int]
    agent: list[int]
    svg: str
    talk: Talk


@dataclass(frozen=True, slots=True)
class Export:
    """`chunks` blocks (disk, object store): it is to be read in a thread."""

    progress: Progress
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Draw:
    """What a rule drew: how many it looked at, and how many tasks are new."""

    rule: str
    seed: str
    candidates: int
    drawn: list[str]
    added: int


@dataclass(frozen=True, slots=True)
class Scored:
    """What a reviewer gives."""

    recording: str
    reviewer: str
    card: str
    scores: dict[str, float]
    note: str


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far reviewers agree on the whole score, and on each item of the card."""

    card: str
    total: Agreement
    items: dict[str, Agreement]


@dataclass(frozen=True, slots=True)
class Transcript:
    """`utterances`: side, start_ms, end_ms, text."""

    recording: str
    adapter: str
    made: str
    utterances: list[dict[str, Any]]


class RecordingCommands(Protocol):
    """The desk's view of the recordings. All raise UnknownThing, Unavailable, NotAllowed."""

    async def find(self, query: Query) -> RecordingPage: ...
    async def entry(self, recording: str) -> RecordingEntry: ...
    async def audio(self, recording: str, kind: str, marking: Marking | None) -> Audio: ...
    async def waveform(self, recording: str, points: int) -> Waveform: ...
    async def export(
        self, recordings: list[str], limits: Limits, about: dict[str, Any]
    ) -> Export: ...
    async def note(self, accesses: Sequence[Access]) -> None: ...
    async def accesses(self, query: AccessQuery) -> list[Line]: ...
    async def check_accesses(self, head: str) -> Chain: ...
    def cards(self) -> list[Card]: ...
    async def draw(self, rule: str, seed: str, query: Query, who: str) -> Draw: ...
    async def tasks(self, reviewer: str) -> list[Task]: ...
    async def score(self, scored: Scored) -> Review: ...
    async def reviews(self, recording: str, viewer: str) -> list[Review]: ...
    async def comment(self, recording: str, at_ms: int, who: str, text: str) -> Comment: ...
    async def comments(self, recording: str, viewer: str) -> list[Comment]: ...
    async def calibration(self, card: str, since_ms: int, until_ms: int) -> Calibration: ...
    async def transcript(self, recording: str, *, make: bool) -> Transcript: ...
