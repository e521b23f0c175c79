"""A recording to be heard: from the store, or from the spool while the store has it not."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from recorder.io.encoding import format_of
from recorder.io.index import Entry
from recorder.io.kept import Nearest
from recorder.io.objects import COPY_BYTES, ObjectMissing
from recorder.io.reader import fetch_manifest, plain
from recorder.io.sealing import memory_file, seal, wav_chunks, wav_size
from recorder.io.stretches import seekable
from recorder.io.vault import Vault
from recorder.manifest import ENCRYPTED
from recorder.seal import SAMPLES_PER_MS
from recorder.spool import SAMPLES_PER_FRAME

SEALED = "flac"  # as it was sealed, whichever format that is
TYPES = {SEALED: "audio/flac", "wav": "audio/wav"}
Chunks = Callable[[int, int | None], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Playback:
    """`path` when it lies on this machine as it is asked for; `chunks(start, stop)` in any case.

    `chunks` gives the bytes [start, stop), blocks, and raises StoreError: iterate it in a thread.
    """

    recording: str
    content_type: str
    size: int
    path: Path | None
    chunks: Chunks


def play(vault: Vault, recording: str, form: str = "flac") -> Playback | None:
    """None for a recording nobody knows; raises StoreError, IndexFailed, or ValueError (form)."""
    if form not in TYPES:
        raise ValueError(f"{form!r}: a recording is played as {' or '.join(TYPES)}")
    entry = vault.index.get(recording)
    if entry is None or entry.state != "stored":
        with contextlib.suppress(FileNotFoundError):  # stored in this very moment
            if (found := _spooled(vault, recording, form)) is not None:
                return found
        entry = vault.index.get(recording)
    if entry is None or entry.state != "stored":
        return None
    return _stored(vault, entry, form)


def _stored(vault: Vault, entry: Entry, form: str) -> Playback:
    store = vault.store
    if store.stat(entry.key) is None:
        raise ObjectMissing(f"{store.url}: the recording's {entry.key} is gone")
    encrypted = entry.key.endswith(ENCRYPTED)
    path = None if encrypted else store.local_path(entry.key)
    manifest = fetch_manifest(store, entry.key) if encrypted else None

    nearest = Nearest(store, vault.kept)

    def sealed(start: int, stop: int | None) -> Iterator[bytes]:
        if manifest is not None:
            return plain(nearest, vault.keys, manifest, start, stop)
        return _bytes(nearest.open(entry.key, start, stop))

    if form == SEALED:
        kind = format_of(entry.key.removesuffix(ENCRYPTED)).content_type
        return Playback(entry.recording, kind, entry.size, path, sealed)
    samples = entry.duration_ms * SAMPLES_PER_MS or SAMPLES_PER_FRAME

    def opened() -> AbstractContextManager[Path | BinaryIO]:
        return nullcontext(path) if path else seekable(sealed, entry.size)

    return _wav(entry.recording, samples, opened)


def _spooled(vault: Vault, recording: str, form: str) -> Playback | None:
    """Sealed in memory as far as it is written; the spool itself is not touched."""
    segments = vault.spooled.segments(recording)
    if not segments:
        return None
    with memory_file(recording) as path:
        sealed = seal(segments, path, vault.form)
        data = Path(path).read_bytes()
    if form == SEALED:
        return Playback(
            recording,
            vault.form.content_type,
            len(data),
            None,
            lambda start, stop: iter([data[start:stop]]),
        )
    samples = sealed.samples or SAMPLES_PER_FRAME
    return _wav(recording, samples, lambda: nullcontext(cast(BinaryIO, BytesIO(data))))


def _wav(
    recording: str, samples: int, opened: Callable[[], AbstractContextManager[Path | BinaryIO]]
) -> Playback:
    return Playback(
        recording,
        TYPES["wav"],
        wav_size(samples),
        None,
        lambda start, stop: wav_chunks(opened, start, stop),
    )


def _bytes(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while data := file.read(COPY_BYTES):
            yield data
