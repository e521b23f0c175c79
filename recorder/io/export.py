"""Many recordings as one zip, written while it is read: nothing of it lies on our disk.

It holds the audio as it is kept, `manifest.json` with what is known of each, and `SHA256SUMS`,
which `sha256sum -c` checks. Audio whose hash is not the index's is in it and named as wrong.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from recorder.io import playback
from recorder.io.encoding import format_of
from recorder.io.index import Entry
from recorder.io.objects import StoreError
from recorder.io.sealing import SealError
from recorder.io.vault import Vault
from recorder.manifest import iso


class TooMuch(ValueError):
    """More than one export may hold; the text says how much is allowed."""


@dataclass(frozen=True, slots=True)
class Limits:
    recordings: int = 1000
    size: int = 4 << 30


@dataclass(slots=True)
class Progress:
    """What is done so far; read from other threads."""

    recordings: int
    size: int
    done: int = 0
    written: int = 0
    wrong: list[str] = field(default_factory=list)
    finished: bool = False


def plan(entries: list[Entry], limits: Limits) -> Progress:
    """What an export of these comes to; raises TooMuch."""
    size = sum(entry.size for entry in entries)
    if len(entries) > limits.recordings:
        raise TooMuch(
            f"{len(entries)} recordings: one export holds {limits.recordings}; narrow the search"
        )
    if size > limits.size:
        raise TooMuch(
            f"{size >> 20} MiB: one export holds {limits.size >> 20} MiB; narrow the search"
        )
    return Progress(len(entries), size)


class _Pipe:
    """Where zipfile writes to: a stream that cannot be sought in."""

    def __init__(self) -> None:
        self.held = bytearray()

    def write(self, data: bytes) -> int:
        self.held += data
        return len(data)

    def flush(self) -> None:
        pass

    def take(self) -> bytes:
        data = bytes(self.held)
        self.held.clear()
        return data


def chunks(
    vault: Vault, entries: list[Entry], progress: Progress, about: dict[str, Any]
) -> Iterator[bytes]:
    """The zip's bytes; blocks. What cannot be read is noted in the manifest, the rest goes on."""
    pipe = _Pipe()
    notes: list[dict[str, Any]] = []
    sums: list[str] = []
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:  # type: ignore[call-overload]
        for entry in entries:
            yield from _one(vault, entry, archive, pipe, Noted(notes, sums, progress))
            progress.done += 1
        sums.append(_whole(archive, "manifest.json", _manifest(notes, about)))
        _whole(archive, "SHA256SUMS", "".join(f"{line}\n" for line in sums).encode())
    yield (data := pipe.take())
    progress.written += len(data)
    progress.finished = True


@dataclass(frozen=True, slots=True)
class Noted:
    notes: list[dict[str, Any]]
    sums: list[str]
    progress: Progress


def _one(
    vault: Vault, entry: Entry, archive: zipfile.ZipFile, pipe: _Pipe, noted: Noted
) -> Iterator[bytes]:
    note: dict[str, Any] = {**_facts(entry), "problem": None}
    noted.notes.append(note)
    name = f"{entry.recording}{format_of(entry.key).suffix}"
    try:
        sound = playback.play(vault, entry.recording, playback.SEALED)
        if sound is None:
            raise StoreError("it is neither in the store nor in the spool", store_away=False)
        digest = hashlib.sha256()
        with archive.open(name, "w", force_zip64=True) as file:
            for data in sound.chunks(0, None):
                digest.update(data)
                file.write(data)
                noted.progress.written += len(pipe.held)
                yield pipe.take()
    except (StoreError, SealError, OSError) as error:  # of one recording: the others go on
        note["problem"] = str(error)
        noted.progress.wrong.append(entry.recording)
        return
    note |= {"file": name, "sha256": digest.hexdigest()}
    noted.sums.append(f"{digest.hexdigest()}  {name}")
    if entry.state == "stored" and digest.hexdigest() != entry.sha256:
        note["problem"] = f"its hash is not the index's {entry.sha256}"
        noted.progress.wrong.append(entry.recording)


def _facts(entry: Entry) -> dict[str, Any]:
    return {
        "recording": entry.recording,
        "call_id": entry.call_id,
        "caller": entry.caller,
        "called": entry.called,
        "agent": entry.agent,
        "queue": entry.queue,
        "order": entry.order,
        "result": entry.result,
        "started": iso(entry.started_ms),
        "duration_ms": entry.duration_ms,
        "retain_until": iso(entry.retain_until_ms) if entry.retain_until_ms else None,
        "stored_sha256": entry.sha256,
    }


def _manifest(notes: list[dict[str, Any]], about: dict[str, Any]) -> bytes:
    document = {**about, "recordings": notes}
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def _whole(archive: zipfile.ZipFile, name: str, data: bytes) -> str:
    archive.writestr(name, data)
    return f"{hashlib.sha256(data).hexdigest()}  {name}"
