"""Waveforms and talk figures: made from the sound when first asked for, then kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from recorder.io import playback
from recorder.io.database import METADATA, Database
from recorder.io.marking import HEAD
from recorder.io.vault import Vault
from recorder.levels import Samples, Talk, levels, talk, voice
from recorder.seal import RATE

VERSION = 1  # of how figures are made: others are made again

FIGURES = sa.Table(
    "recording_figures",
    METADATA,
    sa.Column("recording", sa.String(200), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("duration_ms", sa.BigInteger, nullable=False),
    sa.Column("peaks", sa.LargeBinary, nullable=False),
    sa.Column("talk", sa.JSON, nullable=False),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """`peaks` (n, 2) uint8, one each 100 ms: caller, agent."""

    recording: str
    duration_ms: int
    peaks: npt.NDArray[np.uint8]
    talk: Talk


def pieces(vault: Vault, recording: str) -> Iterator[Samples] | None:
    """(n, 2) int16 at 8 kHz; None for a recording that cannot be heard."""
    wav = playback.play(vault, recording, "wav")
    return None if wav is None else _samples(wav.chunks(HEAD, None))


def _samples(chunks: Iterator[bytes]) -> Iterator[Samples]:
    held = b""
    for chunk in chunks:
        held += chunk
        whole = len(held) // 4 * 4
        yield np.frombuffer(held[:whole], "<i2").reshape(-1, 2).astype(np.int16)
        held = held[whole:]


def figures(vault: Vault, recording: str) -> Figures | None:
    """Blocks, half a second for an hour of sound; raises StoreError and IndexFailed."""
    database = vault.index.database
    if (known := _known(database, recording)) is not None:
        return known
    sound = pieces(vault, recording)
    if sound is None:
        return None
    found = levels(sound)
    made = Figures(recording, found.duration_ms, found.peaks, talk(voice(found.decibels)))
    entry = vault.index.get(recording)
    if entry is not None and entry.state == "stored":  # else it still grows
        _keep(database, made)
    return made


def _known(database: Database, recording: str) -> Figures | None:
    select = sa.select(FIGURES).where(FIGURES.c.recording == recording)
    with database.begin(FIGURES) as connection:
        row = connection.execute(select.where(FIGURES.c.version == VERSION)).one_or_none()
    if row is None:
        return None
    peaks = np.frombuffer(row.peaks, np.uint8).reshape(-1, 2)
    return Figures(recording, row.duration_ms, peaks, Talk(**row.talk))


def _keep(database: Database, made: Figures) -> None:
    values: dict[str, Any] = {
        "version": VERSION,
        "duration_ms": made.duration_ms,
        "peaks": made.peaks.tobytes(),
        "talk": dataclasses.asdict(made.talk),
    }
    insert = database.insert(FIGURES).values(recording=made.recording, **values)
    with database.begin(FIGURES) as connection:
        connection.execute(insert.on_conflict_do_update(index_elements=["recording"], set_=values))


def forget(database: Database, recording: str) -> None:
    """What a recording looked like that was deleted."""
    with database.begin(FIGURES) as connection:
        connection.execute(FIGURES.delete().where(FIGURES.c.recording == recording))


def side(sound: Iterator[Samples], at: int) -> npt.NDArray[np.float32]:
    """One channel as speech recognisers want it: (n,) float32 of -1..1 at 8 kHz."""
    parts = [piece[:, at].astype(np.float32) / 32768 for piece in sound]
    return np.concatenate(parts) if parts else np.zeros(RATE // 50, np.float32)
