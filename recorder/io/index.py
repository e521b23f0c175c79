"""The index of all recordings: one table in SQLite or PostgreSQL.

The manifests in the store hold the same facts, so the table can always be made again.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.schema import CreateIndex, CreateTable

from recorder.manifest import Manifest


class IndexFailed(Exception):
    """The database did not do it; the text says which one and what to do."""


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


@dataclass(frozen=True, slots=True)
class Query:
    """What to look for; None and "" mean any.  Newest first; until_ms itself is not included."""

    since_ms: int | None = None
    until_ms: int | None = None
    caller: str = ""
    called: str = ""
    agent: str = ""
    queue: str = ""
    call_id: str = ""
    state: str = ""
    limit: int = 100
    offset: int = 0


METADATA = sa.MetaData()
RECORDINGS = sa.Table(
    "recordings",
    METADATA,
    sa.Column("recording", sa.String(200), primary_key=True),
    sa.Column("call_id", sa.String(255), nullable=False, index=True),
    sa.Column("caller", sa.String(255), nullable=False),
    sa.Column("called", sa.String(255), nullable=False),
    sa.Column("agent", sa.String(255), nullable=False),
    sa.Column("queue", sa.String(255), nullable=False),
    sa.Column("started_ms", sa.BigInteger, nullable=False, index=True),
    sa.Column("ended_ms", sa.BigInteger, nullable=False),
    sa.Column("duration_ms", sa.BigInteger, nullable=False),
    sa.Column("key", sa.String(1024), nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("recovered", sa.Boolean, nullable=False),
    sa.Column("retain_until_ms", sa.BigInteger, nullable=False),
    sa.Column("parts", sa.JSON, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Index("ix_recordings_caller_started", "caller", "started_ms"),
    sa.Index("ix_recordings_agent_started", "agent", "started_ms"),
    sa.Index("ix_recordings_queue_started", "queue", "started_ms"),
)
SAME = tuple(
    field.name
    for field in dataclasses.fields(Entry)
    if field.name not in ("state", "parts", "note")
)
EXACT = ("caller", "called", "agent", "queue", "call_id", "state")


class Index:
    """All calls block and are for threads; all raise IndexFailed. Connects when first asked."""

    def __init__(self, url: str) -> None:
        try:
            parsed = sa.make_url(url)
            if parsed.drivername in ("postgresql", "postgres"):
                parsed = parsed.set(drivername="postgresql+psycopg")
            self._engine = sa.create_engine(
                parsed, pool_pre_ping=True, connect_args=_arguments(parsed)
            )
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise ValueError(
                "database.url: allowed are sqlite:///FILE and postgresql://USER:PASSWORD@HOST/NAME "
                f"(with the package psycopg): {error}"
            ) from error
        self.where = parsed.render_as_string(hide_password=True)
        self._made = False
        self._making = threading.Lock()
        if parsed.get_backend_name() == "sqlite":
            sa.event.listen(self._engine, "connect", _tune_sqlite)

    def prepare(self) -> None:
        """Makes the table when it is missing."""
        with self._connection():
            pass

    def put(self, entry: Entry) -> None:
        """Adds or replaces the recording's row; committed when this returns."""
        insert = self._insert(entry)
        columns = [column.name for column in RECORDINGS.c if not column.primary_key]
        changed = {name: insert.excluded[name] for name in columns}
        with self._connection() as connection:
            connection.execute(
                insert.on_conflict_do_update(index_elements=["recording"], set_=changed)
            )

    def add(self, entry: Entry) -> None:
        """Adds the row; an existing one is left as it is."""
        insert = self._insert(entry)
        with self._connection() as connection:
            connection.execute(insert.on_conflict_do_nothing(index_elements=["recording"]))

    def _insert(self, entry: Entry) -> sqlite.Insert | postgresql.Insert:
        dialect = sqlite if self._engine.dialect.name == "sqlite" else postgresql
        values = dataclasses.asdict(entry)
        values["parts"] = list(entry.parts)
        insert: sqlite.Insert | postgresql.Insert = dialect.insert(RECORDINGS)
        return insert.values(values)

    def get(self, recording: str) -> Entry | None:
        with self._connection() as connection:
            row = connection.execute(
                sa.select(RECORDINGS).where(RECORDINGS.c.recording == recording)
            ).one_or_none()
        return None if row is None else _entry(row)

    def find(self, query: Query) -> list[Entry]:
        wanted = [
            RECORDINGS.c[name] == value for name in EXACT if (value := getattr(query, name)) != ""
        ]
        if query.since_ms is not None:
            wanted.append(RECORDINGS.c.started_ms >= query.since_ms)
        if query.until_ms is not None:
            wanted.append(RECORDINGS.c.started_ms < query.until_ms)
        order = (RECORDINGS.c.started_ms.desc(), RECORDINGS.c.recording.desc())
        select = sa.select(RECORDINGS).where(*wanted).order_by(*order)
        with self._connection() as connection:
            rows = connection.execute(select.limit(query.limit).offset(query.offset)).all()
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
        self._engine.dispose()

    def _connection(self) -> _Transaction:
        with self._making:
            if not self._made:
                self._make()
                self._made = True
        return _Transaction(self._engine, self.where)

    def _make(self) -> None:
        """Makes what is missing; another process may be doing the same at this moment."""
        try:
            with _Transaction(self._engine, self.where) as connection:
                connection.execute(CreateTable(RECORDINGS, if_not_exists=True))
                for index in sorted(RECORDINGS.indexes, key=lambda index: str(index.name)):
                    connection.execute(CreateIndex(index, if_not_exists=True))
        except IndexFailed:
            # PostgreSQL's IF NOT EXISTS still fails when two come at once; the other one made it.
            with _Transaction(self._engine, self.where) as connection:
                if not sa.inspect(connection).has_table(RECORDINGS.name):
                    raise


class _Transaction:
    """Commits at the end; every error of the database becomes IndexFailed."""

    def __init__(self, engine: sa.Engine, where: str) -> None:
        self._begin = engine.begin()
        self._where = where

    def __enter__(self) -> sa.Connection:
        try:
            return self._begin.__enter__()
        except SQLAlchemyError as error:
            raise self._failed(error) from error

    def __exit__(self, kind: Any, value: Any, trace: Any) -> None:
        try:
            self._begin.__exit__(kind, value, trace)
        except SQLAlchemyError as error:
            raise self._failed(error) from error
        if isinstance(value, SQLAlchemyError):
            raise self._failed(value) from value

    def _failed(self, error: SQLAlchemyError) -> IndexFailed:
        why = str(getattr(error, "orig", None) or error).strip().splitlines()
        return IndexFailed(
            f"{self._where}: {why[0] if why else type(error).__name__}; "
            "check database.url, and that the database runs"
        )


def entry_of(manifest: Manifest) -> Entry:
    """The row of a stored recording, from what lies beside it in the store."""
    same = {name: getattr(manifest, name) for name in SAME}
    parts = tuple(msgspec.to_builtins(part) for part in manifest.segments)
    return Entry(**same, state="stored", parts=parts)


def _entry(row: sa.Row[Any]) -> Entry:
    values = dict(row._mapping)
    values["parts"] = tuple(values["parts"])
    return Entry(**values)


def _arguments(url: sa.URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"timeout": 10}
    return {"connect_timeout": 5}


def _tune_sqlite(connection: Any, _: Any) -> None:
    """WAL: readers never wait for the writer. FULL: what was committed survives a power loss."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()
