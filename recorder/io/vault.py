"""The keeper's work on one recording, step by step and blocking: it runs in threads.

A recording leaves the spool only after the store confirmed the hash of its audio, the manifest
lies beside it, and the index is committed. Each step may be done twice; none is ever skipped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from recorder import manifest as manifests
from recorder.custody import State
from recorder.events import Amended, Failed, Outcome, Stored
from recorder.gaps import gaps
from recorder.io.custody import CustodyBook
from recorder.io.encoding import FLAC, Format
from recorder.io.folders import space
from recorder.io.index import Entry, Index, entry_of
from recorder.io.kept import Kept
from recorder.io.objects import ObjectMissing, Store, StoreError, Terms, sha256_of_file
from recorder.io.packing import Packed, Packer
from recorder.io.reader import fetch_manifest
from recorder.io.sealing import Sealed, SealError, began_ms, memory_file, seal
from recorder.io.segments import Segment, free
from recorder.io.spooled import Spooled
from recorder.io.turns import turn
from recorder.keys import NO_KEYS, KeyRing
from recorder.manifest import Codec, Manifest, Part, Side
from recorder.seal import Heard, SegmentNote, frames_ms

PARTIES = ("call_id", "caller", "called", "agent", "queue", "order", "result")


class StillOpen(Exception):
    """A media worker still writes the recording."""


@dataclass(frozen=True, slots=True)
class Vault:
    spooled: Spooled
    store: Store
    index: Index
    retention_days: int
    low_free_bytes: int
    form: Format = FLAC
    keys: KeyRing = NO_KEYS
    keep_hours: float = 0.0

    @property
    def kept(self) -> Kept:
        return Kept(self.spooled.folders, self.keep_hours)

    @property
    def packer(self) -> Packer:
        return Packer(self.spool / "uploads", self.keys)

    @property
    def spool(self) -> Path:
        """The first of the spool's folders that answers."""
        folders = self.spooled.folders
        return next((folder for folder in folders if os.access(folder, os.W_OK)), folders[0])

    def note(self, recording: str, extra: dict[str, Any], announces: bool) -> None:
        """Both notes of an end: in the spool, and in the index where that answers."""
        self.spooled.write_note(recording, extra)
        if announces:
            self.announce(recording, extra)
            self.index.note_order(recording, str(extra.get("order") or ""))

    def announce(self, recording: str, extra: dict[str, Any]) -> None:
        """Lets the index show the recording before the store has it."""
        segments = self.spooled.segments(recording)
        header = next((head for segment in segments if (head := segment.header())), {})
        facts = {**header, **extra}
        started_ms, ended_ms = _number(facts, "started_ms"), _number(facts, "ended_ms")
        duration_ms = max(0, ended_ms - started_ms) if ended_ms else 0
        entry = Entry(recording, **_parties(facts), started_ms=started_ms, ended_ms=ended_ms)
        self.index.add(dataclasses.replace(entry, duration_ms=duration_ms))

    def keep(self, recording: str, extra: dict[str, Any] | None) -> Outcome:
        """From the spool to the store; raises StillOpen, StoreError, IndexFailed, OSError …"""
        segments = self.spooled.segments(recording)
        if any(segment.is_open() for segment in segments):
            raise StillOpen(recording)
        note = self.spooled.read_note(recording)
        facts = None if note is None and extra is None else {**(note or {}), **(extra or {})}
        if not segments:
            return self._without_segments(recording, facts or {})
        name, entry = self._name(recording, segments)
        if entry is None:
            with self._sealed(name, segments) as sealed:
                if sealed.damaged:
                    return self._set_aside(recording, segments)
                entry = self._store(name, sealed, facts)
        free(segments)
        self.spooled.drop_note(recording)
        return _stored(entry)

    def _name(self, recording: str, segments: list[Segment]) -> tuple[str, Entry | None]:
        """What to store the segments as, and the entry if the store already has these very ones.

        A kill while they are deleted leaves some of them.
        Audio that turns up after its recording was stored becomes a recording of its own, `~2`.
        """
        name, number = recording, 1
        here = {(s.number, began_ms(s, s.header()), s.size()) for s in segments}
        while (entry := self.index.get(name)) is not None and entry.state == "stored":
            if here <= _identity(entry):
                return name, entry if self._is_whole(entry) else None
            number += 1
            name = f"{recording}~{number}"
        return name, None

    @contextlib.contextmanager
    def _sealed(self, name: str, segments: list[Segment]) -> Iterator[Sealed]:
        """On disk while there is room; in memory when there is none: recording goes first."""
        folder = self.spooled.roomiest()
        path = folder / "sealing" / f"{name}{self.form.suffix}"
        try:
            sealed = None
            if space(folder).free_bytes >= self.low_free_bytes:
                with contextlib.suppress(SealError, OSError):
                    sealed = seal(segments, str(path), self.form)
            if sealed is not None:
                yield sealed
                return
        finally:
            path.unlink(missing_ok=True)
        with memory_file(name) as memory:
            yield seal(segments, memory, self.form)

    def _is_whole(self, entry: Entry) -> bool:
        """Whether the store has what the index says; raises StoreError when it is away."""
        stat = self.store.stat(entry.key)
        if stat is None or not entry.key.endswith(manifests.ENCRYPTED):
            return stat is not None and stat.sha256 == entry.sha256
        try:
            return stat.sha256 == fetch_manifest(self.store, entry.key).stored_sha256
        except StoreError as error:
            if error.store_away:
                raise
            return False

    def _store(self, name: str, sealed: Sealed, facts: dict[str, Any] | None) -> Entry:
        packer = self.packer
        manifest = self._manifest(name, sealed, facts)
        with packer.packed(manifest, sealed.path) as packed:
            manifest = packed.manifest
            kept = self._already_kept(packed)
            if kept is not None:
                manifest = kept
            else:
                kind = (
                    "application/octet-stream" if manifest.encryption else sealed.form.content_type
                )
                terms = Terms(
                    manifest.retain_until_ms, packer.progress(name), self._least_ms(manifest)
                )
                goes_on = packer.progress(name).exists()
                self.store.put(manifest.key, packed.path, manifest.stored_sha256, kind, terms)
                if goes_on:  # with the date that it was begun with
                    manifest = self._dated(manifest) or manifest
            self.kept.add(manifest.key, packed.path)
        with turn(self.index.database, name):
            noted = self.index.get(name)
            if noted is not None and noted.order:  # perhaps by another node, and just now
                manifest = msgspec.structs.replace(manifest, order=noted.order)
            self.store_manifest(manifest)
            entry = entry_of(manifest)
            self.index.put(entry)
        packer.forget(name)
        return entry

    def _already_kept(self, packed: Packed) -> Manifest | None:
        """The manifest of what an earlier attempt stored, or None: then it is stored again."""
        manifest = packed.manifest
        if not self.store.holds(manifest.key, packed.path, manifest.stored_sha256):
            return None
        return self._dated(manifest)

    def _least_ms(self, manifest: Manifest) -> int:
        """An earlier attempt's date is good from here on: a clock may have been behind then."""
        least_ms = manifests.retain_until_ms(manifest.ended_ms, self.retention_days)
        return max(least_ms, manifest.retain_until_ms - manifests.DAY_MS)

    def _dated(self, manifest: Manifest) -> Manifest | None:
        """With the date that the store has for the object; None when that is not good."""
        protection = self.store.protection(manifest.key)
        noted_ms = protection.noted_until_ms if protection is not None else 0
        if noted_ms < self._least_ms(manifest):
            return None
        return msgspec.structs.replace(
            manifest, retain_until_ms=noted_ms, retain_until=manifests.iso(noted_ms)
        )

    def store_manifest(self, manifest: Manifest) -> None:
        data = manifests.encode(manifest)
        with memory_file("manifest") as path:
            Path(path).write_bytes(data)
            sha256 = sha256_of_file(path)
            key = manifests.manifest_key(manifest.key)
            self.store.put(key, path, sha256, "application/json", Terms(manifest.retain_until_ms))

    def _manifest(self, name: str, sealed: Sealed, facts: dict[str, Any] | None) -> Manifest:
        known = {**sealed.header, **(facts or {})}
        ended_ms = max(sealed.started_ms + sealed.duration_ms, _number(known, "ended_ms"))
        # A clock that was behind while the call lasted must not shorten the year.
        kept_from_ms = max(ended_ms, int(time.time() * 1000))
        until_ms = manifests.retain_until_ms(kept_from_ms, self.retention_days)
        rest = {key: value for key, value in known.items() if key not in Manifest.__struct_fields__}
        return Manifest(
            recording=name,
            **_parties(known),
            started_ms=sealed.started_ms,
            ended_ms=ended_ms,
            duration_ms=sealed.duration_ms,
            started=manifests.iso(sealed.started_ms),
            key=manifests.key_of(name, sealed.started_ms, sealed.form.suffix),
            size=sealed.size,
            sha256=sealed.sha256,
            codec=Codec(name=sealed.form.name),
            part=_number(known, "part") or 1,
            kind=str(known.get("kind") or ""),
            segments=tuple(_part(note) for note in sealed.notes),
            sides=tuple(map(_side, Codec().channels, sealed.heard)),
            gaps=gaps(sealed.notes, sealed.started_ms),
            recovered=facts is None,
            retention_days=self.retention_days,
            retain_until_ms=until_ms,
            retain_until=manifests.iso(until_ms),
            extra=msgspec.to_builtins(rest, enc_hook=str),
        )

    def _without_segments(self, recording: str, facts: dict[str, Any]) -> Outcome:
        """Killed between freeing the spool and deleting the note; or there never was any audio.

        Or it was stored before all was known of it; or lies in the spool of another node.
        """
        with turn(self.index.database, recording):
            outcome = self._told_late(recording, facts)
        self.spooled.drop_note(recording)
        return outcome

    def _told_late(self, recording: str, facts: dict[str, Any]) -> Outcome:
        entry = self.index.get(recording)
        order = str(facts.get("order") or "")
        late = order and "ended_ms" not in facts  # not the end of a call, but a word after it
        if not late and (entry is None or entry.state == "spooled"):
            entry = self._fail(recording, facts, "there is no audio of it in the spool")
        if late or (entry and entry.state == "stored" and order not in ("", entry.order)):
            return self._amended(entry, recording, order)
        assert entry is not None
        return Failed(recording, entry.note) if entry.state == "failed" else _stored(entry)

    def _amended(self, entry: Entry | None, recording: str, order: str) -> Amended:
        """The manifest is put again, as long to be kept and as held as it was; then the index."""
        if entry is not None and entry.state == "stored":
            with contextlib.suppress(ObjectMissing):  # verify's to report, or its time is over
                manifest = fetch_manifest(self.store, entry.key)
                self.store_manifest(msgspec.structs.replace(manifest, order=order))
                if CustodyBook(self.index.database, self.store).of(entry).state is State.HELD:
                    self.store.hold(manifests.manifest_key(entry.key), True)
            self.index.note_order(recording, order, "stored")  # not if it was deleted meanwhile
        else:
            self.index.note_order(recording, order)  # for whoever stores it
        return Amended(recording, order)

    def _set_aside(self, recording: str, segments: list[Segment]) -> Failed:
        """Nothing readable: kept for a human, out of the way of the next start."""
        aside = Path(segments[0].path).parent / "damaged"
        why = f"its {len(segments)} files hold no readable header and no audio; see {aside}"
        self._fail(recording, {}, why)
        self.spooled.set_aside(segments)
        self.spooled.drop_note(recording)
        return Failed(recording, why)

    def _fail(self, recording: str, facts: dict[str, Any], why: str) -> Entry:
        entry = Entry(
            recording,
            **_parties(facts),
            started_ms=_number(facts, "started_ms"),
            ended_ms=_number(facts, "ended_ms"),
            state="failed",
            note=why,
        )
        self.index.put(entry)
        return entry


def _stored(entry: Entry) -> Stored:
    return Stored(
        entry.recording, entry.key, entry.sha256, entry.size, entry.duration_ms, entry.recovered
    )


def _identity(entry: Entry) -> set[tuple[int, int, int]]:
    return {(part["number"], part["started_ms"], part["size"]) for part in entry.parts}


def _parties(facts: dict[str, Any]) -> dict[str, Any]:
    return {name: str(facts.get(name) or "") for name in PARTIES}


def _number(facts: dict[str, Any], name: str) -> int:
    value = facts.get(name)
    return int(value) if isinstance(value, int | float) and 0 <= value < 1 << 42 else 0


def _side(name: str, heard: Heard) -> Side:
    return Side(
        name=name,
        source=heard.source or Codec().source,
        lost_ms=frames_ms(heard.lost_frames),
        loss=round(heard.lost_frames / heard.known_frames, 5) if heard.known_frames else 0.0,
        drift_ppm=heard.drift_ppm,
    )


def _part(note: SegmentNote) -> Part:
    known = dataclasses.asdict(note)
    del known["private"]
    return Part(**known)
