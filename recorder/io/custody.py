"""The book of custody: holds, requests and tombstones, in the database and beside the recordings.

The database decides between two who come at once; the store's copy is there when the database is
lost. Where they differ, the longer one is right, for no event is ever taken out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import sqlalchemy as sa

from recorder.custody import Custody, Event, Refused, step
from recorder.io.database import METADATA, Database
from recorder.io.index import Entry
from recorder.io.objects import ObjectMissing, Store, sha256_of_file
from recorder.io.sealing import memory_file

FOLDER = "custody/"
CUSTODY = sa.Table(
    "recording_custody",
    METADATA,
    sa.Column("recording", sa.String(200), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("document", sa.Text, nullable=False),
)


class CustodyBook:
    """All calls block; all raise IndexFailed or StoreError."""

    def __init__(self, database: Database, store: Store) -> None:
        self._database = database
        self._store = store

    def of(self, entry: Entry) -> Custody:
        """Its events so far; of a recording that nothing was ever done to, none."""
        known = self.find(entry.recording)
        if known is not None:
            return known
        return Custody(
            recording=entry.recording,
            call_id=entry.call_id,
            key=entry.key,
            sha256=entry.sha256,
            started_ms=entry.started_ms,
            retain_until_ms=entry.retain_until_ms,
        )

    def find(self, recording: str) -> Custody | None:
        """The longer one of the database's and the store's."""
        found = [one for one in (self._row(recording), self._copy(recording)) if one is not None]
        return max(found, key=lambda one: len(one.events), default=None)

    def record(self, before: Custody, event: Event) -> Custody:
        """Adds the event in both places; raises Refused, also when somebody else was faster."""
        after = step(before, event)
        self._write(before, after)
        self._put(after)
        return after

    def all(self, state: str = "") -> Iterator[Custody]:
        """As the database has them."""
        select = sa.select(CUSTODY.c.document).order_by(CUSTODY.c.recording)
        if state:
            select = select.where(CUSTODY.c.state == state)
        with self._database.begin(CUSTODY) as connection:
            rows = connection.execute(select).all()
        yield from (_decode(row.document.encode()) for row in rows)

    def restore(self) -> Iterator[Custody]:
        """Reads the store's copies back into the database, whatever it has lost."""
        for key in self._store.listed(FOLDER):
            name = key.removeprefix(FOLDER).removesuffix(".json")
            found = self.find(name)
            if found is not None:
                self._replace(found)
                yield found

    def _row(self, recording: str) -> Custody | None:
        with self._database.begin(CUSTODY) as connection:
            row = connection.execute(
                sa.select(CUSTODY.c.document).where(CUSTODY.c.recording == recording)
            ).one_or_none()
        return None if row is None else _decode(row.document.encode())

    def _copy(self, recording: str) -> Custody | None:
        try:
            with self._store.open(_key(recording)) as file:
                return _decode(file.read())
        except ObjectMissing:
            return None

    def _write(self, before: Custody, after: Custody) -> None:
        with self._database.begin(CUSTODY) as connection:
            changed = connection.execute(
                sa.update(CUSTODY)
                .where(CUSTODY.c.recording == after.recording)
                .where(CUSTODY.c.version <= len(before.events))
                .values(_values(after))
            ).rowcount
            if not changed:
                insert = self._database.insert(CUSTODY).values(_values(after))
                changed = connection.execute(
                    insert.on_conflict_do_nothing(index_elements=["recording"])
                ).rowcount
        if not changed:
            raise Refused(f"recording {after.recording}: somebody else was faster; look again")

    def _replace(self, custody: Custody) -> None:
        values = _values(custody)
        insert = self._database.insert(CUSTODY).values(values)
        with self._database.begin(CUSTODY) as connection:
            connection.execute(
                insert.on_conflict_do_update(index_elements=["recording"], set_=values)
            )

    def _put(self, custody: Custody) -> None:
        with memory_file("custody") as path:
            Path(path).write_bytes(msgspec.json.format(msgspec.json.encode(custody), indent=2))
            self._store.put(_key(custody.recording), path, sha256_of_file(path), "application/json")


def _key(recording: str) -> str:
    return f"{FOLDER}{recording}.json"


def _decode(data: bytes) -> Custody:
    return msgspec.json.decode(data, type=Custody)


def _values(custody: Custody) -> dict[str, object]:
    return {
        "recording": custody.recording,
        "version": len(custody.events),
        "state": custody.state.value,
        "document": msgspec.json.encode(custody).decode(),
    }
