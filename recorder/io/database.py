"""The recorder's database, SQLite or PostgreSQL: connections, tables, and errors in plain words."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.schema import CreateColumn, CreateIndex, CreateTable

METADATA = sa.MetaData()
ANALYSED_ROWS = 1000  # of each index; the whole of a million rows would take seconds

SQLITE_GUARD = tuple(
    f"CREATE TRIGGER IF NOT EXISTS {{table}}_no_{verb} BEFORE {verb} ON {{table}} "
    "BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
    for verb in ("UPDATE", "DELETE")
)
POSTGRESQL_GUARD = (
    "CREATE OR REPLACE FUNCTION {table}_guard() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION '{table} is append-only'; END $$",
    "CREATE OR REPLACE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
    "FOR EACH STATEMENT EXECUTE FUNCTION {table}_guard()",
)

# How many of these a table has, and how many it should.
SQLITE_GUARDS = (
    "SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :name "
    "AND name IN (:name || '_no_UPDATE', :name || '_no_DELETE')",
    2,
)
POSTGRESQL_GUARDS = (
    "SELECT count(*) FROM pg_trigger WHERE tgrelid = CAST(:name AS regclass) "
    "AND tgname = :name || '_no_change'",
    1,
)


class IndexFailed(Exception):
    """The database did not do it; the text says which one and what to do."""


class Database:
    """All calls block and are for threads; all raise IndexFailed. Connects when first asked."""

    def __init__(self, url: str) -> None:
        try:
            parsed = sa.make_url(url)
            if parsed.drivername in ("postgresql", "postgres"):
                parsed = parsed.set(drivername="postgresql+psycopg")
            self.engine = sa.create_engine(
                parsed, pool_pre_ping=True, connect_args=_arguments(parsed)
            )
        except (ArgumentError, NoSuchModuleError, ImportError) as error:
            raise ValueError(
                "database.url: allowed are sqlite:///FILE and postgresql://USER:PASSWORD@HOST/NAME "
                f"(with the package psycopg): {error}"
            ) from error
        self.where = parsed.render_as_string(hide_password=True)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self._made: set[str] = set()
        self._making = threading.Lock()
        if self.is_sqlite:
            sa.event.listen(self.engine, "connect", _tune_sqlite)

    def begin(self, *tables: sa.Table) -> Transaction:
        """A transaction; makes those of the tables that are missing first."""
        with self._making:
            for table in tables:
                if table.name not in self._made:
                    self._make(table)
                    self._made.add(table.name)
        return Transaction(self.engine, self.where)

    def has(self, table: sa.Table) -> bool:
        """Whether the table is there; an SQLite file that is missing stays missing."""
        file = self.engine.url.database
        if self.is_sqlite and not (file and Path(file).exists()):
            return False
        with Transaction(self.engine, self.where) as connection:
            return sa.inspect(connection).has_table(table.name)

    def place(self) -> str:
        """Where it is, for people: SQLite's file in full, else the address without password."""
        file = self.engine.url.database
        return str(Path(file).absolute()) if self.is_sqlite and file else self.where

    def insert(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that knows ON CONFLICT."""
        dialect = sqlite if self.is_sqlite else postgresql
        made: sqlite.Insert | postgresql.Insert = dialect.insert(table)
        return made

    def analyse(self, table: sa.Table) -> None:
        """Tells SQLite's planner how the table's values are spread; PostgreSQL does it itself."""
        if self.is_sqlite:
            with self.begin(table) as connection:
                connection.exec_driver_sql(f"PRAGMA analysis_limit={ANALYSED_ROWS}")
                connection.exec_driver_sql(f"ANALYZE {table.name}")

    def close(self) -> None:
        self.engine.dispose()

    def _make(self, table: sa.Table) -> None:
        """Makes what is missing; another process may be doing the same at this moment.

        Where nothing is, nothing is written: who may only use the tables need not own them.
        """
        if not self._lacks(table):
            return
        try:
            with Transaction(self.engine, self.where) as connection:
                connection.execute(CreateTable(table, if_not_exists=True))
                self._add_columns(connection, table)
                if table.info.get("append_only"):
                    self._guard(connection, table)
                for index in sorted(table.indexes, key=lambda index: str(index.name)):
                    connection.execute(CreateIndex(index, if_not_exists=True))
        except IndexFailed:
            # PostgreSQL's IF NOT EXISTS still fails when two come at once; the other one made it.
            if self._lacks(table):
                raise

    def _lacks(self, table: sa.Table) -> bool:
        """Whether anything of it is missing: itself, a column, an index, what guards its rows."""
        with Transaction(self.engine, self.where) as connection:
            there = sa.inspect(connection)
            if not there.has_table(table.name):
                return True
            columns = {one["name"] for one in there.get_columns(table.name)}
            indexes = {one["name"] for one in there.get_indexes(table.name)}
            guards = self._guards(connection, table)
        named = {str(index.name) for index in table.indexes}
        whole = set(table.columns.keys()) <= columns and named <= indexes
        return not (whole and guards)

    def _guards(self, connection: sa.Connection, table: sa.Table) -> bool:
        """Whether its rows are kept from being changed, where they are to be."""
        if not table.info.get("append_only"):
            return True
        asked, count = SQLITE_GUARDS if self.is_sqlite else POSTGRESQL_GUARDS
        found = connection.execute(sa.text(asked), {"name": table.name}).scalar_one()
        return int(found) >= count

    def _guard(self, connection: sa.Connection, table: sa.Table) -> None:
        """Rows are never changed or deleted; who may drop the trigger leaves that to be seen."""
        statements = SQLITE_GUARD if self.is_sqlite else POSTGRESQL_GUARD
        for statement in statements:
            connection.exec_driver_sql(statement.format(table=table.name))

    def _add_columns(self, connection: sa.Connection, table: sa.Table) -> None:
        """A table of an older version gets its new columns; each has a server default."""
        there = {column["name"] for column in sa.inspect(connection).get_columns(table.name)}
        name = self.engine.dialect.identifier_preparer.format_table(table)
        for column in table.columns:
            if column.name not in there:
                made = CreateColumn(column).compile(dialect=self.engine.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {name} ADD COLUMN {made}")
                if (fill := column.info.get("fill")) is not None:
                    connection.execute(sa.update(table).values({column.name: fill(table)}))


class Transaction:
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


def _arguments(url: sa.URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {"timeout": 10}
    # Never prepared: a plan for any values took 65 ms where the one for these takes one.
    arguments = {"connect_timeout": 5, "prepare_threshold": None}
    # A machine that has gone says nothing: without these its connections hang for a quarter of an
    # hour, or for ever (tcp_user_timeout in ms).
    alive = {"keepalives_idle": 5, "keepalives_interval": 3, "keepalives_count": 3}
    given = {**arguments, **alive, "tcp_user_timeout": 15_000}
    return {name: value for name, value in given.items() if name not in url.query}


def _tune_sqlite(connection: Any, _: Any) -> None:
    """WAL: readers never wait for the writer. FULL: what was committed survives a power loss."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA cache_size=-65536")
    cursor.execute("PRAGMA mmap_size=268435456")
    cursor.close()
