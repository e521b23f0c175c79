"""The index of all recordings: one table in SQLite or PostgreSQL.

The manifests in the store hold the same facts, so the table can always be made again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from recorder.io.database import Database, IndexFailed, Transaction
from recorder.io.search import RECORDINGS, Cursor, Query, length_class, statement
from recorder.manifest import Manifest

__all__ = ["Cursor", "Entry", "Index", "IndexFailed", "Query", "entry_of"]

ANALYSE_EVERY = 20_000  # puts; the first one of a process too


@dataclass(frozen=True, slots=True)
class Entry:
    """One recording; times are milliseconds since the epoch."""

    recording: str
    call_id: str = ""
    caller: str = ""
    called: str = ""
    agent: str = ""
    queue: str = ""
    started_ms: int = 0
    ended_ms: int = 0
    duration_ms: int = 0
    key: str = ""
    sha256: str = ""
    size: int = 0
    state: str = "spooled"  # spooled, stored, failed
    recovered: bool = False
    retain_until_ms: int = 0
    parts: tuple[dict[str, Any], ...] = ()
    note: str = ""
    order: str = ""  # the work order's number
    result: str = ""  # how the call ended: answered, overflowed, ...


FIELDS = tuple(field.name for field in dataclasses.fields(Entry))
PLACES = tuple((name, RECORDINGS.c.keys().index(name)) for name in FIELDS)  # in a whole row
SAME = tuple(name for name in FIELDS if name not in ("state", "parts", "note"))


class Index:
    """All calls block and are for threads; all raise IndexFailed. Connects when first asked."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.where = self.database.where
        self._puts = 0

    def prepare(self) -> None:
        """Makes the table when it is missing."""
        with self._connection():
            pass

    def is_there(self) -> bool:
        """Whether there is a table, without making one, nor the database."""
        return self.database.has(RECORDINGS)

    def analyse(self) -> None:
        """Lets SQLite look again at how the table's values are spread."""
        self.database.analyse(RECORDINGS)

    def put(self, entry: Entry) -> None:
        """Adds or replaces the recording's row; committed when this returns."""
        insert = self._insert(entry)
        columns = [column.name for column in RECORDINGS.c if not column.primary_key]
        changed = {name: insert.excluded[name] for name in columns}
        with self._connection() as connection:
            connection.execute(
                insert.on_conflict_do_update(index_elements=["recording"], set_=changed)
            )
        self._puts += 1
        if self._puts % ANALYSE_EVERY == 1:
            self.analyse()

    def add(self, entry: Entry) -> None:
        """Adds the row; an existing one is left as it is."""
        insert = self._insert(entry)
        with self._connection() as connection:
            connection.execute(insert.on_conflict_do_nothing(index_elements=["recording"]))

    def note_order(self, recording: str, order: str, state: str = "spooled") -> None:
        """The order of a recording in that state; its manifest says the same, or will."""
        if not order:
            return
        c = RECORDINGS.c
        known = values_of(Entry(recording, order=order))["order"]
        update = sa.update(RECORDINGS).where(c.recording == recording, c.state == state)
        with self._connection() as connection:
            connection.execute(update.values({c.order: known}))

    def _insert(self, entry: Entry) -> sqlite.Insert | postgresql.Insert:
        return self.database.insert(RECORDINGS).values(values_of(entry))

    def get(self, recording: str) -> Entry | None:
        with self._connection() as connection:
            row = connection.execute(
                sa.select(RECORDINGS).where(RECORDINGS.c.recording == recording)
            ).one_or_none()
        return None if row is None else _entry(row)

    def find(self, query: Query) -> list[Entry]:
        with self._connection() as connection:
            rows = connection.execute(statement(query, for_sqlite=self.database.is_sqlite)).all()
        return [_entry(row) for row in rows]

    def all(self, state: str = "", page: int = 500) -> Iterator[Entry]:
        """Every recording by name; in pages, so that a million of them take no memory."""
        after = ""
        while True:
            select = sa.select(RECORDINGS).where(RECORDINGS.c.recording > after)
            if state:
                select = select.where(RECORDINGS.c.state == state)
            with self._connection() as connection:
                rows = connection.execute(select.order_by(RECORDINGS.c.recording).limit(page)).all()
            if not rows:
                return
            yield from map(_entry, rows)
            after = rows[-1].recording

    def close(self) -> None:
        self.database.close()

    def _connection(self) -> Transaction:
        return self.database.begin(RECORDINGS)


def values_of(entry: Entry) -> dict[str, Any]:
    """The row of an entry."""
    values = dataclasses.asdict(entry)
    values["parts"] = list(entry.parts)
    values["length"] = length_class(entry.duration_ms)
    for column in RECORDINGS.c:
        if isinstance(column.type, sa.String) and column.type.length and not column.primary_key:
            values[column.name] = fitted(values[column.name], column.type.length)
    return values


def fitted(text: str, length: int) -> str:
    """What every database takes: PostgreSQL refuses what is too long, and NUL.

    A caller may call himself anything; his recording is stored all the same, and the manifest has
    the name whole.
    """
    sound = text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
    return sound[:length]


def entry_of(manifest: Manifest) -> Entry:
    """The row of a stored recording, from what lies beside it in the store."""
    same = {name: getattr(manifest, name) for name in SAME}
    parts = tuple(msgspec.to_builtins(part) for part in manifest.segments)
    return Entry(**same, state="stored", parts=parts)


def _entry(row: sa.Row[Any]) -> Entry:
    values = {name: row[at] for name, at in PLACES}
    return Entry(**{**values, "parts": tuple(values["parts"])})
