"""The recordings as the desk sees them: search, sound, waveform, export, and who asked for them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import structlog

from config.schema import Config
from hotline.clock import Clock, iso
from hotline.commands import Audio, NotAllowed, RecordingEntry, Unavailable, UnknownThing
from hotline.meters import Meters
from hotline.quality import Quality
from hotline.recording_commands import (
    Access,
    AccessQuery,
    Chain,
    Export,
    Gone,
    Limits,
    Line,
    Marking,
    Query,
    RecordingPage,
    TooMuch,
    Waveform,
)
from recorder import levels
from recorder.io import export, figures
from recorder.io.access_log import AccessLog
from recorder.io.database import IndexFailed
from recorder.io.index import Entry
from recorder.io.keeper import Keeper
from recorder.io.marking import marked
from recorder.io.objects import StoreError

log = structlog.get_logger("hotline")
audit = structlog.get_logger("audit")

T = TypeVar("T")
PLAYABLE = ("stored", "spooled")


class Archive(Quality):
    """Implements hotline.recording_commands.RecordingCommands over a keeper."""

    def __init__(self, keeper: Keeper, clock: Clock, meters: Meters, config: Config) -> None:
        super().__init__(keeper, clock, config)
        self._meters = meters
        self._accesses = AccessLog(keeper.vault.index.database)

    async def find(self, query: Query) -> RecordingPage:
        """One page; a full one may have another behind it."""
        found = await self.ask(self._keeper.vault.index.find, query)
        after = None
        if len(found) == query.limit:
            after = (found[-1].started_ms, found[-1].recording)
        return RecordingPage([entry_of(entry) for entry in found], after)

    async def entry(self, recording: str) -> RecordingEntry:
        """One entry; UnknownThing when the index has none."""
        return entry_of(await self.row(recording))

    async def audio(self, recording: str, kind: str, marking: Marking | None) -> Audio:
        """The sound; Unavailable while it is not stored or the store is away."""
        await self.there(recording)
        kind = "wav" if marking is not None else kind
        try:
            playback = await self._keeper.read(recording, kind)
        except (StoreError, IndexFailed) as error:
            raise Unavailable(str(error)) from error
        if playback is None:
            raise Unavailable(f"recording {recording} cannot be read now: try again later")
        if marking is not None:
            playback = marked(playback, marking)
        suffix = {"audio/ogg": "opus", "audio/wav": "wav"}.get(playback.content_type, "flac")
        name = f"{recording}.{suffix}"
        return Audio(playback.content_type, name, playback.size, playback.chunks)

    async def waveform(self, recording: str, points: int) -> Waveform:
        """Peaks and talk figures, made when first asked for."""
        await self.there(recording)
        found = await self.ask(figures.figures, self._keeper.vault, recording)
        if found is None:
            raise Unavailable(f"recording {recording} cannot be read now: try again later")
        peaks = levels.points(found.peaks, points)
        return Waveform(
            recording,
            found.duration_ms,
            peaks[:, 0].tolist(),
            peaks[:, 1].tolist(),
            levels.svg(peaks),
            found.talk,
        )

    async def export(self, recordings: list[str], limits: Limits, about: dict[str, Any]) -> Export:
        """A zip of these; NotAllowed when it would be too much."""
        entries = [await self.row(recording) for recording in recordings]
        try:
            progress = export.plan(entries, limits)
        except TooMuch as error:
            raise NotAllowed(str(error)) from error
        return Export(progress, export.chunks(self._keeper.vault, entries, progress, about))

    async def note(self, accesses: Sequence[Access]) -> None:
        """Into the audit log, and its hashes into the engine's; Unavailable when it is away."""
        for line in await self.ask(self._accesses.append, accesses):
            access = line.access
            self._meters.recording_accesses.labels(access.action).inc()
            audit.info(
                "recording access",
                who=access.who,
                action=access.action,
                recording=access.recording,
                reason=access.reason,
                source=access.source,
                sequence=line.sequence,
                digest=line.digest,
            )

    async def accesses(self, query: AccessQuery) -> list[Line]:
        """Newest first."""
        return await self.ask(self._accesses.find, query)

    async def check_accesses(self, head: str) -> Chain:
        """Whether the log is as it was written."""
        return await self.ask(self._accesses.check, head)

    async def row(self, recording: str) -> Entry:
        """The index's row; UnknownThing when there is none."""
        entry: Entry | None = await self.ask(self._keeper.vault.index.get, recording)
        if entry is None:
            raise UnknownThing(f"no recording {recording!r}")
        return entry

    async def there(self, recording: str) -> Entry:
        """The same, of a recording that can be heard; Gone for what was deleted."""
        entry = await self.row(recording)
        if entry.state not in PLAYABLE:
            why = entry.note or "no sound of it is left"
            raise Gone(f"recording {recording} is {entry.state}: {why}")
        return entry

    async def ask(self, work: Callable[..., T], *arguments: Any) -> T:
        """In a thread; what is away is Unavailable."""
        try:
            return await self._keeper.ask(work, *arguments)
        except (StoreError, IndexFailed) as error:
            raise Unavailable(str(error)) from error


def entry_of(entry: Entry) -> RecordingEntry:
    """An index row as the desk shows it."""
    return RecordingEntry(
        recording=entry.recording,
        call_id=entry.call_id,
        caller=entry.caller,
        called=entry.called,
        agent=entry.agent,
        queue=entry.queue,
        started=iso(entry.started_ms),
        ended=iso(entry.ended_ms) if entry.ended_ms else None,
        duration_ms=entry.duration_ms,
        state=entry.state,
        sha256=entry.sha256 or None,
        size=entry.size or None,
        order=entry.order,
        result=entry.result,
    )
