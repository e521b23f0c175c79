"""Where a recording is silent on purpose, from what sealing noted of its segments."""

from collections.abc import Iterable

from recorder.manifest import Gap, iso
from recorder.seal import SegmentNote, frames_ms


def gaps(notes: Iterable[SegmentNote], started_ms: int) -> tuple[Gap, ...]:
    """One entry a pause and segment, in order; `started_ms` is the recording's."""
    return tuple(
        Gap(
            at_ms=at_ms,
            duration_ms=frames_ms(private.count),
            started=iso(started_ms + at_ms),
            ended=iso(started_ms + at_ms + frames_ms(private.count)),
            sides=private.sides,
        )
        for note in notes
        for private in note.private
        for at_ms in [note.at_ms + frames_ms(private.first)]
    )
